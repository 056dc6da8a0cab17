"""How often the tests behind the rules see something in noise."""

import numpy as np
import pytest

from benchmarks.diagnosis.noise import ar1
from benchmarks.diagnosis.sizes import TESTS


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("name", list(TESTS))
def test_a_nominal_level_of_5_percent_is_one(name, rho):
    """3 to 7 % (``--sizes`` measures it closely), and three deviations of 700 runs."""
    rng = np.random.default_rng(11)
    wrong = sum(
        TESTS[name](0.03 * (ar1(60, rho, rng) if rho else rng.standard_normal(60)))
        for _ in range(700)
    )
    assert 0.011 < wrong / 700 < 0.099
