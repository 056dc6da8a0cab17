"""Schedules are recognised, whatever their length, floor, warmup, rounding and cut."""

import numpy as np
import pytest

from benchmarks.diagnosis import schedules
from trainlens.stats.deviation import deviation
from trainlens.stats.drawups import drawup
from trainlens.stats.jumps import jumps, regular
from trainlens.stats.outline import rounding, turns
from trainlens.stats.schedule import FAMILIES, recognise
from trainlens.stats.shapes import fit


def half_wave(t):
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(t, 0, 1))


def warmed(curve, n, warm):
    t = np.arange(n)
    return np.where(t < warm, t / warm, curve(np.clip((t - warm) / (n - warm), 0, 1)))


@pytest.mark.parametrize("family", schedules.MAKERS)
def test_random_schedules_of_a_family(family):
    rng = np.random.default_rng([991, *family.encode()])
    said = [recognise(*schedules.draw(family, rng)).family for _ in range(25)]
    wrong = [s for s in said if s not in (family, "unknown")]
    assert said.count(family) >= 23
    assert len(wrong) <= 1


def test_what_it_says_of_a_warmup_and_a_cosine():
    n = 9800
    value = 3e-4 * warmed(lambda t: 0.01 + 0.99 * half_wave(t), n, 500)
    found = recognise(np.arange(n), value)
    assert found.family == "cosine"
    assert found.warmup == pytest.approx(500, abs=1)
    assert not found.curved
    assert found.peak == pytest.approx(3e-4)
    assert found.floor == pytest.approx(3e-6, rel=0.02)
    assert found.horizon == pytest.approx(n, rel=0.002)
    assert found.error < 1e-4


@pytest.mark.parametrize("cut", [0.4, 0.6, 0.8])
def test_the_horizon_of_a_cut_cosine(cut):
    step = np.arange(0, int(20_000 * cut), 10)
    found = recognise(step, 1e-3 * half_wave(step / 20_000))
    assert found.family == "cosine"
    assert found.horizon == pytest.approx(20_000, rel=0.03)


def test_a_hold_before_the_decay():
    t = np.arange(1000)
    found = recognise(t, np.minimum(1, np.clip((1000 - t) / 200, 0, 1)))
    assert found.family == "warmup-stable-decay"
    assert found.hold == pytest.approx(800, abs=2)
    assert found.decay_start == pytest.approx(800, abs=2)


def test_restarts_are_counted_where_they_are():
    t = np.arange(900)
    found = recognise(t, half_wave((t % 300) / 300))
    assert found.family == "cosine-restarts"
    assert found.restarts == (300, 600)


def test_a_curved_warmup_is_told():
    n = 2000
    value = np.where(np.arange(n) < 200, (np.arange(n) / 200) ** 2, 1 - (np.arange(n) - 200) / 1800)
    found = recognise(np.arange(n), value)
    assert (found.family, found.curved) == ("linear", True)


def test_a_curve_that_moves_once_an_epoch():
    step = np.arange(3000)
    found = recognise(step, 0.1 * half_wave(step // 100 / 30))
    assert found.family == "cosine"
    found = recognise(step, 0.1 * 0.5 ** (step // 600))
    assert (found.family, found.levels) == ("step", 5)


@pytest.mark.parametrize("form", ["%.4e", "%.6f", "%.3g"])
def test_the_rounding_of_text_logs(form):
    step = np.arange(0, 5000, 5)
    value = np.array([float(form % v) for v in 1e-3 * (1 - step / 5000)])
    assert recognise(step, value).family == "linear"
    value = np.array([float(form % v) for v in 1e-3 * half_wave(step / 5000)])
    assert recognise(step, value).family == "cosine"


@pytest.mark.parametrize(
    "value",
    [np.zeros(0), np.ones(2), np.zeros(50), -np.ones(50), np.arange(50.0) - 5,
     np.random.default_rng(0).random(500)],
)  # fmt: skip
def test_what_is_no_schedule_is_unknown(value):
    assert recognise(np.arange(len(value)), value).family == "unknown"


def test_a_cosine_that_is_reset_half_way_is_unknown():
    t = np.arange(1000)
    value = half_wave(np.where(t < 500, t, t - 500) / 1000)
    assert recognise(t, value).family == "unknown"


def test_every_answer_is_a_family():
    rng = np.random.default_rng(3)
    for n in (3, 4, 5, 8, 20, 700):
        up = np.sort(rng.random(n))
        few, wide = rng.integers(0, 3, n).astype(float), 10.0 ** rng.uniform(-300, 300, n)
        for value in (rng.random(n), up, up[::-1], few, wide):
            assert recognise(np.arange(n), value).family in FAMILIES


def test_the_schedulers_of_torch():
    torch = pytest.importorskip("torch")
    lr = torch.optim.lr_scheduler
    cases = {
        "cosine": lambda o: lr.CosineAnnealingLR(o, 400),
        "one-cycle": lambda o: lr.OneCycleLR(o, 0.1, total_steps=401),
        "cosine-restarts": lambda o: lr.CosineAnnealingWarmRestarts(o, 60, 2),
        "cyclic": lambda o: lr.CyclicLR(o, 0.01, 0.1, step_size_up=40, cycle_momentum=False),
        "step": lambda o: lr.MultiStepLR(o, [120, 300]),
        "exponential": lambda o: lr.ExponentialLR(o, 0.99),
        "linear": lambda o: lr.LinearLR(o, 1.0, 0.01, 400),
        "polynomial": lambda o: lr.PolynomialLR(o, 400, 2.0),
        "constant": lambda o: lr.ConstantLR(o, 1.0),
    }
    for family, make in cases.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler, value = make(optimizer), []
        for _ in range(400):
            value.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert recognise(np.arange(400), np.array(value)).family == family


def test_a_fit_finds_its_numbers():
    t = np.linspace(0, 1, 40)
    found = fit("polynomial", t, 0.2 + 0.8 * (1 - t / 1.3) ** 2.2)
    assert found.power == pytest.approx(2.2, abs=0.05)
    assert found.horizon == pytest.approx(1.3, abs=0.02)
    assert found.floor == pytest.approx(0.2, abs=0.01)
    found = fit("exponential", t, np.exp(-3 * t))
    assert (found.floor, found.falls) == (0.0, pytest.approx(3, rel=1e-3))


def test_turns_need_a_real_move():
    value = np.array([0, 1, 0.98, 1, 0.2, 0.2, 0.9, 0.1])
    assert turns(value) == [0, 1, 5, 6, 7]


def test_rounding_is_read_off_the_values():
    assert rounding(np.array([0.123, 0.045, 0.31])) == pytest.approx(0.0005)
    assert rounding(np.random.default_rng(0).random(100)) < 1e-6


def test_jumps_and_restarts():
    saw = np.tile(np.linspace(1, 0.05, 50), 4)
    found = jumps(np.arange(200), saw, 3.0, 0.2)
    assert [j.after for j in found] == [50, 100, 150]
    assert regular(found)
    assert not jumps(np.arange(100), np.geomspace(1e-7, 10, 100), 3.0, 0.2)
    once = np.where(np.arange(100) < 50, 1.0, 8.0)
    (jump,) = jumps(np.arange(100), once, 3.0, 0.2)
    assert (jump.before, jump.after, jump.low, jump.high) == (49, 50, 1.0, 8.0)


def test_noise_is_full_of_jumps_and_none_is_counted_twice():
    value = np.random.default_rng(0).random(5000)
    found = jumps(np.arange(5000), value, 3.0, 0.2)
    assert len(found) > 400
    assert len({j.after for j in found}) == len(found)
    assert not regular(found)


def test_the_largest_rise():
    assert drawup(np.array([3.0, 1.0, 2.0, 0.5, 4.0])).size == 3.5
    assert drawup(np.array([3.0, 2.0])).size == 0.0


def test_a_deviation_begins_where_it_begins():
    step = np.arange(1000)
    plan = 1e-3 * half_wave(step / 1000)
    assert deviation(step, plan, plan).count == 0
    shifted = 1e-3 * half_wave((step + 1) / 1000)
    assert deviation(step, shifted, plan).first is None
    logged = np.where(step < 420, plan, plan * 0.7)
    found = deviation(step, logged, plan)
    assert found.first == 420
    assert found.factor == pytest.approx(0.7)
    rounded = np.array([float(f"{v:.4e}") for v in plan])
    assert deviation(step, rounded, plan).first is None


def test_a_jump_of_a_known_factor_hides_nothing():
    step = np.arange(1000)
    plan = 1e-3 * half_wave(step / 1000)
    times = np.where(step < 420, 1.0, 1.5)
    assert deviation(step, plan * times, plan, times=times).count == 0
    assert deviation(step, plan, plan, times=times).first == 420
    early = plan * np.where(step < 419, 1.0, 1.5)
    assert deviation(step, early, plan, times=times).first is None  # a single point
    earlier = plan * np.where(step < 418, 1.0, 1.5)
    assert deviation(step, earlier, plan, times=times).first == 418
