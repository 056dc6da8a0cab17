"""AIM runs that the stock SDK reads whole at any moment: live, ended or killed."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainlens_torch.record._aim_atomic import AtomicTracker
from trainlens_torch.record._aim_library import Library
from trainlens_torch.record._quiet import silence
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import legible, points
from trainlens_torch.record.sinks import Sink, Target

__all__ = ["AimSink", "make"]

_TRIES = 20
_PAUSE = 0.1


def make(target: Target, repo: Path | None = None) -> Sink:
    """A run in the AIM repository `repo`, the folder of the run by default.

    Raises
    ------
    MissingExtra
        The package ``aim`` is not installed.
    """
    return AimSink(target, repo)


class AimSink:
    """Tracks values through the AIM SDK, without its monitors of system, output and git.

    A value is in the store of its run as soon as it is tracked; but the SDK finds runs and metrics
    through an index that only ``aim up`` brings up to date. So this sink writes its own run into
    that index: whenever a metric is new, at each flush and at the end. While another process holds
    the index (``aim up`` does), this one leaves it alone; ``aim up`` sees the run by itself.

    The run is opened by the thread that writes first. It has the name of the run, the
    configuration as the parameter ``hparams``, the planned schedules as ``schedules``, and each
    value in the context ``{"subset": SPLIT}`` at the time of its entry. The values of an entry are
    written at once: a kill leaves all of them or none. AIM keeps one value of a metric at a step:
    a later one replaces it. A file beside the repository, ``aim.run``, has the
    hash of the run: a resumed training continues it. Where that is not possible (its lock is
    held elsewhere, its store is damaged), a new run begins.

    Parameters
    ----------
    target : Target
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
        self, target: Target, repo: Path | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._lib = Library()
        self._target = target
        self._sleep = sleep
        folder = target.folder if repo is None else repo
        self.repo = folder.parent if folder.name == ".aim" else folder
        rank = f".rank{target.rank}" if target.rank else ""
        self._note = target.folder / f"aim{rank}.run"
        self._run: Any = None
        self._tracker: AtomicTracker | None = None
        self._known: set[tuple[str, str]] = set()
        self._closed = False
        self._faulty = False
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
                run, tracker = self._opened()
                known = len(self._known)
                for entry in entries:
                    self._track(tracker, entry)
                    written += 1
                if len(self._known) > known:
                    self._lib.index(run)
        except OSError as error:
            if not self._closed:
                self._faulty = True
                vars(error)["written"] = written
            raise

    def flush(self) -> None:
        """Bring the values to the disk, and the run up to date in the index.

        Raises
        ------
        OSError
            It could not be done, or the repository was removed: then this log has ended.
        """
        self._check()
        if self._run is not None:
            with self._lib.as_oserror(self.repo):
                self._lib.sync(self._run)
                self._lib.index(self._run)

    def close(self) -> None:
        """End the run. Repeating it does nothing."""
        if self._closed:
            return
        if self._faulty:
            self._check()
        self._closed = True
        run, self._run = self._run, None
        if run is None:
            return
        with self._lib.as_oserror(self.repo):
            try:
                # Not only at its own end: the index of an ended run is never looked at again.
                run.meta_run_tree["end_time"] = self._target.clock()
                for _ in range(_TRIES):
                    if self._lib.index(run):
                        break
                    self._sleep(_PAUSE)
            finally:
                run.close()

    def _check(self) -> None:
        """End the log where its store was removed; open anew what failed."""
        if self._run is None:
            return
        if not self._lib.is_there(self._run):
            run, self._run = self._run, None
            self._closed = True
            self._lib.forget(run)
            raise FileNotFoundError(errno.ENOENT, "the log was removed", str(self.repo))
        if self._faulty:
            self._lib.reopen(self._run)
            self._faulty = False

    def _track(self, tracker: AtomicTracker, entry: Entry) -> None:
        split = legible(entry.split)
        # A metric without a name would leave the run unreadable to the SDK.
        values = {name or "_": value for name, value in points(entry)}
        tracker.track(values, entry.time, entry.step, entry.epoch, {"subset": split})
        self._known.update((split, name) for name in values)

    def _opened(self) -> tuple[Any, AtomicTracker]:
        if self._closed:
            raise OSError(errno.EBADF, "the log is closed", str(self.repo))
        if self._faulty:
            self._check()
        if self._run is None or self._tracker is None:
            with silence():
                run = self._begun()
            self._note.write_text(f"{run.hash}\n", encoding="ascii")
            self._run, self.run_hash, self._tracker = run, run.hash, AtomicTracker(run)
        return self._run, self._tracker

    def _begun(self) -> Any:
        """The run, with what is known of it before the first entry."""
        target = self._target
        self.repo.mkdir(parents=True, exist_ok=True)
        run = self._continued() or self._lib.run(self.repo, None)
        if run.name != target.run:
            run.name = target.run
        for key, found in (("hparams", target.config), ("schedules", target.schedules)):
            if found:
                run[key] = json.loads(json.dumps(dict(found), default=str))
        self._lib.index(run)
        return run

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
