"""Bad parameters: one clear error when the schedule is made, or when its places become shares."""

import math

import pytest

torch = pytest.importorskip("torch")

from trainlens_torch import schedules as s  # noqa: E402 - after the skip
from trainlens_torch.clock import Clock  # noqa: E402

NAN = float("nan")
BAD = [
    (lambda: s.Constant(NAN), ValueError, "value of Constant: a finite number"),
    (lambda: s.Constant("1"), TypeError, "value of Constant: a number is needed, not '1'"),
    (lambda: s.Constant(True), TypeError, "not True"),
    (lambda: s.Cosine(math.inf), ValueError, "end of Cosine: a finite number"),
    (lambda: s.Cosine(10**400), ValueError, "finite"),
    (lambda: s.LinearWarmup(-0.1), ValueError, "warmup of LinearWarmup: .* 0 or more"),
    (lambda: s.LinearWarmup(NAN), ValueError, "warmup of LinearWarmup"),
    (lambda: s.LinearWarmup(1.5), ValueError, "more than the whole training"),
    (lambda: s.LinearWarmup("5 parsecs"), ValueError, "unknown unit"),
    (lambda: s.LinearWarmup(None), TypeError, "warmup of LinearWarmup"),
    (lambda: s.LinearWarmup([0.1]), TypeError, "warmup of LinearWarmup"),
    (lambda: s.Exponential(0.0), ValueError, "end of Exponential must be above 0"),
    (lambda: s.Exponential(-1.0), ValueError, "above 0"),
    (lambda: s.Polynomial(-1), ValueError, "power of Polynomial must be 0 or more"),
    (lambda: s.CosineRestarts(0), ValueError, "cycles of CosineRestarts must be 1 to 10000"),
    (lambda: s.CosineRestarts(2.5), ValueError, "whole number"),
    (lambda: s.CosineRestarts(growth=0), ValueError, "growth .* above 0"),
    (lambda: s.CosineRestarts(2, first=0.1), ValueError, "left out where first is given"),
    (lambda: s.CosineRestarts(first=0), ValueError, "first .* above 0"),
    (lambda: s.CosineRestarts(first=1e-6), ValueError, "reach the end in 10000 cycles"),
    (lambda: s.CosineRestarts(first=0.3, growth=0.5), ValueError, "reach the end"),
    (lambda: s.CosineRestarts(5000, height=2.0), ValueError, "overflows"),
    (lambda: s.Step([]), ValueError, "at of Step: at least one place"),
    (lambda: s.Step([0.5, 0.2]), ValueError, "at of Step: places must ascend"),
    (lambda: s.Step(["9ba", "3ba"]), ValueError, "places must ascend"),
    (lambda: s.Step(0.5), TypeError, "a list of places"),
    (lambda: s.Step("500ba"), TypeError, "a list of places"),
    (lambda: s.Step([0.5, 1]), ValueError, "1 is a number of updates among shares"),
    (lambda: s.Step([0.5], -1.0), ValueError, "gamma of Step must be 0 or more"),
    (lambda: s.Step([0.5] * 20, 1e200), ValueError, "overflows"),
    (lambda: s.InverseSqrt(0), ValueError, "warmup of InverseSqrt must be above 0"),
    (lambda: s.WarmupStableDecay(shape="square"), ValueError, "one of linear, cosine, root"),
    (lambda: s.WarmupStableDecay(end=2.0), ValueError, "at most 1"),
    (lambda: s.WarmupStableDecay(decay=-1), ValueError, "decay of WarmupStableDecay"),
    (lambda: s.OneCycle(shape="root"), ValueError, "one of cosine, linear, not 'root'"),
    (lambda: s.OneCycle(shape=3), TypeError, "a word"),
    (lambda: s.Ramp(ramp_duration_progress=-0.1), ValueError, "ramp_duration_progress of Ramp"),
    (lambda: s.Piecewise([], []), ValueError, "at least one place"),
    (lambda: s.Piecewise([0.5], [1.0]), ValueError, "needs 2 factors, not 1"),
    (lambda: s.Piecewise([0.5], [1.0, 2.0], "linear"), ValueError, "needs 1 factors, not 2"),
    (lambda: s.Piecewise([0.5], [1.0, NAN]), ValueError, "factors of Piecewise: a finite"),
    (lambda: s.Piecewise([0.5], "12"), TypeError, "factors of Piecewise"),
    (lambda: s.Piecewise([0.5], [1, 2], "spline"), ValueError, "one of constant, linear"),
    (lambda: s.Piecewise([0.5], 3), TypeError, "factors of Piecewise"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "reason"), BAD, ids=range(len(BAD)))
def test_at_construction(make, error, reason):
    with pytest.raises(error, match=reason) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_where_only_the_clock_can_tell():
    mixed = s.Step(["500ba", 0.2])
    assert mixed.resolved(Clock(10_000).share).at == (0.05, 0.2)
    with pytest.raises(ValueError, match="at of Step: places must ascend"):
        mixed.resolved(Clock(1000).share)
    with pytest.raises(ValueError, match="reach the end in 10000 cycles"):
        s.CosineRestarts(first=1).resolved(Clock(20_000).share)
    with pytest.raises(ValueError, match="updates_per_epoch"):
        s.LinearWarmup("3ep").resolved(Clock(100).share)


def test_nothing_is_nothing_in_every_unit():
    assert s.WarmupStableDecay(warmup=0).warmup == 0.0
    assert s.Piecewise([0, 1.0], [1, 2], "linear")(0.5) == 1.5


def test_places_beyond_the_end_of_a_short_training():
    clock = Clock(100)
    warmup = s.LinearWarmup(400).resolved(clock.share)
    assert warmup.factor(1.0) == 0.25
    assert s.schedule_from_spec(warmup.spec()) == warmup
    assert s.Step([50, 400]).resolved(clock.share).factor(1.0) == 0.1
    assert s.WarmupStableDecay(400, 10).resolved(clock.share).factor(0.5) == 0.125


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [
        (3, TypeError, "a mapping with a kind"),
        ({}, ValueError, "unknown kind of schedule None; there are: chain, constant"),
        ({"kind": "custom"}, ValueError, "unknown kind"),
        ({"kind": ["cosine"]}, ValueError, "unknown kind"),
        ({"kind": "cosine", "edn": 1, "x": 2}, ValueError, "cosine has no 'edn', 'x'"),
        ({"kind": "cosine", "end_steps": 1}, ValueError, "cosine has no 'end_steps'"),
        ({"kind": "cosine", "until": 1}, ValueError, "cosine has no 'until'"),
        ({"kind": "exponential"}, ValueError, "exponential needs 'end'"),
        ({"kind": "step"}, ValueError, "step needs 'at'"),
        ({"kind": "step", "at": [0.1], "at_steps": [1]}, ValueError, "both 'at' and 'at_steps'"),
        ({"kind": "step", "at": ["x"]}, TypeError, "a number"),
        ({"kind": "linear-warmup", "warmup": None}, TypeError, "a number"),
        ({"kind": "cosine", "end": None}, TypeError, "end of Cosine"),
        ({"kind": "chain"}, ValueError, "needs 'parts'"),
        ({"kind": "chain", "parts": "ab"}, ValueError, "needs 'parts'"),
        ({"kind": "chain", "parts": [3]}, TypeError, "a mapping"),
        ({"kind": "chain", "parts": [], "end": 1}, ValueError, "chain has no 'end'"),
        ({"kind": "chain", "parts": [{"kind": "cosine", "until": "x"}]}, TypeError, "a number"),
    ],
)
def test_damaged_specs(spec, error, reason):
    with pytest.raises(error, match=reason):
        s.schedule_from_spec(spec)


def test_what_belongs_to_the_scheduler_is_passed_over():
    spec = {"kind": "cosine", "base": 1e-4, "total_steps": 10, "ratios": {"a": 0.1}, "end": 0.5}
    assert s.schedule_from_spec(spec) == s.Cosine(0.5)
    assert s.schedule_from_spec({"kind": "step", "at_steps": [3]}) == s.Step([3])
