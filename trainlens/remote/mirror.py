"""A folder here that stands for what a URL means there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.errors import Unreadable
from trainlens.remote import shown, state
from trainlens.remote.calls import Calls, failures, reason
from trainlens.remote.connect import connect, refused, without_secrets
from trainlens.remote.fetch import MARK, PIECE, SMALL, Fetch, Job
from trainlens.remote.listing import Object, listing, mark_of
from trainlens.remote.names import Names, safe
from trainlens.remote.place import Place
from trainlens.remote.state import Entry
from trainlens.remote.url import fixed_part, matcher, public, scheme

HOLE = 1 << 30
"""A file of which only the first bytes are here is given its true size, up to this one."""

ANEW = 2
"""How often an object that changes under our hands is fetched again."""


class Mirror:
    """Files of a URL, as far as they are needed, in a folder of their own.

    Parameters
    ----------
    url : str
    skip : callable
        Given a path below the URL, says whether not even its first bytes are of interest.
    calls : Calls, optional
        How long to wait, how often to try.
    patience : float
        See `Place`.

    Attributes
    ----------
    root : Path
        The folder here that stands for the fixed part of the URL, or for the folder of a file.
    notices : list of Notice
        What could not be fetched; `refresh` begins a new list.

    Raises
    ------
    SourceError, MissingExtra
        As `connect`.
    """

    def __init__(
        self,
        url: str,
        skip: Callable[[str], bool],
        calls: Calls | None = None,
        patience: float = 0.0,
    ) -> None:
        self._url = url
        self._skip = skip
        self._calls = calls or Calls()
        fixed, self._pattern = fixed_part(url)
        self._fs, self._path = connect(fixed, self._calls)
        if self._pattern and self._is_there(url):
            self._path, self._pattern = connect(url, self._calls)[1], ""
            fixed = url
        self._base = public(fixed)
        self._fetch = Fetch(self._fs, self._calls)
        self._place = Place(_key(url), patience)
        self._tree = self._place.folder / shown.TREE
        self._entries = state.load(self._place.state)
        self._objects: dict[str, Object] = {}
        self.root = self._tree
        self.notices: list[Notice] = []

    def _is_there(self, url: str) -> bool:
        """Whether an object is really named like a pattern: brackets are common in names."""
        try:
            return bool(self._calls.once(self._fs.info, connect(url, self._calls)[1]))
        except failures():
            return False

    @property
    def received(self) -> int:
        """Bytes of content that were fetched so far."""
        return self._fetch.received

    @property
    def folder(self) -> Path:
        """The folder of this mirror, with all that is known of it."""
        return self._place.folder

    @property
    def passing(self) -> bool:
        """Whether the folder is of this process alone and goes with this object."""
        return self._place.passing

    def close(self) -> None:
        """Let other processes have the folder."""
        self._place.close()

    def refresh(self) -> None:
        """Look at what is there now: list it, and fetch the first bytes of what is new.

        Files that were fetched whole and have grown are completed in place.

        Raises
        ------
        NotFound, Unreadable
            There is nothing behind the URL, or it cannot be had.
        """
        self.notices = []
        found = listing(self._fs, self._path, self._url, self._pattern, self._calls)
        alone = len(found) == 1 and found[0].path == self._path
        shown_url = self._base.rpartition("/")[0] if alone else self._base
        # The names of the folders above are kept, too: a run may be named after one.
        above = shown_url.split("://", 1)[-1].split("/")[-8:]
        self.root = self._tree.joinpath(*(safe(part) for part in above if part))
        self._objects = {o.below: o for o in found}
        with self._writing():
            self._forget([b for b in self._entries if b not in self._objects])
            known = {below: entry.here for below, entry in self._entries.items()}
            names = Names(known)
            here = {below: names(below) for below in self._objects}
            renamed = {h: b for b, h in here.items() if h != b}
            shown.write(self._place.folder, self.root, shown_url, renamed)
            try:
                self._look(here)
            finally:
                state.save(self._place.state, self._entries)

    @property
    def paths(self) -> list[Path]:
        """What the URL means: its folder, its file, or every path that fits its pattern."""
        only = next(iter(self._objects.values()), None)
        if only is not None and len(self._objects) == 1 and only.path == self._path:
            return [self._here(only.below)]
        if not self._pattern:
            return [self.root]
        match = matcher(self._pattern)
        named = {}
        for below, entry in self._entries.items():
            if found := match.fullmatch(below):
                rest = below[len(found[1]) :].count("/")
                named[found[1]] = "/".join(entry.here.split("/")[: -rest or None])
        return [self.root / named[there] for there in sorted(named)]

    def files(self) -> list[tuple[Path, int, bool]]:
        """Every file: its path here, the size of its object, and whether it is whole."""
        return [(self.root / e.here, e.size, e.whole) for e in self._entries.values()]

    def fetch(self, wanted: Iterable[Path]) -> bool:
        """Make files whole, as far as they can be had; what cannot is named in `notices`.

        Parameters
        ----------
        wanted : iterable of Path
            Files of this mirror; those that are whole cost nothing.

        Returns
        -------
        bool
            Whether anything has changed.
        """
        paths = set(wanted)
        below = [b for b, e in self._entries.items() if not e.whole and self.root / e.here in paths]
        with self._writing():
            jobs = [self._job(b) for b in below]
            try:
                for _ in range(ANEW):
                    done = list(self._fetch.whole(jobs))
                    jobs = [again for job in done if (again := self._settle(job))]
                for job in self._fetch.whole(jobs):
                    if job.error is None:
                        self._tell(job.found, "changes again and again while it is read", None)
                    self._settle(job, last=True)
            finally:
                state.save(self._place.state, self._entries)
        return bool(below)

    def _look(self, here: dict[str, str]) -> None:
        heads: list[Object] = []
        grown: list[tuple[Object, int]] = []
        for below, found in self._objects.items():
            entry = self._entries.get(below)
            path = self.root / here[below]
            if entry and entry.stamp != state.stamp(path):
                entry = None  # touched by somebody else
            if entry and found.mark and (found.mark, found.size) == (entry.mark, entry.size):
                continue
            if self._skip(below) and len(self._objects) > 1:
                self._leave_out(found, here[below])
            elif entry and entry.whole and found.ranged and 0 < entry.size <= (found.size or 0):
                grown.append((found, entry.size))
            else:
                heads.append(found)
        heads += self._grow(grown)
        refusals: list[Exception] = []
        for found, result in self._fetch.heads(heads):
            self._take_head(found, here[found.below], result)
            refusals += [result] if isinstance(result, Exception) else []
        if refusals and len(refusals) == len(self._objects):
            raise refused(self._url, refusals[0])

    def _leave_out(self, found: Object, here: str) -> None:
        path = self.root / here
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            file.truncate(min(found.size or 0, HOLE))
        self._note_entry(found, Entry(here, whole=not found.size))

    def _take_head(self, found: Object, here: str, result: tuple[bytes, bytes] | Exception) -> None:
        if isinstance(result, Exception):
            self._failed(found, result, 0)
            self._entries.pop(found.below, None)
            (self.root / here).unlink(missing_ok=True)
            return
        start, end = result
        size = len(start) if found.size is None and len(start) <= SMALL else found.size
        self._write_new(self.root / here, start[:size], end, size or len(start))
        self._note_entry(found, Entry(here, have=len(start), whole=len(start) == size))

    def _grow(self, grown: Sequence[tuple[Object, int]]) -> list[Object]:
        """Complete grown files; gives back those that turn out to be others."""
        others, jobs = [], []
        for (found, held), marks in self._fetch.added(grown):
            path = self._here(found.below)
            if isinstance(marks, Exception) or marks != _marks(path, held):
                others.append(found)
            elif found.size == held:
                self._note_entry(found, self._entries[found.below])
            else:
                # The new bytes go right behind the old ones, as if the run were written here.
                jobs.append(Job(found, path))
        for job in self._fetch.whole(jobs):
            entry = self._entries[job.found.below]
            entry.have = job.begun
            entry.whole = job.error is None
            if job.error is not None:
                self._failed(job.found, job.error, entry.have)
            self._note_entry(job.found, entry)
        return others

    def _job(self, below: str) -> Job:
        found, entry = self._objects[below], self._entries[below]
        version = f"{below}\0{found.mark}\0{found.size}"
        job = Job(found, self._place.part(version))
        if found.mark and found.ranged and job.begun >= entry.have:
            return job
        with open(self._here(below), "rb") as head, open(job.part, "wb") as part:
            part.write(head.read(entry.have) if found.ranged else b"")
        return job

    def _settle(self, job: Job, last: bool = False) -> Job | None:
        """Give a fetched file its place, or a new job where it must be fetched anew."""
        if job.error is not None:
            self._keep_beginning(job)
        elif not last and (job.found.size or 0) > PIECE and (now := self._changed(job)):
            job.part.unlink()
            self._objects[now.below] = now
            self._entries[now.below].have = 0
            return self._job(now.below)
        else:
            self._complete(job)
        return None

    def _changed(self, job: Job) -> Object | None:
        """What an object is by now, where pieces of two versions may have been put together."""
        size = job.found.size or 0
        try:
            info = self._fetch.now(job.found)
            now = replace(job.found, size=int(info["size"]), mark=mark_of(info))
            if now.mark == job.found.mark:
                return None
            [(_, marks)] = self._fetch.added([(now, min(size, now.size or 0))])
        except failures():
            return None  # it will be seen at the next look
        grown = (now.size or 0) > size and marks == _marks(job.part, size)
        return None if grown else now

    def _complete(self, job: Job) -> None:
        entry = self._entries[job.found.below]
        entry.have, entry.whole = job.begun, True
        self._put(job.part, self._here(job.found.below))
        self._note_entry(job.found, entry)

    def _keep_beginning(self, job: Job) -> None:
        """What could be had of a file takes its place; the next try goes on behind it."""
        assert job.error is not None
        path = self._here(job.found.below)
        entry = self._entries[job.found.below]
        entry.have = max(entry.have, job.begun)
        self._failed(job.found, job.error, entry.have)
        if job.begun:
            copy = job.part.with_suffix(".copy")
            shutil.copyfile(job.part, copy)
            self._put(copy, path)
        else:
            os.truncate(path, entry.have)
        self._note_entry(job.found, entry)

    def _failed(self, found: Object, error: Exception, have: int) -> None:
        if isinstance(error, FileNotFoundError):
            text = "is gone since it was listed"
        else:
            text = f"could not be fetched ({without_secrets(self._url, reason(error))})"
        size = "its end" if found.size is None else str(found.size)
        kept = "; what comes before was read" if have else ""
        self._tell(found, text + kept, (have, size))

    def _tell(self, found: Object, text: str, span: tuple[int, str] | None) -> None:
        where = str(self.root / self._names(found.below))
        if span:
            where += f", bytes {span[0]}-{span[1]}"
        said = shown.shown(self.root)
        notice = Notice("unreadable", where, text, None)
        self.notices.append(said(notice) if said else notice)

    def _names(self, below: str) -> str:
        entry = self._entries.get(below)
        return entry.here if entry else below

    def _here(self, below: str) -> Path:
        return self.root / self._entries[below].here

    def _note_entry(self, found: Object, entry: Entry) -> None:
        path = self.root / entry.here
        entry.size = -1 if found.size is None else found.size
        entry.mark = found.mark
        entry.stamp = state.stamp(path)
        self._entries[found.below] = entry

    def _write_new(self, path: Path, start: bytes, end: bytes, size: int) -> None:
        """A file of some size with only its ends filled in, under its name at once."""
        part = self._place.part(f"head\0{path}")
        with open(part, "wb") as file:
            file.write(start)
            if size > len(start):
                most = min(size, max(HOLE, len(start)))
                file.truncate(most)
                file.seek(most - len(end))
                file.write(end)
        self._put(part, path)

    def _put(self, part: Path, path: Path) -> None:
        try:
            os.replace(part, path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, path)

    def _forget(self, gone: Sequence[str]) -> None:
        for below in gone:
            path = self.root / self._entries.pop(below).here
            with suppress(OSError):
                path.unlink()
            with suppress(OSError):  # stops at the first folder that is not empty
                for above in path.parents:
                    if above == self.root:
                        break
                    above.rmdir()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Within, what the system refuses is refused here: failures there are values."""
        try:
            yield
        except OSError as error:
            problem = f"cannot be kept in {self._place.folder} ({reason(error)})"
            remedy = "free space there, or let TRAINLENS_CACHE name another folder"
            raise Unreadable(public(self._url), problem, remedy) from None


def _marks(path: Path, held: int) -> tuple[bytes, bytes]:
    with open(path, "rb") as file:
        first = file.read(min(MARK, held))
        file.seek(max(0, held - MARK))
        return first, file.read(min(MARK, held))


def _key(url: str) -> str:
    """What a mirror's folder is named by; different users of a host have different mirrors."""
    text = f"{scheme(url)}\0{url}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
