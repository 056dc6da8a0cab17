"""Which files are older parts of a log that is rotated, by their names alone.

``train.log.1`` (the higher the number, the older) and ``train.log-20240101``, as logrotate and
Python's handlers name them, each also compressed, and ``train.2024-01-01_12-00-00_123456.log`` of
loguru. Not ``train.1.log``: that is as often the second process of a training as its older log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from trainlens.readers._wrapping import content_name

_MAY_BE = re.compile(r".[.-]\d")
_NUMBERED = re.compile(r"(.+)\.(0|[1-9]\d{0,2})")
_DATED = re.compile(
    r"(.+?)[-.](\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?|\d{8}(?:-\d{10}|-?\d\d(?:\d\d){0,2})?|\d{10})"
)
_WITHIN = re.compile(r"(.+)\.(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\d{6})(\.[A-Za-z]\w*)")
_FORMS = ("%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%f")
_LENGTHS = (8, 10, 12, 14, 20)


@dataclass(frozen=True, order=True)
class Older:
    """What the name of an older part says.

    Parameters
    ----------
    order : tuple
        Sorts the parts of one log, the oldest first.
    packed : bool
        Whether it is named as compressed.
    name : str
        Of the file.
    log : str
        Name of the log that it is a part of.
    """

    order: tuple[int, str]
    packed: bool
    name: str
    log: str

    @property
    def number(self) -> int | None:
        """Its number, None for a dated one."""
        return 1000 - int(self.order[1]) if self.order[0] else None


def older(name: str) -> Older | None:
    """What a file is an older part of, None where its name does not say that it is one.

    Examples
    --------
    >>> older("train.log.2.gz").log, older("train.log-20240101").log, older("loss.20249999")
    ('train.log', 'train.log', None)
    """
    if not _MAY_BE.search(name):
        return None
    inner = content_name(Path(name))
    packed = inner != name
    if found := _NUMBERED.fullmatch(inner):
        return Older((1, f"{1000 - int(found[2]):04}"), packed, name, found[1])
    if (found := _WITHIN.fullmatch(inner)) and (moment := _moment(found[2])):
        return Older((0, moment), packed, name, found[1] + found[3])
    if (found := _DATED.fullmatch(inner)) and (moment := _moment(found[2])):
        return Older((0, moment), packed, name, found[1])
    return None


def _moment(text: str) -> str:
    """A date as digits that sort, empty where it is none."""
    date, _, seconds = text.rpartition("-")
    if len(seconds) == 10:
        moment = _of_unix(seconds)
        return moment if not date or moment else ""
    digits = re.sub(r"\D", "", text)
    for length, form in zip(_LENGTHS, _FORMS, strict=True):
        if len(digits) == length:
            return _of_form(digits, form)
    return ""


def _of_unix(seconds: str) -> str:
    # 2024010113 is an hour of a day; as seconds it would lie in 2034.
    if found := _of_form(seconds, "%Y%m%d%H"):
        return found
    if not 1_000_000_000 <= int(seconds) < 2_100_000_000:
        return ""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y%m%d%H%M%S%f")


def _of_form(digits: str, form: str) -> str:
    try:
        moment = datetime.strptime(digits, form)
    except ValueError:
        return ""
    return digits.ljust(20, "0") if 1990 <= moment.year < 2100 else ""


def chains(names: Iterable[str]) -> dict[str, list[str]]:
    """Logs of several parts among the files of one folder.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    dict of str to list of str
        The name of each such log and its parts, oldest first, the file that grows last. Where
        that is not there, only parts that are dated or compressed make a log: numbers alone
        number other things as well. Of a part that is also there compressed, the compressed
        file is left out: it may be in the making.
    """
    names = set(names)
    held: dict[str, list[Older]] = {}
    for name in names:
        if part := older(name):
            held.setdefault(part.log, []).append(part)
    found = {}
    for log, parts in held.items():
        sure = log in names or any(p.packed or p.number is None for p in parts)
        kept = _each_once(parts)
        whole = [p.name for p in kept] + ([log] if log in names else [])
        if sure and len(whole) > 1:
            found[log] = whole
    return found


def _each_once(parts: list[Older]) -> list[Older]:
    """In order, and what is there plain and compressed only plain."""
    kept: dict[tuple[int, str], Older] = {}
    for part in sorted(parts):
        kept.setdefault(part.order, part)
    return list(kept.values())


def missing(names: Iterable[str]) -> list[str]:
    """Names of parts that must have been there between others of a log.

    Parameters
    ----------
    names : iterable of str
        Parts as `chains` gives them.
    """
    parts = [part for name in names if (part := older(name)) and part.number is not None]
    numbers = {part.number for part in parts if part.number is not None}
    if not numbers:
        return []
    # They begin at 0 or 1; where they begin far above that, somebody wants it so.
    begin = 1 if min(numbers) == 2 else min(numbers)
    gaps = (n for n in range(max(numbers), begin - 1, -1) if n not in numbers)
    return [f"{parts[0].log}.{n}" for n in gaps]


class Listings:
    """The logs of several parts of each folder, which is listed once."""

    def __init__(self) -> None:
        self._known: dict[Path, Mapping[str, list[str]]] = {}

    def of(self, folder: Path) -> Mapping[str, list[str]]:
        """As `chains`, of the files of a folder; nothing where it cannot be listed."""
        if folder not in self._known:
            self._known[folder] = {
                log: kept
                for log, names in chains(_files(folder)).items()
                if len(kept := _different(folder, names)) > 1
            }
        return self._known[folder]


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if _is_file(entry)]
    except OSError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a loop of links


def _different(folder: Path, names: list[str]) -> list[str]:
    """Without parts that are one file with a later one: a link to the newest part is common."""
    seen: set[tuple[int, int]] = set()
    kept = []
    for name in reversed(names):
        try:
            entry = os.stat(folder / name)
        except OSError:
            continue  # gone just now
        if (entry.st_dev, entry.st_ino) not in seen:
            seen.add((entry.st_dev, entry.st_ino))
            kept.append(name)
    return kept[::-1]
