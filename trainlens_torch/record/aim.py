"""AIM runs that the stock SDK reads whole at any moment: live, ended or killed."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainlens.errors import MissingExtra
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import legible, points
from trainlens_torch.record.sinks import Place, Sink

__all__ = ["AimSink", "make"]

_TRIES = 20
_PAUSE = 0.1
_LOST: list[Any] = []
"""Runs whose store was removed: nothing of them may be finalized."""


def make(place: Place, repo: Path | None = None) -> Sink:
    """A run in the AIM repository `repo`, the folder of the run by default.

    Raises
    ------
    MissingExtra
        The package ``aim`` is not installed.
    """
    return AimSink(place, repo)


class AimSink:
    """Tracks values through the AIM SDK, without its monitors of system, output and git.

    A value is in the store of its run as soon as it is tracked; but the SDK finds runs and metrics
    through an index that only ``aim up`` brings up to date. So this sink writes its own run into
    that index: whenever a metric is new, at each flush and at the end. While another process holds
    the index (``aim up`` does), this one leaves it alone; ``aim up`` sees the run by itself.

    The run is opened by the thread that writes first. It has the name of the run, the
    configuration as the parameter ``hparams``, the planned schedules as ``schedules``, and each
    value in the context ``{"subset": SPLIT}`` at the time of its entry. AIM keeps one value of a
    metric at a step: a later one replaces it. A file beside the repository, ``aim.run``, has the
    hash of the run: a resumed training continues it. Where that is not possible (its lock is
    held elsewhere, its store is damaged), a new run begins.

    Parameters
    ----------
    place : Place
    repo : Path, optional
        Folder of the repository, with or without ``.aim``.
    sleep : callable
        Waits between two tries to get the index at the end.

    Raises
    ------
    MissingExtra
        The package ``aim`` is not installed.
    """

    def __init__(
        self, place: Place, repo: Path | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._lib = _Library()
        self._place = place
        self._sleep = sleep
        folder = place.folder if repo is None else repo
        self.repo = folder.parent if folder.name == ".aim" else folder
        rank = f".rank{place.rank}" if place.rank else ""
        self._note = place.folder / f"aim{rank}.run"
        self._run: Any = None
        self._known: set[tuple[str, str]] = set()
        self._closed = False
        self.run_hash: str | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        """Track the values of entries.

        Raises
        ------
        OSError
            The store took only some of them: so many as its attribute `written` says.
        """
        written = 0
        try:
            with self._lib.as_oserror(self.repo):
                run = self._opened()
                known = len(self._known)
                for entry in entries:
                    self._track(run, entry)
                    written += 1
                if len(self._known) > known:
                    self._lib.index(run)
        except OSError as error:
            # Half an entry may be given again: AIM replaces what it has of a step.
            if not self._closed:
                vars(error)["written"] = written
            raise

    def flush(self) -> None:
        """Bring the values to the disk, and the run up to date in the index.

        Raises
        ------
        OSError
            It could not be done, or the repository was removed: then this log has ended.
        """
        if self._run is None:
            return
        if not self._lib.is_there(self._run):
            run, self._run = self._run, None
            self._closed = True
            self._lib.forget(run)
            raise FileNotFoundError(errno.ENOENT, "the log was removed", str(self.repo))
        with self._lib.as_oserror(self.repo):
            self._lib.sync(self._run)
            self._lib.index(self._run)

    def close(self) -> None:
        """End the run. Repeating it does nothing."""
        if self._closed:
            return
        self._closed = True
        run, self._run = self._run, None
        if run is None:
            return
        with self._lib.as_oserror(self.repo):
            try:
                # Not only at its own end: the index of an ended run is never looked at again.
                run.meta_run_tree["end_time"] = self._place.clock()
                for _ in range(_TRIES):
                    if self._lib.index(run):
                        break
                    self._sleep(_PAUSE)
            finally:
                run.close()

    def _track(self, run: Any, entry: Entry) -> None:
        split = legible(entry.split)
        for name, value in points(entry):
            # A metric without a name would leave the run unreadable to the SDK.
            self._lib.track(run, name or "_", value, entry, {"subset": split})
            self._known.add((split, name))

    def _opened(self) -> Any:
        if self._closed:
            raise OSError(errno.EBADF, "the log is closed", str(self.repo))
        if self._run is None:
            self.repo.mkdir(parents=True, exist_ok=True)
            run = self._continued() or self._lib.run(self.repo, None)
            if run.name != self._place.run:
                run.name = self._place.run
            for key, found in (
                ("hparams", self._place.config),
                ("schedules", self._place.schedules),
            ):
                if found:
                    run[key] = json.loads(json.dumps(dict(found), default=str))
            self._lib.index(run)
            self._note.write_text(f"{run.hash}\n", encoding="ascii")
            self._run, self.run_hash = run, run.hash
        return self._run

    def _continued(self) -> Any:
        """The run of an earlier process, None where it cannot be continued."""
        try:
            known = self._note.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        try:
            with self._lib.as_oserror(self.repo):
                return self._lib.run(self.repo, known)
        except OSError:
            return None


class _Library:
    """The parts of the SDK that are used, and its faults as OSError."""

    def __init__(self) -> None:
        load = importlib.import_module
        try:
            self._aim: Any = load("aim")
            self._container: Any = load("aim.storage.rockscontainer").RocksContainer
            rocks: Any = load("aimrocks.errors")
            sql: Any = load("sqlalchemy.exc")
            busy: Any = load("filelock").Timeout
            self._locks: Any = load("aim.sdk.lock_manager").LockManager
        except ImportError as error:
            raise MissingExtra("writing AIM runs", "aim") from error
        self._busy: type[Exception] = rocks.RocksIOError
        self._faults: tuple[type[Exception], ...] = (
            rocks.RocksIOError,
            rocks.Corruption,
            rocks.Incomplete,
            rocks.InvalidArgument,
            sql.SQLAlchemyError,
            busy,
            RuntimeError,  # the root of the SDK's own
        )

    @contextlib.contextmanager
    def as_oserror(self, repo: Path) -> Iterator[None]:
        """Raises faults of the store as OSError."""
        try:
            yield
        except self._faults as error:
            raise OSError(errno.EIO, f"AIM: {error}", str(repo)) from error

    def repository(self, repo: Path) -> Any:
        """The repository in a folder; it is made where there is none."""
        # Its version is the last thing that a new repository gets: without it, it is half made.
        half = not (repo / ".aim" / "VERSION").exists()
        return self._aim.Repo.from_path(str(repo), init=half)

    def run(self, repo: Path, run_hash: str | None) -> Any:
        """A run of a repository, a new one where `run_hash` is None."""
        held = self.repository(repo)
        # A lock names the process that holds it; after a fork the SDK would name the parent.
        self._locks.pid = os.getpid()
        found = self._aim.Run(
            run_hash,
            repo=held,
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        _without_heartbeat(found)
        return found

    def track(self, run: Any, name: str, value: float, entry: Entry, context: Any) -> None:
        """Track a value at the time of its entry: `Run.track` knows only the present."""
        step, epoch = entry.step, entry.epoch
        run._tracker._track(value, entry.time, name, step, epoch, context=context)

    def sync(self, run: Any) -> None:
        """Bring what was tracked to the disk."""
        for area in ("meta", "seqs"):
            run.repo.request_container(area, run.hash, read_only=False).db.flush_wal(True)

    def is_there(self, run: Any) -> bool:
        """Whether the store of a run is still where it was."""
        store = Path(run.repo.path, "meta", "chunks", str(run.hash))
        return (store / "CURRENT").exists()

    def forget(self, run: Any) -> None:
        """Let go of a run whose store was removed, without a write to it."""
        # Its finalizers would write at the exit of the interpreter; one that fails there makes the
        # SDK wait for ever.
        stores = list(run.repo.container_pool.values())
        for held in (run, *stores):
            if held._resources is not None:
                held._resources.finalizer.detach()
        # Without finalizers, what is dropped would still be closed: keep it.
        _LOST.append((run, stores))

    def index(self, run: Any) -> bool:
        """Copy what a run says about itself into the index; False while that is held elsewhere."""
        path = Path(run.repo.path) / "meta" / "index"
        try:
            index = self._container(str(path), read_only=False, timeout=0)
        except self._busy:
            return False
        try:
            source = run.repo.request_container("meta", run.hash, read_only=False)
            batch = index.batch()
            for key, value in source.items():
                index.set(key, value, store_batch=batch)
            # All or nothing: a kill leaves no half run there.
            index.commit(batch)
        finally:
            index.close()
        return True


def _without_heartbeat(run: Any) -> None:
    """End the two threads that tell others of a run's health by files.

    Where their disk is full or gone, one of them dies, and the end of the run would wait for it
    for ever.
    """
    beat, told = run._heartbeat, run._checkins
    for owner in (run, run._resources):
        owner._heartbeat = owner._checkins = None
    beat.stop()
    told.close()
