"""Checkpoints of everything that a training needs to go on as if it had never stopped."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.gradients.ranks import world_size
from trainlens_torch.loop import parts as states
from trainlens_torch.loop import plain
from trainlens_torch.loop.folder import DamagedCheckpoint, Folder, Saved, best, unwritable
from trainlens_torch.loop.ranks import on_first, own_rank, together
from trainlens_torch.randomness import RandomState
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["Checkpointer", "Resumed"]


class Flushing(Protocol):
    """A log that can be brought to the disk."""

    def flush(self) -> object:
        """Have all that was logged written."""


@dataclass(frozen=True)
class Resumed:
    """Where a training goes on.

    Parameters
    ----------
    path : Path
        Folder of the checkpoint.
    step : int
    metric : float or None
    passed_over : tuple of str
        Newer checkpoints that are damaged, one line each.
    """

    path: Path
    step: int
    metric: float | None
    passed_over: tuple[str, ...] = ()


class Checkpointer:
    """Saves a training and brings it back, whole or not at all.

    One object for all that has to go on::

        saver = Checkpointer(
            "runs/a/checkpoints",
            {"model": model, "optimizer": optimizer, "scheduler": scheduler, "ema": ema},
            of_rank={"sampler": sampler}, keep=3, keep_best=1, log=log,
        )
        saver.resume()                                # None where there is nothing yet
        while clock.progress < 1:
            ...
            if clock.updates % 1000 == 0:
                saver.save(clock.updates, metric=validation_loss)

    A save goes into a folder of its own, is brought to the disk, and only then gets its name; a
    process that is killed at any moment leaves all former ones as they were. Files hold tensors and
    plain values, checked by size and SHA-256, and nothing in them is ever run.

    The random numbers of Python, numpy and torch, of every device in use, belong to every
    checkpoint. Anything else with ``state_dict()`` and ``load_state_dict()`` is a part: model,
    optimizer, `Scheduler` (which holds its clock), a lone `Clock`, `GradScaler`, averaged models,
    samplers, `AdaptiveBatch`, `EarlyStopping`, ...; also a ``torch.Generator`` and a
    ``numpy.random.Generator``. Parameters that were frozen come back as the part says that froze
    them. A log needs no state: it is continued where it ends.

    Parameters
    ----------
    folder : path-like
        Made at the first save. In a process group all ranks have to reach it.
    parts : mapping of str to object
        The same on all ranks; rank 0 saves them. Make the `Checkpointer` when all of them are
        made and none has changed: their settings are compared when a run resumes.
        `DistributedDataParallel` and ``torch.compile`` leave no trace in the names.
    of_rank : mapping of str to object, optional
        Parts that differ from rank to rank, such as samplers; each rank saves its own, and its
        random numbers.
    keep : int
        Newest checkpoints that are kept.
    keep_best : int
        Best ones that are kept as well, by `metric` of `save`.
    mode : {"min", "max"}
        Whether a small or a large metric is good.
    config : mapping, optional
        Plain values that have to be the same when a run resumes, such as the data it trains on.
    log : RunLogger, optional
        Flushed before a checkpoint gets its name, so that the log on the disk holds all that led
        to it.

    Raises
    ------
    UsageError, TypeError, ValueError
        A part without a state, the same name twice, counts below 1, an unknown mode.

    Examples
    --------
    >>> import tempfile
    >>> from trainlens_torch.clock import Clock
    >>> clock = Clock(100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saver = Checkpointer(folder, {"clock": clock})
    ...     _ = clock.tick(), saver.save(1), clock.tick()
    ...     clock.updates, saver.resume().step, clock.updates
    (2, 1, 1)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        parts: Mapping[str, Any],
        *,
        of_rank: Mapping[str, Any] | None = None,
        keep: int = 3,
        keep_best: int = 1,
        mode: Literal["min", "max"] = "min",
        config: Mapping[str, Any] | None = None,
        log: Flushing | None = None,
    ) -> None:
        if mode not in ("min", "max"):
            raise UsageError(f'mode is "min" or "max", not {mode!r}')
        self.keep, self.keep_best = whole(keep, "keep"), whole(keep_best, "keep_best", 0)
        self.mode, self.log = mode, log
        self._folder = Folder(Path(folder).expanduser().absolute())
        self._parts, self._of_rank = dict(parts), dict(of_rank or {})
        both = sorted(self._parts.keys() & self._of_rank.keys())
        if both:
            raise UsageError(f"{both[0]!r} is given as a part of all ranks and of each rank")
        for name, part in (*self._parts.items(), *self._of_rank.items()):
            states.check_part(name, part)
        self._fingerprint = {
            "config": states.setting(dict(config or {})),
            "parts": {name: states.fingerprint(part) for name, part in self._parts.items()},
            "of_rank": {name: states.fingerprint(part) for name, part in self._of_rank.items()},
        }

    @property
    def path(self) -> Path:
        """Where the checkpoints lie."""
        return self._folder.path

    def save(self, step: int, *, metric: float | None = None) -> Path:
        """Save everything; in a process group on all ranks, which wait for each other.

        Parameters
        ----------
        step : int
            Of the training; between two updates.
        metric : float, optional
            By which the best are kept; NaN is none. That of rank 0 counts.

        Returns
        -------
        Path
            Folder of the new checkpoint. When this is returned it is on the disk.

        Raises
        ------
        UsageError
            A part whose state holds more than tensors and plain values.
        OutputError
            It cannot be written. What was there before is still there, on every rank.
        """
        whole(step, "step", 0)
        metric = None if metric is None else float(metric)
        if self.log is not None:
            self.log.flush()
        made = on_first(lambda: self._folder.begin(step))
        try:
            files = together(lambda: self._write(made))
            return on_first(lambda: self._finish(made, files, step, metric)).path
        except BaseException:
            if own_rank() == 0:
                self._folder.give_up(made)
            raise

    def resume(
        self, path: str | os.PathLike[str] | None = None, *, fallback: bool = False,
        allow: Collection[str] = (),
    ) -> Resumed | None:  # fmt: skip
        """Have everything go on from a checkpoint.

        Parameters
        ----------
        path : path-like, optional
            Folder of one checkpoint, such as that of `best`; by default the newest.
        fallback : bool
            Whether a damaged newest one is passed over, with a warning.
        allow : collection of str
            Names of parts whose settings may have changed (``"optimizer"``), ``"config"``, or
            ``"ranks"``: another number of ranks, which begin without states of their own.

        Returns
        -------
        Resumed or None
            None where nothing was saved yet.

        Raises
        ------
        NotFound
            There is no checkpoint at `path`.
        DamagedCheckpoint
            A file is cut, changed or missing, or holds more than tensors and plain values.
        StateMismatch
            Other parts, or a part that was made with other settings: the message names what
            differs. Nothing was loaded then.
        """
        found, passed = on_first(lambda: self._chosen(path, fallback))
        if found is None:
            return None
        for line in passed:
            warnings.warn(f"passed over: {line}", RuntimeWarning, stacklevel=2)
        together(lambda: self._load(found, frozenset(allow)))
        return Resumed(found.path, found.step, found.metric, passed)

    def best(self) -> Path | None:
        """The checkpoint with the best metric, for `resume`; None where no metric was given."""
        found = best(self._folder.readable(), self.mode)
        return found[0].path if found else None

    def __repr__(self) -> str:
        names = [*self._parts, *self._of_rank]
        return f"Checkpointer({os.fspath(self.path)!r}, {', '.join(names)})"

    def _write(self, made: Path) -> dict[str, plain.Written]:
        """The files of this rank."""
        own = {name: states.state(name, part) for name, part in self._of_rank.items()}
        random = plain.plain(RandomState.now().state_dict(), "random numbers")
        shared = {name: states.state(name, part) for name, part in self._parts.items()}
        try:
            name = f"rank{own_rank()}.pt"
            files = {name: plain.save({"random": random, "parts": own}, made / name)}
            if own_rank() == 0:
                files["shared.pt"] = plain.save(shared, made / "shared.pt")
        except OSError as error:
            raise unwritable(self.path, error) from error
        return files

    def _finish(
        self, made: Path, files: list[dict[str, plain.Written]], step: int, metric: float | None
    ) -> Saved:
        every_file = {name: written for some in files for name, written in some.items()}
        saved = self._folder.finish(made, every_file, self._fingerprint, step=step, metric=metric)
        self._folder.rotate(self.keep, self.keep_best, self.mode)
        return saved

    def _chosen(
        self, path: str | os.PathLike[str] | None, fallback: bool
    ) -> tuple[Saved | None, tuple[str, ...]]:
        """The checkpoint to take, whole, and what was passed over."""
        passed: list[str] = []
        for one in self._folder.names() if path is None else [self._folder.named(Path(path))]:
            try:
                saved = self._folder.read(one)
                saved.check()
                return saved, tuple(passed)
            except DamagedCheckpoint as error:
                if not fallback:
                    raise
                passed.append(str(error))
        if passed:
            raise DamagedCheckpoint(
                self.path, f"all checkpoints are damaged, {len(passed)} of them", "begin anew"
            )
        return None, ()

    def _load(self, found: Saved, allow: frozenset[str]) -> None:
        """All of this rank: first what may refuse, then everything."""
        self._compare(found, allow)
        shared = self._read(found, "shared.pt")
        own: dict[str, Any] = {"random": None, "parts": {}}
        if found.ranks == world_size():  # else what was the share of one rank is no more
            own = self._read(found, f"rank{own_rank()}.pt")
        random = None if own["random"] is None else RandomState.of(own["random"])
        saved = {**shared, **own["parts"]}
        parts = {n: p for n, p in (*self._parts.items(), *self._of_rank.items()) if n in saved}
        states.try_out(parts, saved)
        for name, part in parts.items():
            states.load(name, part, saved[name])
        if random is not None:
            random.put_back()

    def _compare(self, found: Saved, allow: frozenset[str]) -> None:
        if found.ranks != world_size() and "ranks" not in allow:
            raise StateMismatch(
                f"{found.path.name} was saved by {found.ranks} ranks, here are {world_size()}: "
                'with resume(allow=["ranks"]) random numbers and samplers begin anew'
            )
        unpacked(
            packed("checkpoint", 1, _without(found.fingerprint, allow)), "checkpoint", 1,
            _without(self._fingerprint, allow),
        )  # fmt: skip

    def _read(self, found: Saved, name: str) -> dict[str, Any]:
        try:
            state: dict[str, Any] = plain.load(found.path / name)
        except (OSError, ValueError) as error:
            raise DamagedCheckpoint(
                found.path, str(error), "take another one: resume(path)"
            ) from error
        return state


def _without(fingerprint: Mapping[str, Any], allow: frozenset[str]) -> dict[str, Any]:
    """What is to be compared."""
    out: dict[str, Any] = {} if "config" in allow else {"config": fingerprint.get("config")}
    for kind in ("parts", "of_rank"):
        given = fingerprint.get(kind, {})
        out[kind] = {
            name: {"kind": one.get("kind")} if name in allow else one for name, one in given.items()
        }
    return out
