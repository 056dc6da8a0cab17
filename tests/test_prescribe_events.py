"""Causes of what began at one step: what happened in the steps before it."""

import numpy as np
import pytest

import trainlens
from tests.cause_runs import N, a_run, falling, flat, found, noise, texts, weighed

# --- spikes ---------------------------------------------------------------------------------


def spiked(at=300, seed=0):
    loss = falling(seed)
    loss[at : at + 6] *= 3
    return loss


def norms(**at):
    held = 0.5 * (1 + noise(7, scale=0.05))
    for step, value in at.items():
        held[int(step.strip("_"))] = value
    return held


def test_a_norm_that_rose_before_speaks_for_the_optimizer():
    advice = weighed(a_run(loss=spiked(), grad_norm=norms(_297=8.0)), "loss-spike", 300, 305)
    assert texts(advice)[0] == "the optimizer took steps that were too large"
    assert "3 steps before" in advice.ranked[0].because
    assert advice.remedies[0][1] == {"gradient.clip_norm": 1.0}


def test_a_norm_that_rose_only_with_the_loss_speaks_for_the_batch():
    advice = weighed(a_run(loss=spiked(), grad_norm=norms(_300=8.0)), "loss-spike", 300, 305)
    assert texts(advice)[0] == "unusual batches"


def test_a_quiet_norm_excludes_the_optimizer():
    advice = weighed(a_run(loss=spiked(), grad_norm=norms()), "loss-spike", 300, 305)
    assert texts(advice)[0] == "unusual batches"
    assert advice.ranked[-1].told.startswith("not the optimizer: the gradient norm was as usual")


def test_without_norms_both_stay_open():
    advice = weighed(a_run(loss=spiked()), "loss-spike", 300, 305)
    assert not any(t.startswith("not") for t in texts(advice))


def test_a_jump_of_the_learning_rate_right_before():
    lr = np.where(np.arange(N) < 295, 1e-4, 1e-3)
    advice = weighed(a_run(loss=spiked(), lr=lr), "loss-spike", 300, 305)
    assert texts(advice)[0] == "the learning rate jumped"
    assert "10 times, from 0.0001 to 0.001, at step 295, 5 steps before" in (
        advice.ranked[0].because
    )


def test_the_end_of_a_warmup_is_no_jump_but_is_named():
    lr = np.minimum(np.arange(N) / 295, 1.0) * 1e-3
    advice = weighed(a_run(loss=spiked(), lr=lr), "loss-spike", 300, 305)
    assert texts(advice)[0] == "the peak of the learning rate is more than the model bears"
    assert "at step 295, 5 steps before" in advice.ranked[0].because


def test_an_epoch_boundary_speaks_for_the_order_of_the_data():
    run = a_run(loss=spiked(), epoch=lambda step: (step // 300).astype(float))
    advice = weighed(run, "loss-spike", 300, 305)
    assert advice.ranked[0].told == "the order of the data: it begins with epoch 1"


def test_right_after_a_resume():
    loss = np.concatenate([falling(1)[:350], spiked()[295:]])
    step = np.concatenate([np.arange(350), np.arange(295, N)])
    advice = weighed(a_run(loss=(step, loss)), "loss-spike", 300, 305)
    assert texts(advice)[0].startswith("the resume did not restore everything")
    assert "at step 295, 5 steps before" in advice.ranked[0].because


def test_a_new_stage_of_the_data():
    phase = np.where(np.arange(N) < 298, 0.0, 1.0)
    advice = weighed(a_run(loss=spiked(), curriculum_stage=phase), "loss-spike", 300, 305)
    assert texts(advice)[0] == "the data changed"


# --- what broke first -----------------------------------------------------------------------


def test_a_normaliser_that_was_nan_before_the_return_collapsed():
    step = np.arange(0, 4000, 10)
    value = np.where(step < 1200, 1.0, np.nan)
    returns = np.where(step < 1240, 200 + 0.01 * step, 5.0) + noise(3, len(step), 1.0)
    run = a_run(value_normalizer=(step, value), eval__mean_return=(step, returns))
    told = found(run, "non-finite").causes
    assert (
        "value_normalizer was NaN from step 1\u202f200 on, 40 steps before val/mean_return "
        "collapsed" in told[0]
    )
    jump = weighed(run, "validation-jump", 1240, 1240, "mean_return", "val")
    assert "value_normalizer was NaN from step 1\u202f200 on, 40 steps before" in jump.told[0]


def test_a_part_that_was_nan_before_the_loss():
    loss, part = falling(), falling(2)
    part[400:] = np.nan
    loss[410:] = np.nan
    finding = found(a_run(loss=loss, loss_theta=part), "non-finite")
    assert finding.causes[0].startswith("loss_theta broke first: loss_theta was NaN from step 400")


def test_a_collapsed_loss_scale_means_overflow():
    scale = np.full(N, 65536.0)
    scale[380:] = 65536.0 / 2.0 ** np.minimum(np.arange(N - 380), 16)
    loss = falling()
    loss[400:] *= 4
    for rule in ("divergence", "non-finite"):
        advice = weighed(a_run(loss=loss, loss_scale=scale), rule, 400, N - 1)
        assert texts(advice)[0] == "overflow in half precision"
        assert "fell from 65\u202f536 to 1 by step 396" in advice.ranked[0].because
        assert advice.remedies[0][1] == {"precision": "bf16"}


def test_a_scale_that_grows_from_one_is_no_overflow():
    scale = 2.0 ** np.minimum(np.arange(N) // 20, 16)
    advice = weighed(a_run(loss=falling(), loss_scale=scale), "divergence", 400, N - 1)
    assert "overflow in half precision" not in texts(advice)


def broken(at=400):
    loss = falling()
    loss[at:] = np.nan
    return loss


def settings(advice):
    return {key for _, patch in advice.remedies for key in patch}


def test_after_a_quiet_norm_it_is_the_batch_and_no_rate_is_lowered():
    norm = norms()
    norm[400:] = np.nan  # what is not finite has no gradient that is
    advice = weighed(a_run(loss=broken(), grad_norm=norm), "non-finite", 400, N - 1)
    assert texts(advice)[0] == "a broken sample in the batch of that step"
    assert "the gradient norm was as usual before it" in advice.told[-1]
    assert settings(advice) == {"guard.skip_nonfinite"}


def test_after_a_norm_that_rose_the_rate_is_lowered_and_the_norm_clipped():
    norm = norms(_397=50.0)
    norm[400:] = np.nan
    advice = weighed(a_run(loss=broken(), grad_norm=norm), "non-finite", 400, N - 1)
    assert texts(advice)[0] == "the optimizer took steps that were too large"
    assert {"guard.skip_nonfinite", "gradient.clip_norm", "lr.scale"} <= settings(advice)


def test_what_became_nan_after_the_loss_is_helped_by_what_helps_the_loss():
    norm = norms()
    norm[400:] = np.nan
    run = a_run(loss=broken(), grad_norm=norm, loss_bond=broken(401))
    held = trainlens.diagnose(run).findings
    asked = {f.metric: {k for p in f.prescriptions for k in p["patch"]} for f in held}
    assert asked["loss_bond"] == asked["loss"] == {"guard.skip_nonfinite"}


def test_no_patch_asks_to_skip_what_is_not_finite_and_to_stop_at_it():
    assert "debug.detect_anomaly" not in settings(weighed(a_run(loss=broken()), "non-finite", 400))


def test_updates_that_are_skipped_may_be_logged_as_nan():
    (train,) = weighed(a_run(loss=broken()), "non-finite", 400).expect
    assert (train.op, train.value, train.stat) == ("<=", N // 100, "nonfinite")
    run = a_run(val_loss=(EVERY, np.where(EVERY < 400, 1.0, np.nan)))
    (val,) = weighed(run, "non-finite", 400, None, "loss", "val").expect
    assert (val.op, val.value) == ("==", 0.0)


# --- divergence -----------------------------------------------------------------------------


def diverged(at=300):
    loss = falling()
    loss[at:] *= np.exp(np.minimum(np.arange(N - at) / 50, 3))
    return loss


def test_divergence_after_a_jump_of_the_learning_rate():
    lr = np.where(np.arange(N) < 295, 1e-4, 2e-3)
    finding = found(a_run(loss=diverged(), lr=lr), "divergence")
    assert finding.causes[0].startswith("the learning rate jumped: it rose 20 times")


def test_early_divergence_at_full_learning_rate_speaks_for_a_warmup():
    advice = weighed(a_run(loss=diverged(20), lr=np.full(N, 1e-3)), "divergence", 20, N - 1)
    assert texts(advice)[0] == "no warmup"
    assert advice.ranked[0].because.startswith("the learning rate starts at its peak (0.001)")


def test_late_divergence_excludes_the_missing_warmup_and_a_decayed_rate_its_height():
    lr = 1e-3 * 0.5 * (1 + np.cos(np.pi * np.arange(N) / 560))
    lr[560:] = 0
    advice = weighed(a_run(loss=diverged(520), lr=lr), "divergence", 520, N - 1)
    assert "not the missing warmup" in texts(advice)[-2:]
    assert "not the height of the learning rate" in texts(advice)[-3:]


# --- validation -----------------------------------------------------------------------------

EVERY = np.arange(9, N, 10)


@pytest.mark.parametrize("level", [0.0, 0.001])
def test_a_measure_stuck_at_nothing_while_training_goes_on_is_a_broken_evaluation(level):
    run = a_run(loss=falling(), val_accuracy=(EVERY, np.full(len(EVERY), level)))
    advice = weighed(run, "gap-growth", 9, N - 1, "accuracy", "val")
    assert texts(advice)[0].startswith("the evaluation, its labels or the loading")
    assert "at every evaluation, while the training loss fell by" in advice.ranked[0].because


def test_a_measure_that_collapses_while_training_goes_on_is_a_broken_evaluation():
    value = np.where(EVERY < 400, 0.88, 1e-9)
    run = a_run(loss=falling(), val_dice=(EVERY, value))
    advice = weighed(run, "validation-jump", 409, 409, "dice", "val")
    assert texts(advice)[0].startswith("the evaluation, its labels or the loading")
    assert "fell from 0.88 to 1e−9 at step 409" in advice.ranked[0].because


def test_a_model_that_collapses_itself_is_not_excused():
    value = np.where(EVERY < 400, 0.88, 1e-9)
    loss = falling()
    loss[395:] *= 5
    run = a_run(loss=loss, val_dice=(EVERY, value))
    advice = weighed(run, "validation-jump", 409, 409, "dice", "val")
    assert not texts(advice)[0].startswith("the evaluation")


def test_a_loss_that_rises_while_accuracy_improves_is_overconfidence():
    x = EVERY / N
    loss = 1 + (x - 0.2) ** 2 * 2
    accuracy = 0.9 * (1 - np.exp(-5 * np.minimum(x, EVERY[35] / N)))
    run = a_run(loss=falling(), val_loss=(EVERY, loss), val_accuracy=(EVERY, accuracy))
    finding = found(run, "overfitting")
    assert finding.causes[0].startswith("overconfidence, not a loss of skill: val/loss is best at")
    assert "step 119, but val/accuracy at step 359" in finding.causes[0]
    assert finding.prescriptions[0]["patch"] == {"checkpoint.step": 359}


def test_memorising_is_told_with_how_far_the_training_loss_fell():
    x = EVERY / N
    run = a_run(loss=falling(), val_loss=(EVERY, 1 + (x - 0.2) ** 2 * 2))
    told = found(run, "overfitting").causes
    assert told[0].startswith("the model memorises the training data: the training loss fell by")


def test_switched_off_regularisation_is_quoted():
    x = EVERY / N
    run = a_run({"weight_decay": 0.0}, loss=flat(1.0), val_loss=(EVERY, 1 + (x - 0.2) ** 2 * 2))
    told = weighed(run, "overfitting", 119, 599, "loss", "val", evidence={"best_step": 119.0}).told
    assert told[0].endswith("weight_decay is 0")


# --- speed ----------------------------------------------------------------------------------


def slow(share):
    times, waits = np.full(N, 1.0) + noise(2), np.full(N, 0.05)
    times[300:320] = 10.0
    waits[300:320] = share * 10
    return a_run(loss=falling(), batch_time=times, data_time=waits)


def test_slow_batches_that_wait_for_data_point_at_the_loader():
    advice = weighed(slow(0.9), "slow-batch", 300, 319, "batch_time")
    assert advice.ranked[0].told == (
        "the data loader does not keep up: waiting for data took 90 % of the slow steps, 5 % of "
        "the others"
    )


def test_slow_batches_that_do_not_wait_exclude_it():
    advice = weighed(slow(0.02), "slow-batch", 300, 319, "batch_time")
    assert texts(advice)[-1] == "not the data loader"


def stalled(fast=1.0, longest=30.0):
    """Single batches that waited, far from each other, and steps that are fast now and then."""
    times, waits = np.full(N, 2.0) + noise(2), np.full(N, 0.05)
    times[::5] = fast
    for at in (130, 300, 410):
        times[at], waits[at] = longest, longest - 1
    return a_run(loss=falling(), batch_time=times, data_time=waits)


def test_single_batches_that_waited_are_told_from_what_lies_between():
    finding = found(stalled(), "slow-batch")
    assert finding.causes[0].startswith(
        "the data loader does not keep up: waiting for data took 97 % of the slow steps"
    )


@pytest.mark.parametrize(
    ("fast", "longest", "depth"), [(1.0, 30.0, 30), (1.0, 1000.0, 64), (1.9, 30.0, 16)]
)
def test_as_many_batches_are_held_ready_as_fast_steps_last(fast, longest, depth):
    (first, *_) = found(stalled(fast, longest), "slow-batch").prescriptions
    assert first["patch"] == {"loader.prefetch": depth}


def test_batches_that_are_slow_often_are_told_by_a_percentile_of_the_next_run():
    times = np.full(N, 2.0) + noise(2)
    times[[50, 130, 200, 270, 300, 360, 410, 500]] = 40.0
    often = weighed(a_run(batch_time=times), "slow-batch", 50, 500, "batch_time",
                    evidence={"worst_ratio": 20.0, "slow": 8, "worst": 40.0})  # fmt: skip
    assert [(e.stat, e.op, e.value) for e in often.expect] == [("p99/median", "<", 10.0)]
    seldom = weighed(a_run(batch_time=times), "slow-batch", 50, 500, "batch_time",
                     evidence={"worst_ratio": 20.0, "slow": 2, "worst": 40.0})  # fmt: skip
    assert [(e.stat, e.value) for e in seldom.expect] == [("max/median", 10.0)]


def ran_out(*steps, n=N):
    return np.cumsum(np.isin(np.arange(n), steps)).astype(float)


def test_memory_that_runs_out_now_and_then_speaks_for_long_inputs():
    run = a_run({"batch_size": 8}, loss=falling(), oom_count=ran_out(100, 200, 300))
    finding = found(run, "out-of-memory")
    assert finding.causes[0].startswith(
        "single inputs are far longer: between the 3 records in which memory ran out"
    )
    asked = {k: v for p in finding.prescriptions for k, v in p["patch"].items()}
    assert asked == {"batch.size": 4, "batch.accumulation": 2, "guard.out_of_memory": "halve"}


def test_memory_that_ran_out_once_tells_nothing_of_the_inputs():
    finding = found(a_run(loss=falling(), oom_count=ran_out(100)), "out-of-memory")
    assert finding.causes[0] == "batches or inputs are larger than what fits"


# --- real logs ------------------------------------------------------------------------------


def test_whisper_is_overconfident_from_step_1000_to_3000(real_logs):
    (run,) = (
        r
        for r in trainlens.load(real_logs / "hf_trainer_state")
        if r.name == "P4P4N1CK__whisper-large-v2-japanese-5k-steps"
    )
    finding = found(run, "overfitting")
    assert (
        "val/loss is best at step 1\u202f000, but val/wer at step 3\u202f000" in (finding.causes[0])
    )


def test_mlperf_evaluations_at_chance_or_collapsed_are_doubted(real_logs):
    broken = "the evaluation, its labels or the loading of its checkpoint is broken"
    seen = []
    for run in trainlens.load(real_logs / "mlperf_mllog"):
        if ("n54" in run.name and "result_22" in run.name) or (
            "n64" in run.name and ("result_1" in run.name)
        ):
            rule = "validation-jump" if "unet3d" in run.name else "never-learned"
            seen.append(found(run, rule).causes[0].startswith(broken))
    assert seen == [True, True]


def test_a_dead_network_at_ln_10_is_told_that_its_output_ignores_the_input(real_logs):
    runs = trainlens.load(real_logs / "csv_keras")
    (run,) = (r for r in runs if "double_random_99fe3625" in r.name)
    told = found(run, "never-learned").causes
    assert any("guessing among 10 classes" in cause for cause in told)
