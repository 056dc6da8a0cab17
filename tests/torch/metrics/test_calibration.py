"""Agreement of confidence and score against scipy, a sort, and resampling by hand."""

import dataclasses
import importlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.metrics import ConfidenceCalibration, calibration  # noqa: E402
from trainlens_torch.metrics._weighted import agreement  # noqa: E402


def drawn(seed, n=60, levels=None):
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    confidence = np.clip(score + 0.2 * rng.normal(size=n) + 0.05, 0, 1)
    if levels:
        confidence, score = (np.round(x * levels) / levels for x in (confidence, score))
    return confidence, score


def by_sort(confidence, score, bins):
    """Bins of equal numbers of residues, for a number that they divide."""
    order = np.argsort(confidence)
    parts = zip(np.split(confidence[order], bins), np.split(score[order], bins), strict=True)
    return np.mean([abs(c.mean() - s.mean()) for c, s in parts])


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([1, 4, 10]))
def test_the_definitions(seed, bins):
    c, s = drawn(seed)
    found = calibration(torch.from_numpy(100 * c), torch.from_numpy(s), bins=bins)
    assert found.mae == pytest.approx(np.abs(c - s).mean())
    assert found.bias == pytest.approx((c - s).mean())
    assert found.spearman == pytest.approx(spearmanr(c, s).statistic)
    if len(np.unique(c)) == len(c):
        assert found.ece == pytest.approx(by_sort(c, s, bins))
    assert (found.count, found.undefined) == (60, 0)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 8))
def test_ties_share_ranks_and_no_order_among_them_matters(seed, levels):
    c, s = drawn(seed, levels=levels)
    found = calibration(torch.from_numpy(c), torch.from_numpy(s), scale=1)
    if len(np.unique(c)) > 1 and len(np.unique(s)) > 1:
        assert found.spearman == pytest.approx(spearmanr(c, s).statistic)
    order = np.random.default_rng(seed).permutation(60)
    other = calibration(torch.from_numpy(c[order]), torch.from_numpy(s[order]), scale=1)
    for a, b in zip(dataclasses.astuple(found), dataclasses.astuple(other), strict=True):
        assert a == pytest.approx(b, nan_ok=True, abs=1e-12)
    assert abs(found.bias) - 1e-12 <= found.ece <= found.mae + 1e-12


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_weights_count_pairs_as_often(seed):
    """What intervals rest on: a weight of 3 is the pair written three times."""
    c, s = drawn(seed, 20, levels=6)
    times = np.random.default_rng(seed).integers(0, 4, size=(3, 20))
    times[:, 0] = 1
    tensors = [torch.from_numpy(x) for x in (c, s, times.astype(float))]
    found = agreement(*tensors, bins=5)
    for row in range(3):
        again = np.repeat(np.arange(20), times[row])
        one = torch.ones(1, len(again), dtype=torch.float64)
        written = agreement(torch.from_numpy(c[again]), torch.from_numpy(s[again]), one, bins=5)
        for name, value in written.items():
            assert found[name][row].item() == pytest.approx(value.item(), nan_ok=True, abs=1e-12)


def test_known_answers():
    sure = calibration(torch.full((8,), 90.0), torch.tensor([1.0, 0.8] * 4))
    assert sure.mae == pytest.approx(0.1)
    assert sure.bias == pytest.approx(0.0, abs=1e-7)
    assert sure.ece == pytest.approx(0.0, abs=1e-7)  # sure of the mean, and right
    assert np.isnan(sure.spearman)
    turned = calibration(torch.tensor([10.0, 50.0, 90.0]), torch.tensor([0.9, 0.5, 0.1]), bins=3)
    assert turned.spearman == pytest.approx(-1)
    assert turned.ece == pytest.approx(1.6 / 3)


def test_masks_and_residues_without_a_score():
    c, s = (torch.from_numpy(x).reshape(3, 20) for x in drawn(1))
    mask = torch.rand(3, 20, generator=torch.Generator().manual_seed(0)) < 0.8
    mask[:, 0] = True
    s[0, 0] = float("nan")
    found = calibration(c, torch.where(mask, s, float("nan")), mask, scale=1)
    there = mask.clone()
    there[0, 0] = False
    alone = calibration(c[there], s[there], scale=1)
    assert dataclasses.replace(found, undefined=0) == alone
    assert found.undefined == 1
    c[1, 0] = float("nan")
    assert np.isnan(calibration(c, s, mask, scale=1).mae)


def test_nothing_at_all_is_nan():
    found = ConfidenceCalibration().compute()
    assert found.count == 0
    assert all(np.isnan(v) for v in (found.mae, found.bias, found.spearman, found.ece))


def test_batches_are_one_and_update_reads_nothing():
    c, s = (torch.from_numpy(x).reshape(6, 10) for x in drawn(2))
    metric = ConfidenceCalibration(scale=1)
    with counted() as syncs:
        metric.update(c[:2], s[:2])
        metric.update(c[2:], s[2:], torch.ones(10, dtype=torch.bool))
    assert syncs.count == 0
    assert metric.compute() == calibration(c, s, scale=1)
    metric.reset()
    assert metric.compute().count == 0


def test_intervals_draw_targets_and_not_residues():
    """Residues of a target are alike: the mean of 8 targets is no surer with 100 residues each."""
    rng = np.random.default_rng(0)
    off = np.repeat(0.1 * rng.normal(size=(8, 1)), 100, axis=1)
    s = rng.random((8, 100))
    metric = ConfidenceCalibration(scale=1)
    metric.update(torch.from_numpy(s + off), torch.from_numpy(s))
    low, high = metric.interval(torch.Generator().manual_seed(1), replicates=4000)["bias"]
    drawn_again = rng.choice(off[:, 0], size=(20000, 8)).mean(1)
    expected = np.quantile(drawn_again, [0.025, 0.975])
    assert [low, high] == pytest.approx(expected, abs=0.006)
    narrow = metric.interval(torch.Generator().manual_seed(1), level=0.5, replicates=4000)["bias"]
    assert low < narrow[0] < metric.compute().bias < narrow[1] < high


def test_intervals_are_those_of_their_generator_whatever_is_held(monkeypatch):
    c, s = (torch.from_numpy(x).reshape(6, 10) for x in drawn(3))
    metric = ConfidenceCalibration(scale=1)
    metric.update(c, s)
    first = metric.interval(torch.Generator().manual_seed(5), replicates=64)
    module = importlib.import_module("trainlens_torch.metrics.calibration")
    monkeypatch.setattr(module, "_HELD", 200)
    again = metric.interval(torch.Generator().manual_seed(5), replicates=64)
    for name in first:
        assert first[name] == pytest.approx(again[name])


def test_the_names_and_roles():
    stats = calibration(*(torch.from_numpy(x) for x in drawn(0))).stats()
    assert {k: role_of(k).direction for k in stats} == {
        "confidence_mae": "min", "confidence_bias": "", "confidence_spearman": "max",
        "confidence_ece": "min", "confidence_count": "", "confidence_undefined": "",
    }  # fmt: skip
    assert ConfidenceCalibration(5).describe() == {
        "metric": "confidence", "bins": 5, "scale": 100.0,
    }  # fmt: skip


def test_other_input_is_refused():
    metric, x = ConfidenceCalibration(), torch.rand(2, 4)
    metric.update(x[:1], x[:1])
    for call, error, message in [
        (
            lambda: metric.interval(torch.Generator()),
            ValueError,
            "needs two targets or more, and 1",
        ),
        (lambda: metric.interval(torch.Generator(), level=1.5), ValueError, "level"),
        (lambda: metric.interval(torch.Generator(), replicates=0), ValueError, "replicates"),
        (lambda: metric.update(x, x[:1]), ValueError, "the confidence has shape"),
        (lambda: metric.update(x, x, torch.ones(2, 4)), TypeError, "mask > 0.5"),
        (lambda: ConfidenceCalibration(0), ValueError, "bins must be 1 or more"),
        (lambda: ConfidenceCalibration(scale=0), ValueError, "scale must be above 0"),
    ]:
        with pytest.raises(error, match=message):
            call()
