"""Arms of several runs at chosen places, and their generalization gaps there."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

import trainlens
from trainlens.chunk import Chunk, Column, unknown
from trainlens.comparison.arms import arm
from trainlens.comparison.gaps import gap_tables
from trainlens.comparison.moments import arms_at
from trainlens.run import Run

STEP = np.arange(100, 1100, 100)
PLACES = (100.0, 500.0, 1000.0)


def run(name, seed=None, **splits):
    columns = [
        Column("mpjpe", STEP[: len(v)], np.asarray(v, float), unknown(len(v)), unknown(len(v)), s)
        for s, v in splits.items()
    ]
    config = {} if seed is None else {"seed": seed}
    return Run(name, name, "synthetic", config=config).extend(Chunk(tuple(columns)))


def values(count, level, seed):
    return level + np.random.default_rng(seed).normal(0, 1, (count, len(STEP)))


def side(name, held, split="test", seeds=True):
    return arm(name, [run(f"{name}{i}", i if seeds else None, **{split: v}) for i, v in
                      enumerate(held)])  # fmt: skip


@pytest.mark.parametrize("seeds", [True, False])
def test_each_place_is_a_t_test_of_its_own(seeds):
    a, b = values(5, 20.0, 0), values(5, 18.0, 1)
    found = arms_at(side("a", a, seeds=seeds), side("b", b, seeds=seeds), ("mpjpe", "test"),
                    PLACES, "step")  # fmt: skip
    for one, column in zip(found, (0, 4, 9), strict=True):
        x, y = a[:, column], b[:, column]
        assert (one.baseline, one.candidate) == pytest.approx((x.mean(), y.mean()))
        assert one.percent == pytest.approx((y.mean() - x.mean()) / x.mean())
        if seeds:
            ends = ttest_rel(y, x).confidence_interval(0.95)
            assert (one.interval.low, one.interval.high) == pytest.approx(tuple(ends))
        else:  # with as many runs a side Welch's own degrees of freedom, a little wider or not
            ends = ttest_ind(y, x, equal_var=False).confidence_interval(0.95)
            assert (one.interval.low, one.interval.high) == pytest.approx(tuple(ends), abs=0.1)


def test_runs_without_a_point_there_do_not_count():
    a, b = values(4, 20.0, 0), values(4, 18.0, 1)
    short = [*a[:3], a[3][:5]]
    late = arms_at(side("a", short), side("b", b), ("mpjpe", "test"), (1000.0,), "step")[0]
    assert late.baseline == pytest.approx(a[:3, 9].mean())
    assert late.candidate == pytest.approx(b[:3, 9].mean())
    nowhere = arms_at(side("a", a), side("b", b), ("mpjpe", "test"), (5000.0,), "step")[0]
    assert math.isnan(nowhere.delta)
    assert nowhere.interval is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_left_out(bad):
    a, b = values(4, 20.0, 0), values(4, 18.0, 1)
    a[0, 4] = bad
    (one,) = arms_at(side("a", a), side("b", b), ("mpjpe", "test"), (500.0,), "step")
    assert one.delta == pytest.approx((b[1:, 4] - a[1:, 4]).mean())


def test_two_runs_a_side_have_no_interval():
    found = arms_at(side("a", values(2, 1.0, 0)), side("b", values(2, 2.0, 1)), ("mpjpe", "test"),
                    PLACES, "step")  # fmt: skip
    assert [one.interval for one in found] == [None] * 3


def gapped(name, level):
    noise = np.random.default_rng(len(name)).normal(0, 1, (3, len(STEP)))
    runs = [run(f"{name}{i}", i, train=level + e, val=level + e + 3 + i, test=level + e + 5 * i)
            for i, e in enumerate(noise)]  # fmt: skip
    return arm(name, runs)


def test_gaps_of_arms_are_means_and_each_split_has_its_own():
    keys = [("mpjpe", "val"), ("mpjpe", "test"), ("mpjpe", "train")]
    tables = gap_tables(gapped("a", 10.0), gapped("bb", 20.0), keys, PLACES, "step")
    assert [(t.metric, t.split) for t in tables] == keys[:2]
    for table, wanted in zip(tables, (4.0, 5.0), strict=True):
        got = [(row.baseline, row.candidate, row.change) for row in table.rows]
        assert np.array(got) == pytest.approx(np.array([(wanted, wanted, 0.0)] * 3))


def test_chosen_places_are_told_of_arms():
    sides = [[run(f"{n}{i}", i, test=v) for i, v in enumerate(values(3, level, k))]
             for k, (n, level) in enumerate((("a", 20.0), ("b", 15.0)))]  # fmt: skip
    made = trainlens.compare(sides[0], [sides[1]], at=(100, 1000))
    (row,) = made.rows
    assert [one.step for one in row.at] == [100.0, 1000.0]
    assert all(one.interval.high < 0 for one in row.at)
    assert trainlens.compare(sides[0], [sides[1]]).rows[0].at == ()
