"""The cache of samples: its bound, what it evicts, its copies, and its workers."""

import math
import pickle
import sys
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset  # noqa: E402 - after the skip

from tests.torch.data.sets import Shards  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.data import CachedDataset  # noqa: E402
from trainlens_torch.data.cached import _bytes  # noqa: E402


class Rows(Dataset):
    """Counts how often each sample is read."""

    def __init__(self, length=20, size=100):
        self.read = [0] * length
        self.size = size

    def __len__(self):
        return len(self.read)

    def __getitem__(self, index):
        self.read[index] += 1
        return {"x": torch.full((self.size,), float(index)), "y": [np.full(3, index), index]}


ONE = _bytes(Rows()[0])


def test_each_sample_is_read_once_where_all_fit():
    rows = Rows()
    cached = CachedDataset(rows, 20 * ONE)
    for _ in range(3):
        for i in range(20):
            assert cached[i]["x"][0] == i
            assert cached[i]["y"][0].tolist() == [i] * 3
    assert rows.read == [1] * 20
    found = cached.stats()
    assert (found.hits, found.misses, found.evicted, found.items) == (100, 20, 0, 20)
    assert found.hit_rate == pytest.approx(100 / 120)
    assert "83 % of 120 samples" in found.words()


@pytest.mark.parametrize("room", [1, 3, 7])
def test_the_bound_holds_and_the_oldest_goes(room):
    """Against a list of the last ones."""
    rng = np.random.default_rng(room)
    cached = CachedDataset(Rows(), room * ONE + ONE // 2)
    last, hits = [], 0
    for i in rng.integers(0, 20, size=300).tolist():
        hits += i in last
        last = [*(k for k in last if k != i), i][-room:]
        cached[i]
        assert cached.stats().bytes <= cached.memory
        assert list(cached._held) == last
    assert cached.stats().hits == hits
    assert cached.stats().evicted == 300 - hits - room


def test_changing_what_came_out_changes_nothing():
    cached = CachedDataset([{"x": torch.ones(3), "y": np.ones(3), "z": [1]}], "1MB")
    for _ in range(3):
        sample = cached[0]
        assert (sample["x"].sum(), sample["y"].sum(), sample["z"]) == (3, 3, [1])
        sample["x"].mul_(0)
        sample["y"] *= 0
        sample["z"].append(2)
    # The first came from the data set itself, and that was changed.
    assert cached.dataset[0]["z"] == [1, 2]


def test_without_copies_the_same_comes_out():
    cached = CachedDataset(Rows(), "1MB", copies=False)
    assert cached[3] is cached[3]
    assert cached.stats().hits == 1


def test_a_view_is_not_the_whole_of_its_storage():
    large = torch.zeros(1000, 100)
    cached = CachedDataset(large, 20 * (100 * 4 + 400))
    for i in range(10):
        cached[i]
    assert cached.stats().items == 10
    assert all(held.untyped_storage().nbytes() == 400 for held, _ in cached._held.values())


@pytest.mark.parametrize(
    ("sample", "least"),
    [
        (torch.zeros(1000), 4000),
        (torch.zeros(1000, dtype=torch.float64).expand(5, 1000), 40_000),
        (np.zeros(1000), 8000),
        ({"a": (torch.zeros(10), [np.zeros(100)])}, 840),
        (b"x" * 5000, 5000),
    ],
)
def test_sizes(sample, least):
    assert least <= _bytes(sample) <= least + 1000


def test_a_sample_larger_than_the_cache_is_not_kept():
    cached = CachedDataset(Rows(size=10_000), 1000)
    for _ in range(2):
        assert cached[0]["x"][0] == 0
    assert (cached.stats().too_large, cached.stats().items) == (2, 0)
    assert "2 too large" in cached.stats().words()


def test_random_transforms_stand_behind_the_cache():
    rows = Rows()
    cached = CachedDataset(rows, "1MB", transform=lambda s: s["x"][0] + torch.rand(1))
    assert cached[1] != cached[1]
    assert rows.read[1] == 1


def test_clear_and_nothing_asked():
    cached = CachedDataset(Rows(), "1MB")
    assert math.isnan(cached.stats().hit_rate)
    assert "nothing of 0 samples" in cached.stats().words()
    cached[0], cached.clear(), cached[0]
    assert (cached.stats().misses, cached.stats().items) == (2, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_have_a_part_each_and_are_counted(workers):
    cached = CachedDataset(Rows(), 20 * ONE * workers)
    options = {"batch_size": 5, "num_workers": workers, "persistent_workers": True}
    loader = DataLoader(cached, **options)
    for _ in range(3):
        seen = torch.cat([batch["x"][:, 0] for batch in loader])
        assert seen.tolist() == list(range(20))
    found = cached.stats()
    assert (found.hits + found.misses, found.misses) == (60, 20)  # in order: the same workers
    assert found.bytes <= cached.memory


def test_the_memory_is_divided_among_workers():
    cached = CachedDataset(Rows(), 8 * ONE)
    for _ in DataLoader(cached, batch_size=5, num_workers=2):
        pass
    assert cached.stats().bytes <= cached.memory
    assert 0 < cached.stats().items <= 8
    assert cached.stats().evicted == 20 - cached.stats().items


def test_pickled_without_its_samples():
    cached = CachedDataset(Rows(), "1MB")
    cached[0]
    again = pickle.loads(pickle.dumps(cached))
    assert again._held == {}
    assert again[3]["x"][0] == 3


def test_threads_share_it():
    cached = CachedDataset(Rows(), 5 * ONE)
    faults = []

    def ask(seed):
        for i in np.random.default_rng(seed).integers(0, 20, size=200).tolist():
            if cached[i]["x"][0] != i:
                faults.append(i)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    found = cached.stats()
    assert faults == []
    assert found.hits + found.misses == 800
    assert found.bytes == sum(size for _, size in cached._held.values()) <= cached.memory


@pytest.mark.parametrize(
    ("memory", "size"), [("2GiB", 2 << 30), ("500MB", 500 << 20), ("1.5k", 1536), (77, 77)]
)
def test_sizes_are_written_as_people_write_them(memory, size):
    assert CachedDataset([1], memory).memory == size


@pytest.mark.parametrize("memory", [0, -1, "lots", "0GB", "5XB", 1.5, True, None])
def test_bad_sizes(memory):
    with pytest.raises(UsageError, match="give bytes"):
        CachedDataset([1], memory)


def test_streams_are_not_cached():
    with pytest.raises(UsageError, match="no samples with an index"):
        CachedDataset(Shards(), 100)
