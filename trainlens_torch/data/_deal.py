"""Cards dealt round: how samples get into batches that all hold the same mixture.

Lay the samples class by class and deal them like cards over `J` batches: a class of `n` samples
lands `n / J` times in each batch, rounded down or up, and every batch gets as many cards. What
remains after the last full round is taken out before, with as even a hand (systematic sampling of
the laid row: Madow, 1949). The batches are not dealt to from left to right but by steps of the
golden ratio, so that the few samples of a rare class lie far from each other (Steinhaus' three
gaps: between neighbours there are at most three distances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens_torch.data._order import keys

__all__ = ["Plan", "Sizes", "dealt"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUND, _WITHIN, _REST = 1, 2, 3


@dataclass(frozen=True)
class Sizes:
    """How many batches there are, and of which size.

    Parameters
    ----------
    samples, batch, world : int
        Cards to deal, cards of a full batch, number of ranks.
    drop_last : bool
        Leave out what fills no full batch on every rank.
    """

    samples: int
    batch: int
    world: int
    drop_last: bool

    @property
    def full(self) -> int:
        """Full batches of all ranks together."""
        return self.samples // (self.batch * self.world) * self.world

    @property
    def rest(self) -> int:
        """Samples that fill no full batch on every rank."""
        return self.samples - self.full * self.batch

    @property
    def steps(self) -> int:
        """Batches of each rank."""
        return self.full // self.world + (self.rest > 0 and not self.drop_last)

    @property
    def dropped(self) -> int:
        """Samples left out in an epoch."""
        return self.rest if self.drop_last else 0

    @property
    def padded(self) -> int:
        """Samples given twice in the last step, so that no rank has an empty batch."""
        return max(0, self.world - self.rest) if self.rest and not self.drop_last else 0


@dataclass(frozen=True, eq=False)
class Plan:
    """The batches of all ranks.

    Parameters
    ----------
    order : ndarray of shape (samples,)
        Samples in the order of the batches.
    ends : ndarray of shape (batches + 1,)
        Batch `j` is ``order[ends[j] : ends[j + 1]]``; it belongs to rank ``j % world``.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]

    def batch(self, number: int) -> list[int]:
        """Samples of one batch."""
        found: list[int] = self.order[self.ends[number] : self.ends[number + 1]].tolist()
        return found


def dealt(codes: NDArray[np.int64], rounds: NDArray[np.int64], sizes: Sizes, *seed: int) -> Plan:
    """Deal samples into batches.

    Parameters
    ----------
    codes : ndarray of shape (cards,)
        Class of each card.
    rounds : ndarray of shape (cards,)
        Cards of a class are laid round by round; within a round they are shuffled.
    sizes : Sizes
    *seed : int

    Returns
    -------
    Plan
        Of places in `codes`.
    """
    rank_of_class = np.argsort(keys(int(codes.max()) + 1, *seed, 0), kind="stable")
    laid_by = rank_of_class[codes]
    row = np.lexsort((keys(len(codes), *seed, _ROUND), rounds, laid_by))
    rest = _rest(laid_by[row], sizes, *seed)
    main, last = row[~rest], row[rest]
    places = _places(sizes.full, *seed)
    batch_of = places[np.arange(len(main)) % sizes.full] if sizes.full else main[:0]
    if not sizes.drop_last and sizes.rest:
        last = np.concatenate([last, np.resize(last, sizes.padded)])
        main = np.concatenate([main, last])
        batch_of = np.concatenate([batch_of, sizes.full + np.arange(len(last)) % sizes.world])
    # Within a batch the classes must not stay side by side: some loops cut a batch in parts.
    order = main[np.lexsort((keys(len(main), *seed, _WITHIN), batch_of))]
    held = np.bincount(batch_of, minlength=sizes.steps * sizes.world)
    return Plan(order, np.concatenate([[0], np.cumsum(held)]))


def _rest(laid: NDArray[np.int64], sizes: Sizes, *seed: int) -> NDArray[np.bool_]:
    """Which cards of the row fill no full batch: of each class its share, rounded down or up."""
    counts = np.bincount(laid)
    start = int(keys(1, *seed, _REST)[0] % np.uint64(sizes.samples))
    taken = (np.cumsum(counts) * sizes.rest + start) // sizes.samples
    taken = np.diff(taken, prepend=start // sizes.samples)
    within = np.arange(len(laid)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(within < taken[laid])


def _places(count: int, *seed: int) -> NDArray[np.int64]:
    """Batches in the order in which they are dealt to: each far from those just before it."""
    start = keys(1, *seed)[0]
    at = np.arange(count, dtype=np.uint64) * _GOLDEN + start  # modulo 2^64
    places = np.empty(count, dtype=np.int64)
    places[np.argsort(at, kind="stable")] = np.arange(count)
    return places
