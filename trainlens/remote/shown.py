"""From files of a mirror back to the URL that they stand for, in texts for people."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from trainlens.chunk import Notice
from trainlens.errors import MissingExtra, SourceError

MARK = "trainlens-mirror-"
"""How the name of a mirror's folder begins."""

TREE = "tree"
ABOUT = "about.json"

Said = TypeVar("Said", bound="str | Notice | SourceError | MissingExtra")


@dataclass(frozen=True)
class Shown:
    """Puts URLs in place of the paths of one mirror.

    Parameters
    ----------
    root : str
        Path of what is mirrored, here.
    url : str
        The same, as the user knows it.
    renamed : tuple of (str, str)
        Paths below it here and there, where they differ.
    """

    root: str
    url: str
    renamed: tuple[tuple[str, str], ...] = ()

    def __call__(self, said: Said) -> Said:
        """The same text, notice or error, with URLs."""
        if isinstance(said, Notice):
            where, message = self.name(said.where), self._text(said.message)
            return replace(said, where=where, message=message)
        if isinstance(said, SourceError):
            return type(said)(*(self._text(p) for p in (said.path, said.problem, said.remedy)))
        if isinstance(said, MissingExtra):
            return type(said)(self._text(said.what), said.extra)
        return self._text(said)  # type: ignore[return-value]  # a str here

    def name(self, name: str) -> str:
        """The name of a run with the names of its files there."""
        name = self._text(name)
        for here, there in self.renamed:
            old, new = here.rpartition("/")[2], there.rpartition("/")[2]
            if old != new:
                name = name.replace(old, new).replace(old.rpartition(".")[0] or old, new)
        return name

    def _text(self, text: str) -> str:
        for root in (self.root, os.path.relpath(self.root)):
            if root in text:
                for here, there in self.renamed:
                    text = text.replace(f"{root}/{here}", f"{self.url}/{there}")
                text = text.replace(root, self.url)
        return text


def write(folder: Path, root: Path, url: str, renamed: dict[str, str]) -> None:
    """Keep in a mirror's folder what `shown` needs."""
    pairs = sorted(renamed.items(), key=lambda pair: -len(pair[0]))
    about = {"root": root.relative_to(folder).as_posix(), "url": url, "renamed": pairs}
    data = json.dumps(about).encode("utf-8")
    file = folder / ABOUT
    if not file.exists() or file.read_bytes() != data:
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.replace(file)


def shown(path: str | os.PathLike[str]) -> Shown | None:
    """What shows the files of the mirror that a path lies in; None for any other path.

    Parameters
    ----------
    path : path-like
    """
    for folder in mirrors_around(path):
        try:
            return _read(folder, (folder / ABOUT).stat().st_mtime_ns)
        except (OSError, ValueError, KeyError):
            continue
    return None


def mirrors_around(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Folders around a path that are named like those of mirrors, the nearest first."""
    text = os.fspath(path)
    if MARK in text:
        above = Path(os.path.abspath(text)).parents
        yield from (folder for folder in above if folder.name.startswith(MARK))


def as_shown(path: str | os.PathLike[str], said: Said) -> Said:
    """A text, notice or error about a path, with the URL in place of the path of a mirror.

    Parameters
    ----------
    path : path-like
        A file or folder that is spoken of.
    said : str, Notice, SourceError or MissingExtra
    """
    found = shown(path)
    return found(said) if found else said


@lru_cache(maxsize=64)
def _read(folder: Path, time: int) -> Shown:
    held = json.loads((folder / ABOUT).read_bytes())
    renamed = tuple((str(here), str(there)) for here, there in held["renamed"])
    return Shown(str(folder / held["root"]), str(held["url"]), renamed)
