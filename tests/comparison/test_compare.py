"""Whole comparisons: the seed's figures, verdicts on known truths, bad input."""

import math

import numpy as np
import pytest
from curve_runs import ar1, run

import trainlens
from trainlens.comparison.model import Arm
from trainlens.errors import UsageError

STEPS = np.arange(3000, 99001, 3000)


def through(value, known, mean, std):
    """The values, shifted and stretched so that the whole has this mean and standard deviation."""
    value = np.array(value, float)
    free = np.array([i for i in range(len(value)) if i not in known])
    for i, one in known.items():
        value[i] = one
    fixed = np.array(list(known.values()))
    level = (len(value) * mean - fixed.sum()) / len(free)
    left = (len(value) - 1) * std**2 - ((fixed - mean) ** 2).sum() - len(free) * (level - mean) ** 2
    away = value[free] - value[free].mean()
    value[free] = level + away * math.sqrt(left / (away @ away))
    return value


@pytest.fixture(scope="module")
def pair():
    """Two runs with the figures of the comparison of the hand-pose system."""
    rng = np.random.default_rng(5)
    shape = 62 + 60 * np.exp(-STEPS / 9000) + rng.normal(0, 4, len(STEPS))
    a = through(shape + rng.normal(0, 3, len(STEPS)), {3: 82.61}, 81.0, 19.62)
    b = through(shape + rng.normal(0, 5, len(STEPS)), {3: 105.23, 4: 71.07}, 84.47, 22.41)
    made = []
    for name, value, loss, gaps, rate in (
        ("28-01-2026", a, 1.143, {0: 48.0, 1: 27.0}, 0.0),
        ("29-01-2026", b, 1.230, {0: 57.5, 1: 33.3}, 0.1),
    ):
        gap = [gaps.get(i, 15.0) for i in range(len(STEPS))]
        train = np.arange(100, 99001, 100)
        made.append(
            run(name, {"MODEL": {"handec": {"dropout": rate}}},
                val__mpjpe=(STEPS, value), train__mpjpe=(STEPS, value - gap),
                total=(train, np.full(len(train), loss) + rng.normal(0, 0.01, len(train))))
        )  # fmt: skip
    return made


def test_the_figures_of_the_hand_pose_system(pair):
    found = trainlens.compare(*pair, at=(3000, 6000, 12000, 15000))
    row = next(r for r in found.rows if r.key == ("mpjpe", "val"))
    at = {a.step: a for a in row.at}
    assert at[12000].delta == pytest.approx(22.62)
    assert round(at[12000].percent, 3) == 0.274
    assert [round(s, 2) for s in row.variance.std] == [19.62, 22.41]
    assert round(row.variance.ratio, 2) == 1.30
    assert row.variance.needed == 220
    assert row.difference.mean == pytest.approx(3.47)
    assert (row.verdict, row.unit, row.direction) == ("indistinguishable", "mm", "min")
    (gaps,) = found.gaps
    assert [round(g.candidate, 1) for g in gaps.rows][:2] == [57.5, 33.3]
    total = next(r for r in found.rows if r.key == ("total", "train"))
    share = total.difference.mean / total.summaries[0].mean
    assert round(share, 3) == 0.076
    assert [s.key for s in found.config_diff] == ["MODEL.handec.dropout"]


def test_the_expectations_of_the_next_run(pair):
    expect = ["mean(val/mpjpe) < 80 mm", "std(val/mpjpe) < 18 mm", "mean(train/total) about 1.10",
              "gap/mpjpe at 3000 about +45 mm", "val/mpjpe at 12000 about 85 mm"]  # fmt: skip
    found = trainlens.compare(*pair, expect=expect)
    assert [j.status for j in found.expectations] == [
        "missed",
        "missed",
        "missed",
        "missed",
        "missed",
    ]
    met = trainlens.compare(pair[1], pair[0], expect=expect)
    assert [j.status for j in met.expectations] == ["missed", "missed", "met", "met", "met"]


def curves(name, shift=0.0, seed=0, n=60, rho=0.5, config=None, scale=1.0):
    rng = np.random.default_rng(seed)
    base = 1 / np.sqrt(np.arange(1, n + 1))
    return run(name, config or {}, val__loss=scale * (base + shift + ar1(rng, n, rho, 0.02)))


def verdict(a, b, **asked):
    (row,) = trainlens.compare(a, b, **asked).rows
    return row.verdict


def test_a_clear_improvement_is_better_and_the_other_way_round_worse():
    a, b = curves("a", config={"lr": 1}), curves("b", -0.2, 1, config={"lr": 2})
    assert (verdict(a, b), verdict(b, a)) == ("better", "worse")
    row = trainlens.compare(a, b).rows[0]
    assert "b is lower by" in row.because
    assert "these two runs differ" in row.because


def test_a_metric_that_should_rise():
    a = run("a", {"x": 1}, val__acc=0.7 + ar1(np.random.default_rng(0), 60, 0.5, 0.01))
    b = run("b", {"x": 2}, val__acc=0.9 + ar1(np.random.default_rng(1), 60, 0.5, 0.01))
    assert (verdict(a, b), verdict(b, a)) == ("better", "worse")


def test_the_same_configuration_is_never_better():
    a, b = (
        curves("a", config={"lr": 1, "seed": 1}),
        curves("b", -0.2, 1, config={"lr": 1, "seed": 2}),
    )
    row = trainlens.compare(a, b).rows[0]
    assert row.verdict == "indistinguishable"
    assert "the configurations are the same" in row.because


def test_noise_is_told_apart_from_a_difference():
    told = [
        verdict(curves("a", seed=2 * i, rho=0.9, config={"lr": 1}),
                curves("b", seed=2 * i + 1, rho=0.9, config={"lr": 2}))
        for i in range(150)
    ]  # fmt: skip
    assert sum(t in ("better", "worse") for t in told) <= 15


def test_many_metrics_at_once():
    rng = np.random.default_rng(0)
    made = [
        run(name, {"lr": name}, **{f"part_{k}_loss": 1 + ar1(rng, 60, 0.5, 0.1) for k in range(40)})
        for name in "ab"
    ]
    found = trainlens.compare(*made)
    assert len(found.rows) == 40
    assert sum(r.verdict in ("better", "worse") for r in found.rows) <= 1
    assert all(r.q >= min(1.0, r.difference.p) for r in found.rows)


def test_smooth_curves_that_end_far_apart_are_told_apart_without_an_interval():
    steps = np.arange(1, 41)
    falls, rises = 1 / np.sqrt(steps), 1 / np.sqrt(steps) + 0.04 * steps
    a, b = run("a", {"lr": 1}, val__loss=rises), run("b", {"lr": 2}, val__loss=falls)
    row = trainlens.compare(a, b).rows[0]
    assert row.verdict == "better"
    assert "lower at each of the last 20 matched points" in row.because
    assert verdict(b, a) == "worse"
    near = run("c", {"lr": 3}, val__loss=falls + 0.001 * steps)
    assert verdict(near, b) in ("cannot-judge", "indistinguishable")
    same = run("d", {"lr": 1, "seed": 7}, val__loss=falls)
    assert verdict(a, same) not in ("better", "worse")


def test_scale_changes_no_verdict():
    for scale in (1e-6, 1e6):
        for shift in (0.0, -0.2):
            plain = verdict(curves("a", config={"x": 1}), curves("b", shift, 1, config={"x": 2}))
            scaled = verdict(
                curves("a", config={"x": 1}, scale=scale),
                curves("b", shift, 1, config={"x": 2}, scale=scale),
            )
            assert scaled == plain


def test_equal_runs():
    a = curves("a", config={"x": 1})
    row = trainlens.compare(a, curves("b", config={"x": 2})).rows[0]
    assert row.verdict == "indistinguishable"
    assert "equal at every matched point" in row.because


def test_a_metric_of_unknown_direction_cannot_be_judged():
    a, b = run("a", thing=np.zeros(40)), run("b", thing=np.ones(40))
    row = trainlens.compare(a, b, metrics=["thing"]).rows[0]
    assert row.verdict == "cannot-judge"
    assert "not known whether" in row.because
    assert row.difference.mean == 1.0


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (run("a", loss=([1, 2], [1, 2])), run("b", loss=([1, 2], [1, 2])), "only 2 matched points"),
        (run("a", loss=([1, 2], [1, 2])), run("b", loss=([9, 10], [1, 2])), "do not overlap"),
        (run("a", acc=np.full(9, np.nan)), run("b", acc=np.ones(9)), "a has no finite point"),
    ],
)
def test_why_not(a, b, words):
    row = trainlens.compare(a, b).rows[0]
    assert row.verdict == "cannot-judge"
    assert words in row.because


def test_nothing_to_compare():
    a = run("a", loss=np.ones(9))
    with pytest.raises(UsageError, match="no metric in common: a has train/loss; b val/acc"):
        trainlens.compare(a, run("b", val__acc=np.ones(9)))
    with pytest.raises(UsageError, match="no common metric that is wer"):
        trainlens.compare(a, run("b", loss=np.ones(9)), metrics=["wer"])
    with pytest.raises(UsageError, match="at least one candidate"):
        trainlens.compare(a, [])
    with pytest.raises(UsageError, match="unknown axis 'setp'; did you mean 'step'"):
        trainlens.compare(a, a, by="setp")
    with pytest.raises(UsageError, match="unknown score"):
        trainlens.compare(a, a, score="lates")
    with pytest.raises(UsageError, match="has no runs"):
        trainlens.compare(a, Arm("b", ()))


def test_candidates_of_the_same_name_are_kept_apart():
    a = curves("a")
    found = trainlens.compare(a, [curves("a", -0.2, 1), curves("a", 0.2, 2)])
    assert found.candidates == ("a (2)", "a (3)")
    assert len(found.of("a (3)")) == 1


def test_other_axes():
    a = run("a", {"batch_size": 8, "x": 1}, wall=0.0, epoch=10.0, val__loss=1 / np.arange(1, 61))
    b = run("b", {"batch_size": 16, "x": 2}, wall=0.0, epoch=5.0, val__loss=0.5 / np.arange(1, 61))
    for by, points in (("step", 60), ("epoch", 30), ("time", 60), ("samples", 30)):
        (row,) = trainlens.compare(a, b, by=by).rows
        assert len(row.alignment) == points, by


def test_a_resumed_run_counts_by_what_led_to_its_weights():
    steps = [*range(1, 41), *range(21, 61)]
    value = [*np.full(20, 1.0), *np.full(20, 9.0), *np.full(40, 0.5)]
    a, b = run("a", loss=(steps, value)), run("b", loss=np.full(60, 1.0))
    row = trainlens.compare(a, b).rows[0]
    assert row.summaries[0].max == 1.0
    assert len(row.alignment) == 60


def test_time_to_a_threshold():
    a, b = run("a", loss=1 / np.arange(1, 41)), run("b", loss=0.5 + 0 * np.arange(1, 41.0))
    row = trainlens.compare(a, b, thresholds={"loss": 0.1}).rows[0]
    assert [s.reached for s in row.summaries] == [{0.1: 10.0}, {0.1: None}]


def test_groups_of_seeds():
    def arm(name, shift):
        runs = [curves(f"{name}{i}", shift, 10 * i + len(name), config={"lr": shift, "seed": i})
                for i in range(5)]  # fmt: skip
        return Arm(name, tuple(runs), tuple("01234"))

    better = trainlens.compare(arm("a", 0.0), arm("bb", -0.1)).rows[0]
    assert better.verdict == "better"
    assert "one run each" not in better.because
    assert better.replicates.improvement == 1.0
    few = trainlens.compare(curves("a"), [arm("bb", -0.1)]).rows[0]
    assert few.verdict == "cannot-judge"
    assert "at least 3" in few.because or "3 runs" in few.because


def test_frames(pair):
    found = trainlens.compare(*pair, at=(12000,))
    frame = found.frame()
    assert frame["verdict"].tolist() == [r.verdict for r in found.rows]
    assert found.at_frame()["delta"].iloc[0] == pytest.approx(22.62)
    matched = found.matched_frame("mpjpe")
    assert (matched["at"].tolist(), len(matched)) == (STEPS.tolist(), len(STEPS))
    assert matched["difference"].mean() == pytest.approx(3.47)
    with pytest.raises(KeyError, match="val/wer"):
        found.matched_frame("wer")


@pytest.mark.parametrize("value", [[], [1.0], [1.0, 2.0], [np.nan] * 9, [np.inf] * 9, [5.0] * 9,
                                   [1e308, -1e308] * 6, [0.0] * 9])  # fmt: skip
def test_odd_series_never_crash(value):
    odd, plain = run("odd", loss=np.array(value, float)), run("plain", loss=np.arange(9.0))
    for sides in ((odd, plain), (plain, odd), (odd, run("odd2", loss=np.array(value, float)))):
        if not value:
            with pytest.raises(UsageError, match="no metric in common"):
                trainlens.compare(*sides)
        else:
            assert trainlens.compare(*sides).rows[0].because
