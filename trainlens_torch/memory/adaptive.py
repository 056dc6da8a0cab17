"""The size of micro-batches: down where memory runs out, up again after a long good time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainlens_torch.checks import number, whole
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["AdaptiveBatch"]

_VERSION = 1
_LONGEST = 2**40


class AdaptiveBatch:
    """How many samples go through the model at once; the batch of an update stays what it is.

    A size at which memory ran out is halved. After `grow_after` good updates in a row it is
    doubled, up to `ceiling`, but neither to a size at or above one that failed within the last
    `remember` updates, nor where the memory that is in use would come to more than `target` of
    the device. A size that fails again is remembered twice as long each time, so a limit that
    does not move is tried less and less. `SplitOnOOM` does all that is said here; in a loop of
    your own::

        batch = AdaptiveBatch(32, ceiling=128)
        ...
        for rows in batch.pieces(len(samples)):      # [32, 32, 32] of 96
            ...
        batch.worked()                               # or batch.failed(), and again

    Parameters
    ----------
    initial : int
        Size to begin with.
    ceiling : int, optional
        Largest size; by default `initial`.
    floor : int
        Smallest size.
    grow_after : int
        Good updates in a row before a larger size is tried.
    remember : int
        Updates for which a size that failed is not tried again.
    target : float in (0, 1]
        Share of the memory of the device up to which growing is allowed.

    Raises
    ------
    TypeError, ValueError
        Sizes out of order, counts below 1, a target outside (0, 1].

    Examples
    --------
    >>> batch = AdaptiveBatch(64, grow_after=2, remember=3)
    >>> batch.failed(), batch.size, batch.pieces(80)
    (True, 32, [27, 27, 26])
    >>> sizes = []
    >>> for _ in range(4):
    ...     batch.worked()
    ...     sizes.append(batch.size)
    >>> sizes                                  # 64 waits until its failure is 3 updates old
    [32, 32, 64, 64]
    """

    def __init__(
        self,
        initial: int,
        *,
        ceiling: int | None = None,
        floor: int = 1,
        grow_after: int = 500,
        remember: int = 5000,
        target: float = 0.9,
    ) -> None:
        self.initial = whole(initial, "initial")
        self.ceiling = self.initial if ceiling is None else whole(ceiling, "ceiling", initial)
        self.floor = whole(floor, "floor")
        if self.floor > self.initial:
            raise ValueError(f"floor is {floor}, above the initial size of {initial}")
        self.grow_after = whole(grow_after, "grow_after")
        self.remember = whole(remember, "remember")
        self.target = number(target, "target", 0.0, 1.0, above=True)
        self._size = self.initial
        self._updates = 0
        self._good = 0
        self._bad: dict[int, tuple[int, int]] = {}  # size: (until which update, for how many)

    @property
    def size(self) -> int:
        """Samples that go through the model at once."""
        return self._size

    def pieces(self, samples: int) -> list[int]:
        """Sizes of the pieces of a batch: as few as `size` allows, as even as can be.

        Parameters
        ----------
        samples : int
            0 or more; 0 is one piece of nothing.
        """
        count = max(1, -(-whole(samples, "samples", 0) // self._size))
        least, more = divmod(samples, count)
        return [least + (i < more) for i in range(count)]

    def failed(self, size: int | None = None) -> bool:
        """Memory ran out.

        Parameters
        ----------
        size : int, optional
            Of the piece that did not fit, where it was smaller than `size`.

        Returns
        -------
        bool
            Whether there is a smaller size to try.
        """
        tried = self._size if size is None else min(whole(size, "size"), self._size)
        _, before = self._bad.get(tried, (0, 0))
        long = min(2 * before, _LONGEST) if before else self.remember
        self._bad[tried] = (self._updates + long, long)
        self._good = 0
        smaller = max(self.floor, tried // 2)
        self._size = smaller
        return smaller < tried

    @property
    def due(self) -> bool:
        """Whether `worked` would try a larger size now, if the memory allows it."""
        if self._good + 1 < self.grow_after or self._larger() == self._size:
            return False
        recent = [one for one, (until, _) in self._bad.items() if self._updates + 1 < until]
        return all(self._larger() < one for one in recent)

    def worked(self, share: float | None = None) -> None:
        """Count one update that went through.

        Parameters
        ----------
        share : float, optional
            Of the memory of the device that it took at most; growing assumes that twice the size
            takes twice of all that. Looked at only where a larger size is `due`.
        """
        due, larger = self.due, self._larger()
        self._updates += 1
        self._good += 1
        if not due:
            return
        self._good = 0
        if share is None or share * larger / self._size <= self.target:
            self._size = larger

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes."""
        bad = [[size, until, long] for size, (until, long) in sorted(self._bad.items())]
        return packed(
            "AdaptiveBatch", _VERSION, self.config(),
            size=self._size, updates=self._updates, good=self._good, bad=bad,
        )  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Another configuration or version, or a size outside its bounds; nothing was changed.
        """
        size, updates, good, bad = unpacked(
            state, "AdaptiveBatch", _VERSION, self.config(), "size", "updates", "good", "bad"
        )
        if type(size) is not int or not self.floor <= size <= self.ceiling:
            raise StateMismatch(f"size in the state of the AdaptiveBatch is {size!r}")
        self._bad = {one: (until, long) for one, until, long in bad}
        self._size, self._updates, self._good = size, updates, good

    def config(self) -> dict[str, Any]:
        """What it was made with, in plain values."""
        names = ("initial", "ceiling", "floor", "grow_after", "remember", "target")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"AdaptiveBatch({self._size} of at most {self.ceiling})"

    def _larger(self) -> int:
        return min(2 * self._size, self.ceiling)
