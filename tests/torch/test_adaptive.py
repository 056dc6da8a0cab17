"""The manager of the learning rate: its fixed rules, its record, its state, bad input."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch.optim.lr_scheduler import ReduceLROnPlateau  # noqa: E402

from trainlens_torch.adaptive import AdaptiveLRManager  # noqa: E402
from trainlens_torch.adaptive.seed import falls  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

NEVER = 10**9
"""A patience that no test reaches."""


def fed(manager, losses):
    """Decisions on all losses."""
    return [manager.update(loss) for loss in losses]


def stalled(n, seed=0, level=4.25, noise=0.003):
    """Losses that stand still."""
    return level + noise * np.random.default_rng(seed).normal(size=n)


# The three rules ---------------------------------------------------------------------------------


def test_a_stall_is_boosted_once_a_window_until_the_limit():
    manager = AdaptiveLRManager(1e-4)
    found = fed(manager, [4.25] * 125)
    boosts = [i for i, d in enumerate(found, 1) if d.adjust]
    assert boosts[:6] == [20, 40, 60, 80, 100, 120]
    assert [found[i - 1].factor for i in boosts[:5]] == [1.5] * 5
    assert manager.factor == 10.0  # 1.5 ** 6 is 11.4
    assert found[119].factor == pytest.approx(10 / 1.5**5)


def test_a_stall_has_to_be_quiet_and_without_a_fall():
    falling = 4.25 - 0.001 * np.arange(20)
    assert not any(d.adjust for d in fed(AdaptiveLRManager(1e-4), falling))
    rising = fed(AdaptiveLRManager(1e-4), 4.25 + 0.001 * np.arange(20))
    assert rising[-1] == (True, rising[-1].reason, 1.5)
    loud = 4.25 + 0.1 * (-1.0) ** np.arange(20)
    assert not any(d.adjust for d in fed(AdaptiveLRManager(1e-4), loud))
    assert fed(AdaptiveLRManager(1e-4, threshold=0.02), loud)[-1].factor == 1.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=6, max_size=40).filter(lambda y: np.std(y) > 1e-3))
def test_the_slope_is_that_of_least_squares(losses):
    _, slope, error = falls(losses)
    (expected, _), spread = np.polyfit(np.arange(len(losses)), losses, 1, cov=True)
    assert slope == pytest.approx(expected, abs=1e-9)
    assert error == pytest.approx(np.sqrt(spread[0, 0]), abs=1e-6)


def test_no_improvement_lowers_and_counts_again():
    losses = [1.0, *(2.0 + 0.5 * (-1.0) ** np.arange(60))]  # too loud for a stall
    found = fed(AdaptiveLRManager(1e-3, patience=NEVER), losses)
    assert [i for i, d in enumerate(found) if d.adjust] == [30, 60]
    assert found[30].factor == 0.8
    assert "no improvement in 30 evaluations" in found[30].reason


def test_the_stall_comes_before_the_missing_improvement():
    # Both are due at once: 20 quiet losses, none of them the best one in 20.
    manager = AdaptiveLRManager(1e-3, no_improvement=20)
    assert fed(manager, [4.0, *[4.25] * 20])[-1].factor == 1.5


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from([0.5, 0.7, 0.9]))
def test_the_plateau_is_that_of_torch(seed, patience, factor):
    rng = np.random.default_rng(seed)
    losses = np.round(1 + np.exp(-np.arange(150) / 20) + 0.1 * rng.normal(size=150), 2)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    theirs = ReduceLROnPlateau(optimizer, patience=patience, factor=factor, min_lr=1e-5)
    ours = AdaptiveLRManager(
        1e-3, threshold=0.0, no_improvement=NEVER, patience=patience, factor=factor, min_lr=1e-5
    )
    for loss in losses.tolist():
        theirs.step(loss)
        ours.update(loss)
        assert 1e-3 * ours.factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


def test_rates_stay_within_their_limits():
    manager = AdaptiveLRManager(1e-5, patience=0, factor=0.5, no_improvement=NEVER)
    found = fed(manager, [1.0, *(2.0 + (-1.0) ** np.arange(20))])
    assert 1e-5 * manager.factor == pytest.approx(1e-6)
    assert not any(d.adjust for d in found[-10:])  # at the limit there is nothing to say
    # A rate that lies below the limit already is never raised to it, as torch does not either.
    low = AdaptiveLRManager(1e-7, patience=0, no_improvement=NEVER)
    fed(low, [1.0, 2.0, 3.0, 2.0, 3.0])
    assert low.factor == 1.0


def test_better_is_lower_for_negative_losses_too():
    manager = AdaptiveLRManager(1e-3, no_improvement=3, patience=NEVER, window=50)
    found = fed(manager, [-10.0, -9.9995, -9.9995, -9.9995])
    assert found[-1].factor == 0.8


def test_warmup_is_not_judged():
    found = fed(AdaptiveLRManager(1e-4, warmup=10), [4.25] * 30)
    assert [i for i, d in enumerate(found, 1) if d.adjust] == [30]


def test_huge_losses_are_no_stall_and_no_error():
    assert not any(d.adjust for d in fed(AdaptiveLRManager(1e-3), [1e308, -1e308] * 12))


# NaN -------------------------------------------------------------------------------------------


def test_torch_counts_nan_as_a_bad_epoch_and_we_do_not():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = ReduceLROnPlateau(optimizer, patience=5)
    ours = AdaptiveLRManager(1e-3, patience=5, window=50)
    for loss in [1.0] + [math.nan] * 10:
        theirs.step(loss)
        ours.update(loss)
    assert optimizer.param_groups[0]["lr"] < 1e-3
    assert ours.factor == 1.0
    assert ours.ignored == 10


@pytest.mark.parametrize("mode", ["seed", "robust"])
def test_losses_that_are_no_numbers_change_no_decision(mode):
    rng = np.random.default_rng(3)
    losses = stalled(150)
    plain, holed = (AdaptiveLRManager(1e-4, mode=mode) for _ in range(2))
    decisions = fed(plain, losses)
    others = []
    for loss in losses:
        while rng.random() < 0.3:
            said = holed.update(float(rng.choice([math.nan, math.inf, -math.inf])), 7)
            assert said.adjust is False
            assert said.factor == 1.0
        others.append(holed.update(loss))
    assert others == decisions
    assert any(d.adjust for d in decisions)


def test_a_row_of_nan_is_told_once():
    told = []
    manager = AdaptiveLRManager(1e-4, on_decision=told.append)
    fed(manager, [1.0, math.nan, math.nan, math.inf, 1.0, math.inf])
    reasons = ["loss is NaN: ignored", "loss is infinite: ignored"]
    assert [change.reason for change in told] == reasons
    assert tuple(told) == manager.decisions
    assert manager.ignored == 4
    assert all(change.before == change.after == 1.0 for change in told)


# The record --------------------------------------------------------------------------------------


def test_the_factor_is_the_product_of_the_decisions():
    rng = np.random.default_rng(0)
    manager = AdaptiveLRManager(1e-3)
    product = 1.0
    for loss in 1 + 0.02 * rng.normal(size=600):
        product *= manager.update(loss).factor
    assert len(manager.decisions) > 10
    assert manager.factor == pytest.approx(product, rel=1e-9)
    for first, second in zip(manager.decisions, manager.decisions[1:], strict=False):
        assert first.after == second.before


def test_a_decision_tells_epoch_loss_and_numbers():
    manager = AdaptiveLRManager(1e-4)
    for epoch in range(100, 120):
        adjust, reason, factor = manager.should_adjust_lr(4.25, epoch)
    assert (adjust, factor) == (True, 1.5)
    (change,) = manager.decisions
    assert (change.epoch, change.loss, change.before, change.after) == (119, 4.25, 1.0, 1.5)
    assert change.reason == reason
    assert "variance of 20 losses is 0, below 0.001" in reason
    assert reason.endswith("factor 1 -> 1.5")


def test_the_record_is_bounded():
    manager = AdaptiveLRManager(1e-4, keep=3)
    fed(manager, [4.25] * 120)
    assert [change.epoch for change in manager.decisions] == [79, 99, 119]


# State -------------------------------------------------------------------------------------------


def course(mode):
    """Losses that make a manager of either mode change its mind in several ways."""
    rng = np.random.default_rng(5)
    level = np.concatenate([np.full(70, 4.25), np.geomspace(4.25, 1.0, 60), np.full(90, 1.0)])
    losses = level * np.exp(0.004 * rng.normal(size=len(level)))
    losses[[30, 31, 140]] = math.nan
    return losses.tolist()


@pytest.mark.parametrize("mode", ["seed", "robust"])
def test_killed_and_resumed_at_every_evaluation(mode):
    losses = course(mode)
    whole = AdaptiveLRManager(1e-4, mode=mode)
    decisions, states = [], []
    for loss in losses:
        states.append(json.dumps(whole.state_dict()))
        decisions.append(whole.update(loss))
    assert len(whole.decisions) >= 6
    end = json.dumps(whole.state_dict())
    for k in range(0, len(losses)):
        resumed = AdaptiveLRManager(1e-4, mode=mode)
        resumed.load_state_dict(json.loads(states[k]))
        assert resumed.factor == json.loads(states[k])["factor"]
        some = losses[k:] if k % 20 == 0 else losses[k : k + 12]
        assert fed(resumed, some) == decisions[k : k + len(some)]
        after = json.dumps(resumed.state_dict())
        assert after == ([*states, end])[k + len(some)]


def test_a_state_is_a_copy():
    manager = AdaptiveLRManager(1e-4, mode="robust")
    fed(manager, stalled(25))
    state = manager.state_dict()
    before = json.dumps(state)
    fed(manager, stalled(60))
    assert json.dumps(state) == before
    other = AdaptiveLRManager(1e-4, mode="robust")
    other.load_state_dict(state)
    fed(other, stalled(60))
    assert json.dumps(state) == before


def test_another_configuration_is_named_and_changes_nothing():
    saved = AdaptiveLRManager(1e-4)
    fed(saved, [4.25] * 30)
    other = AdaptiveLRManager(1e-4, boost=2.0)
    fed(other, [1.0, 2.0])
    before = other.state_dict()
    with pytest.raises(StateMismatch, match=r"boost was 1\.5, is 2\.0"):
        other.load_state_dict(saved.state_dict())
    with pytest.raises(StateMismatch, match="mode"):
        AdaptiveLRManager(1e-4, mode="robust").load_state_dict(saved.state_dict())
    broken = {key: value for key, value in other.state_dict().items() if key != "changes"}
    with pytest.raises(StateMismatch, match="changes"):
        other.load_state_dict(broken)
    with pytest.raises(StateMismatch, match="version 9"):
        other.load_state_dict({**before, "version": 9})
    assert other.state_dict() == before


# Configuration and bad input ----------------------------------------------------------------------

KEYS = {
    "enable_warmup": True,
    "warmup_epochs": 10,
    "warmup_start_lr": 1e-5,
    "scheduler_type": "adaptive_plateau",
    "plateau_patience": 50,
    "plateau_factor": 0.7,
    "plateau_min_lr": 1e-6,
    "adaptive_threshold": 0.001,
    "loss_window_size": 20,
    "lr_boost_factor": 1.5,
    "lr_decay_factor": 0.8,
}


def test_the_keys_of_a_configuration_file():
    made = AdaptiveLRManager.from_config(KEYS, 5e-4)
    assert made.config() == AdaptiveLRManager(5e-4, warmup=10).config()
    other = {**KEYS, "plateau_patience": 7, "loss_window_size": 11, "enable_warmup": False}
    expected = AdaptiveLRManager(5e-4, patience=7, window=11).config()
    assert AdaptiveLRManager.from_config(other, 5e-4).config() == expected
    robust = AdaptiveLRManager.from_config({"scheduler_type": "adaptive_robust"}, 1.0, trials=2)
    assert robust.config() == AdaptiveLRManager(1.0, mode="robust", trials=2).config()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"plateau_patienc": 3}, r"'plateau_patienc' \(did you mean 'plateau_patience'"),
        ({"window": 9, "loss_window_size": 8}, "'window' is given by two names"),
        ({"scheduler_type": "cosine"}, "scheduler_type must be one of"),
        ({"scheduler_type": "adaptive_plateau", "mode": "robust"}, "do not agree"),
        ({"loss_window_size": 2}, "window must be 3 or more"),
    ],
)
def test_bad_keys(config, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveLRManager.from_config(config, 1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_lr", math.nan),
        ("base_lr", 0.0),
        ("base_lr", math.inf),
        ("threshold", -1e-9),
        ("window", 2),
        ("boost", 1.0),
        ("boost", math.nan),
        ("decay", 1.0),
        ("decay", 0.0),
        ("no_improvement", 0),
        ("patience", -1),
        ("factor", 1.5),
        ("min_lr", -1e-9),
        ("max_factor", 0.5),
        ("warmup", -1),
        ("step", 1.0),
        ("trials", -1),
        ("keep", 0),
        ("mode", "magic"),
    ],
)
def test_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        AdaptiveLRManager(**{"base_lr": 1e-3, name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("base_lr", "1e-3"), ("window", 20.0), ("decay", None)]
)
def test_values_of_another_kind(name, value):
    with pytest.raises(TypeError, match=name):
        AdaptiveLRManager(**{"base_lr": 1e-3, name: value})
