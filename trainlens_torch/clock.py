"""One clock for everything that changes while a model trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainlens_torch.checks import whole
from trainlens_torch.place import UNITS, Place, PlaceLike, place
from trainlens_torch.state import packed, unpacked

__all__ = ["Clock"]

_VERSION = 1


class Clock:
    """Counts optimizer updates, samples, tokens and epochs, and tells how far a training has come.

    `tick` is called once for each micro-batch, after the optimizer step where there was one. Every
    `accumulation`-th micro-batch is an optimizer update::

        for batch in loader:
            scheduler.apply()
            loss(batch).backward()
            if clock.due:                  # this micro-batch completes an update
                optimizer.step()
                optimizer.zero_grad()
            clock.tick(samples=len(batch))

    While update k (from 0) is computed, `progress` is k / total.

    Parameters
    ----------
    total : int or str
        Length of the whole training: updates (10000, ``"10000ba"``), epochs (``"30ep"``), samples
        (``"1e6sp"``) or tokens (``"2e9tok"``). Its unit is that of `progress`.
    updates_per_epoch : int, optional
        Needed where epochs and updates have to be told in each other. Without it a total in
        epochs moves at `end_epoch` alone.
    accumulation : int
        Micro-batches of an update.

    Raises
    ------
    TypeError, ValueError
        A total that is 0, a share, or no place at all; counts below 1.

    Examples
    --------
    >>> clock = Clock("2ep", updates_per_epoch=100)
    >>> clock.share("50ba"), clock.share("1ep"), clock.total_updates
    (0.25, 0.5, 200.0)
    >>> _ = [clock.tick() for _ in range(50)]
    >>> clock.updates, clock.epoch, clock.progress
    (50, 0.5, 0.25)
    """

    def __init__(
        self,
        total: PlaceLike,
        *,
        updates_per_epoch: int | None = None,
        accumulation: int = 1,
    ) -> None:
        self.total = _length(total)
        self.updates_per_epoch = (
            None if updates_per_epoch is None else whole(updates_per_epoch, "updates_per_epoch")
        )
        self.accumulation = whole(accumulation, "accumulation")
        self.updates = 0
        self.samples = 0
        self.tokens = 0
        self._micro = 0
        self._ended = 0
        self._epoch_start = 0

    @property
    def due(self) -> bool:
        """Whether the micro-batch that is computed now completes an update."""
        return self._micro + 1 >= self.accumulation

    @property
    def micro(self) -> int:
        """Micro-batches since the last update."""
        return self._micro

    @property
    def epoch(self) -> float:
        """Epochs done; whole numbers where `updates_per_epoch` is not known."""
        if self.updates_per_epoch is None:
            return float(self._ended)
        within = (self.updates - self._epoch_start) / self.updates_per_epoch
        # After a first `end_epoch` it is the caller who says where epochs end.
        return self._ended + (min(within, 1.0) if self._ended else within)

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1]; beyond its end it stays 1."""
        done = self._done()
        return done / self.total.value if done < self.total.value else 1.0

    @property
    def total_updates(self) -> float | None:
        """Updates of the whole training, None where that cannot be known before it ends."""
        if self.total.unit == "ba":
            return self.total.value
        if self.total.unit == "ep" and self.updates_per_epoch is not None:
            return self.total.value * self.updates_per_epoch
        return None

    def share(self, where: PlaceLike) -> float:
        """A place, or a length, as a share of the training; above 1 where it lies beyond its end.

        Raises
        ------
        TypeError, ValueError
            No place, or one in a unit that cannot be told in the unit of the total.
        """
        found = place(where)
        if found.unit == "dur":
            return found.value
        if found.unit == self.total.unit:
            return found.value / self.total.value
        if {found.unit, self.total.unit} != {"ba", "ep"}:
            raise ValueError(
                f"{found}: the training is told in {UNITS[self.total.unit]} ({self.total}); "
                f'write {UNITS[self.total.unit]} here as well, or a share such as "0.1dur"'
            )
        if self.updates_per_epoch is None:
            raise ValueError(
                f"{found} in a training of {self.total}: give the clock updates_per_epoch"
            )
        per_epoch = self.updates_per_epoch
        epochs = found.value / per_epoch if found.unit == "ba" else found.value
        whole = self.total.value / per_epoch if self.total.unit == "ba" else self.total.value
        return epochs / whole

    def tick(self, samples: int = 0, tokens: int = 0, *, update: bool | None = None) -> bool:
        """Count one micro-batch, and the update that it completes.

        Parameters
        ----------
        samples, tokens : int
            Of this micro-batch, over all ranks.
        update : bool, optional
            Whether it completed an update; by default, whether it was `due`. True at the end of an
            epoch where fewer micro-batches than `accumulation` were left; False keeps an update
            that was skipped from being counted.

        Returns
        -------
        bool
            Whether an update was counted.

        Raises
        ------
        ValueError
            A count is below 0.
        """
        if samples < 0 or tokens < 0:
            raise ValueError(f"samples and tokens cannot be below 0: {samples}, {tokens}")
        ended = self.due if update is None else update
        full = self.due
        self.samples += samples
        self.tokens += tokens
        self._micro = 0 if ended or full else self._micro + 1
        self.updates += ended
        return ended

    def end_epoch(self) -> None:
        """Say that an epoch has ended here, whatever its length. A begun update is given up."""
        self._ended += 1
        self._epoch_start = self.updates
        self._micro = 0

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes."""
        return packed(
            "Clock",
            _VERSION,
            self.config(),
            updates=self.updates,
            samples=self.samples,
            tokens=self.tokens,
            micro=self._micro,
            ended=self._ended,
            epoch_start=self._epoch_start,
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Another total, accumulation or epoch length, or another version; the clock is unchanged.
        """
        keys = ("updates", "samples", "tokens", "micro", "ended", "epoch_start")
        values = unpacked(state, "Clock", _VERSION, self.config(), *keys)
        self.updates, self.samples, self.tokens = values[:3]
        self._micro, self._ended, self._epoch_start = values[3:]

    def config(self) -> dict[str, Any]:
        """What the clock was made with, in plain values."""
        return {
            "total": str(self.total),
            "updates_per_epoch": self.updates_per_epoch,
            "accumulation": self.accumulation,
        }

    def __repr__(self) -> str:
        return f"Clock({self.updates} updates, {self.progress:.1%} of {self.total})"

    def _done(self) -> float:
        unit = self.total.unit
        if unit == "ba":
            return self.updates
        if unit == "ep":
            return self.epoch
        return self.samples if unit == "sp" else self.tokens


def _length(total: PlaceLike) -> Place:
    found = place(total)
    if found.unit == "dur":
        raise ValueError(
            'the total of a training is a length, such as 10000, "10000ba" or "30ep", '
            f"not {total!r}"
        )
    if found.value <= 0:
        raise ValueError(f"the total of a training must be above 0, not {total!r}")
    return found
