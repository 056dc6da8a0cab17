"""Finding and reading runs: `discover`, `load`, `load_one`."""

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

from trainlens.errors import MissingExtra, NotALog, NotFound, SeveralRuns, SourceError, Unreadable
from trainlens.readers._naming import name_runs
from trainlens.readers._reason import explain
from trainlens.readers.base import Reader, Source
from trainlens.run import Notice, Run, Runs

PathLike = str | os.PathLike[str]

# Folders that hold code, environments or caches, never runs.
_PASSED_OVER = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"}
)

# Notices of files that hold no run at all, in contrast to runs that have not logged yet.
_NO_RUN = frozenset({"lfs-pointer", "corrupt", "not-a-log", "unreadable"})


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
    names = [
        m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_" and m.name != "base"
    ]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in sorted(names)]
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
    for path in _expand(paths):
        before = len(found)
        said = len(notices)
        for source in _look(path, notices):
            found.setdefault((source.path.resolve(), source.key), source)
        if len(found) == before and not _already_there(path, found):
            raise _nothing_in(path, notices[said:])
    return Discovery(list(found.values()), notices)


def _expand(paths: Sequence[PathLike]) -> Iterator[Path]:
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


def _nothing_in(path: Path, notices: Sequence[Notice]) -> SourceError:
    if path.is_dir():
        formats = ", ".join(all_readers())
        found = f" ({notices[0]})" if notices else ""
        return NotALog(path, f"no training log in this folder{found}", f"formats read: {formats}")
    reason = explain(path, asked=True)
    if reason.kind == "unreadable":
        return Unreadable(path, reason.message, "check its permissions")
    return NotALog(path, reason.message, "name a log file or a folder that holds runs")


def _look(path: Path, notices: list[Notice]) -> Iterator[Source]:
    if path.is_dir():
        yield from _search(path, notices)
        return
    module = _claim_file(path, notices)
    if module is not None:
        yield from module.find(path)


def _search(folder: Path, notices: list[Notice]) -> Iterator[Source]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        notices.append(
            Notice("unreadable", str(folder), f"cannot be listed: {error.strerror}", None)
        )
        return
    owners = [
        m for m in all_readers().values() if getattr(m, "FOLDERS", False) and m.sniff(folder) > 0
    ]
    for module in owners:
        yield from module.find(folder)
    for entry in entries:
        path = Path(entry.path)
        if any(m.owns(path) for m in owners):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _PASSED_OVER:
                yield from _search(path, notices)
        else:
            claimed = _claim_file(path, notices)
            if claimed is not None:
                yield from claimed.find(path)


def _claim_file(path: Path, notices: list[Notice]) -> ModuleType | None:
    """The reader that is surest of a file; None, with a notice where one is due, without any."""
    # Opening a pipe or a device could wait for ever; a file without a byte is of no format.
    special = path.exists() and not (path.is_file() and path.stat().st_size)
    try:
        sure = [(0.0 if special else m.sniff(path), m) for m in all_readers().values()]
    except OSError as error:
        notices.append(Notice("unreadable", str(path), f"cannot be read: {error.strerror}", None))
        return None
    confidence, best = max(sure, key=lambda pair: pair[0])
    if confidence > 0:
        return best
    reason = explain(path, asked=False)
    if reason.kind:
        notices.append(reason)
    return None


def open_source(source: Source) -> Reader:
    """A reader at the beginning of a run."""
    reader: Reader = all_readers()[source.format].open_source(source)
    return reader


def load(*paths: PathLike) -> Runs:
    """Read every run in `paths`.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders (searched through) or glob patterns.

    Returns
    -------
    Runs
        Always a sequence. A run that cannot be read is named in its `notices`; the others are
        whole.

    Raises
    ------
    SourceError
        Nothing could be read.
    MissingExtra
        Nothing could be read because an optional dependency is missing.
    """
    found = discover(*paths)
    runs: list[Run] = []
    notices = list(found.notices)
    failure: SourceError | MissingExtra | None = None
    for source, name in zip(found, name_runs(found.sources, paths), strict=True):
        try:
            run = read(source, name)
            if _is_nothing(run):
                notices.extend(_placed(source, n) for n in run.notices)
                failure = failure or _no_record(source, run.notices[0])
            else:
                runs.append(run)
        except (SourceError, MissingExtra) as error:
            failure = failure or error
            notices.append(Notice("unreadable", str(source.path), str(error), None))
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            failure = failure or Unreadable(source.path, text, "check its permissions")
            notices.append(Notice("unreadable", str(source.path), text, None))
    if not runs and failure is not None:
        raise failure
    return Runs(runs, notices)


def _is_nothing(run: Run) -> bool:
    """Whether a file that was taken for a run by its name turned out to hold none."""
    kinds = {n.kind for n in run.notices}
    return bool(kinds) and kinds <= _NO_RUN and not run.points and not run.config


def _placed(source: Source, notice: Notice) -> Notice:
    """A notice of a run, which names its file only, with the way to that file."""
    folder = source.path if source.path.is_dir() else source.path.parent
    return replace(notice, where=str(folder / notice.where))


def _no_record(source: Source, notice: Notice) -> NotALog:
    return NotALog(source.path, notice.message, "no record could be read from it")


def read(source: Source, name: str) -> Run:
    """Read one run from its beginning to its end."""
    chunk = open_source(source).poll(final=True)
    return Run(name, str(source.path), source.format).extend(chunk)


def load_one(path: PathLike) -> Run:
    """Read the only run in `path`.

    Raises
    ------
    SeveralRuns
        There are several; the error names them.
    SourceError
        There is none.
    """
    found = discover(path)
    if len(found) > 1:
        names = name_runs(found.sources, (path,))
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise SeveralRuns(path, f"holds {len(names)} runs ({listed})", "name one, or use load()")
    return load(path)[0]
