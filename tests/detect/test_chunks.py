"""Every detector: any cutting of a series into chunks gives bit-identical events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.detect._streams import SignAgreement
from trainlens.detect.base import BLOCK, watch
from trainlens.detect.divergence import DivergenceDetector
from trainlens.detect.jump import JumpDetector
from trainlens.detect.non_finite import NonFiniteDetector
from trainlens.detect.spike import SpikeDetector
from trainlens.detect.surge import SurgeDetector
from trainlens.detect.threshold import ThresholdDetector

DETECTORS = {
    "spike": SpikeDetector,
    "jump": JumpDetector,
    "jump of an accuracy": lambda: JumpDetector(-1, log=False, noise=0.02),
    "non-finite": NonFiniteDetector,
    "above": lambda: ThresholdDetector(1.5),
    "below": lambda: ThresholdDetector(0.3, "below", least=2, gap=3),
    "surge": SurgeDetector,
    "divergence": DivergenceDetector,
}


def sick_series(seed, n):
    """A loss with spikes, outliers, NaNs, sometimes values below 0, and a rise at the end."""
    rng = np.random.default_rng(seed)
    value = (1 + np.arange(n)) ** -0.3 * np.exp(0.05 * rng.standard_normal(n))
    for _ in range(4):
        at, length = rng.integers(0, n), rng.integers(1, 30)
        value[at : at + length] *= rng.uniform(1.5, 60)
    value[rng.random(n) < 0.01] = np.nan
    value[rng.random(n) < 0.005] = np.inf
    if seed % 3 == 0:
        value -= 0.2
    if seed % 2:
        value[int(0.8 * n) :] *= 4
    return np.sort(rng.choice(10 * n, n, replace=False)), value


def events(make, step, value, cuts):
    detector = make()
    found = []
    for part in np.split(np.arange(len(value)), cuts):
        found += detector.update(step[part], value[part])
    return repr(found + detector.finish())  # repr: NaN equals itself


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=25)
@given(seed=st.integers(0, 1000), n=st.integers(0, 900), pieces=st.integers(1, 120))
def test_chunks_change_nothing(name, seed, n, pieces):
    step, value = sick_series(seed, max(n, 1))
    cuts = np.sort(np.random.default_rng(seed + 1).integers(0, n + 1, pieces))
    whole = events(DETECTORS[name], step, value, [])
    assert events(DETECTORS[name], step, value, cuts) == whole


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), n=st.integers(1, 300), pieces=st.integers(0, 40))
def test_jumps_judged_before_are_those_found_in_chunks(seed, n, pieces):
    step, value = sick_series(seed, n)
    good = np.isfinite(value) & (value > 0)
    step, value = step[good], value[good]
    y, places = np.log(value), np.arange(len(value))
    whole = JumpDetector(noise=0.05)
    found = whole.find(step, value, places, y, *whole.judge(y)) + whole.finish()
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(value) + 1, pieces))
    assert events(lambda: JumpDetector(noise=0.05), step, value, cuts) == repr(found)


@pytest.mark.parametrize("name", DETECTORS)
def test_one_point_at_a_time(name):
    step, value = sick_series(1, 700)
    whole = events(DETECTORS[name], step, value, [])
    assert events(DETECTORS[name], step, value, np.arange(1, 700)) == whole


@pytest.mark.parametrize("seed", [1, 3])
def test_long_series_cross_every_boundary(seed):
    step, value = sick_series(seed, 9000)
    for make in (SpikeDetector, DivergenceDetector):
        whole = events(make, step, value, [])
        cuts = [1023, 1024, 1025, 2047, 2048, 2050, 4095, 5000, 8999]
        assert events(make, step, value, cuts) == whole


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_remembered_is_bounded(name):
    def size(detector, seen=None):
        seen = set() if seen is None else seen
        if id(detector) in seen:
            return 0
        seen.add(id(detector))
        if isinstance(detector, np.ndarray):
            return detector.size
        if isinstance(detector, tuple | list):
            return sum(size(x, seen) for x in detector)
        return sum(size(x, seen) for x in getattr(detector, "__dict__", {}).values())

    step, value = sick_series(1, 30000)
    detector = DETECTORS[name]()
    detector.update(step, value)
    assert size(detector) < 16000


@pytest.mark.parametrize("name", DETECTORS)
def test_a_finished_series_is_watched_in_blocks(name):
    step, value = sick_series(5, 2 * BLOCK + 700)
    assert repr(watch(DETECTORS[name](), step, value)) == events(DETECTORS[name], step, value, [])


@pytest.mark.parametrize("window", [3, 60, 200])
def test_agreement_of_signs_is_that_of_a_loop(window):
    rng = np.random.default_rng(window)
    value = np.round(np.convolve(rng.standard_normal(500), [1, 0.7], "same"), 1)
    value[rng.random(500) < 0.02] = np.nan
    stream = SignAgreement(window, min_periods=20)
    cuts = np.sort(rng.integers(0, 500, 6))
    ours = np.concatenate([stream.update(part) for part in np.split(value, cuts)])
    sign = np.sign(np.nan_to_num(value))
    for i in range(500):
        pairs = [sign[j] * sign[j - 1] for j in range(max(i - window, 1), i)]
        expected = np.sin(np.pi / 2 * np.mean(pairs)) if len(pairs) >= 20 else 0.0
        assert ours[i] == pytest.approx(expected, abs=1e-15)
