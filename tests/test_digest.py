"""What remains of a run for a report: it survives the way from another process, and is small."""

import gc
import pickle
import tracemalloc
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from trainlens.reporting.digest import digest
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.stats.resample import Buckets, bucket, points, uniform_edges
from trainlens.work import Judging


def sweep_run(seed, name="run", bad=False):
    rng = np.random.default_rng(seed)
    step = np.arange(1000, dtype=np.int64)
    late = step[49::50]

    def column(name, step, value):
        return Column(name, step, value, 1.7e9 + step * 0.1, unknown(len(step)))

    loss = 2 * (1.0 + step) ** -0.2 * np.exp(0.05 * rng.standard_normal(1000))
    if bad:
        loss[500:520] = np.nan
        loss[700:] *= 5
    held = (
        column("loss", step, loss),
        column("val_loss", late, loss[late] + 0.1),
        column("lr", step, 3e-4 * (1 + np.cos(np.pi * step / 1000)) / 2),
    )
    return Run(name, f"{name}.jsonl", "jsonl").extend(Chunk(held, {"optimizer": {"lr": 3e-4}}))


def made(run, runs=10_000):
    return digest(Judging()(run), runs=runs, now=1.8e9)


def plain(thing):
    if isinstance(thing, np.ndarray):
        return thing.dtype, [repr(v) for v in thing.tolist()]
    if is_dataclass(thing):
        return type(thing), [plain(getattr(thing, f.name)) for f in fields(thing)]
    if isinstance(thing, (tuple, list)):
        return [plain(v) for v in thing]
    if isinstance(thing, dict):
        return {key: plain(value) for key, value in thing.items()}
    return repr(thing)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("bad", [False, True])
def test_a_digest_from_another_process_is_the_same(protocol, bad):
    here = made(sweep_run(1, bad=bad), runs=3)
    assert here.told.flagged == bad
    assert plain(pickle.loads(pickle.dumps(here, protocol))) == plain(here)


@pytest.mark.parametrize("n", [0, 1, 30])
def test_buckets_travel_in_one_piece(n):
    value = np.where(np.arange(n) % 7 == 3, np.nan, np.arange(n) / 3)
    held = points(np.arange(n), value)
    if n > 1:
        held = bucket(np.arange(n), value, uniform_edges(0, n - 1, 11))
    there = pickle.loads(pickle.dumps(held))
    for f in fields(Buckets):
        ours, theirs = getattr(held, f.name), getattr(there, f.name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_a_short_series_is_its_own_summary():
    value = np.array([3.0, np.inf, -0.5, np.nan])
    held = points(np.array([1, 2, 5, 9]), value)
    assert held.exact
    assert held.bad.tolist() == [0, 1, 0, 1]
    for row in (held.mean, held.low, held.high):
        assert np.array_equal(row, [3.0, np.nan, -0.5, np.nan], equal_nan=True)
    value[0] = 7.0  # what is kept is a copy
    assert held.low[0] == 3.0


def test_runs_share_the_words_that_are_the_same():
    finding = Finding("a-rule", Status.SKIP, Severity.INFO, "loss", "val", message="none " * 2)
    one, other = (pickle.loads(pickle.dumps(finding)) for _ in range(2))
    assert one == other == finding
    for name in ("rule", "metric", "split", "message"):
        assert getattr(one, name) is getattr(other, name)


def test_ten_thousand_runs_fit_into_little_memory():
    sent = [pickle.dumps(made(sweep_run(i, f"run{i}"))) for i in range(12)]
    pickle.loads(sent[0])
    for part, most in ((lambda d: d, 35_000), (lambda d: d.told, 15_000)):
        gc.collect()
        tracemalloc.start()
        held = [part(pickle.loads(s)) for s in sent]
        gc.collect()
        size = tracemalloc.get_traced_memory()[0] / len(held)
        tracemalloc.stop()
        assert 1000 < size < most
