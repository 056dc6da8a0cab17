"""``step-rewind``: attempts, what they superseded, and whether they agree."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Severity, Status
from trainlens.rules.step_rewind import step_rewind


def only(run):
    (finding,) = step_rewind(run)
    return finding


def resumed(back=60, change=1.0, noise=0.0):
    step = np.concatenate([np.arange(1, 101), np.arange(back, 151)])
    loss = np.exp(-step / 100) * np.exp(np.random.default_rng(0).normal(0, noise, len(step)))
    loss[100:] *= change
    return a_run(loss=(step, loss))


def test_a_resume_with_the_same_values():
    found = only(resumed())
    assert found.status is Status.FAIL
    assert found.severity is None  # the rule's own: info
    assert found.evidence["attempts"] == 2
    assert found.evidence["superseded"] == 41
    assert found.evidence["identical"] == found.evidence["overlap"] == 41
    assert "from 100 to 60" in found.message
    assert "resumed from a checkpoint" in found.message


def test_a_second_run_in_the_same_file():
    found = only(resumed(back=1))
    assert "started anew" in found.message
    assert found.evidence["superseded"] == 100


def test_other_values_than_before_are_a_warning_with_numbers():
    found = only(resumed(change=1.3, noise=0.01))
    assert found.severity is Severity.WARNING
    assert "+30 %" in found.message
    assert found.evidence["median_change"] > 0.2


def test_noise_is_no_difference():
    found = only(resumed(noise=0.3))
    assert found.severity is None
    assert "no more than noise" in found.message


def test_a_scale_changes_nothing():
    step = np.concatenate([np.arange(100), np.arange(50, 120)])
    loss = np.random.default_rng(1).uniform(1, 2, len(step))
    plain, scaled = only(a_run(loss=(step, loss))), only(a_run(loss=(step, loss * 2.0**20)))
    assert plain.evidence == pytest.approx(scaled.evidence, rel=1e-9)


def test_steps_that_only_ascend_or_repeat_pass():
    assert only(a_run(loss=np.ones(10))).status is Status.PASS
    assert only(a_run(loss=(np.repeat(np.arange(5), 4), np.ones(20)))).status is Status.PASS


def test_the_main_training_loss_decides():
    run = a_run(loss=np.ones(10), val_loss=([1, 2, 1, 2], np.ones(4)))
    assert only(run).status is Status.PASS


def test_many_attempts_are_counted_not_listed():
    found = only(a_run(loss=(np.tile(np.arange(10), 30), np.ones(300))))
    assert found.evidence["attempts"] == 30
    assert "26 more times" in found.message


def test_an_empty_log_is_skipped():
    assert only(a_run()).status is Status.SKIP


def test_a_few_repeated_steps_of_correlated_noise_are_no_warning():
    rng = np.random.default_rng(4)
    for _ in range(100):
        noise = np.zeros(220)
        for i in range(1, 220):
            noise[i] = 0.9 * noise[i - 1] + 0.04 * rng.normal()
        step = np.concatenate([np.arange(100), np.arange(96, 216)])
        assert only(a_run(loss=(step, np.exp(noise)))).severity is None
