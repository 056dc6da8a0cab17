"""Run after run: each is read, handed to some work, and let go.

So what many runs cost in memory is what the work gives back, not their points; and where the work
is done (here, in other processes, on a cluster) is the engine's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from trainlens.chunk import Notice
from trainlens.engine import Engine, Here, Lost
from trainlens.errors import MissingExtra, NotALog, SourceError, Unreadable
from trainlens.readers._elsewhere import Origin, at_hand, origin
from trainlens.readers._find import PathLike, discover
from trainlens.readers._naming import name_runs
from trainlens.readers._read import read
from trainlens.readers.base import Source
from trainlens.remote.shown import as_shown
from trainlens.run import Run

T = TypeVar("T")
Failure = SourceError | MissingExtra

_FILES = 1000
# Notices of files that hold no run at all, in contrast to runs that have not logged yet.
_NO_RUN = frozenset({"lfs-pointer", "corrupt", "not-a-log", "unreadable"})


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """What came of one run: one value, or why there is none."""

    values: tuple[T, ...] = ()
    notices: tuple[Notice, ...] = ()
    failure: Failure | None = None
    fetching: tuple[Notice, ...] = ()
    """What the place where it was read could not fetch of a URL."""


class Survey:
    """The runs in some paths, each read when its turn comes.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders (searched through), glob patterns or URLs.
    cache : bool
        Whether what is read is kept in the user's cache folder, and taken from there where it was
        read before.

    Attributes
    ----------
    sources : tuple of Source
    names : list of str
        All different.
    notices : list of Notice
        About files that became no run; complete when `each` has come to its end.

    Raises
    ------
    SourceError
        A path that was named leads to no run.
    """

    def __init__(self, *paths: PathLike, cache: bool = False) -> None:
        found = discover(*paths)
        self._cache = cache
        self.sources = found.sources
        self._origins = [origin(source) for source in found.sources]
        self.names = name_runs(found.sources, paths)
        self.notices = list(found.notices)

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def size(self) -> int:
        """Bytes on disk, of folders as far as a quick look tells."""
        return sum(_size(path) for s in self.sources for path in _paths(s))

    def each(
        self,
        work: Callable[[Run], T],
        engine: Engine | None = None,
        among: Sequence[int] | None = None,
    ) -> Iterator[T]:
        """What the work says of every run, in their order.

        A run that cannot be read is named in `notices`, and the others go on.

        Parameters
        ----------
        work : callable
            Takes a Run. Where the engine is not this process: a function of a module, and what
            it gives back goes through pickling.
        engine : Engine, optional
            Where the work is done; None for this process.
        among : sequence of int, optional
            Places of the runs to take, of all others nothing is read.

        Raises
        ------
        SourceError, MissingExtra
            Not one run could be read.
        """
        places = range(len(self.sources)) if among is None else among
        jobs = [(self.sources[i], self.names[i], self._origins[i]) for i in places]
        failure: Failure | None = None
        any_read = False
        answers = (engine or Here()).run(partial(_one, work, self._cache), jobs)
        for (source, _, _), answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Lost):
                lost = Unreadable(source.path, answer.reason, "try it on its own")
                answer = _shown(_unreadable(lost), source)
            self.notices += [n for n in answer.fetching if n not in self.notices]
            self.notices += answer.notices
            failure = failure or answer.failure
            any_read = any_read or bool(answer.values)
            yield from answer.values
        if failure is not None and not any_read:
            raise failure


def _paths(source: Source) -> list[Path]:
    """Where a run lies: its folder, or its file, or the files of a log in several parts."""
    return [source.path] if source.path.is_dir() else [part.path for part in source.places]


def _size(path: Path) -> int:
    try:
        if not path.is_dir():
            return path.stat().st_size
        files = islice((f for f in path.rglob("*") if f.is_file()), _FILES)
        return sum(f.stat().st_size for f in files)
    except OSError:
        return 0  # whoever reads it will say what is wrong


def _one(
    work: Callable[[Run], T], cache: bool, job: tuple[Source, str, Origin | None]
) -> _Answer[T]:
    source, name, known = job
    try:
        source, fetching = at_hand(source, known)
    except (SourceError, MissingExtra) as error:
        return _unreadable(error, known.name if known else "")
    return replace(_shown(_read(work, cache, source, name), source), fetching=fetching)


def _shown(answer: _Answer[T], source: Source) -> _Answer[T]:
    """An answer that names URLs, as this process knows them."""
    notices = tuple(as_shown(source.path, n) for n in answer.notices)
    failure = answer.failure and as_shown(source.path, answer.failure)
    return replace(answer, notices=notices, failure=failure)


def _read(work: Callable[[Run], T], cache: bool, source: Source, name: str) -> _Answer[T]:
    try:
        run = read(source, name, cache)
    except (SourceError, MissingExtra) as error:
        return _unreadable(error, str(source.path))
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}"
        return _unreadable(Unreadable(source.path, text, "check its permissions"), text=text)
    except MemoryError:
        text = "not enough memory to read it"
        return _unreadable(Unreadable(source.path, text, "use fewer workers"), text=text)
    if _is_nothing(run):
        placed = tuple(_placed(source, n) for n in run.notices)
        failure = NotALog(source.path, run.notices[0].message, "no record could be read from it")
        return _Answer(notices=placed, failure=failure)
    return _Answer((work(run),))


def _unreadable(failure: Failure, where: str = "", text: str = "") -> _Answer[T]:
    path = failure.path if isinstance(failure, SourceError) else ""
    return _Answer(notices=(Notice("unreadable", where or path, text or str(failure), None),),
                   failure=failure)  # fmt: skip


def _is_nothing(run: Run) -> bool:
    """Whether a file that was taken for a run by its name turned out to hold none."""
    kinds = {n.kind for n in run.notices}
    return bool(kinds) and kinds <= _NO_RUN and not run.points and not run.config


def _placed(source: Source, notice: Notice) -> Notice:
    """A notice of a run, which names its file only, with the way to that file."""
    folder = source.path if source.path.is_dir() else source.path.parent
    return replace(notice, where=str(folder / notice.where))
