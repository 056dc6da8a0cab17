"""Points one at a time, or mixed with chunks: the signal of a spike detector bit for bit."""

from dataclasses import fields

import numpy as np
import pytest

from trainlens.detect._signal import SpikeSignal, Tuning
from trainlens.detect._streams import Previous, RollingQuantile, RunningExtreme, SignAgreement
from trainlens.detect._tail import PeaksOverThreshold


def series(seed, n, log):
    """Noise with spikes; rounded, huge or crossing 0 by its seed."""
    rng = np.random.default_rng(seed)
    value = (1 + np.arange(n)) ** -0.3 * np.exp(0.05 * rng.standard_normal(n))
    value = np.round(value, 2) if seed % 3 == 0 else value
    value = value * 1e300 if seed % 4 == 1 else value
    for _ in range(5):
        at = rng.integers(0, n)
        value[at : at + rng.integers(1, 30)] *= rng.uniform(1.5, 60)
    return np.abs(value) + 1e-12 if log else value - 0.3


def mixed(stream, value, rng):
    """What a stream gives, fed one by one with chunks in between."""
    found, at = [], 0
    while at < len(value):
        if rng.random() < 0.98:
            found.append(stream.one(float(value[at])))
            at += 1
        else:
            size = int(rng.integers(1, 80))
            found += np.asarray(stream.update(value[at : at + size])).tolist()
            at += size
    return np.array(found)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_the_signal_is_the_same(seed, log):
    value = series(seed, 2600, log)
    with np.errstate(all="ignore"):
        whole = SpikeSignal(Tuning(), log).update(value)
        single = SpikeSignal(Tuning(), log)
        points = [single.one(float(x)) for x in value]
    for field in fields(whole):
        expected = getattr(whole, field.name)
        found = np.array([getattr(p, field.name) for p in points], expected.dtype)
        np.testing.assert_array_equal(found, expected, err_msg=field.name)


STREAMS = {
    "median": lambda: RollingQuantile(5),
    "late": lambda: RollingQuantile(15, lag=5, min_periods=4),
    "upper": lambda: RollingQuantile(101, 0.975, lag=1, min_periods=50),
    "one": lambda: RollingQuantile(1, lag=1),
    "signs": lambda: SignAgreement(101, 20),
    "largest": lambda: RunningExtreme(largest=True),
    "smallest": lambda: RunningExtreme(largest=False),
    "tail": PeaksOverThreshold,
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("seed", range(4))
def test_streams_one_by_one(name, seed):
    rng = np.random.default_rng(seed)
    value = rng.standard_normal(2500)
    if name not in ("signs", "tail"):
        value[rng.random(2500) < 0.01] = np.nan
        value[rng.random(2500) < 0.01] = np.inf
    whole = STREAMS[name]().update(value)
    np.testing.assert_array_equal(mixed(STREAMS[name](), value, rng), whole)


def test_previous_points():
    before = Previous(3)
    assert np.isnan([before.one(1.0), before.one(2.0), before.one(3.0)]).all()
    assert before.one(4.0) == 1.0
    assert before.join(np.array([5.0])).tolist() == [2.0, 3.0, 4.0, 5.0]
    assert before.one(6.0) == 3.0
