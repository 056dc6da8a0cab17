"""Fingerprints of validation data, and that a comparison of runs reads them."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402 - after the skip
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)

import trainlens  # noqa: E402
from tests.torch.data.sets import Noisy, Shards  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch import RunLogger  # noqa: E402
from trainlens_torch.data import fingerprint, seeded_loader  # noqa: E402


def mark(data, **given):
    return fingerprint(data, **given).fingerprint


@dataclass
class Pose:
    joints: np.ndarray
    name: str


class Odd:
    def __init__(self, value):
        self.value = value


VALUES = {
    "tensor": (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])),
    "type": (torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32)),
    "shape": (torch.zeros(2, 3), torch.zeros(3, 2)),
    "bfloat16": (torch.ones(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16)),
    "sparse": (torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse()),
    "array": (np.arange(3), np.arange(3) + 1),
    "objects": (np.array(["a", None], dtype=object), np.array(["a", 1], dtype=object)),
    "nested": ({"a": [1, (2, "x")]}, {"a": [1, (2, "y")]}),
    "bytes": (b"ab", b"ac"),
    "lengths": (["ab", "c"], ["a", "bc"]),
    "dataclass": (Pose(np.ones(2), "a"), Pose(np.ones(2), "b")),
    "object": (Odd([1, 2]), Odd([1, 3])),
    "nan": (float("nan"), 0.0),
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_content_counts(kind):
    one, other = VALUES[kind]
    assert mark([one, one]) == mark([one, one])
    assert mark([one, one]) != mark([one, other])


def test_what_changes_it_and_what_does_not():
    rows = torch.arange(1000.0)
    data = TensorDataset(rows)
    same = mark(DataLoader(data, batch_size=7))
    assert mark(data) == mark(DataLoader(data, shuffle=True)) == same
    assert mark(seeded_loader(data, seed=1, batch_size=4)) == same
    assert mark(seeded_loader(data, seed=2, batch_size=9, rank=1, world_size=2)) == same
    assert mark(TensorDataset(rows[:-1])) != same
    assert mark(TensorDataset(rows + 1e-3)) != same
    first, last = rows.clone(), rows.clone()
    first[0], last[-1] = -1.0, -1.0
    assert len({mark(TensorDataset(r)) for r in (rows, first, last)}) == 3
    few = [seeded_loader(data, seed=s, batch_size=4, subset=100) for s in (1, 2)]
    assert len({mark(one) for one in few} | {same}) == 3
    part = [Subset(data, range(9)), DataLoader(data, sampler=SubsetRandomSampler(range(9)))]
    assert same not in [mark(one) for one in part]


def test_all_samples_are_read_on_demand():
    rows = torch.arange(1000.0)
    other = rows.clone()
    other[1] = -1.0
    found = fingerprint(TensorDataset(rows), items=None)
    assert (found.samples, found.looked_at) == (1000, 1000)
    assert fingerprint(TensorDataset(rows)).looked_at == 64
    assert mark(TensorDataset(rows)) == mark(TensorDataset(other))  # what the docstring says
    assert mark(TensorDataset(other), items=None) != found.fingerprint


def test_random_transforms_are_seeded():
    torch.manual_seed(0)
    first = mark(Noisy())
    torch.manual_seed(1)
    assert mark(Noisy()) == first
    seeds = {mark(seeded_loader(Noisy(), seed=s, batch_size=4, workers=w))
             for s in (1, 2) for w in (0, 2)}  # fmt: skip
    assert len(seeds) == 2


def test_streams():
    whole = fingerprint(seeded_loader(Shards(), seed=1, batch_size=4))
    assert (whole.samples, whole.looked_at) == (37, 37)
    few = fingerprint(seeded_loader(Shards(), seed=1, batch_size=4), items=10)
    assert (few.samples, few.looked_at) == (None, 10)
    ranks = [seeded_loader(Shards(), seed=1, batch_size=4, rank=r, world_size=2) for r in (0, 1)]
    assert [mark(one) for one in ranks] == [whole.fingerprint] * 2
    assert mark(seeded_loader(Shards(), seed=2, batch_size=4)) != whole.fingerprint
    assert mark(seeded_loader(Shards(), seed=1, batch_size=4, subset=20)) != whole.fingerprint


class Nothing(IterableDataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize("empty", [[], Nothing(), TensorDataset(torch.empty(0))])
def test_no_samples(empty):
    with pytest.raises(UsageError, match="no samples"):
        fingerprint(empty)


class Slow(Dataset):
    def __init__(self):
        self.read = []

    def __len__(self):
        return 10**6

    def __getitem__(self, index):
        self.read.append(index)
        return index


def test_it_is_cheap():
    data = Slow()
    fingerprint(data)
    assert len(data.read) == 64
    assert (min(data.read), max(data.read)) == (0, 10**6 - 1)


def trained(folder, loader, key=lambda found: found):
    config = {"lr": 1e-3, "validation": key(fingerprint(loader))}
    with RunLogger(folder, config=config, sync=True) as log:
        for step in range(60):
            log.log(step, {"loss": 1.0 / (step + 1)}, split="val")
    return folder


def cautions(first, second):
    compared = trainlens.compare(trainlens.load_one(first), [trainlens.load_one(second)])
    return [one.message for one in compared.cautions if one.kind == "validation-data"]


@pytest.mark.parametrize("key", [lambda found: found, lambda found: found.fingerprint])
def test_a_comparison_flags_runs_that_validated_on_different_data(tmp_path, key):
    data = TensorDataset(torch.arange(100.0))
    loaders = {
        "a": seeded_loader(data, seed=1, batch_size=8, subset=50),
        "again": seeded_loader(data, seed=1, batch_size=16, subset=50, workers=2),
        "other": seeded_loader(data, seed=2, batch_size=8, subset=50),
    }
    runs = {name: trained(tmp_path / name, loader, key) for name, loader in loaders.items()}
    assert cautions(runs["a"], runs["again"]) == []
    said = cautions(runs["a"], runs["other"])
    assert len(said) == 1
    assert "they may have validated on different data" in said[0]
    assert mark(loaders["a"]) in said[0]
    assert mark(loaders["other"]) in said[0]


def test_the_command_says_so(tmp_path):
    data = TensorDataset(torch.arange(100.0))
    one, two = (
        trained(tmp_path / str(s), seeded_loader(data, seed=s, batch_size=8, subset=50))
        for s in (1, 2)
    )
    command = [sys.executable, "-m", "trainlens", "compare", str(one), str(two), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = json.loads(done.stdout)
    assert "validation-data" in [one["kind"] for one in found["cautions"]]
