"""Batches that are fetched, and brought to the device, while the step before is computed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.data._devices import Carrier, carrier
from trainlens_torch.data._pipe import Pipe
from trainlens_torch.data._randomness import elsewhere
from trainlens_torch.state import packed, unpacked

__all__ = ["Prefetcher", "counting"]

_OWNER, _VERSION = "Prefetcher", 1


class Prefetcher:
    """Iterates over a loader ahead of the loop, in a thread, and moves each batch to a device.

    On CUDA the copies go through pinned memory on a side stream; on a CPU the thread hides the
    time of the data behind that of the step, as far as loading waits or leaves Python's lock
    (files, numpy, torch, decoders). Transforms in plain Python do not: give the loader workers.

    The thread ends with the pass: when the loop breaks off, fails or is interrupted, when nobody
    holds the iterator, at the end of the process. What the loader raises is raised in the loop, in
    its turn and with its traceback.

    Parameters
    ----------
    loader : iterable
        A loader; `len` where it has one. Its iterator and first batch are made in the thread of
        the loop, as they draw from the global random numbers. Without workers, random transforms
        share these numbers with the training, from the thread: use workers where runs are to be
        repeatable.
    device : device or str
    depth : int
        Batches that are ready on the device; a pass holds one more that is on its way.

    Raises
    ------
    UsageError
        What cannot be iterated over.
    TypeError, ValueError
        A depth below 1.

    Examples
    --------
    >>> prefetcher = Prefetcher([{"x": torch.ones(2)}, {"x": torch.zeros(2)}], "cpu")
    >>> [batch["x"].tolist() for batch in prefetcher], prefetcher.position
    ([[1.0, 1.0], [0.0, 0.0]], 2)
    """

    def __init__(self, loader: Any, device: torch.device | str = "cpu", depth: int = 2) -> None:
        if not hasattr(loader, "__iter__"):
            raise UsageError(f"a {type(loader).__name__} is no loader: it cannot be iterated over")
        self.loader, self.device = loader, torch.device(device)
        self.depth = whole(depth, "depth")
        self._carrier: Carrier | None = None
        self._epoch = self._position = self._skip = 0
        self._told = self._resuming = self._over = False
        # A pass must end when the loop forgets it, so it is not held here.
        self._pass: Callable[[], _Pass | None] = _none

    @property
    def epoch(self) -> int:
        """Number of the pass, or what `set_epoch` was told."""
        return self._epoch

    @property
    def position(self) -> int:
        """Batches of this pass that the loop has got; what waits in the thread does not count."""
        return self._position

    def set_epoch(self, epoch: int) -> None:
        """Tell the sampler and the data set of the loader, where they want to know.

        Parameters
        ----------
        epoch : int
        """
        if whole(epoch, "epoch", 0) != self._epoch:
            self._epoch, self._position, self._skip = epoch, 0, 0
            self._resuming = self._over = False
        self._told = True
        for one in _tellable(self.loader):
            one.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """How far the loop is, in plain values, and the state of the sampler if it keeps one."""
        sampler, _ = counting(self.loader)
        state = None if sampler is None else sampler.state_dict(sampler.position)
        at = {"epoch": self._epoch, "position": self._position, "over": self._over}
        return packed(_OWNER, _VERSION, {"sampler": sampler is not None}, **at, sampler=state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved: the next pass begins behind what the loop had got.

        A sampler with a state of its own starts there. Otherwise the batches are fetched again and
        left out, which is right where the loader gives the same ones.

        Parameters
        ----------
        state : mapping
            From `state_dict`.

        Raises
        ------
        StateMismatch
            A state of something else; nothing was loaded.
        """
        sampler, _ = counting(self.loader)
        config = {"sampler": sampler is not None}
        epoch, position, over, inner = unpacked(
            state, _OWNER, _VERSION, config, "epoch", "position", "over", "sampler"
        )
        self.close()
        if sampler is not None:
            sampler.load_state_dict(inner)
        self._epoch, self._position, self._over = epoch, position, over
        self._skip = 0 if sampler is not None else position
        self._told, self._resuming = False, True

    def close(self) -> None:
        """End the present pass. Repeating it does nothing."""
        running = self._pass()
        if running is not None:
            running.close()

    def __iter__(self) -> Iterator[Any]:
        self.close()
        if self._carrier is None:
            self._carrier = carrier(self.device)
        if self._over and not self._told:
            self._epoch, self._position, self._skip = self._epoch + 1, 0, 0
        elif not self._resuming:
            self._position = 0
        skip, self._skip = self._skip, 0
        self._told = self._resuming = self._over = False
        made = _Pass(self, self._carrier, skip)
        self._pass = weakref.ref(made)
        return made

    def __len__(self) -> int:
        return len(self.loader)

    def _got(self, one: _Pass) -> None:
        """The loop gets a batch."""
        if self._pass() is one:
            self._position += 1
            sampler, batches = counting(self.loader)
            if sampler is not None:
                sampler.advance(batches)

    def _ended(self, one: _Pass) -> None:
        """The loop got all batches."""
        if self._pass() is one:
            self._over = True


class _Pass:
    """The iterator of one pass."""

    def __init__(self, owner: Prefetcher, carried: Carrier, skip: int) -> None:
        self._owner, self._carrier = owner, carried
        source = iter(owner.loader)

        def fetch() -> Any:
            return carried.send(next(source))

        with elsewhere():
            for _ in range(skip):
                next(source, None)
            # A sampler may draw its seed with its first index: not beside the loop.
            self._first: list[Any] = [carried.send(one) for one in islice(source, 1)]
        self._pipe = Pipe(fetch, owner.depth) if self._first else None

    def __iter__(self) -> _Pass:
        return self

    def __next__(self) -> Any:
        if self._first:
            batch = self._first.pop()
        elif self._pipe is None:
            self._owner._ended(self)
            raise StopIteration
        else:
            batch = self._taken(self._pipe)
        handed = self._carrier.receive(batch)
        self._owner._got(self)
        return handed

    def close(self) -> None:
        """End the thread and forget what waits."""
        self._first.clear()
        if self._pipe is not None:
            self._pipe.close()

    def _taken(self, pipe: Pipe) -> Any:
        try:
            return pipe.take()
        except StopIteration:
            if not pipe.closed:
                self._owner._ended(self)
            pipe.close()
            raise
        except BaseException:
            pipe.close()
            raise


def counting(loader: Any) -> tuple[Any, int]:
    """The sampler of a loader that counts what the loop took, and how many of its batches one is.

    Parameters
    ----------
    loader : iterable

    Returns
    -------
    sampler : object with `advance`, or None
    batches : int
        More than one where accelerate gives each process one of so many.
    """
    batches = 1
    one = getattr(loader, "batch_sampler", None)
    while one is not None and not hasattr(one, "advance"):
        if not getattr(one, "split_batches", False):
            batches *= getattr(one, "num_processes", 1)
        one = getattr(one, "batch_sampler", None)
    return one, batches


def _tellable(loader: Any) -> list[Any]:
    """What wants to know the epoch: the loader itself, else its parts."""
    if hasattr(loader, "set_epoch"):
        return [loader]
    names = ("batch_sampler", "sampler", "dataset")
    parts = {id(part): part for name in names if (part := getattr(loader, name, None)) is not None}
    return [part for part in parts.values() if hasattr(part, "set_epoch")]


def _none() -> None:
    return None
