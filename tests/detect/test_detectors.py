"""What each detector finds: known answers."""

import numpy as np
import pytest

from trainlens.detect.base import Event, watch
from trainlens.detect.divergence import DivergenceDetector
from trainlens.detect.jump import JumpDetector, jump_noise
from trainlens.detect.non_finite import NonFiniteDetector
from trainlens.detect.spike import SpikeDetector
from trainlens.detect.surge import SurgeDetector
from trainlens.detect.threshold import ThresholdDetector


def curve(n=1000, sigma=0.03, seed=0):
    rng = np.random.default_rng(seed)
    return 0.3 + 0.7 * (1 + np.arange(n)) ** -0.4 * np.exp(sigma * rng.standard_normal(n))


def run(detector, value):
    value = np.asarray(value, float)
    return detector.update(np.arange(len(value)) * 10, value) + detector.finish()


def test_a_spike_says_where_how_high_and_when_it_was_over():
    value = curve()
    value[500:508] *= 2.5
    (event,) = run(SpikeDetector(), value)
    assert (event.kind, event.first_step, event.last_step) == ("spike", 5000, 5070)
    assert (event.first_index, event.points, event.recovered_step) == (500, 8, 5080)
    assert event.peak == value[500:508].max()
    assert event.baseline == pytest.approx(np.median(value[480:500]), rel=0.02)
    assert event.ratio == pytest.approx(2.5, rel=0.05)
    assert event.z > 10


def test_a_single_point_is_an_outlier():
    value = curve()
    value[500] *= 4
    (event,) = run(SpikeDetector(), value)
    assert (event.kind, event.first_step, event.points) == ("outlier", 5000, 1)


def test_spikes_near_each_other_are_one_and_far_ones_are_two():
    near, far = curve(), curve()
    near[500:505] *= 3
    near[515:520] *= 3
    far[500:505] *= 3
    far[560:565] *= 3
    assert [e.points for e in run(SpikeDetector(), near)] == [20]
    assert [e.first_step for e in run(SpikeDetector(), far)] == [5000, 5600]


def test_a_rise_that_stays_has_not_recovered():
    value = curve()
    value[900:] *= 3
    (event,) = run(SpikeDetector(), value)
    assert event.recovered_step is None
    assert event.last_step == 9990


def test_a_spike_is_visible_while_it_is_open():
    value = curve()
    value[900:] *= 3
    detector = SpikeDetector()
    assert detector.update(np.arange(905), value[:905]) == []
    assert isinstance(detector.open, Event)
    assert detector.open.first_step == 900


def test_spikes_of_losses_that_cross_zero():
    value = curve() - 0.31
    value[500:508] += 0.5
    (event,) = run(SpikeDetector(), value)
    assert (event.first_step, event.recovered_step) == (5000, 5080)
    assert np.isnan(event.ratio) or event.ratio > 2


def test_slow_waves_and_rounded_values_are_no_spikes():
    n = 4000
    wave = np.exp(0.3 * np.sin(np.arange(n) / 300)) * curve(n, 0.003)
    assert run(SpikeDetector(), wave) == []
    assert run(SpikeDetector(), np.round(curve(n, 0.002) * 0.05, 3)) == []


def test_non_finite_stretches():
    value = np.ones(100)
    value[10] = np.nan
    value[12:14] = np.inf
    value[90:] = np.nan
    detector = NonFiniteDetector()
    first, second = run(detector, value)
    assert (first.first_step, first.last_step, first.recovered_step) == (100, 130, 140)
    assert (second.first_step, second.recovered_step) == (900, None)
    assert (detector.nans, detector.infinities, detector.seen) == (11, 2, 100)
    assert first.baseline == 1.0


def test_threshold_drops_short_stretches_and_bridges_gaps():
    value = np.array([0, 5, 0, 0, 0, 0, 6, 0, 7, 8, 0, 0, 0, 0, 0], float)
    (event,) = run(ThresholdDetector(1.0, least=2, gap=3), value)
    assert (event.first_step, event.last_step, event.peak) == (60, 90, 8.0)
    low = run(ThresholdDetector(1.0, "below", gap=1), 10 - value * 2)
    assert [(e.first_step, e.peak) for e in low] == [(10, 0.0), (60, -2.0), (80, -6.0)]


def test_a_jump_that_comes_back_and_one_that_stays():
    rng = np.random.default_rng(3)
    value = 80 * np.exp(0.02 * rng.standard_normal(40))
    back, stays = value.copy(), value.copy()
    back[20] *= 1.4
    stays[20:] *= 1.4
    noise = jump_noise(np.log(value))
    (event,) = run(JumpDetector(noise=noise), back)
    assert (event.kind, event.first_step, event.recovered_step) == ("jump", 200, 210)
    (event,) = run(JumpDetector(noise=noise), stays)
    assert (event.kind, event.first_step, event.recovered_step) == ("shift", 200, None)
    assert run(JumpDetector(-1, noise=noise), back) == []


def test_a_surge_is_ten_times_the_median():
    rng = np.random.default_rng(0)
    norm = np.exp(0.2 * rng.standard_normal(300))
    norm[200:203] *= 50
    (event,) = run(SurgeDetector(), norm)
    assert (event.first_step, event.last_step, event.recovered_step) == (2000, 2020, 2030)
    norm[200:203] /= 10
    assert run(SurgeDetector(), norm) == []


@pytest.mark.parametrize("shift", [0.0, -0.5])
def test_divergence_in_a_positive_and_in_a_negative_loss(shift):
    value = curve() + shift
    assert run(DivergenceDetector(), value) == []
    value[700:] += np.linspace(0, 1.0, 300)
    (event,) = run(DivergenceDetector(), value)
    assert 6900 <= event.first_step <= 8200
    assert (event.last_step, event.recovered_step) == (9990, None)
    spiked = curve() + shift
    spiked[700:715] += 2
    assert run(DivergenceDetector(), spiked) == []


def test_a_cycle_that_came_back_before_is_no_divergence():
    n = 1200
    phase = np.arange(n) / 200 * np.pi  # ends at the top of its third swing
    value = curve(n, 0.01) * np.exp(0.4 * (1 - np.cos(phase * 5 / 6)))
    assert run(DivergenceDetector(), value) == []


def test_a_blow_up_of_the_last_points():
    value = curve()
    value[-4:] *= [3, 30, 1e5, 1e10]
    (event,) = run(DivergenceDetector(), value)
    assert event.first_step == 9960
    assert event.peak == value[-1]


def test_norms_that_fall_steeply_at_first_do_not_hide_a_surge():
    rng = np.random.default_rng(3)
    at = np.arange(140)
    value = (1 + 3 * np.exp(-at / 14)) * np.exp(0.35 * rng.standard_normal(140))
    value[60:64] *= 40
    (event,) = watch(SurgeDetector(), at, value)
    assert abs(event.first_index - 60) <= 1
    assert event.points >= 3
