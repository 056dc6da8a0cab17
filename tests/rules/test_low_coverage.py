"""``low-coverage``: sustained, not single."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Status
from trainlens.rules.low_coverage import low_coverage
from trainlens.rules.seed import low_coverage as seed


def only(value):
    (finding,) = low_coverage(a_run(valid_ratio=np.asarray(value)))
    return finding


def share(n=500, low=None, level=0.15, seed=0):
    value = np.full(n, 0.8)
    if low:
        value[slice(*low)] = level
    return np.clip(value + np.random.default_rng(seed).normal(0, 0.03, n), 0, 1)


@pytest.mark.parametrize("low", [(0, 500), (100, 200), (440, 500)])
@pytest.mark.parametrize("factor", [1, 100])
def test_a_low_stretch_is_found_as_share_and_as_percent(low, factor):
    found = only(share(low=low) * factor)
    assert found.status is Status.FAIL
    assert found.first_step == pytest.approx(low[0] + 1, abs=10)
    assert found.last_step == pytest.approx(low[1], abs=10)
    assert found.evidence["share_of_points"] == pytest.approx((low[1] - low[0]) / 500, abs=0.02)


def test_single_poor_batches_pass():
    value = share()
    value[::20] = 0.0
    found = only(value)
    assert found.status is Status.PASS
    assert found.evidence["share_of_points"] == pytest.approx(0.05)


def test_good_and_borderline():
    assert only(share()).status is Status.PASS
    assert only(np.full(30, 0.3)).status is Status.PASS
    assert only(np.full(30, 0.299)).status is Status.FAIL


def test_few_none_and_no_share():
    assert only([0.1] * 4).status is Status.INCONCLUSIVE
    assert only([0.1] * 5).status is Status.FAIL
    assert only([-3.0] * 9).status is Status.SKIP
    assert next(iter(low_coverage(a_run(loss=[1.0])))).status is Status.SKIP


def weighted(weight, low=(100, 200)):
    value = share(low=low)
    there = np.zeros(len(value), bool)
    there[slice(*low)] = True
    run = a_run(valid_ratio=value, coverage_weight=np.where(there, weight, 1.0))
    (finding,) = low_coverage(run)
    return finding


@pytest.mark.parametrize(("weight", "severity"), [(0.0, "info"), (0.25, "info"), (0.3, None)])
def test_a_weight_that_falls_with_it_makes_it_a_note(weight, severity):
    found = weighted(weight)
    assert (found.status, found.severity) == (Status.FAIL, severity)
    assert ("weight_there" in found.evidence) is (severity is not None)


def test_a_weight_that_was_never_anything_else_does_not():
    assert weighted(0.0, low=(0, 500)).severity is None
    other = a_run(valid_ratio=share(low=(100, 200)), w_clip=np.where(np.arange(500) < 100, 1, 0))
    assert next(iter(low_coverage(other))).severity is None


def test_the_seed_profile_counts_every_point():
    (found,) = seed.low_coverage(a_run(valid_ratio=[0.8, 0.29, 0.8]))
    assert found.failed
    assert found.evidence["points_beyond"] == 1
    (found,) = seed.low_coverage(a_run(valid_ratio=[0.8, 0.3]))
    assert not found.failed
