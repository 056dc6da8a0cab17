"""The profile ``seed``: the thresholds of the five documents, each at its limit."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules, diagnose
from trainlens.run import Chunk, Column, Run, unknown

RULES = all_rules("seed")


def only(name, run, **settings):
    (finding,) = RULES[name](run, settings)
    return finding


def by_epoch(name, value, a_epoch=1):
    n = len(value)
    epoch = np.arange(n) / a_epoch
    column = Column(name, np.arange(n), np.asarray(value, float), unknown(n), epoch)
    return Run("r", "r", "x").extend(Chunk((column,)))


def test_what_the_profile_takes_from_the_documents():
    own = {n for n, r in RULES.items() if r.profile == "seed"}
    assert own == {
        "class-imbalance", "frozen-parameters", "gradient-explosion", "gradient-range",
        "loss-spike", "low-coverage", "memory-pressure", "never-learned", "overfitting",
        "polarized-gate", "premature-lr-decay", "single-class-batch", "slow-batch", "stagnation",
        "validation-jump", "validation-noise",
    }  # fmt: skip
    assert set(all_rules()) <= set(RULES)
    for rule in (RULES[n] for n in own):
        assert "seed" in rule.source.lower()


# --- quad-modal -----------------------------------------------------------------------------


def test_the_loss_of_the_document_that_never_moved():
    """3.43 at epochs 1, 5, 10 and 20."""
    rng = np.random.default_rng(0)
    found = only("never-learned", a_run(loss=3.434 + rng.normal(0, 0.0005, 20)))
    assert (found.status, found.severity) == ("fail", "error")
    assert (found.first_step, found.last_step) == (1, 20)


def test_the_usual_loss_of_the_document():
    """3.54, 3.21, 2.87, 2.34, 1.89 at epochs 1, 5, 10, 15, 20."""
    loss = np.interp(np.arange(1, 21), [1, 5, 10, 15, 20], [3.54, 3.21, 2.87, 2.34, 1.89])
    assert only("never-learned", a_run(loss=loss)).status == "pass"


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("spread", "status"), [(0.009, "fail"), (0.011, "pass")])
def test_three_digits_whatever_the_unit(factor, spread, status):
    loss = np.linspace(3.43 + spread, 3.43, 25) * factor
    assert only("never-learned", a_run(loss=loss)).status == status


def test_epochs_are_means_of_their_points():
    noise = np.tile([-0.5, 0.5], 100)  # ten points an epoch
    found = only("never-learned", by_epoch("loss", 3.43 + noise, a_epoch=10))
    assert found.failed
    assert found.evidence["epochs"] == 20
    assert only("never-learned", by_epoch("loss", 3.43 + noise[:150], 10)).status == "inconclusive"
    falls_later = np.concatenate([np.full(200, 3.43), np.full(200, 1.0)])
    assert only("never-learned", by_epoch("loss", falls_later, 10)).failed
    assert only("never-learned", a_run(loss=falls_later)).status == "pass"


@pytest.mark.parametrize(("worst", "status"), [(9.9, "pass"), (10.1, "fail"), (0.9, "fail")])
def test_gradient_norms_from_one_to_ten(worst, status):
    found = only("gradient-range", a_run(grad_norm=[2.0, worst, 5.6]))
    assert found.status == status
    assert found.severity == "info"


@pytest.mark.parametrize(("share", "status"), [(0.9, "pass"), (0.91, "fail")])
def test_a_class_above_ninety_percent(share, status):
    for name in ("a", "background"):
        run = a_run(**{f"class_share/{name}": [share], "class_share/b": [1 - share]})
        assert only("class-imbalance", run).status == status
    assert only("class-imbalance", a_run(majority_share=[share])).status == status
    assert only("class-imbalance", a_run(majority_share=[100 * share])).status == status


def test_the_class_counts_of_the_document():
    """Class 0 with 550 samples, 95 %, beside classes of 10 and 8."""
    counts = {f"class_count/{i}": [n] for i, n in enumerate((550, 10, 8, 6, 3, 2))}
    found = only("class-imbalance", a_run(**counts))
    assert found.failed
    assert found.evidence["largest"] == pytest.approx(0.95, abs=0.001)


def test_one_batch_of_one_class():
    assert only("single-class-batch", a_run(batch_classes=[6, 6, 2])).status == "pass"
    found = only("single-class-batch", a_run(batch_classes=[6, 1, 6]))
    assert (found.severity, found.first_step) == ("error", 2)
    assert only("single-class-batch", a_run(loss=[1.0])).status == "skip"


def test_no_gradient_at_a_point():
    counted = a_run(params_with_grad=[93, 0], grad_norm=[5.64, 5.6])
    count, norm = RULES["frozen-parameters"](counted)
    assert (count.status, count.first_step, norm.status) == ("fail", 2, "pass")
    assert only("frozen-parameters", a_run(grad_norm=[5.64, 0.0])).failed
    assert only("frozen-parameters", a_run(loss=[1.0])).status == "skip"


# --- DECODE ---------------------------------------------------------------------------------


def plateau(patience, factor, cuts=3, warm=0):
    levels = [np.linspace(1e-5, 1e-4, warm, endpoint=False)]
    levels += [np.full(patience + 1, 1e-4 * factor**i) for i in range(cuts + 1)]
    return by_epoch("lr", np.concatenate(levels))


@pytest.mark.parametrize("warm", [0, 10])
def test_the_plateau_schedules_of_the_document(warm):
    """Patience 10 and factor 0.5 decayed too early; 50 and 0.7 do not."""
    found = only("premature-lr-decay", plateau(10, 0.5, warm=warm))
    assert found.failed
    assert (found.evidence["early_cuts"], found.first_step) == (3, warm + 11)
    assert found.evidence["lasted"] == 11
    assert only("premature-lr-decay", plateau(50, 0.7, warm=warm)).status == "pass"
    assert only("premature-lr-decay", plateau(10, 0.9)).status == "pass"


def test_a_rate_that_glides_is_never_cut():
    cosine = 5e-4 * (1 + np.cos(np.linspace(0, np.pi, 40))) / 2
    assert only("premature-lr-decay", by_epoch("lr", cosine)).status == "pass"
    assert only("premature-lr-decay", by_epoch("lr", 0.7 ** np.arange(30.0))).status == "pass"


def test_without_epochs_nobody_knows_how_long():
    assert only("premature-lr-decay", a_run(lr=[1.0] * 9)).status == "skip"
    assert only("premature-lr-decay", a_run(loss=[1.0] * 9)).status == "skip"
    assert only("premature-lr-decay", by_epoch("lr", [1.0, 1.0])).status == "inconclusive"


# --- Diffold --------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "status"), [(0.9, "pass"), (0.91, "fail")])
def test_memory_above_ninety_percent(share, status):
    percent = np.array([50.0, 100 * share, 60.0])
    assert only("memory-pressure", a_run(gpu_memory_percent=percent)).status == status
    assert only("memory-pressure", a_run(gpu_mem_frac=percent / 100)).status == status
    amount = a_run(gpu_memory_gb=percent / 100 * 80, gpu_memory_total_gb=[80.0] * 3)
    found = only("memory-pressure", amount)
    assert found.status == status
    assert found.evidence["worst"] == pytest.approx(100 * share)
    assert only("memory-pressure", a_run(gpu_memory_gb=percent)).status == "skip"


def test_readings_of_the_machine_have_no_step():
    column = Column("gpu.0.memoryAllocated", np.arange(9), np.full(9, 95.0), unknown(9), unknown(9),
                    kind="system")  # fmt: skip
    found = only("memory-pressure", Run("r", "r", "x").extend(Chunk((column,))))
    assert found.failed
    assert found.first_step is found.last_step is None
    assert "at reading 0" in found.message


@pytest.mark.parametrize(("name", "scale"), [("batch_time", 1), ("batch_time_ms", 1000)])
def test_batches_of_more_than_three_hundred_seconds(name, scale):
    assert only("slow-batch", a_run(**{name: np.array([2.0, 299.0]) * scale})).status == "pass"
    assert only("slow-batch", a_run(**{name: np.array([2.0, 301.0]) * scale})).failed


# --- hand-pose ------------------------------------------------------------------------------


def test_the_jump_of_the_document():
    """MPJPE from 82.61 to 105.23 mm at step 12000, +27.4 %, then 71.07."""
    step = [3000, 6000, 9000, 12000, 15000]
    found = only("validation-jump", a_run(val_mpjpe=(step, [99.0, 90.0, 82.61, 105.23, 71.07])))
    assert (found.status, found.first_step) == ("fail", 12000)
    assert found.evidence["share"] == pytest.approx(0.274, abs=0.0005)
    assert "82.61 to 105.2" in found.message
    assert "+27.4 %" in found.message


@pytest.mark.parametrize(("after", "status"), [(0.81, "pass"), (0.79, "fail")])
def test_a_measure_that_should_be_high_falls(after, status):
    assert only("validation-jump", a_run(val_accuracy=[0.9, 1.0, after])).status == status
    assert only("validation-jump", a_run(val_loss=[1.0, 2 - after])).status == status


def test_each_measure_is_judged():
    found = RULES["validation-jump"](a_run(val_loss=[1.0, 2.0, 1.0, 1.5], val_accuracy=[0.5, 0.6]))
    assert {f.metric: f.status for f in found} == {"loss": "fail", "accuracy": "pass"}
    assert found[0].evidence["jumps"] == 2
    assert only("validation-jump", a_run(val_loss=[1.0])).status == "inconclusive"
    assert only("validation-jump", a_run(loss=[1.0])).status == "skip"


@pytest.mark.parametrize(("std", "status"), [(17.9, "pass"), (22.41, "fail")])
def test_the_scatter_of_millimetres(std, status):
    value = 84.47 + std * np.tile([-1.0, 1.0], 10)
    found = only("validation-noise", a_run(val_mpjpe=value))
    assert (found.status, found.severity) == (status, "info")
    assert found.evidence["std"] == pytest.approx(std)
    assert only("validation-noise", a_run(val_loss=value)).status == "skip"


@pytest.mark.parametrize(("gap", "status"), [(44.9, "pass"), (57.5, "fail")])
def test_the_gap_of_millimetres(gap, status):
    run = a_run(mpjpe=([3000], [50.0]), val_mpjpe=([3000], [50.0 + gap]))
    assert only("overfitting", run).status == status


# --- BiFusion -------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "name", "good", "bad"), [
    ("low-coverage", "valid_ratio", 0.3, 0.29),
    ("polarized-gate", "alpha_mean", 0.1, 0.09),
    ("polarized-gate", "alpha_mean", 0.9, 0.91),
    ("gradient-explosion", "grad_norm", 100.0, 100.1),
])  # fmt: skip
def test_fixed_limits(rule, name, good, bad):
    assert only(rule, a_run(**{name: [0.5, good, 0.5]})).status == "pass"
    assert only(rule, a_run(**{name: [0.5, bad, 0.5]})).failed


def test_three_sigma():
    flat = np.tile([0.9, 1.1], 60)
    for z, failed in ((2.9, False), (3.1, True)):
        value = flat.copy()
        value[-1] = 1.0 + z * 0.1 * np.sqrt(100 / 99)
        assert only("loss-spike", a_run(loss=value)).failed is failed


@pytest.mark.parametrize(("std", "failed"), [(0.031, True), (0.033, False)])
def test_a_variance_of_a_thousandth_in_twenty_points(std, failed):
    value = np.concatenate([[9.0], 4.25 + std * np.tile([-1.0, 1.0, 1.0, -1.0], 5)])
    assert only("stagnation", a_run(loss=value)).failed is failed


@pytest.mark.parametrize(("since", "faults"), [(29, 0), (30, 1)])
def test_thirty_evaluations_without_a_better_one(since, faults):
    value = np.concatenate([np.linspace(9, 4, 10), 4.5 + np.tile([0, 0.5], since)[:since]])
    found = RULES["stagnation"](a_run(loss=np.linspace(9, 1, 40), val_loss=value))
    assert sum(f.failed for f in found) == faults


def test_a_whole_diagnosis():
    rng = np.random.default_rng(0)
    loss = 3 * (1 + np.arange(400)) ** -0.3 * np.exp(0.02 * rng.standard_normal(400))
    found = diagnose(a_run(loss=loss, grad_norm=np.full(400, 5.6)), profile="seed")
    assert {f.rule for f in found.results} == set(RULES)
