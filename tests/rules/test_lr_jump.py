"""``lr-jump``: jumps that no schedule explains, and none that one does."""

import numpy as np
import pytest
from rule_runs import a_run

from benchmarks.diagnosis import schedules
from trainlens.rules.base import Severity, Status
from trainlens.rules.lr_jump import lr_jump

T = np.arange(1000)
COSINE = 1e-3 * (0.5 + 0.5 * np.cos(np.pi * T / 1000))


def only(run, **settings):
    (finding,) = (f for f in lr_jump(run, **settings))
    return finding


def level(lr, seed=0):
    """A loss that learns by the learning rate spent."""
    spent = np.cumsum(lr) / np.sum(lr)
    rng = np.random.default_rng(seed)
    return (0.3 + 0.7 * (1 + spent / 0.01) ** -0.5) * np.exp(rng.normal(0, 0.02, len(lr)))


@pytest.mark.parametrize("family", schedules.MAKERS)
def test_no_schedule_is_a_jump(family):
    rng = np.random.default_rng([5, *family.encode()])
    for _ in range(15):
        given = schedules.draw(family, rng)
        assert only(a_run(lr=given)).status is not Status.FAIL


def test_a_jump_above_the_peak_is_a_warning():
    lr = np.where(T < 600, COSINE, 10 * COSINE)
    found = only(a_run(lr=lr, loss=level(lr)))
    assert found.severity is Severity.WARNING or found.severity is None
    assert found.first_step == 600
    assert found.last_step == 601
    assert found.evidence["ratio"] == pytest.approx(10, rel=0.01)
    assert "times its highest value before" in found.message


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_single_point_at_any_scale(scale):
    lr = COSINE.copy()
    lr[400] *= 20
    found = only(a_run(lr=lr * scale))
    assert (found.status, found.severity) == (Status.FAIL, Severity.WARNING)
    assert found.last_step == 401


def test_a_drop_that_is_undone_is_told_as_one():
    lr = np.where((T > 500) & (T < 530), 0.0, COSINE)
    found = only(a_run(lr=lr))
    assert found.severity is Severity.WARNING
    assert found.first_step == 502
    assert "drops from" in found.message
    assert "comes back" in found.message


@pytest.mark.parametrize(("last", "severity"), [(502, Severity.INFO), (504, Severity.WARNING)])
def test_a_point_or_two_may_be_a_fault_of_the_log(last, severity):
    lr = np.where((T > 500) & (last > T), 0.01, 1.0) * COSINE
    assert only(a_run(lr=lr)).severity is severity


def test_a_jump_to_a_level_that_is_no_peak():
    linear = 1e-3 * (1 - T / 1000)
    assert only(a_run(lr=np.where(T < 850, linear, 5 * linear))).severity is Severity.WARNING
    spent = np.where(T < 980, linear, 1e-4)
    assert only(a_run(lr=spent)).severity is Severity.INFO


def test_a_second_warmup_is_told():
    lr = np.full(1000, 1e-3)
    lr[400:500] = 1e-3 * np.linspace(0, 1, 100)
    assert "comes back" in only(a_run(lr=lr)).message


def test_a_reset_to_the_peak():
    lr = np.where(T < 700, COSINE, np.roll(COSINE, 700))
    found = only(a_run(lr=lr))
    assert (found.status, found.severity) == (Status.FAIL, Severity.INFO)
    assert found.last_step == 701


def test_the_loss_that_rises_with_it_makes_it_a_warning():
    lr = np.where(T < 700, COSINE, np.roll(COSINE, 700))
    loss = level(COSINE) * np.where(T < 700, 1.0, 1.5)
    found = only(a_run(lr=lr, loss=loss))
    assert found.severity is Severity.WARNING
    assert "The loss rises by" in found.message


def resumed(factor, again=500, at=600):
    step = np.concatenate([T[:at], T[again:]])
    return step, np.concatenate([COSINE[:at], factor * COSINE[again:]])


def test_a_resume_with_another_rate_has_words_of_its_own():
    found = only(a_run(lr=resumed(0.1)))
    assert found.status is Status.FAIL
    assert found.severity is Severity.INFO
    assert found.first_step == 500
    assert found.message.startswith("Resumed at step 500 with another learning rate")
    assert only(a_run(lr=resumed(5.0))).severity is Severity.WARNING


def test_a_resume_with_the_same_rate_and_a_fresh_start_are_none():
    assert only(a_run(lr=resumed(1.0))).status is Status.PASS
    step = np.concatenate([T[:300], T])
    assert only(a_run(lr=(step, np.concatenate([5 * COSINE[:300], COSINE])))).status is Status.PASS


def test_restarts_of_a_shape_that_is_not_known():
    saw = np.tile(np.geomspace(1, 0.02, 50), 5)
    assert only(a_run(lr=saw)).status is Status.PASS


def test_two_groups_in_one_series_are_inconclusive():
    assert only(a_run(lr=np.tile([1e-3, 1e-5], 200))).status is Status.INCONCLUSIVE


def test_a_group_of_its_own_is_judged_and_a_proportional_one_is_not():
    head = np.where(T < 600, COSINE, 10 * COSINE)
    found = list(lr_jump(a_run(lr=COSINE, lr_backbone=0.1 * COSINE, lr_head=head)))
    assert [(f.metric, f.status) for f in found] == [("lr", Status.PASS), ("lr_head", Status.FAIL)]


def test_a_pass_says_what_the_schedule_is():
    n = 9801
    t = np.arange(n)
    lr = 3e-4 * np.where(
        t < 500, t / 500, 0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * (t - 500) / 9300))
    )
    found = only(a_run(lr=(t, lr)))
    text = found.message.replace("\u202f", " ")
    assert (
        text == "Linear warmup over 500 steps, then cosine to 1 % of the peak 0.0003 at step 9 800."
    )
    assert found.evidence["warmup_steps"] == pytest.approx(500, abs=1)


@pytest.mark.parametrize("n", range(3, 16))
@pytest.mark.parametrize("first", [0.03, 0.15])
def test_the_first_points_of_a_warmup_are_no_jump(n, first):
    assert only(a_run(lr=1e-4 * (first + 0.2 * np.arange(n)))).status is Status.PASS


def test_a_leap_behind_the_first_point_is_one():
    lr = np.full(14, 1e-3)
    lr[:4] = 1e-5
    assert only(a_run(lr=lr)).failed


def test_what_is_missing_is_said():
    assert only(a_run(loss=np.ones(5))).message == "no learning rate in this log"
    assert only(a_run(lr=[1e-3, 1e-3])).status is Status.INCONCLUSIVE
    assert only(a_run(lr=np.zeros(10))).status is Status.SKIP


def test_a_warmup_that_the_log_breaks_off_is_none():
    rate = [1e-7, 1e-5, 2e-5, 3e-5, 4e-5, 6e-5, 7e-5, 8e-5, 9e-5, 1e-4]
    found = list(lr_jump(a_run(lr=rate)))
    assert [f.status for f in found] == [Status.PASS]
