"""Every schedule against its formula, written down once more, in float64."""

import math

import pytest

torch = pytest.importorskip("torch")

from trainlens_torch import schedules as s  # noqa: E402 - after the skip

# Binary fractions, so that places and shares of parts are exact in the formulas, too.
PLACES = [i / 64 for i in range(65)] + [1 / 3, 0.1, 1e-9, 1 - 1e-9]


def half(u):
    return (1 + math.cos(math.pi * u)) / 2


def restarts(p):
    """First cycle 1/8, twice as long and 0.5 as high each time: edges 1/8, 3/8, 7/8, 15/8."""
    edges = [0, 1 / 8, 3 / 8, 7 / 8, 15 / 8]
    i = max(k for k in range(4) if p >= edges[k])
    return 0.25 + (0.5**i - 0.25) * half((p - edges[i]) / (edges[i + 1] - edges[i]))


def three_cycles(p):
    i = min(int(4 * p), 3)
    return half(4 * p - i)


FORMS = [
    (s.Constant(0.3), lambda p: 0.3),
    (s.Linear(0.5, -1.0), lambda p: 0.5 - 1.5 * p),
    (s.LinearWarmup(0.25, 0.5), lambda p: min(1.0, 0.5 + 0.5 * p / 0.25)),
    (s.Cosine(0.125), lambda p: 0.125 + 0.875 * half(p)),
    (s.CosineRestarts(first=0.125, growth=2, height=0.5, end=0.25), restarts),
    (s.CosineRestarts(4), three_cycles),
    (s.Polynomial(2.5, 0.25), lambda p: 0.25 + 0.75 * math.exp(2.5 * math.log1p(-p)) if p < 1
     else 0.25),
    (s.Exponential(0.01), lambda p: math.exp(p * math.log(0.01))),
    (s.Step([0.25, 0.5, 0.5], 0.5), lambda p: 1.0 if p < 0.25 else 0.5 if p < 0.5 else 0.125),
    (s.InverseSqrt(0.25), lambda p: p * 4 if p < 0.25 else 0.5 / math.sqrt(p)),
    (s.WarmupStableDecay(0.25, 0.5, 0.125),
     lambda p: p * 4 if p < 0.25 else 1.0 if p < 0.5 else 1 - 0.875 * (p - 0.5) * 2),
    (s.WarmupStableDecay(0.0, 0.5, 0.125, "cosine"),
     lambda p: 1.0 if p < 0.5 else 0.125 + 0.875 * half((p - 0.5) * 2)),
    (s.WarmupStableDecay(0.25, 0.5, 0.0, "root"),
     lambda p: p * 4 if p < 0.25 else 1.0 if p < 0.5 else 1 - math.sqrt((p - 0.5) * 2)),
    (s.OneCycle(0.25, 0.125, 0.5),
     lambda p: 0.125 + 0.875 * (1 - half(4 * p)) if p < 0.25
     else 0.5 + 0.5 * half((4 * p - 1) / 3)),
    (s.OneCycle(0.25, 0.125, 0.5, "linear"),
     lambda p: 0.125 + 0.875 * 4 * p if p < 0.25 else 1 - 0.5 * (4 * p - 1) / 3),
    (s.Ramp(0.25, 0.5, 2.0, 1.0), lambda p: 2.0 - min(1.0, max(0.0, (p - 0.25) * 2))),
    (s.Piecewise([0.25, 0.5], [3.0, 1.0, 2.0]),
     lambda p: 3.0 if p < 0.25 else 1.0 if p < 0.5 else 2.0),
    (s.Piecewise([0.25, 0.5], [3.0, 1.0], "linear"),
     lambda p: 3.0 - 8 * (min(max(p, 0.25), 0.5) - 0.25)),
    (s.Chain((s.Linear(0, 1), 0.25), (s.Constant(), 0.5, 2.0), s.Cosine(0.5)),
     lambda p: 4 * p if p < 0.25 else 2.0 if p < 0.5 else 0.5 + 0.5 * half(2 * p - 1)),
    (s.Custom(math.exp), math.exp),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "form"), FORMS, ids=[f"{i}-{FORMS[i][0].kind}" for i in
                                                          range(len(FORMS))])  # fmt: skip
def test_closed_form(schedule, form):
    for p in PLACES:
        assert schedule.factor(p) == pytest.approx(form(p), rel=1e-14, abs=1e-15), p


def test_every_schedule_is_here():
    assert {type(schedule) for schedule, _ in FORMS} == set(s.ALL.values())


def test_ends_are_exact():
    """No rounding at the places where people look: beginning, end of warmup, end."""
    assert s.Cosine(0.01).factor(1.0) == 0.01
    assert s.LinearWarmup(0.1, 0.02).factor(0.0) == 0.02
    assert s.LinearWarmup(0.1, 0.02).factor(0.1) == 1.0
    assert s.OneCycle().factor(1.0) == 4e-6
    assert s.OneCycle().factor(0.3) == 1.0
    assert s.Polynomial(0.9, 1e-3).factor(1.0) == 1e-3
    assert s.Exponential(0.01).factor(1.0) == 0.01
    assert s.WarmupStableDecay(0.1, 0.2, 0.03).factor(1.0) == 0.03
    assert s.Ramp(0.1, 0.1, 0.0, 0.7).factor(0.1 + 0.1) == 0.7


# The figures of five training guides that the schedules have to give.


def value(schedule, epochs, base, epoch, per_epoch=500):
    from trainlens_torch.clock import Clock

    clock = Clock(f"{epochs}ep", updates_per_epoch=per_epoch)
    return base * schedule.resolved(clock.share).factor(epoch / epochs)


def test_warmup_over_ten_epochs_then_cosine_to_a_hundredth():
    """1e-7 -> 1e-4 -> 1e-6, by epochs that are done: 0 is the first update of the first epoch."""
    chain = s.Chain(s.LinearWarmup("10ep", start=1e-3), s.Cosine(end=0.01))
    assert value(chain, 100, 1e-4, 0) == pytest.approx(1e-7, rel=1e-14)
    assert value(chain, 100, 1e-4, 5) == pytest.approx(5.005e-5, rel=1e-14)
    assert value(chain, 100, 1e-4, 10) == 1e-4
    assert value(chain, 100, 1e-4, 11) < 1e-4
    assert value(chain, 100, 1e-4, 100) == pytest.approx(1e-6, rel=1e-14)


def test_warmup_that_is_fifty_times_as_high_after_ten_epochs():
    """1e-5 -> 5e-4: start + (target - start) * epoch / 10, then constant for the plateau rule."""
    warmup = s.LinearWarmup("10ep", start=1e-5 / 5e-4)
    for epoch in range(11):
        expected = 1e-5 + (5e-4 - 1e-5) * epoch / 10
        assert value(warmup, 300, 5e-4, epoch) == pytest.approx(expected, rel=1e-14)
    assert value(warmup, 300, 5e-4, 200) == 5e-4


def test_weight_of_a_loss_that_ramps_up_between_a_tenth_and_a_fifth():
    """0 up to update 5,000 of 50,000, then a line up to 0.05 at update 10,000."""
    ramp = s.Ramp(warmup_end_progress=0.10, ramp_duration_progress=0.10)
    weight = {k: 0.05 * ramp.factor(k / 50_000) for k in (0, 5_000, 7_500, 10_000, 50_000)}
    assert weight == pytest.approx({0: 0, 5_000: 0, 7_500: 0.025, 10_000: 0.05, 50_000: 0.05})
    assert ramp == s.Ramp()


def test_warmup_over_five_epochs_then_a_cosine_over_the_hundred():
    """T_max 100 beside warmup 5: the cosine over the other 95 of 100 epochs, or over 100 of 105."""
    chain = s.Chain(s.LinearWarmup("5ep"), s.Cosine())
    within, after = value(chain, 100, 1.0, 52.5), value(chain, 105, 1.0, 55)
    assert within == pytest.approx(0.5, abs=1e-15)
    assert after == pytest.approx(0.5, abs=1e-15)
    assert value(chain, 100, 1.0, 5) == 1.0
