"""The parts of the AIM SDK that are used, and its faults as OSError."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainlens.errors import MissingExtra
from trainlens_torch.record._quiet import quiet_import

__all__ = ["Library", "stores"]

_LOST: list[Any] = []
"""Runs whose store was removed: nothing of them may be finalized."""


class Library:
    """The parts of the SDK that are used, and its faults as OSError."""

    def __init__(self) -> None:
        try:
            self._aim: Any = quiet_import("aim")
            self._container: Any = quiet_import("aim.storage.rockscontainer").RocksContainer
            rocks: Any = quiet_import("aimrocks.errors")
            sql: Any = quiet_import("sqlalchemy.exc")
            busy: Any = quiet_import("filelock").Timeout
            self._locks: Any = quiet_import("aim.sdk.lock_manager").LockManager
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
            raise OSError(errno.EIO, f"AIM: {_said(error)}", str(repo)) from error

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

    def sync(self, run: Any) -> None:
        """Bring what was tracked to the disk."""
        for store in stores(run):
            store.db.flush_wal(True)

    def reopen(self, run: Any) -> None:
        """Let the stores be opened anew: one that could not write refuses all later writes."""
        for store in stores(run):
            store._db = None

    def is_there(self, run: Any) -> bool:
        """Whether the store of a run is still where it was."""
        store = Path(run.repo.path, "meta", "chunks", str(run.hash))
        return (store / "CURRENT").exists()

    def forget(self, run: Any) -> None:
        """Let go of a run whose store was removed, without a write to it."""
        # Its finalizers would write at the exit of the interpreter; one that fails there makes the
        # SDK wait for ever.
        pool = list(run.repo.container_pool.values())
        for held in (run, *pool):
            if held._resources is not None:
                held._resources.finalizer.detach()
        # Without finalizers, what is dropped would still be closed: keep it.
        _LOST.append((run, pool))

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


def stores(run: Any) -> tuple[Any, Any]:
    """The stores of a run in the order of writing: of its arrays, and of what names them."""
    arrays, names = run.series_run_trees[2], run.meta_tree
    return arrays.container.parent, names.container.parent


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(error)


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
