"""Rule validation-noise: a fact about evaluations; a warning where the settings are the cause."""

import numpy as np
import pytest
from rule_runs import a_run

import trainlens
from trainlens.chunk import Chunk
from trainlens.rules import all_rules


def judge(**series):
    return all_rules()["validation-noise"](a_run(**series))


def curve(n, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return (0.4 + np.arange(1, n + 1) ** -0.5) * np.exp(sigma * rng.standard_normal(n))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("sigma", [0.15, 0.3])
def test_scatter_is_measured_whatever_the_unit(scale, sigma):
    (found,) = judge(val_loss=scale * curve(60, sigma))
    assert (found.status, found.severity) == ("fail", "info")
    assert found.evidence["share"] == pytest.approx(sigma, rel=0.4)
    assert "between two are noise" in found.message


@pytest.mark.parametrize("n", [10, 30, 300])
def test_a_calm_curve_passes_however_steep(n):
    (found,) = judge(val_loss=curve(n, 0.003))
    assert found.status == "pass"


def test_scatter_that_grows_is_named():
    value = curve(400, 0.01)
    late = np.exp(0.06 * np.random.default_rng(1).standard_normal(200))
    value[200:] *= late
    (found,) = judge(val_loss=value)
    assert found.status == "fail"
    assert found.evidence["growth"] == pytest.approx(6, rel=0.4)
    assert "times as much as in the first" in found.message


def test_growth_is_not_claimed_of_steady_noise():
    growing = 0
    for seed in range(200):
        (found,) = judge(val_loss=curve(60, 0.02, seed))
        growing += found.status == "fail"
    assert growing == 0


def test_an_accuracy_of_few_samples_says_how_many():
    right = np.random.default_rng(0).binomial(50, 0.7, 40)
    (found,) = judge(val_accuracy=right / 50.0 + 1e-13)
    assert found.status == "fail"
    assert found.evidence["noise"] == pytest.approx(0.065, rel=0.4)
    seventh = judge(val_accuracy=np.random.default_rng(1).binomial(49, 0.7, 40) / 49)[0]
    assert seventh.evidence["samples"] == 49
    assert "49" in seventh.message


def test_what_it_cannot_judge():
    assert judge(loss=curve(50, 0.1))[0].status == "skip"
    assert judge(val_loss=curve(5, 0.1))[0].status == "inconclusive"


RULE = "validation-noise"


def seeded(config, sigma=0.2):
    return a_run(val_loss=curve(60, sigma)).extend(Chunk((), config))


@pytest.mark.parametrize(
    "config",
    [{"val_seed": None}, {"GENERAL": {"val_seed": None}}, {"validation": {"seed": None}},
     {"evalSeed": None}],
)  # fmt: skip
def test_it_is_a_warning_where_each_evaluation_draws_other_samples(config):
    (found,) = all_rules()["validation-noise"](seeded(config))
    assert (found.status, found.severity) == ("fail", "warning")
    assert "Each evaluation draws other samples" in found.message
    (calm,) = all_rules()["validation-noise"](seeded(config, 0.003))
    assert calm.status == "pass"


@pytest.mark.parametrize("config", [{}, {"val_seed": 42}, {"val_seed": 0}, {"seed": None}])
def test_it_stays_a_note_where_the_settings_say_nothing_of_that(config):
    (found,) = all_rules()["validation-noise"](seeded(config))
    assert (found.status, found.severity) == ("fail", "info")


def patches(config):
    found = next(f for f in trainlens.diagnose(seeded(config)).findings if f.rule == RULE)
    return found, [one["patch"] for one in found.prescriptions if one["patch"]]


def test_the_seed_and_four_times_the_samples_of_the_settings_are_prescribed():
    found, asked = patches({"val_seed": None, "validation": {"samples": 6}})
    assert asked == [{"val_seed": 42}, {"validation.samples": 24}]
    assert found.causes[0].endswith("(no fixed seed): val_seed is none")
    assert "the validation set is small: validation.samples is 6" in found.causes
    assert patches({"val_seed": 7, "validation": {"samples": 6}})[1] == [{"validation.samples": 24}]
    assert patches({"validation": {"samples": None}})[1] == [{"val_seed": 42}]
