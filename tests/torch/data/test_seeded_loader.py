"""The seeded loader: one order for every run, process, number of workers and layout of ranks."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.torch.data.sets import Noisy, Shards, digest, flat, joined  # noqa: E402 - after the skip
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.data import (  # noqa: E402
    Prefetcher,
    StratifiedBatchSampler,
    fingerprint,
    seeded_loader,
)

ROOT = Path(__file__).parents[3]
SETS = {"map": Noisy, "stream": Shards}


def states():
    return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()


def indices(loader):
    return [batch[0].long().tolist() for batch in loader]


@pytest.fixture(params=SETS)
def dataset(request):
    return SETS[request.param]()


def test_the_same_batches_in_every_pass_and_for_every_number_of_workers(dataset):
    one = seeded_loader(dataset, seed=5, batch_size=4)
    first = flat(one)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    assert flat(one) == first
    assert sorted(joined(indices(one))) == list(range(37))
    for workers in (1, 2):
        assert flat(seeded_loader(dataset, seed=5, batch_size=4, workers=workers)) == first
    assert flat(seeded_loader(dataset, seed=6, batch_size=4)) != first


@pytest.mark.parametrize("world", [2, 3, 5])
def test_ranks_together_give_what_one_process_gives(dataset, world):
    whole = flat(seeded_loader(dataset, seed=5, batch_size=4))
    parts = [
        flat(seeded_loader(dataset, seed=5, batch_size=4, rank=r, world_size=world))
        for r in range(world)
    ]
    assert [parts[n % world][n // world] for n in range(len(whole))] == whole
    assert sum(map(len, parts)) == len(whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_random_numbers_of_the_training_are_not_touched(dataset, workers):
    before = states()
    loader = seeded_loader(dataset, seed=5, batch_size=4, workers=workers)
    fingerprint(loader)
    for _ in loader:
        assert states() == before
    next(iter(loader))
    assert states() == before


def test_also_after_an_error():
    class Broken(Noisy):
        def __getitem__(self, index):
            torch.rand(3)
            raise OSError("disk gone")

    before = states()
    with pytest.raises(OSError, match="disk gone"):
        next(iter(seeded_loader(Broken(), seed=5, batch_size=4)))
    assert states() == before


def test_a_sample_has_its_noise_wherever_it_comes():
    noise = {}
    for given in ({}, {"shuffle": False}, {"subset": [3, 30, 12]}, {"subset": 9}):
        for batch in seeded_loader(Noisy(), seed=5, batch_size=4, **given):
            for row in zip(*flat([batch])[0], strict=True):
                assert noise.setdefault(row[0], row) == row
    assert len({str(row[1:]) for row in noise.values()}) == 37


def test_another_process_sees_the_same():
    """With hashes of its own, and from another state of the random numbers."""
    command = [sys.executable, "-m", "tests.torch.data.sets", "1234"]
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    *seen, batches = done.stdout.splitlines()
    for line, made in zip(seen, (Noisy(), Shards()), strict=True):
        loader = seeded_loader(made, seed=5, batch_size=4)
        assert line == f"{digest(loader)} {fingerprint(loader).fingerprint}"
    labels = [str(i % 5) for i in range(60)]
    assert batches == str(list(StratifiedBatchSampler(labels, 8, seed=3)))


def test_the_order_comes_from_raw_bits():
    """Those of a bit generator stay the same from version to version of numpy."""
    raw = np.random.PCG64(np.random.SeedSequence((42,))).random_raw(10)
    loader = seeded_loader(range(10), seed=42, batch_size=5)
    assert joined(batch.tolist() for batch in loader) == sorted(range(10), key=raw.__getitem__)


def test_subsets_and_order():
    plain = seeded_loader(Noisy(), seed=5, batch_size=10, shuffle=False)
    assert joined(indices(plain)) == list(range(37))
    few = seeded_loader(Noisy(), seed=5, batch_size=10, shuffle=False, subset=7)
    held = joined(indices(few))
    assert held == sorted(held)
    assert len(set(held)) == 7
    own = seeded_loader(Noisy(), seed=5, batch_size=2, shuffle=False, subset=[9, 3, 20])
    assert indices(own) == [[9, 3], [20]]
    cut = seeded_loader(Noisy(), seed=5, batch_size=10, drop_last=True)
    assert [len(b) for b in indices(cut)] == [10, 10, 10]
    assert (len(cut), len(seeded_loader(Noisy(), seed=5, batch_size=10))) == (3, 4)
    short = seeded_loader(Shards(), seed=5, batch_size=4, subset=10)
    assert indices(short) == [b[: 10 - 4 * n] for n, b in enumerate(indices(
        seeded_loader(Shards(), seed=5, batch_size=4)))][:3]  # fmt: skip


def test_options_of_the_loader():
    loader = seeded_loader(Noisy(), seed=5, batch_size=4, collate_fn=len)
    assert list(loader) == [4] * 9 + [1]


def test_behind_a_prefetcher_it_needs_a_process():
    """A thread would exchange the random numbers that the training draws from."""
    with pytest.raises(RuntimeError, match="workers=1 or more"):
        list(Prefetcher(seeded_loader(Noisy(), seed=5, batch_size=4)))
    with pytest.raises(RuntimeError, match="workers=1 or more"):
        list(Prefetcher(seeded_loader(Shards(), seed=5, batch_size=4)))
    ahead = Prefetcher(seeded_loader(Noisy(), seed=5, batch_size=4, workers=1))
    assert flat(ahead) == flat(seeded_loader(Noisy(), seed=5, batch_size=4))


class Sized:
    """No data set of torch, and no length."""

    def __getitem__(self, index):
        return index


@pytest.mark.parametrize(
    ("dataset", "given", "kind", "said"),
    [
        ([], {}, UsageError, "the data set is empty"),
        (Sized(), {}, UsageError, "a Sized has no length"),
        ([1, 2], {"subset": 3}, UsageError, "subset=3, but the data set has 2 samples"),
        ([1, 2], {"subset": []}, UsageError, "the subset is empty"),
        ([1, 2], {"subset": [2]}, UsageError, "not below 2"),
        (Shards(), {"subset": [1]}, UsageError, "as a number of elements"),
        ([1, 2], {"batch_size": 0}, ValueError, "batch_size must be 1 or more"),
        ([1, 2], {"seed": -1}, ValueError, "seed must be 0 or more"),
        ([1, 2], {"sampler": [0]}, UsageError, "no option 'sampler'"),
    ],
)
def test_bad_input(dataset, given, kind, said):
    with pytest.raises(kind, match=said):
        seeded_loader(dataset, **{"seed": 0, "batch_size": 2, **given})
