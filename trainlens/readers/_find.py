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
from trainlens.readers._join import joined
from trainlens.readers._packed import first_bytes, whole_content
from trainlens.readers._reason import explain
from trainlens.readers.base import Source

PathLike = str | os.PathLike[str]

PASSED_OVER = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"}
)
"""Folders that hold code, environments or caches, never runs."""


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
        Files, folders (searched through) or glob patterns.

    Returns
    -------
    Discovery

    Raises
    ------
    NotFound, Unreadable, NotALog
        A path that was named explicitly leads to no run at all.
    """
    found: dict[tuple[Path, str], Source] = {}
    notices: list[Notice] = []
    for path in expand(paths):
        before = len(found)
        said = len(notices)
        for source in joined(list(look(path, notices))):
            found.setdefault((source.path.resolve(), source.key), source)
        if len(found) == before and not _already_there(path, found):
            raise _nothing_in(path, notices[said:])
    return Discovery(list(found.values()), notices)


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
    # Opening a pipe or a device could wait for ever; a file without a byte is of no format.
    if path.exists() and not (path.is_file() and path.stat().st_size):
        return None, explain(path, asked=False)
    try:
        with first_bytes(path) as shown:
            sure = [(m.sniff(shown), m) for m in all_readers().values()]
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        return None, Notice("unreadable", str(path), text, None)
    confidence, best = max(sure, key=lambda pair: pair[0])
    return (best, None) if confidence > 0 else (None, explain(path, asked=False))


def expand(paths: Sequence[PathLike]) -> Iterator[Path]:
    """Paths that exist, glob patterns resolved; `NotFound` for the others."""
    for path in paths:
        text = os.fspath(path)
        if os.path.lexists(text):
            yield Path(text)
            continue
        matches = sorted(glob.glob(os.path.expanduser(text), recursive=True))
        if not matches:
            raise NotFound(text, "no such file or folder", "check the path")
        yield from map(Path, matches)


def _already_there(path: Path, found: dict[tuple[Path, str], Source]) -> bool:
    whole = path.resolve()
    return any(whole == p or whole in p.parents or p in whole.parents for p, _ in found)


def _nothing_in(path: Path, notices: Sequence[Notice]) -> SourceError | MissingExtra:
    if path.is_dir():
        formats = ", ".join(all_readers())
        found = f" ({notices[0]})" if notices else ""
        return NotALog(path, f"no training log in this folder{found}", f"formats read: {formats}")
    reason = explain(path, asked=True)
    if reason.kind == "needs-extra":
        return MissingExtra(f"reading {path} (zstd)", "zstd")
    if reason.kind == "unreadable":
        return Unreadable(path, reason.message, "check its permissions")
    return NotALog(path, reason.message, "name a log file or a folder that holds runs")


def look(path: Path, notices: list[Notice]) -> Iterator[Source]:
    """Runs in a file or folder; what is said about other files is added to `notices`."""
    if path.is_dir():
        yield from _search(path, notices, set())
    else:
        yield from _runs_of_file(path, notices)


def _search(folder: Path, notices: list[Notice], taken: set[Path]) -> Iterator[Source]:
    """Runs in and below a folder; `taken` collects what belongs to those found so far."""
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        text = f"cannot be listed: {error.strerror}"
        notices.append(Notice("unreadable", str(folder), text, None))
        return
    yield from _runs_of_folder(folder, taken)
    if folder in taken:
        return
    for entry in entries:
        path = Path(entry.path)
        if path in taken:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in PASSED_OVER:
                yield from _search(path, notices, taken)
        else:
            yield from _runs_of_file(path, notices)


def _runs_of_folder(folder: Path, taken: set[Path]) -> Iterator[Source]:
    for module in all_readers().values():
        if not getattr(module, "FOLDERS", False) or module.sniff(folder) <= 0:
            continue
        found = [(source, module.files(source)) for source in module.find(folder)]
        fresh = [(s, files) for s, files in found if not files or not taken.issuperset(files)]
        for source, files in fresh:
            taken.update(files)
            yield source


def _runs_of_file(path: Path, notices: list[Notice]) -> Iterator[Source]:
    module, notice = claim(path)
    if module is None:
        notices.extend([notice] if notice and notice.kind else [])
        return
    with whole_content(path) as content:
        for source in module.find(content):
            yield replace(source, path=path)
