"""Finding and reading runs: `discover`, `load`, `load_one`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.errors import MissingExtra, NotALog, SeveralRuns, SourceError, Unreadable
from trainlens.readers._account import account
from trainlens.readers._epoch_axis import on_training_axis
from trainlens.readers._find import Discovery, PathLike, all_readers, claim, discover
from trainlens.readers._join import Joined
from trainlens.readers._meaning import Cleaned
from trainlens.readers._naming import name_runs
from trainlens.readers._packed import Packed, wrapping
from trainlens.readers.base import Reader, Source
from trainlens.run import Run, Runs

__all__ = [
    "Discovery",
    "account",
    "all_readers",
    "claim",
    "discover",
    "load",
    "load_one",
    "open_source",
    "read",
]

# Notices of files that hold no run at all, in contrast to runs that have not logged yet.
_NO_RUN = frozenset({"lfs-pointer", "corrupt", "not-a-log", "unreadable"})


def open_source(source: Source) -> Reader:
    """A reader at the beginning of a run."""
    if source.parts:
        reader: Reader = Joined([(part, _open(part)) for part in source.parts])
    else:
        reader = _open(source)
    return Cleaned(reader, source.path.name)


def _open(source: Source) -> Reader:
    module = all_readers()[source.format]

    def plain(path: Path) -> Reader:
        reader: Reader = module.open_source(replace(source, path=path))
        return reader

    kind = wrapping(source.path)
    return Packed(source.path, kind, plain) if kind else plain(source.path)


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
    return on_training_axis(Run(name, str(source.path), source.format).extend(chunk))


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
