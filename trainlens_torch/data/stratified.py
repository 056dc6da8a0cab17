"""Batches that all hold the same mixture of the classes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.data._deal import Plan, Sizes, dealt
from trainlens_torch.data._labels import classes
from trainlens_torch.data._order import keys
from trainlens_torch.data.layout import layout
from trainlens_torch.state import packed, unpacked

__all__ = ["StratifiedBatchSampler"]

_OWNER, _VERSION = "StratifiedBatchSampler", 1
_REPEATS = 4
Batch = TypeVar("Batch")


class StratifiedBatchSampler(Sampler[list[int]]):
    """Gives batches of indices in which each class has its share of the data.

    In a batch of `b` samples a class that has `n` of the `N` samples is there ``b n / N`` times,
    rounded down or up (in the last step of several ranks `b` is their mean size, as these batches
    may differ by one sample). So a class that is rarer than one a batch is there once or not at
    all, and its batches are spread over the epoch: the largest distance between two of them is
    less than three times the mean one. A class of one sample is in one batch of each epoch.

    Each sample comes once in an epoch. Of several ranks each has samples of its own, and as many
    batches as the others: where the last step has too few samples for that (fewer than there are
    ranks) some are given twice (`padded`); with `drop_last` all that fills no full batch on every
    rank is left out (`dropped`), other samples in every epoch.

    The order depends on the seed and the epoch alone. Call `set_epoch` as for torch's
    `DistributedSampler`; without it, a pass behind one that gave all its batches is the next epoch.

    Parameters
    ----------
    labels : sequence, ndarray or Tensor of shape (samples,)
        Class of each sample: numbers, texts, anything that can be a key.
    batch_size : int
        Of each rank.
    seed : int
        Not negative.
    rank, world_size : int, optional
        By default those of the process group or of ``torchrun``. ``rank=0, world_size=1`` where
        somebody else deals batches out to ranks, as accelerate does.
    drop_last : bool
        Leave out what fills no full batch on every rank.
    balanced : bool
        Equal shares: each class comes as often as the largest, its samples again and again, each
        as often as the others or once more. `repeats` tells how many samples of an epoch are
        repetitions. The epoch has as many samples as the largest class times the classes.
    indices : sequence of int, optional
        Places in the data set of these samples, where they are not all of it. As long as `labels`.

    Raises
    ------
    UsageError
        No samples, labels that are no classes, `indices` of another length, nothing left to give.
    TypeError, ValueError
        A batch size below 1, a negative seed.

    See Also
    --------
    check_sampler : what the first batches of any sampler hold.

    Notes
    -----
    A loader asks for batches ahead of the loop, so what the sampler gave does not tell how far the
    loop is. The loop says it: ``for batch in sampler.counted(loader)``, a `Prefetcher`, or
    ``sampler.advance()``. What was told by then is what `state_dict` saves.

    Lightning with several devices: ``Trainer(use_distributed_sampler=False)``, else it wants to put
    a sampler of its own in here, which is refused; its `set_epoch` arrives. Accelerate with
    several processes: ``rank=0, world_size=1``, and ``sampler.advance(accelerator.num_processes)``
    for each batch of the loop.

    Examples
    --------
    >>> labels = ["cat"] * 6 + ["dog"] * 3 + ["eel"] * 3
    >>> sampler = StratifiedBatchSampler(labels, batch_size=4)
    >>> [sorted(labels[i] for i in batch) for batch in sampler]  # doctest: +NORMALIZE_WHITESPACE
    [['cat', 'cat', 'dog', 'eel'], ['cat', 'cat', 'dog', 'eel'], ['cat', 'cat', 'dog', 'eel']]
    >>> StratifiedBatchSampler(labels, batch_size=6, balanced=True).repeats
    6
    """

    def __init__(
        self,
        labels: Any,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        drop_last: bool = False,
        balanced: bool = False,
        indices: Sequence[int] | None = None,
    ) -> None:
        self.batch_size, self.seed = whole(batch_size, "batch_size"), whole(seed, "seed", 0)
        self.rank, self.world_size = layout(rank, world_size)
        self.drop_last, self.balanced = bool(drop_last), bool(balanced)
        _refuse_samplers(labels)
        found = classes(labels)
        self.classes: dict[Hashable, int] = dict(
            zip(found.names, found.counts.tolist(), strict=True)
        )
        self._digest = found.digest()
        self._indices = _as_indices(indices, len(found.codes))
        self._codes = found.codes
        most = int(found.counts.max()) if self.balanced else 0
        samples = most * len(found.names) if self.balanced else len(found.codes)
        self._most, self._counts = most, found.counts
        self._sizes = Sizes(samples, self.batch_size, self.world_size, self.drop_last)
        if not self._sizes.steps:
            raise UsageError(
                f"drop_last leaves no batch: {self._sizes.samples} samples do not fill one of "
                f"{self.batch_size} on {self.world_size} ranks"
            )
        self._epoch = self._position = self._drawn = 0
        self._told = self._resuming = False

    @property
    def epoch(self) -> int:
        """Number of the epoch whose batches are given."""
        return self._epoch

    @property
    def position(self) -> int:
        """Batches of this epoch that the loop has said it took."""
        return self._position

    @property
    def repeats(self) -> int:
        """Samples of an epoch that are repetitions, because classes are `balanced`."""
        return self._sizes.samples - sum(self.classes.values())

    @property
    def dropped(self) -> int:
        """Samples that `drop_last` leaves out of an epoch, over all ranks."""
        return self._sizes.dropped

    @property
    def padded(self) -> int:
        """Samples given on two ranks in the last step of an epoch."""
        return self._sizes.padded

    @property
    def sampler(self) -> StratifiedBatchSampler:
        """Itself: frameworks look here for `set_epoch`."""
        return self

    def bounds(self) -> dict[Hashable, tuple[int, int]]:
        """Least and most samples of each class in a full batch."""
        size, total = self.batch_size, self._sizes.samples
        shares = {name: self._most or n for name, n in self.classes.items()}
        return {name: (n * size // total, -(-n * size // total)) for name, n in shares.items()}

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to give next; the present one changes nothing.

        Parameters
        ----------
        epoch : int
        """
        if whole(epoch, "epoch", 0) != self._epoch:
            self._epoch, self._position, self._drawn, self._resuming = epoch, 0, 0, False
        self._told = True

    def advance(self, batches: int = 1) -> None:
        """Note that the loop has taken batches of this epoch.

        Parameters
        ----------
        batches : int
        """
        self._position = min(self._position + whole(batches, "batches", 0), len(self))

    def counted(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of a loader that uses this sampler; each counts when the loop gets it.

        Parameters
        ----------
        loader : iterable
        """
        for batch in loader:
            self.advance()
            yield batch

    def state_dict(self, consumed: int | None = None) -> dict[str, Any]:
        """How far the loop is, in plain values; the same on all ranks.

        Parameters
        ----------
        consumed : int, optional
            Batches of this epoch that the loop took, where it has not said so before.

        Raises
        ------
        RuntimeError
            Batches were given, and the loop never said how many of them it took.
        """
        at = self._position if consumed is None else whole(consumed, "consumed", 0)
        if consumed is None and self._drawn and not at:
            raise RuntimeError(
                f"{self._drawn} batches were given and none was counted: a loader asks for them "
                "ahead, so only the loop knows how many it took. Loop over "
                "sampler.counted(loader), or call sampler.advance() for each batch, or "
                "sampler.state_dict(consumed=...)"
            )
        return packed(
            _OWNER, _VERSION, self._config(), epoch=self._epoch, position=min(at, len(self))
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved: the next pass gives what was left of its epoch.

        Parameters
        ----------
        state : mapping
            From `state_dict`.

        Raises
        ------
        StateMismatch
            Other labels, sizes, ranks or seed; nothing was loaded.
        """
        config = self._config()
        epoch, position = unpacked(state, _OWNER, _VERSION, config, "epoch", "position")
        self._epoch, self._position, self._drawn = epoch, position, 0
        self._told, self._resuming = False, True

    def __iter__(self) -> Iterator[list[int]]:
        over = max(self._position, self._drawn) >= len(self)
        if over and not self._told:
            self._epoch, self._position = self._epoch + 1, 0
        elif not self._resuming:
            self._position = 0
        self._drawn = self._position
        return self._given(self._position)

    def __len__(self) -> int:
        """Batches of an epoch, of each rank; also where a pass gives only what was left of it."""
        return self._sizes.steps

    def __repr__(self) -> str:
        return (
            f"{_OWNER}({sum(self.classes.values())} samples of {len(self.classes)} classes, "
            f"{len(self)} batches of {self.batch_size}, rank {self.rank} of {self.world_size})"
        )

    def _given(self, first: int) -> Iterator[list[int]]:
        # Only now: loaders make an iterator, and another one, before they draw.
        self._told = self._resuming = False
        plan = self._plan()
        for step in range(first, len(self)):
            self._drawn = step + 1
            yield plan.batch(step * self.world_size + self.rank)

    def _plan(self) -> Plan:
        seed = (self.seed, self._epoch)
        if self.balanced:
            samples, codes, rounds = _repeated(self._codes, self._counts, *seed)
        else:
            samples, codes = np.arange(len(self._codes)), self._codes
            rounds = np.zeros_like(codes)
        plan = dealt(codes, rounds, self._sizes, *seed)
        order = samples[plan.order]
        return Plan(order if self._indices is None else self._indices[order], plan.ends)

    def _config(self) -> dict[str, Any]:
        return {
            "labels": self._digest,
            "samples": sum(self.classes.values()),
            "batch_size": self.batch_size,
            "world_size": self.world_size,
            "seed": self.seed,
            "drop_last": self.drop_last,
            "balanced": self.balanced,
        }


def _repeated(
    codes: NDArray[np.int64], counts: NDArray[np.int64], *seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Samples with every class repeated to the size of the largest, their classes and rounds."""
    # Shuffled, so that those of the last round, which is not full, are others in every epoch.
    by_class = np.lexsort((keys(len(codes), *seed, _REPEATS), codes))
    most = int(counts.max())
    owner = np.repeat(np.arange(len(counts)), most)
    at = np.tile(np.arange(most), len(counts))
    starts = np.cumsum(counts) - counts
    return by_class[starts[owner] + at % counts[owner]], owner, at // counts[owner]


def _refuse_samplers(labels: Any) -> None:
    """Lightning makes batch samplers anew, and gives a sampler as the first argument."""
    if isinstance(labels, Sampler):
        raise UsageError(
            f"a {type(labels).__name__} was given in place of labels; if Lightning did that: "
            "Trainer(use_distributed_sampler=False), and another loader for predict"
        )


def _as_indices(indices: Sequence[int] | None, samples: int) -> NDArray[np.int64] | None:
    if indices is None:
        return None
    found = np.asarray(indices, dtype=np.int64)
    if found.shape != (samples,):
        raise UsageError(
            f"{samples} labels and {len(found)} indices: there must be one label for each sample"
        )
    return found
