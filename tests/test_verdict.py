"""The sentence of a verdict says the numbers of the run it is about."""

import numpy as np
import pytest
import report_demo as demo

from trainlens import verdict
from trainlens.judged import overall
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Status


def judged(values, found=(), name="val/mpjpe", stride=1000, extra=()):
    step = stride * np.arange(1, len(values) + 1)
    held = demo.run("a", [demo.column(name, step, values), *extra])
    return Diagnosis(held, tuple(found))


BEST = {"best_step": 33_000}


def test_a_wide_gap_is_no_reason_against_the_last_checkpoint():
    said = "mpjpe: validation minus training is 57.5 mm at step 3\u202f000, above 45 mm."
    found = demo.finding("overfitting", "warning", "mpjpe", "val", 3000, message=said, evidence={})
    assert verdict.sentence(judged(np.linspace(120, 60, 30), [found])) == said.capitalize()


def test_overfitting_names_the_checkpoint_to_use():
    values = [*np.linspace(120, 68.4, 33), *np.linspace(69, 79.9, 17)]
    found = demo.finding("overfitting", "error", "mpjpe", "val", 33_000, 50_000, evidence=BEST)
    assert verdict.sentence(judged(values, [found])) == (
        "Do not use the last checkpoint: validation MPJPE has risen since step 33\u202f000 "
        "(68.4\u00a0→\u00a079.9\u202fmm); the best is at 33\u202f000."
    )


def test_a_quality_that_should_rise_has_fallen():
    values = [*np.linspace(0.2, 0.8, 10), *np.linspace(0.79, 0.6, 10)]
    found = demo.finding("overfitting", "error", "accuracy", "val", 11_000, evidence=BEST)
    said = verdict.sentence(judged(values, [found], "val/accuracy"))
    assert "validation accuracy has fallen since step 10\u202f000 (0.8\u00a0→\u00a00.6)" in said


def test_stagnation_tells_the_move_and_the_learning_rate():
    flat = np.concatenate([np.linspace(4, 2, 41), np.full(59, 2.0)])
    rate = demo.column("lr", 1000 * np.arange(1, 101), np.geomspace(1, 1e-4, 100))
    found = demo.finding("stagnation", "warning", "loss", "train", 41_000, 100_000)
    said = verdict.sentence(judged(flat, [found], "loss", extra=[rate]))
    assert said == (
        "Stopped learning at step 41\u202f000 of 100\u202f000: training loss moved by 0 % since. "
        "The learning rate was already at 2.4 % of its peak."
    )


@pytest.mark.parametrize(
    ("rule", "beginning"),
    [
        ("divergence", "Diverged at step 3\u202f000 of 20\u202f000: It rose."),
        ("non-finite", "Broken at step 3\u202f000 of 20\u202f000: It rose."),
        ("never-learned", "Never learned: It rose."),
        ("loss-spike", "Loss spike at step 3\u202f000: It rose."),
        ("a-rule-of-tomorrow", "A rule of tomorrow at step 3\u202f000: It rose."),
    ],
)
def test_every_rule_has_a_sentence(rule, beginning):
    found = demo.finding(rule, "error", "mpjpe", "val", 3000, message="It rose. Then it fell.")
    assert verdict.sentence(judged(np.arange(20.0), [found])) == beginning


def test_the_gravest_speaks_and_the_rest_is_counted():
    found = [
        demo.finding("loss-spike", "warning", first=1),
        demo.finding("non-finite", "error", first=2, message="NaN."),
        demo.finding("gradient-explosion", "error", first=2),
        demo.finding("outlier", "info", first=3),
    ]
    d = judged(np.ones(20), found)
    said = verdict.sentence(d)
    assert said.startswith("Broken at step 2")
    assert said.endswith("And 2 more findings.")
    assert verdict.gravest(d) == said.removesuffix(" And 2 more findings.")


def test_a_note_alone_leaves_a_run_healthy():
    d = judged(np.geomspace(100, 50, 40), [demo.finding("outlier", "info"), *demo.passes()])
    assert verdict.sentence(d).startswith("Healthy so far. Validation MPJPE is still falling")
    assert verdict.sentence(d).endswith("1 note below.")


def test_healthy_measures_the_last_quarter():
    # 100 points falling by 1 % of the last value each: the thirds of the last quarter are
    # 16 steps apart.
    values = 1.01 ** np.arange(100.0)[::-1]
    said = verdict.trend(judged(values).run)
    share = 1 - 1.01**-17
    assert said == (
        f"Validation MPJPE is still falling ({100 * share:.2g} % in the last quarter of the run)."
    )


def test_level_and_worsening_are_said_as_such():
    rng = np.random.default_rng(0)
    level = judged(5 + 0.1 * rng.standard_normal(200), name="loss").run
    assert verdict.trend(level) == "Training loss has been level over the last quarter of the run."
    worse = judged(np.geomspace(1, 2, 200), name="loss").run
    assert "Training loss is rising" in verdict.trend(worse)
    assert "still" not in verdict.trend(worse)


@pytest.mark.parametrize("values", [[1.0], [np.nan, 1.0, np.inf], np.ones(5)])
def test_too_few_points_are_no_trend(values):
    assert "too few to see a trend" in verdict.trend(judged(values, name="loss").run)


def test_nothing_to_follow_is_said():
    assert verdict.trend(judged([np.nan] * 9, name="loss").run).startswith("No loss")


def test_inconclusive_says_what_is_missing():
    d = judged(np.ones(9), [Finding("overfitting", Status.SKIP, message="no validation loss.")])
    assert verdict.sentence(d) == "Cannot tell: no validation loss."
    empty = Diagnosis(demo.run("e", []), ())
    assert verdict.sentence(empty) == "Cannot tell: this log holds no point."


def test_overall_counts_and_names_the_worst():
    said = overall(demo.dozen(400))
    assert said.startswith("3 of 12 runs fail; 9 look healthy. sweep-00: Do not use")
    healthy = [demo.healthy(), demo.healthy()]
    assert overall(healthy) == "Both runs look healthy so far."
    assert overall([]) == "Cannot tell: there is no run here."
    assert overall(healthy[:1]) == verdict.sentence(healthy[0])
    empty = Diagnosis(demo.run("e", []), ())
    assert "1 run cannot be judged" in overall([*healthy, empty])
    assert overall([empty, empty]).startswith("Cannot tell for any of the 2 runs")
    warned = judged(np.ones(9), [demo.finding("loss-spike")])
    assert overall([warned, healthy[0]]).startswith("1 of 2 runs needs a look; 1 looks")


def test_endless_names_fit_a_sentence():
    d = judged(np.ones(9), [demo.finding("loss-spike", "error")], name="loss" * 100)
    said = overall([d, d])
    assert len(said) < 400
    assert len(verdict.spoken(next(iter(d.run.series.values())))) < 80


def test_what_gets_worse_is_not_called_healthy():
    values = [*np.linspace(0.2, 0.8, 60), *np.linspace(0.8, 0.7, 20)]
    held = judged(values, demo.passes(), "val/accuracy")
    assert held.verdict == "healthy"
    said = verdict.sentence(held)
    assert said.startswith("No fault found, but validation accuracy is falling (")
