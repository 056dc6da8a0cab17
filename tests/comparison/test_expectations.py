"""Expectations held against runs: met, missed, cannot judge; what runs teach."""

import numpy as np
import pytest
from curve_runs import run

from trainlens.comparison.expectations import judge
from trainlens.comparison.learned import Learning, learn, written
from trainlens.comparison.model import Arm
from trainlens.errors import UsageError
from trainlens.expectation import load, parse


def one(text, candidate, baseline=None):
    arms = [Arm(r.name, (r,)) if r is not None else None for r in (candidate, baseline)]
    (found,) = judge([parse(text)], arms[0], arms[1])
    return found


A = run("a", loss=np.linspace(4, 2, 100), val__mpjpe=np.full(20, 81.0))
B = run("b", loss=np.linspace(4, 1, 100), val__mpjpe=np.full(20, 79.0))


def test_met_and_missed():
    assert one("mean(val/mpjpe) < 80 mm", B).status == "met"
    missed = one("mean(val/mpjpe) < 80 mm", A, B)
    assert (missed.status, missed.actual, missed.before, missed.high) == (
        "missed",
        81.0,
        79.0,
        80.0,
    )
    assert (missed.unit, missed.baseline) == ("mm", "b")


def test_relative_to_the_baseline():
    assert one("mean(val/mpjpe) <= 98 % of baseline", B, A).status == "met"
    assert one("mean(val/mpjpe) <= 95 % of baseline", B, A).status == "missed"
    assert one("mean(val/mpjpe) <= 95 % of baseline", B).status == "cannot-judge"


def test_what_cannot_be_judged_says_why():
    absent = one("mean(val/wer) < 1", B)
    assert absent.status == "cannot-judge"
    assert "wer" in absent.because
    later = one("train/loss at 5000 < 1", B)
    assert later.status == "cannot-judge"
    early = one("mean(train/loss) up to 400 < 3", B)
    assert (early.status, early.because) == ("cannot-judge", "the log does not reach that far yet")
    assert one("mean(val/mpjpe) < 80 mm", run("n", val__mpjpe=np.full(9, np.nan))).status == (
        "cannot-judge"
    )


def test_what_only_one_of_several_trainings_reported_is_nothing_in_the_others():
    finite = {"loss": np.linspace(4, 1, 50)}
    told = run("a", anomalies__loss_spike=np.array([1.0]), **finite)
    arm = Arm("arm", (told, run("b", **finite)))
    (found,) = judge([parse("nonfinite(*/*) == 0")], arm)
    assert found.status == "met"
    other = Arm("arm", (run("a", extra=np.ones(50), **finite), run("b", **finite)))
    (found,) = judge([parse("nonfinite(*/*) == 0")], other)
    assert (found.status, found.because) == ("cannot-judge", "only 1 of 2 runs have it")


def test_a_best_value_that_was_reached_stays_so():
    assert one("min(train/loss) up to 400 < 1.5", B).status == "met"
    assert one("min(train/loss) up to 400 > 1.5", B).status == "cannot-judge"


def test_of_several_series_the_one_that_is_off_counts():
    both = run("r", **{"a/loss": np.full(9, 1.0), "b/loss": np.full(9, 3.0)})
    found = one("max(train/*) < 2", both)
    assert (found.status, found.actual) == ("missed", 3.0)


def test_several_runs_count_by_their_mean():
    arm = Arm("seeds", tuple(run(f"s{i}", val__acc=np.full(9, 0.7 + 0.1 * i)) for i in range(3)))
    (found,) = judge([parse("last(val/acc) > 0.75")], arm)
    assert (found.status, found.actual) == ("met", pytest.approx(0.8))
    gone = Arm("seeds", (*arm.runs, run("s3", loss=np.ones(9))))
    (found,) = judge([parse("last(val/acc) > 0.75")], gone)
    assert found.status == "cannot-judge"


RUNS = [run(f"r{i}", loss=1 + 0.01 * i + np.zeros(30), val__acc=0.9 + 0.001 * i + np.zeros(30))
        for i in range(5)]  # fmt: skip


def test_what_runs_teach_holds_for_them(tmp_path):
    asked = Learning(stats=("end", "best"))
    found = learn(RUNS, asked)
    assert {(e.metric, e.op) for e in found} == {("loss", "<="), ("acc", ">=")}
    path = tmp_path / "baseline.toml"
    path.write_text(written(found, RUNS, asked))
    assert load(path) == found
    for one_run in RUNS:
        assert {j.status for j in judge(found, Arm("r", (one_run,)))} == {"met"}
    worse = run("w", loss=np.full(30, 1.2), val__acc=np.full(30, 0.9))
    assert {j.status for j in judge(found, Arm("w", (worse,)))} == {"met", "missed"}
    better = run("w", loss=np.full(30, 0.5), val__acc=np.full(30, 0.99))
    assert {j.status for j in judge(found, Arm("w", (better,)))} == {"met"}
    assert "missed" in {
        j.status for j in judge(learn(RUNS, Learning(both=True)), Arm("w", (better,)))
    }


def test_limits_are_those_of_a_prediction_interval():
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(400):
        values = rng.normal(5, 1, 6)
        runs = [run(f"r{i}", loss=np.full(5, v)) for i, v in enumerate(values[:5])]
        (limit,) = learn(runs, Learning(level=0.9, both=True))
        kept += limit.met(values[5])
    assert 0.9 - 0.045 <= kept / 400 <= 0.9 + 0.045


def test_golden_values():
    (found,) = learn(RUNS[:1], Learning(metrics=("loss",), rtol=0.01))
    assert (found.op, found.value, found.rtol) == ("about", 1.0, 0.01)
    at = learn(RUNS[:1], Learning(metrics=("loss",), stats=(), places=(10.0, 20.0), atol=0.1))
    assert [e.at for e in at] == [10.0, 20.0]


def test_what_cannot_be_learnt():
    with pytest.raises(UsageError, match="at least 3 runs"):
        learn(RUNS[:2], Learning())
    with pytest.raises(UsageError, match="no metric in common that is wer"):
        learn(RUNS, Learning(metrics=("wer",)))
    broken = run("broken", loss=np.r_[np.linspace(4, 2, 60), np.full(40, np.nan)])
    with pytest.raises(UsageError, match=r"broken: train/loss is NaN from step 61 .* leave it out"):
        learn([*RUNS, broken], Learning(metrics=("loss",)))


def test_a_name_that_could_end_the_comment_does_not():
    odd = [run("a\nexpect = []", loss=np.full(5, v)) for v in (1.0, 1.1, 1.2)]
    assert "\nexpect = []\n" not in written(learn(odd, Learning()), odd, Learning())
