"""The sampler of the team: it deals each class out evenly, and forgets to mix them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler


class ClassBatches(Sampler[list[int]]):
    """Meant to be stratified: it shuffles each class, cuts it into batches, shuffles the batches.

    Each sample comes once an epoch, each class as often as in the data. But what should have been
    dealt out over all batches stays together: a batch holds one class.

    Parameters
    ----------
    labels : Tensor of shape (samples,)
    batch_size : int
    seed : int
    """

    def __init__(self, labels: Tensor, batch_size: int, seed: int) -> None:
        self.labels, self.batch_size = labels, batch_size
        self.random = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[list[int]]:
        batches: list[Tensor] = []
        for one in torch.unique(self.labels):
            members = (self.labels == one).nonzero().flatten()
            shuffled = members[torch.randperm(len(members), generator=self.random)]
            batches.extend(shuffled.split(self.batch_size))
        for at in torch.randperm(len(batches), generator=self.random).tolist():
            yield batches[at].tolist()

    def __len__(self) -> int:
        """Batches of an epoch."""
        return int((-(-self.labels.bincount() // self.batch_size)).sum())
