"""Batches of the stratified sampler: their mixture, ranks, epochs, resuming, and its errors."""

import itertools
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402 - after the skip

from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.data import Prefetcher, StratifiedBatchSampler  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402


def ranks(labels, batch_size, world=1, **given):
    return [
        StratifiedBatchSampler(labels, batch_size, rank=r, world_size=world, **given)
        for r in range(world)
    ]


def random_case(number):
    """Labels of a random distribution, and how they are to be cut."""
    rng = np.random.default_rng(number)
    classes = int(rng.integers(1, 12))
    share = rng.dirichlet(np.full(classes, rng.choice([0.1, 1.0, 10.0])))
    labels = rng.choice(classes, size=int(rng.integers(1, 160)), p=share)
    return labels, int(rng.integers(1, 33)), int(rng.integers(1, 5)), int(rng.integers(0, 9))


def within_share(labels, counts, batches):
    """Each class is there ``b n / N`` times, rounded down or up, `b` their mean size."""
    size, total = sum(map(len, batches)), counts.sum() * len(batches)
    for batch in batches:
        held = np.bincount(labels[batch], minlength=len(counts))
        assert (held >= size * counts // total).all()
        assert (held <= -(-size * counts // total)).all()


@pytest.mark.parametrize("balanced", [False, True])
def test_the_mixture_of_a_thousand_label_sets(balanced):
    for number in range(500):
        labels, size, world, seed = random_case(number)
        counts = np.bincount(labels)
        if balanced:
            counts = np.where(counts > 0, counts.max(), 0)
        samplers = ranks(labels, size, world, seed=seed, balanced=balanced)
        given = [list(one) for one in samplers]
        assert {len(one) for one in given} == {len(samplers[0])}
        steps = list(zip(*given, strict=True))
        for step in steps[: len(steps) - bool(samplers[0].padded)]:
            within_share(labels, counts, step)
        assert all(len(b) == size for step in steps[:-1] for b in step)


def test_each_sample_once_and_ranks_apart():
    for number in range(500):
        labels, size, world, seed = random_case(number)
        samplers = ranks(labels, size, world, seed=seed)
        flat = [i for one in samplers for batch in one for i in batch]
        assert sorted(set(flat)) == list(range(len(labels)))
        assert len(flat) - len(labels) == samplers[0].padded
        rest = len(labels) % (size * world)
        assert samplers[0].padded == (max(0, world - rest) if rest else 0)


def test_drop_last_leaves_out_as_many_as_it_says_and_others_each_time():
    labels = np.arange(103) % 3
    samplers = ranks(labels, 8, 2, drop_last=True)
    assert samplers[0].dropped == 103 % 16
    left = []
    for epoch in range(3):
        for one in samplers:
            one.set_epoch(epoch)
        batches = [batch for one in samplers for batch in one]
        assert {len(b) for b in batches} == {8}
        left.append(frozenset(range(103)) - {i for b in batches for i in b})
        assert len(left[-1]) == 7
        assert np.bincount(labels[list(left[-1])]).min() >= 2
    assert len(set(left)) == 3


def test_balanced_classes_are_repeated_evenly():
    labels = np.repeat([0, 1, 2], [40, 7, 1])
    sampler = StratifiedBatchSampler(labels, 12, balanced=True)
    often = np.bincount([i for b in sampler for i in b])
    assert often[:40].tolist() == [1] * 40
    assert set(often[40:47]) == {5, 6}
    assert often[47] == 40
    assert sampler.repeats == 3 * 40 - 48
    assert sampler.bounds() == {0: (4, 4), 1: (4, 4), 2: (4, 4)}


def test_the_samples_that_come_once_more_change_from_epoch_to_epoch():
    labels = np.repeat([0, 1], [40, 7])
    sampler = StratifiedBatchSampler(labels, 10, balanced=True)
    more = set()
    for epoch in range(4):
        sampler.set_epoch(epoch)
        often = np.bincount([i for b in sampler for i in b])
        more.add(tuple(np.flatnonzero(often == 6)))
    assert len(more) > 1


@pytest.mark.parametrize("rare", [2, 3, 7, 20, 111, 299])
def test_a_rare_class_is_spread_over_the_epoch(rare):
    labels = np.zeros(1200, dtype=int)
    labels[:rare] = 1
    for seed in range(10):
        sampler = StratifiedBatchSampler(labels, 4, seed=seed)
        at = [n for n, batch in enumerate(sampler) if labels[batch].any()]
        assert len(at) == rare  # never twice in a batch
        assert np.diff(at).max() < 3 * 300 / rare


def test_a_class_of_one_sample_comes_once_an_epoch():
    labels = ["a"] * 31 + ["b"]
    sampler = StratifiedBatchSampler(labels, 8)
    where = set()
    for epoch in range(8):
        sampler.set_epoch(epoch)
        held = [31 in batch for batch in sampler]
        assert sum(held) == 1
        where.add(held.index(True))
    assert len(where) > 1


def test_classes_do_not_stay_side_by_side_within_a_batch():
    """Some loops cut a batch in parts."""
    labels = np.repeat([0, 1], 500)
    halves = [labels[b[:50]].mean() for b in StratifiedBatchSampler(labels, 100)]
    assert 0.2 < min(halves) < max(halves) < 0.8


KINDS = {
    "list": list,
    "texts": lambda codes: [f"class {c}" for c in codes],
    "tensor": torch.tensor,
    "column": lambda codes: torch.tensor(codes)[:, None],
    "array": np.array,
    "text array": lambda codes: np.array([f"class {c}" for c in codes]),
    "objects": lambda codes: np.array([None if c == 0 else ("t", c) for c in codes] + [0])[:-1],
    "tensors": lambda codes: [torch.tensor(c) for c in codes],
    "range of bytes": bytearray,
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_any_kind_give_the_same_batches(kind):
    codes = [0, 1, 2, 1, 0, 2, 2, 2, 1, 0] * 3
    if kind == "objects":
        given = np.empty(len(codes), dtype=object)
        given[:] = [None if c == 0 else ("t", c) for c in codes]
    else:
        given = KINDS[kind](codes)
    assert list(StratifiedBatchSampler(given, 7)) == list(StratifiedBatchSampler(codes, 7))


def test_seed_and_epoch_decide_alone():
    labels = np.arange(50) % 4
    first = StratifiedBatchSampler(labels, 6, seed=1)
    orders = {}
    for epoch in (0, 1, 2):
        first.set_epoch(epoch)
        orders[epoch] = list(first)
        again = StratifiedBatchSampler(labels, 6, seed=1)
        again.set_epoch(epoch)
        assert list(again) == orders[epoch]
    assert orders[0] != orders[1] != orders[2]
    assert list(StratifiedBatchSampler(labels, 6, seed=2)) != orders[0]


def test_a_pass_behind_a_whole_one_is_the_next_epoch():
    sampler = StratifiedBatchSampler(np.arange(50) % 4, 6)
    plain, told = [list(sampler) for _ in range(3)], []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        told.append(list(sampler))
    assert plain == told
    sampler.set_epoch(0)
    next(iter(sampler))  # given up
    assert list(sampler) == told[0]


def test_indices_of_a_subset():
    labels = [0, 1] * 10
    places = list(range(100, 120))
    batches = list(StratifiedBatchSampler(labels, 4, indices=places))
    assert sorted(i for b in batches for i in b) == places
    assert all(sum(i % 2 for i in b) == 2 for b in batches)


def loader(sampler, workers=0):
    rows = torch.arange(sum(sampler.classes.values()))
    return DataLoader(TensorDataset(rows), batch_sampler=sampler, num_workers=workers)


def taken(batches):
    return [rows.tolist() for (rows,) in batches]


@pytest.mark.parametrize("given", [{}, {"balanced": True}, {"drop_last": True}, {"world_size": 2}])
def test_resuming_at_every_position_is_not_to_have_stopped(given):
    labels = np.random.default_rng(0).choice(5, size=83, p=[0.5, 0.3, 0.1, 0.06, 0.04])
    where = {"rank": 1} if given.get("world_size") else {}

    def made():
        return StratifiedBatchSampler(labels, 9, seed=4, **given, **where)

    whole = made()
    epochs = [list(whole) for _ in range(3)]
    for at in range(len(whole) + 1):
        stopped = made()
        stopped.set_epoch(1)
        for _ in itertools.islice(stopped.counted(loader(stopped)), at):
            pass
        state = pickle.loads(pickle.dumps(stopped.state_dict(at)))
        again = made()
        again.load_state_dict(state)
        rest = epochs[1][at:]
        assert taken(loader(again)) == (rest or epochs[2])
        assert list(again) == (epochs[2] if rest else list(made_at(made, 3)))


def made_at(made, epoch):
    sampler = made()
    sampler.set_epoch(epoch)
    return sampler


def test_the_position_is_that_of_the_loop_and_not_of_the_workers():
    labels = np.arange(64) % 4
    sampler = StratifiedBatchSampler(labels, 4)
    running = sampler.counted(loader(sampler, workers=2))
    seen = taken(itertools.islice(running, 5))
    state = sampler.state_dict()
    assert state["position"] == sampler.position == 5 < sampler._drawn
    again = StratifiedBatchSampler(labels, 4)
    again.load_state_dict(state)
    rest = taken(again.counted(loader(again, workers=2)))
    assert seen + rest == list(StratifiedBatchSampler(labels, 4))
    running.close()


def test_a_prefetcher_counts_for_the_sampler():
    sampler = StratifiedBatchSampler(np.arange(64) % 4, 4)
    ahead = iter(Prefetcher(loader(sampler), depth=4))
    for _ in range(3):
        next(ahead)
    assert sampler.state_dict()["position"] == 3


def test_a_state_without_a_position_is_refused():
    sampler = StratifiedBatchSampler(np.arange(64) % 4, 4)
    assert sampler.state_dict()["position"] == 0
    next(iter(loader(sampler)))
    with pytest.raises(RuntimeError, match="only the loop knows"):
        sampler.state_dict()
    assert sampler.state_dict(consumed=1)["position"] == 1
    sampler.set_epoch(1)
    assert sampler.state_dict()["position"] == 0


def test_an_epoch_that_was_told_and_is_over_gives_nothing():
    """So a loop over epochs that begins with the saved one goes on with the next."""
    labels = np.arange(20) % 4
    sampler = StratifiedBatchSampler(labels, 4)
    list(sampler.counted(loader(sampler)))
    again = StratifiedBatchSampler(labels, 4)
    again.load_state_dict(sampler.state_dict())
    epochs = []
    for epoch in range(again.epoch, 3):
        again.set_epoch(epoch)
        epochs.append(list(again))
    whole = StratifiedBatchSampler(labels, 4)
    assert epochs == [[], *[list(made_at(lambda: whole, e)) for e in (1, 2)]]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"batch_size": 5}, "batch_size was 4, is 5"),
        ({"labels": [0, 1] * 9 + [0, 0]}, "labels was"),
        ({"rank": 0, "world_size": 2}, "world_size was 1, is 2"),
    ],
)
def test_a_state_of_another_configuration_is_refused(other, named):
    labels = [0, 1] * 10
    state = StratifiedBatchSampler(labels, 4).state_dict()
    again = StratifiedBatchSampler(**{"labels": labels, "batch_size": 4, **other})
    with pytest.raises(StateMismatch, match=named):
        again.load_state_dict(state)


BAD = [
    (([], 4), {}, UsageError, "no samples"),
    (([0, 1], 0), {}, ValueError, "batch_size must be 1 or more"),
    (([0, 1], 2.0), {}, TypeError, "batch_size must be an integer"),
    (([0, 1], 2), {"seed": -1}, ValueError, "seed must be 0 or more"),
    (([0, 1], 2), {"indices": [3, 4, 5]}, UsageError, "2 labels and 3 indices"),
    (([0, 1], 4), {"drop_last": True}, UsageError, "leaves no batch"),
    ((torch.eye(3), 2), {}, UsageError, r"argmax\(1\)"),
    (([0.0, float("nan")], 2), {}, UsageError, "sample 1 is NaN"),
    (([[1], [2]], 2), {}, UsageError, "sample 0 is a list"),
    (("abc", 2), {}, UsageError, "single text"),
    (([0, 1], 2), {"rank": 2, "world_size": 2}, UsageError, "the last rank is 1"),
    (([0, 1], 2), {"world_size": 2}, UsageError, "belong together"),
]


@pytest.mark.parametrize(("args", "given", "kind", "said"), BAD)
def test_bad_input(args, given, kind, said):
    with pytest.raises(kind, match=said):
        StratifiedBatchSampler(*args, **given)


def test_ranks_of_a_launcher(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    sampler = StratifiedBatchSampler([0, 1] * 8, 4)
    assert (sampler.rank, sampler.world_size, len(sampler)) == (1, 2, 2)
    monkeypatch.delenv("WORLD_SIZE")
    assert StratifiedBatchSampler([0, 1] * 8, 4).world_size == 1
