"""A run that ends in NaN, infinity or far above its best is not judged by what it was before."""

import math

import numpy as np
import pytest
from curve_runs import run
from hypothesis import given
from hypothesis import strategies as st

import trainlens
from trainlens.comparison.endings import blown_up, gone
from trainlens.comparison.groups import against
from trainlens.comparison.model import Arm
from trainlens.plots import comparison_figure
from trainlens.render.comparison import csv, json, latex, markdown, page, text

N = 400
BAD = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def loss(seed, n=N):
    rng = np.random.default_rng(seed)
    return 0.5 + 1 / np.sqrt(np.arange(1, n + 1)) + rng.normal(0, 0.03, n)


def broken(value, step, bad=math.nan):
    """The values, no numbers from a step on."""
    return np.where(np.arange(1, len(value) + 1) >= step, bad, value)


def pair(a, b, **asked):
    """The row of two runs with other settings, and the cautions by kind."""
    found = trainlens.compare(
        run("base", {"lr": 1}, loss=a), run("cand", {"lr": 2}, loss=b), **asked
    )
    return found.rows[0], {c.kind: c.message for c in found.cautions}


# --- two single runs --------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("step", [1, 2, 200, 395, 400])
@pytest.mark.parametrize("lead", [0.0, 0.3])
def test_a_candidate_that_never_came_back_is_worse_whatever_it_was_before(bad, step, lead):
    row, cautions = pair(loss(0), broken(loss(1) - lead, step, BAD[bad]))
    assert row.verdict == "worse"
    assert f"from step {step} to the end of its log" in row.because
    assert ("NaN" if bad == "nan" else "infinite") in row.because
    assert "counts as failed" in cautions["non-finite"]
    assert "length" not in cautions  # the log is as long
    assert "coverage" not in cautions
    assert math.isnan(row.q)


@pytest.mark.parametrize("step", [1, 200, 400])
def test_a_baseline_that_never_came_back_is_beaten(step):
    row, _ = pair(broken(loss(0), step), loss(1))
    assert row.verdict == "better"
    assert f"base is NaN from step {step} to" in row.because


def test_of_two_that_failed_neither_is_better():
    row, _ = pair(broken(loss(0), 300), broken(loss(1) - 0.3, 200))
    assert row.verdict == "cannot-judge"
    assert "base is NaN from step 300" in row.because
    assert "cand is NaN from step 200" in row.because


@pytest.mark.parametrize("bad", BAD)
def test_isolated_values_are_named_and_not_judged(bad):
    whole, _ = pair(loss(0), loss(1))
    value = loss(1)
    value[[100, 200, 300]] = BAD[bad]
    row, cautions = pair(loss(0), value)
    assert (row.verdict, row.failed) == ("indistinguishable", (None, None))
    assert row.difference.mean == pytest.approx(whole.difference.mean, abs=1e-3)
    assert "3 values" in cautions["non-finite"]
    assert "steps 101, 201, 301" in cautions["non-finite"]


def test_a_log_that_ends_early_is_judged_up_to_there_and_said():
    row, cautions = pair(loss(0), loss(1)[:200])
    assert (row.verdict, row.failed) == ("indistinguishable", (None, None))
    assert "cand ends at step 200, base at step 400" in cautions["length"]
    better, _ = pair(loss(0), loss(1)[:200] - 0.4)
    assert better.verdict == "better"


def test_what_failed_where_the_other_had_ended_cannot_be_judged():
    row, _ = pair(loss(0)[:200], broken(loss(1), 300))
    assert row.verdict == "cannot-judge"
    assert "base ends before that" in row.because
    row, _ = pair(broken(loss(1), 300), loss(0)[:200])
    assert row.verdict == "cannot-judge"
    row, _ = pair(loss(0)[:200], broken(loss(1), 150))
    assert row.verdict == "worse"


@pytest.mark.parametrize(
    "grown",
    [
        lambda v: np.where(np.arange(N) >= 390, 50.0, v),
        lambda v: np.where(np.arange(N) >= 300, 5.0, v),
        lambda v: v * 1.3 ** np.maximum(np.arange(N) - 380, 0),
    ],
)
def test_a_loss_that_blew_up_in_finite_numbers_is_worse(grown):
    row, _ = pair(loss(0), grown(loss(1)))
    assert row.verdict == "worse"
    assert "cand is up from 0.5" in row.because
    row, _ = pair(grown(loss(0)), loss(1))
    assert row.verdict == "better"


def test_two_losses_that_rise_alike_are_no_failures():
    rises = np.where(np.arange(N) >= 200, 6.0, 1.0)
    row, _ = pair(loss(0) * rises, loss(1) * rises)
    assert (row.verdict, row.failed) == ("indistinguishable", (None, None))


def test_a_spike_that_came_back_is_no_failure():
    value = loss(1)
    value[300:310] = 100.0
    assert pair(loss(0), value)[0].failed == (None, None)


def test_replicates_fail_as_well():
    a, b = (run(n, {"lr": 1, "seed": s}, loss=v) for n, s, v in
            (("a", 1, loss(0)), ("b", 2, broken(loss(1), 200))))  # fmt: skip
    row = trainlens.compare(a, b).rows[0]
    assert row.verdict == "worse"
    assert "one run each does not show that the configuration is why" in row.because


def test_a_metric_that_ends_before_the_training_loss_failed_is_not_judged_by_its_points():
    steps = np.arange(50, N + 1, 50)

    def made(name, lr, train, val):
        return run(name, {"lr": lr}, loss=train, val__acc=(steps[: len(val)], val))

    base = made("base", 1, loss(0), np.linspace(0.5, 0.8, 8))
    stopped = made("cand", 2, broken(loss(1), 220), np.linspace(0.6, 0.9, 4))
    rows = {row.key: row for row in trainlens.compare(base, stopped).rows}
    assert rows["acc", "val"].verdict == "worse"
    assert "NaN from step 220 to the end of its log at step 400 in train/loss" in (
        rows["acc", "val"].because
    )
    # A metric that goes on after it is judged by itself.
    on = made("cand", 2, broken(loss(1), 220), np.full(8, 0.1))
    rows = {row.key: row for row in trainlens.compare(base, on).rows}
    assert rows["acc", "val"].failed == (None, None)


def test_where_higher_is_better_nan_is_worse_and_infinity_may_be_best():
    steps = np.arange(1.0, 41.0)
    for bad, failed in ((math.nan, True), (-math.inf, True), (math.inf, False)):
        a, b = run("a", val__psnr=steps), run("b", val__psnr=broken(steps, 30, bad))
        assert (trainlens.compare(a, b).rows[0].failed[1] is not None) == failed


def test_of_the_attempts_of_a_run_the_last_one_counts():
    first, second = np.arange(1, 301), np.arange(150, N + 1)
    value = np.concatenate([broken(loss(1)[:300], 200), loss(1)[149:]])
    a = run("a", {"lr": 1}, loss=loss(0))
    b = run("b", {"lr": 2}, loss=(np.concatenate([first, second]), value))
    assert trainlens.compare(a, b).rows[0].failed == (None, None)


@given(st.lists(st.booleans(), min_size=2, max_size=30))
def test_only_the_longest_stretch_at_the_end_is_a_failure(bad):
    series = run("r", loss=np.where(bad, math.nan, 1.0))["loss"]
    text = "".join("x" if b else "." for b in bad)
    tail = len(text) - len(text.rstrip("x"))
    longest = max((len(part) for part in text[: len(text) - tail].split(".")), default=0)
    found = gone(series)
    assert (found is not None) == (tail > longest)
    if found is not None:
        assert found.step == len(bad) - tail + 1


def test_rows_at_which_a_metric_is_not_computed_are_no_failure():
    sparse = np.where(np.arange(1, 101) % 10 == 0, 0.7, math.nan)
    assert gone(run("r", val__acc=sparse[:95])["acc", "val"]) is None
    assert gone(run("r", val__acc=np.full(9, math.nan))["acc", "val"]) is None


def test_losses_that_can_be_negative_do_not_blow_up():
    rising = run("r", loss=np.linspace(-1, 99, 100))["loss"]
    assert blown_up(rising, 0.0) is None
    assert blown_up(run("r", loss=np.r_[np.full(90, 0.1), np.full(10, 9.0)])["loss"], 0.1)


# --- several runs -----------------------------------------------------------------------------


def seeds(name, lost, n=5, lead=0.0, odd=False):
    """Runs at levels 0, 2, 4, ... thousandths, or the odd ones between; the first ones fail."""
    curve = 0.5 + 1 / np.sqrt(np.arange(1, N + 1)) - lead
    levels = [curve + 1e-3 * (2 * i + odd * (1 + 0.05 * i)) for i in range(n)]
    runs = [
        run(f"{name}{i}", {"arm": name, "seed": i}, loss=broken(v, 200) if i < lost else v)
        for i, v in enumerate(levels)
    ]
    return Arm(name, tuple(runs))


def groups(lost_a, lost_b, n=5, m=None, lead=0.0):
    a, b = seeds("A", lost_a, n), seeds("B", lost_b, m or n, lead, odd=True)
    return trainlens.compare(a, b).rows[0]


def test_a_failed_seed_has_the_worst_score_and_is_named():
    row = groups(0, 1)
    found = row.replicates
    assert found.scores[1].count(math.inf) == 1
    assert math.isfinite(found.iqm[1])  # one of five is within the quarter that is cut off
    assert found.improvement == pytest.approx(
        np.mean([(b < a) + 0.5 * (b == a) for a in found.scores[0] for b in found.scores[1]])
    )
    assert [len(told) for told in found.failed] == [0, 1]
    assert row.verdict == "indistinguishable"
    assert "1 of 5 runs of B failed and counts as worst (B0 is NaN from step 200" in row.because
    assert "among the 9 others" in row.because
    assert row.summaries[1].n == 4


def test_survivors_do_not_make_an_arm_better():
    """Each run that lives is far ahead; most do not live."""
    row = groups(0, 4, lead=0.3)
    assert row.difference.p > 0.05
    assert row.verdict == "indistinguishable"
    assert groups(0, 0, lead=0.3).verdict == "better"
    assert groups(0, 1, n=8, lead=0.3).verdict == "better"  # seven of eight live and win


def test_many_failed_runs_are_worse():
    row = groups(0, 4)
    assert row.verdict == "worse"
    assert row.replicates.iqm[1] == math.inf
    assert row.difference.p <= 0.05
    assert groups(4, 0).verdict == "better"


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 3), (5, 1), (1, 3)])
def test_an_arm_that_failed_altogether_is_worse_with_any_number_of_runs(n, m):
    row = groups(0, m, n, m)
    assert row.verdict == "worse"
    assert "all runs of B failed and none of A" in row.because
    assert groups(n, 0, n, m).verdict == "better"


def test_arms_that_failed_both_cannot_be_judged():
    row = groups(5, 5)
    assert (row.verdict, row.replicates.improvement) == ("cannot-judge", 0.5)
    assert "all runs of both failed" in row.because


def test_ranks_of_three_against_three_are_refused():
    row = groups(0, 1, 3)
    assert row.verdict == "cannot-judge"
    assert "four each can" in row.because


def test_ranks_and_intervals_of_many_runs_with_failures():
    row = groups(1, 6, 12)
    assert row.verdict == "worse"
    assert row.replicates.iqm[1] == math.inf
    one = groups(0, 2, 12).replicates
    assert math.isfinite(one.iqm[1])
    assert one.iqm_intervals[1].high >= one.iqm[1]


def test_a_seed_that_failed_behind_the_last_common_place_counts_up_to_there():
    short = Arm("A", tuple(run(f"A{i}", {"x": 1}, loss=loss(i)[:150]) for i in range(4)))
    long = seeds("B", 1, 4, odd=True)
    found = against(short, long, ("loss", "train"), rng=np.random.default_rng(0))
    assert found.until == 150
    assert found.replicates.failed == ((), ())
    assert np.isfinite(found.replicates.scores[1]).all()


def test_higher_is_better_ranks_failures_lowest():
    def arm(name, lost):
        steps = np.linspace(0.1, 0.8, 40)
        return Arm(name, tuple(
            run(f"{name}{i}", {"x": name}, val__acc=broken(steps + 0.01 * i, 20) if i < lost
                else steps + 0.01 * i) for i in range(5)))  # fmt: skip

    row = trainlens.compare(arm("A", 0), arm("B", 2)).rows[0]
    assert row.replicates.scores[1].count(-math.inf) == 2
    assert row.replicates.improvement < 0.5


# --- expectations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("end(train/loss) < 1", "missed"),
        ("min(train/loss) < 0.6", "missed"),
        ("end(train/loss) <= 150 % of baseline", "missed"),
        ("train/loss at 300 < 1", "missed"),
        ("train/loss at 100 < 1", "met"),
        ("mean(train/loss) up to 150 < 1", "met"),
        ("mean(train/loss) up to 250 < 1", "missed"),
        ("nonfinite(train/loss) < 300", "met"),
        ("nonfinite(train/loss) < 1", "missed"),
    ],
)
def test_a_target_on_a_metric_that_ended_in_nan_is_missed(asked, status):
    a, b = run("base", {"lr": 1}, loss=loss(0)), run("cand", {"lr": 2}, loss=broken(loss(1), 200))
    (found,) = trainlens.compare(a, b, expect=[asked]).expectations
    assert found.status == status
    if status == "missed" and "nonfinite" not in asked:
        assert "cand is NaN from step 200" in found.because
        assert math.isnan(found.actual)


def test_a_failed_baseline_is_no_measure():
    a, b = run("base", {"lr": 1}, loss=broken(loss(0), 200)), run("cand", {"lr": 2}, loss=loss(1))
    (found,) = trainlens.compare(a, b, expect=["end(train/loss) < 99 % of baseline"]).expectations
    assert found.status == "cannot-judge"
    assert "base is NaN from step 200" in found.because


def test_one_failed_seed_misses_the_target_of_all():
    (found,) = trainlens.compare(
        seeds("A", 0), seeds("B", 1, odd=True), expect=["end(train/loss) < 9"]
    ).expectations
    assert (found.status, "B0 is NaN from step 200" in found.because) == ("missed", True)


# --- outputs ----------------------------------------------------------------------------------


def told(found):
    """A comparison in every format, with plain spaces and one line."""
    parts = {
        "text": text.page(found, columns=400), "markdown": markdown.page(found),
        "latex": latex.page(found), "html": page.page(found, now=0.0), "json": json.dumps(found),
        "csv": csv.page(found),
    }  # fmt: skip
    return {name: " ".join(part.replace("\u202f", " ").split()) for name, part in parts.items()}


def case_of_a_pair():
    a, b = run("base", {"lr": 1}, loss=loss(0)), run("cand", {"lr": 2}, loss=broken(loss(1), 200))
    return trainlens.compare(a, b)


def case_of_seeds():
    return trainlens.compare(seeds("base", 0), seeds("cand", 5, odd=True))


def case_of_several():
    runs = [run(n, {"lr": n}, loss=v) for n, v in
            (("base", loss(0)), ("fine", loss(1)), ("cand", broken(loss(2), 200)))]  # fmt: skip
    return trainlens.compare(runs[0], runs[1:])


def case_of_another_metric():
    """The leading metric is fine, another one ended in NaN."""
    a, b = (run(n, {"lr": n}, val__acc=np.linspace(0.1, 0.5, 40), loss=v) for n, v in
            (("base", loss(0)), ("cand", broken(loss(1), 200))))  # fmt: skip
    return trainlens.compare(a, b)


@pytest.mark.parametrize(
    "case", [case_of_a_pair, case_of_seeds, case_of_several, case_of_another_metric]
)
def test_every_output_says_it(case):
    found = case()
    for name, said in told(found).items():
        assert "NaN from step 200 to the end of its log at step 400" in said, name
        assert "worse" in said, name


def test_pictures_take_scores_that_are_infinite():
    found = trainlens.compare(seeds("A", 1), seeds("B", 3, odd=True))
    figure = comparison_figure(found, "run-scores")
    figure.canvas.draw()
    low, high = figure.axes[0].get_xlim()
    assert math.isfinite(low + high)


# --- what is said of a run with many metrics ----------------------------------------------------


def test_a_run_that_broke_in_many_metrics_is_told_of_once():
    bad = {"loss": broken(loss(1), 200), "val_loss": broken(loss(2), 210),
           "val_acc": broken(loss(3), 205)}  # fmt: skip
    fine = {name: loss(i) for i, name in enumerate(bad)}
    found = trainlens.compare(run("base", {"lr": 1}, **fine), run("cand", {"lr": 2}, **bad))
    (said,) = [c.message for c in found.cautions if c.kind == "non-finite"]
    assert said.startswith("train/loss in cand is NaN from step 200 to the end of its log")
    assert said.endswith("it counts as failed, and so do 2 other series")


def test_single_values_of_several_metrics_are_told_of_once():
    odd = {"loss": loss(1), "val_loss": loss(2)}
    for value in odd.values():
        value[100] = np.nan
    fine = {name: loss(i) for i, name in enumerate(odd)}
    found = trainlens.compare(run("base", {"lr": 1}, **fine), run("cand", {"lr": 2}, **odd))
    (said,) = [c.message for c in found.cautions if c.kind == "non-finite"]
    assert said.startswith("1 value of train/loss in cand is NaN or infinite and left out (step ")
    assert said.endswith("), as are values of 1 other series")
