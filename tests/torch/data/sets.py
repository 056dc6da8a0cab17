"""Data sets of the tests, importable by other processes."""

from __future__ import annotations

import hashlib
import random
import sys
from itertools import chain

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset


class Noisy(Dataset):
    """Samples whose transforms draw from every global generator."""

    def __init__(self, length=37):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        noise = (torch.rand(2), np.random.rand(2), random.random())
        return torch.tensor(float(index)), *noise


class Shards(IterableDataset):
    """A stream with a shuffle buffer and noise, both from the global generators."""

    def __init__(self, length=37):
        self.length = length

    def __iter__(self):
        held = []
        for index in range(self.length):
            held.append(index)
            if len(held) > 5:
                yield held.pop(random.randrange(len(held))), torch.rand(1), np.random.rand()
        random.shuffle(held)
        for index in held:
            yield index, torch.rand(1), np.random.rand()


def flat(batches):
    """Every number of some batches, exactly."""
    return [[part.double().tolist() for part in batch] for batch in batches]


def joined(lists):
    return list(chain.from_iterable(lists))


def digest(batches):
    return hashlib.sha256(repr(flat(batches)).encode()).hexdigest()


def main():
    """What another process sees of both."""
    from trainlens_torch.data import StratifiedBatchSampler, fingerprint, seeded_loader

    torch.manual_seed(int(sys.argv[1]))
    for made in (Noisy(), Shards()):
        loader = seeded_loader(made, seed=5, batch_size=4)
        print(digest(loader), fingerprint(loader).fingerprint)
    labels = [str(i % 5) for i in range(60)]
    print(list(StratifiedBatchSampler(labels, 8, seed=3)))


if __name__ == "__main__":
    main()
