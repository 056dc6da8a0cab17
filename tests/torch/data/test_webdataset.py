"""Streams that seed generators of their own, as WebDataset does: a stand-in, and itself."""

import gc
import io
import random
import tarfile
import time
from itertools import count

import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import IterableDataset  # noqa: E402 - after the skip

from tests.torch.data.sets import joined  # noqa: E402
from trainlens_torch.data import fingerprint, seeded_loader  # noqa: E402

_now = count()


def _shuffle(stream, size=4, rng=None, seed=None):
    """By default its generator starts at the time, as that of WebDataset does."""
    rng = rng or random.Random(seed if seed is not None else (time.time(), next(_now)).__hash__())
    held = list(stream)
    rng.shuffle(held)
    yield from held


class Curried:
    def __init__(self, f, **kw):
        self.f, self.kw = f, kw

    def __call__(self, stream):
        return self.f(stream, **self.kw)


class Shuffled:
    """A stage that counts its epochs."""

    def __init__(self, seed):
        self.seed, self.epoch = seed, -1

    def __call__(self, stream):
        self.epoch += 1
        held = list(stream)
        random.Random(self.seed + self.epoch).shuffle(held)
        return iter(held)


def split_by_node(stream):
    raise ValueError("which node is this?")


class Pipeline(IterableDataset):
    def __init__(self, *stages):
        self.pipeline = list(stages)

    def __iter__(self):
        stream = iter(range(40))
        for stage in self.pipeline:
            stream = stage(stream)
        yield from stream


def batches(loader):
    return [batch.tolist() for batch in loader]


@pytest.mark.parametrize(
    "stages",
    [
        lambda: [Curried(_shuffle)],
        lambda: [Curried(_shuffle, rng=random.Random(1)), split_by_node],
        lambda: [Curried(_shuffle, seed=time.time_ns()), Shuffled(random.randrange(99))],
    ],
)
def test_stages_get_seeds(stages):
    dataset = Pipeline(*stages())
    kept = [dict(vars(stage)) for stage in dataset.pipeline if hasattr(stage, "__dict__")]
    first = batches(seeded_loader(dataset, seed=7, batch_size=3))
    assert sorted(joined(first)) == list(range(40))
    assert joined(first) != list(range(40))
    for workers in (0, 1, 2):
        for _ in range(2):
            loader = seeded_loader(Pipeline(*stages()), seed=7, batch_size=3, workers=workers)
            assert batches(loader) == first
            assert batches(loader) == first
    assert batches(seeded_loader(dataset, seed=8, batch_size=3)) != first
    # The data set itself is left as it was.
    assert [vars(stage) for stage in dataset.pipeline if hasattr(stage, "__dict__")] == kept


def test_without_a_seed_it_differs():
    assert list(Pipeline(Curried(_shuffle))) != list(Pipeline(Curried(_shuffle)))


@pytest.fixture
def shards(tmp_path):
    for shard in range(3):
        with tarfile.open(tmp_path / f"shard-{shard}.tar", "w") as tar:
            for row in range(10):
                data = str(10 * shard + row).encode()
                about = tarfile.TarInfo(f"{10 * shard + row:03d}.txt")
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))
    return [str(tmp_path / f"shard-{shard}.tar") for shard in range(3)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it closes no shard that it has read
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_itself(shards):
    webdataset = pytest.importorskip("webdataset")

    def made(**given):
        dataset = webdataset.WebDataset(shards, shardshuffle=3, **given)
        return dataset.shuffle(5).decode().to_tuple("txt").map(lambda one: int(one[0])).shuffle(7)

    def given(dataset, **more):
        return batches(seeded_loader(dataset, **{"seed": 7, "batch_size": 4, **more}))

    first = given(made())
    assert sorted(joined(first)) == list(range(30))
    assert list(made()) != list(made())
    assert given(made(), workers=1) == first
    assert given(made(), seed=8) != first
    assert given(made(detshuffle=True), workers=2) == given(made(detshuffle=True))
    parts = [given(made(), rank=rank, world_size=2) for rank in (0, 1)]
    assert [parts[n % 2][n // 2] for n in range(len(first))] == first
    marks = [
        fingerprint(seeded_loader(made(), seed=7, batch_size=size, workers=workers))
        for size, workers in ((4, 0), (9, 1))
    ]
    assert marks[0] == marks[1]
    gc.collect()
