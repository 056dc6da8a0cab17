"""An archive of chains, read once in the order in which they were deposited.

Three things are wrong with it, as with many archives: a few chains are much longer than the others,
some entries lie on a slow shelf, and one has a residue without coordinates that its mask does not
leave out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from examples.diffold_guarded.chains import sample_angles, sample_folds, sample_sequence, trace

SHORTEST, USUAL, LONGEST = 16, 24, 34
"""Residues: usual chains have 16 to 24, long ones 32 to 34."""
SLOW = 0.15
"""Seconds that an entry of the slow shelf takes."""

NEARER = (6.0, 9.0, 13.0, 18.0, 25.0)
"""Distances in Å, of which it is told how likely two residues are nearer."""

NEAR = 40
"""Entries between two that can come into one batch of eight."""
_WINDOW = 32
_BLUR, _TEMPLATE = 2.0, 0.35


@dataclass(frozen=True)
class Entry:
    """One chain.

    Parameters
    ----------
    sequence : tensor of shape (n,), int64
    contacts : tensor of shape (n, n, 5)
        How likely two residues are nearer than 6, 9, 13, 18 and 25 Å, from related sequences.
    template : tensor of shape (n, 3), in Å
        Trace of a relative: the same fold, other torsions.
    trace : tensor of shape (n, 3), in Å
    slow : bool
        Whether it lies on the slow shelf.
    """

    sequence: Tensor
    contacts: Tensor
    template: Tensor
    trace: Tensor
    slow: bool = False


Chains = dict[str, Tensor]
"""A batch, padded to its longest chain: the tensors of `Entry`, and ``mask``, shape (b, n)."""


class Archive(Dataset[Entry]):
    """Chains, and where what is wrong with them lies.

    Parameters
    ----------
    count : int
    seed : int
        Decides everything.
    long : float
        Share of long chains.
    slow : sequence of int
        Entries of the slow shelf.
    corrupt : int, optional
        The entry with a residue whose coordinates are NaN. No long chain is near it: lost with a
        batch that does not fit, it would do no harm.
    """

    def __init__(
        self, count: int, seed: int, long: float, slow: Sequence[int] = (),
        corrupt: int | None = None,
    ) -> None:  # fmt: skip
        g = torch.Generator().manual_seed(seed)
        usual = torch.randint(SHORTEST, USUAL + 1, (count,), generator=g)
        longer = torch.randint(LONGEST - 2, LONGEST + 1, (count,), generator=g)
        is_long = torch.rand(count, generator=g) < long
        if corrupt is not None:
            is_long[max(0, corrupt - NEAR) : corrupt + NEAR] = False
        self.length = torch.where(is_long, longer, usual)
        folds = sample_folds(count, LONGEST, g)
        angles = sample_angles(folds, g)
        self.sequence = sample_sequence(folds, g)
        self.trace = trace(angles)
        self.template = trace(angles + _TEMPLATE * torch.randn(angles.shape, generator=g))
        apart = torch.cdist(self.trace, self.trace)
        noise = _BLUR * torch.randn(apart.shape, generator=g)
        seen = apart + (noise + noise.mT) / 2
        self.contacts = torch.sigmoid(torch.tensor(NEARER) - seen[..., None])
        self.slow = frozenset(slow)
        if corrupt is not None:
            self.trace[corrupt, int(self.length[corrupt]) // 2] = torch.nan

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: int) -> Entry:
        n = int(self.length[index])
        return Entry(
            self.sequence[index, :n], self.contacts[index, :n, :n], self.template[index, :n],
            self.trace[index, :n], index in self.slow,
        )  # fmt: skip


class Stream(IterableDataset[Entry]):
    """The archive once, by date of deposition but for neighbours, which the seed mixes.

    Parameters
    ----------
    archive : Archive
    seed : int
    sleep : callable
        Is given the seconds that an entry keeps its reader waiting.
    """

    def __init__(
        self, archive: Archive, seed: int, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.archive, self.seed, self.sleep = archive, seed, sleep

    def order(self) -> list[int]:
        """Every entry once, none far from its place."""
        g = torch.Generator().manual_seed(self.seed)
        count = len(self.archive)
        place = torch.arange(count) + _WINDOW * torch.rand(count, generator=g)
        order: list[int] = place.argsort().tolist()
        return order

    def __iter__(self) -> Iterator[Entry]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in self.order()[first::step]:
            entry = self.archive[index]
            if entry.slow:
                self.sleep(SLOW)
            yield entry


def collate(entries: Sequence[Entry]) -> Chains:
    """A batch of chains, with zeros behind the end of each."""
    longest = max(len(one.sequence) for one in entries)
    return {
        "sequence": _padded([one.sequence for one in entries], longest),
        "contacts": _padded([one.contacts for one in entries], longest, longest, len(NEARER)),
        "template": _padded([one.template for one in entries], longest, 3),
        "trace": _padded([one.trace for one in entries], longest, 3),
        "mask": _padded([torch.ones_like(one.sequence).bool() for one in entries], longest),
    }


def _padded(values: Sequence[Tensor], *shape: int) -> Tensor:
    out = values[0].new_zeros(len(values), *shape)
    for row, value in zip(out, values, strict=True):
        row[tuple(slice(n) for n in value.shape)] = value
    return out
