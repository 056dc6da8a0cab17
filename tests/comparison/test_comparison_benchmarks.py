"""What the benchmarks of the comparison rest on, in a short form; the page that they fill."""

import re

import numpy as np
import pytest

from benchmarks.comparison import __main__ as main
from benchmarks.comparison import pairs, published, seeds
from benchmarks.diagnosis.pages import marks


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_noise_has_the_correlation_and_variance_that_it_says(rho):
    series = pairs.ar1(np.random.default_rng(0), (400, 500), rho, float("inf"))
    assert series.var() == pytest.approx(1, abs=0.03)
    assert (series[:, 1:] * series[:, :-1]).mean() == pytest.approx(rho, abs=0.03)


def test_curves_of_one_code_are_seldom_called_different():
    """At an autocorrelation of 0.9 a paired t-test cries wolf in two of three cases."""
    rng = np.random.default_rng(1)
    first, second = pairs.curves(rng, pairs.KINDS[0], 0.9, 200, 300)
    called = {
        name: np.mean([pairs.METHODS[name](b - a, rng) for a, b in zip(first, second, strict=True)])
        for name in ("paired t-test", "trainlens, all points", "trainlens compare")
    }
    assert called["paired t-test"] > 0.5
    assert called["trainlens, all points"] < 0.07 + 3 * 0.013
    assert called["trainlens compare"] < 0.07 + 3 * 0.013


def test_every_method_holds_what_is_certain():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal(10), 100 + rng.standard_normal(10)
    for method in seeds.METHODS.values():
        low, high = method(x, y, rng)
        assert 90 < low < 100 < high < 110


def test_the_arrays_for_rliable_have_runs_and_tasks():
    x, y = published.scores()
    assert x.shape == y.shape == (published.RUNS, published.TASKS)
    assert x.mean() > y.mean()


def test_options():
    assert main.options(["--part", "speed", "--quick"]).part == ["speed"]
    with pytest.raises(SystemExit):
        main.options(["--write", "--quick"])


def test_the_page_has_a_filled_table_for_every_block():
    page = main.PAGE.read_text(encoding="utf-8")
    names = re.findall(r"<!-- ([a-z-]+): begin -->", page)
    assert {"pair-sizes", "seed-coverage", "rliable", "comparison-speed"} <= set(names)
    for name in names:
        begin, end = marks(name)
        assert page.split(begin)[1].split(end)[0].strip().startswith("|"), name
