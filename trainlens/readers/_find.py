"""What runs there are: every path is given to the reader that is surest of it."""

from __future__ import annotations

import glob
import importlib
import os
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from trainlens.chunk import Notice
from trainlens.errors import MissingExtra, NotALog, NotFound, SourceError, Unreadable
from trainlens.readers import _shut
from trainlens.readers._copies import copied, said
from trainlens.readers._join import joined
from trainlens.readers._parts import Parts
from trainlens.readers._places import Places
from trainlens.readers._reason import explain
from trainlens.readers._wrapping import first_bytes, whole_content
from trainlens.readers.base import Look, Source
from trainlens.remote.shown import as_shown
from trainlens.remote.url import is_url, local_path

PathLike = str | os.PathLike[str]

REPORT = "trainlens-report"
"""Folder for the report of a run beside it, see `trainlens.attach`."""
PASSED_OVER = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"}
) | {REPORT}
"""Folders that hold code, environments, caches or reports, never runs."""


class Discovery(Sequence[Source]):
    """Runs that were found, and what was noticed about files that are none.

    Parameters
    ----------
    sources : sequence of Source
    notices : sequence of Notice
    """

    def __init__(self, sources: Sequence[Source] = (), notices: Sequence[Notice] = ()) -> None:
        self.sources = tuple(sources)
        self.notices = tuple(notices)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # the overloads say nothing more
        return self.sources[index]

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Source]:
        return iter(self.sources)


@cache
def all_readers() -> dict[str, ModuleType]:
    """Reader modules by format, folder formats first."""
    package = importlib.import_module("trainlens.readers")
    names = [
        m.name
        for m in pkgutil.iter_modules(package.__path__)
        if m.name[0] != "_" and m.name != "base"
    ]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in sorted(names)]
    modules.sort(key=lambda m: not getattr(m, "FOLDERS", False))
    return {m.FORMAT: m for m in modules}


def discover(*paths: PathLike) -> Discovery:
    """What runs there are, without reading them whole.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders (searched through), glob patterns or URLs.

    Returns
    -------
    Discovery

    Raises
    ------
    NotFound, Unreadable, NotALog
        A path that was named explicitly leads to no run at all; `Unreadable` also where that is
        for want of permission.
    """
    found: dict[tuple[str, str], Source] = {}
    places = Places()
    parts = Parts(lined(), look)
    notices: list[Notice] = []
    reports: list[Path] = []
    for path in expand(paths, notices):
        if path.name == REPORT and path.is_dir():
            # A pattern for runs meets the reports beside them, too.
            reports.append(path)
            continue
        before = len(found)
        before_it = len(notices)
        for source in runs_at(path, notices, parts):
            real = places.add(source.path)
            found.setdefault((real, source.key), source)
        if len(found) == before and not places.touch(path):
            raise as_shown(path, nothing_in(path, notices[before_it:]))
        notices[before_it:] = [as_shown(path, notice) for notice in notices[before_it:]]
    if reports and not found:
        raise nothing_in(reports[0], ())
    sources = parts.unrepeated(list(found.values()))
    return Discovery(sources, notices + said(sources))


def claim(path: Path) -> tuple[ModuleType | None, Notice | None]:
    """The reader that is surest of a file, or why there is none.

    Parameters
    ----------
    path : Path

    Returns
    -------
    module : module or None
    notice : Notice or None
        Where there is no reader: the reason, with an empty kind where it is not worth a word
        about a file that was met in a search.
    """
    return _claim(Look(path))


def _claim(look: Look) -> tuple[ModuleType | None, Notice | None]:
    try:
        # Opening a pipe or a device could wait for ever; a file without a byte is of no format.
        nothing = look.mode and not (look.is_file and look.head)
        best = None if nothing else _surest(look)
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        return None, Notice("unreadable", str(look.path), text, None)
    return (best, None) if best else (None, explain(look, asked=False))


def _surest(look: Look) -> ModuleType | None:
    """The reader with the highest confidence, the first of them; None where none has any."""
    best, most = None, 0.0
    with first_bytes(look) as shown:
        for module in all_readers().values():
            if getattr(module, "SUREST", 1.0) <= most:
                continue
            confidence = module.sniff(shown)
            if confidence > most:
                best, most = module, confidence
    return best


def expand(paths: Sequence[PathLike], notices: list[Notice] | None = None) -> Iterator[Path]:
    """Paths that exist, glob patterns resolved; `NotFound` or `Unreadable` for the others.

    For a URL, paths that stand for it here; what could not be fetched is added to `notices`.
    """
    for path in paths:
        text = os.fspath(path)
        if os.path.lexists(text):
            yield _seen(text)
            continue
        if is_url(text):
            yield from _behind(text, [] if notices is None else notices)
            continue
        matches = _matches(text)
        if not matches:
            raise _shut.behind(text) or NotFound(text, "no such file or folder", "check the path")
        yield from map(_seen, matches)


def _seen(path: str) -> Path:
    """A path that is there, and does not lead to a place that nobody can see."""
    if unseen := _shut.behind(path):
        raise unseen
    return Path(path)


def _matches(pattern: str) -> list[str]:
    """Paths that a pattern fits, without what lies in reports that it does not name."""
    found = sorted(glob.glob(os.path.expanduser(pattern), recursive=True))
    if REPORT in Path(pattern).parts:
        return found
    return [path for path in found if REPORT not in Path(path).parts]


def _behind(url: str, notices: list[Notice]) -> Iterator[Path]:
    local = local_path(url)
    if local is not None:
        yield from expand([local])
        return
    # It asks the readers which files it needs, through this module.
    from trainlens.readers._remote import mirrored

    yield from mirrored(url, notices)


def nothing_in(path: Path, notices: Sequence[Notice]) -> SourceError | MissingExtra:
    """The error for a path that leads to no run.

    Parameters
    ----------
    path : Path
    notices : sequence of Notice
        What the search there has said.

    Returns
    -------
    SourceError or MissingExtra
    """
    if path.is_dir():
        if shut := _shut.within(notices):
            return shut
        formats = ", ".join(all_readers())
        found = f" ({notices[0]})" if notices else ""
        return NotALog(path, f"no training log in this folder{found}", f"formats read: {formats}")
    reason = explain(path, asked=True)
    if reason.kind == "needs-extra":
        return MissingExtra(f"reading {path} (zstd)", "zstd")
    if reason.kind == "unreadable":
        return Unreadable(path, reason.message, "check its permissions")
    return NotALog(path, reason.message, "name a log file or a folder that holds runs")


@cache
def lined() -> frozenset[str]:
    """Formats of which files, one behind the other, are a file of the same format."""
    return frozenset(f for f, module in all_readers().items() if getattr(module, "LINES", False))


def runs_at(path: Path, notices: list[Notice], parts: Parts | None = None) -> list[Source]:
    """Runs in a file or folder, what was written in several places as one.

    Parameters
    ----------
    path : Path
    notices : list of Notice
        What is said about other files is added.
    parts : Parts, optional
        It knows the folders that were listed for other paths.
    """
    new: list[Notice] = []
    sources = list(look(path, new))
    parts = parts or Parts(lined(), look)
    if path.is_dir():
        sources = copied(joined(parts.of_folder(sources, new)))
    else:
        sources = joined(parts.of_file(path, sources, new))
    notices += new
    return sources


def look(path: Path, notices: list[Notice]) -> Iterator[Source]:
    """Runs in a file or folder; what is said about other files is added to `notices`."""
    start = Look(path)
    if start.is_dir:
        yield from _search(start, notices, set())
    else:
        yield from _runs_of_file(start, notices)


def _search(folder: Look, notices: list[Notice], taken: set[Path]) -> Iterator[Source]:
    """Runs in and below a folder; `taken` collects what belongs to those found so far."""
    try:
        entries = folder.entries.values()
    except OSError as error:
        text = f"cannot be listed: {error.strerror}"
        notices.append(Notice("unreadable", str(folder.path), text, None))
        return
    yield from _runs_of_folder(folder, taken)
    if folder.path in taken:
        return
    for entry in entries:
        path = Path(entry.path)
        if path in taken:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in PASSED_OVER:
                yield from _search(Look(path), notices, taken)
        else:
            yield from _runs_of_file(Look(path), notices)


def _runs_of_folder(folder: Look, taken: set[Path]) -> Iterator[Source]:
    for module in all_readers().values():
        if not getattr(module, "FOLDERS", False) or module.sniff(folder) <= 0:
            continue
        found = [(source, module.files(source)) for source in module.find(folder.path)]
        fresh = [(s, files) for s, files in found if not files or not taken.issuperset(files)]
        for source, files in fresh:
            taken.update(files)
            yield source


def _runs_of_file(look: Look, notices: list[Notice]) -> Iterator[Source]:
    module, notice = _claim(look)
    if module is None:
        notices.extend([notice] if notice and notice.kind else [])
        return
    with whole_content(look) as content:
        for source in module.find(content):
            yield source if content is look.path else replace(source, path=look.path)
