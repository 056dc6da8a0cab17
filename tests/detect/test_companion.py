"""What the training loss did between two evaluations: a spike that is over by then counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.detect.companion import training_at
from trainlens.run import Chunk, Column, Run, unknown

STEP = np.arange(1, 201)
EVALUATED = np.arange(20, 201, 20)


def companion(value, i):
    column = Column("loss", STEP, np.asarray(value, float), unknown(200), unknown(200))
    return training_at(Run("r", "r", "synthetic").extend(Chunk((column,))), EVALUATED, i)


def level(seed=0):
    return 0.5 + 0.02 * np.random.default_rng(seed).standard_normal(len(STEP))


@pytest.mark.parametrize("last", [110, 115, 120])
def test_a_burst_before_the_evaluation_explains_it(last):
    value = level()
    value[last - 10 : last] = 2.0
    at = companion(value, 5)  # steps 101 to 120
    assert at.rose
    assert at.after == pytest.approx(2.0)
    assert at.explains(0.1, of_loss=False)


def test_also_where_it_began_before_the_evaluation_before():
    value = level()
    value[96:112] = 2.0  # steps 97 to 112
    assert companion(value, 5).rose


def test_a_burst_behind_the_evaluation_does_not():
    value = level()
    value[120:130] = 2.0
    at = companion(value, 5)
    assert not at.rose
    assert at.calm


def test_single_high_points_do_not():
    value = level()
    value[[103, 107, 111, 115]] = 2.0
    assert not companion(value, 5).rose


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_noise_is_calm(seed, i):
    assert not companion(level(seed), i).rose
