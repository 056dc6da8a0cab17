"""Functions of the user: applied as they are, known to a log by a table."""

import math
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainlens.stats.planned import parse  # noqa: E402 - after the skip
from trainlens_torch.schedules import Chain, Custom, LinearWarmup, schedule_from_spec  # noqa: E402


def stairs(p):
    return math.floor(p * 37) / 37


def teeth(p):
    return abs((p * 60) % 2 - 1)


FUNCTIONS = {
    "line": lambda p: 1 - p,
    "constant": lambda p: 0.1 + 0.2,
    "noise of rounding": lambda p: (1e8 + p) - 1e8 - p + 1e3,
    "root": math.sqrt,
    "steep": lambda p: math.exp(-400 * p),
    "wave": lambda p: math.sin(40 * p),
    "gate": lambda p: p >= 0.3,
    "jump and curve": lambda p: p * p if p < 1 / 3 else 5 - p**3,
    "stairs": stairs,
    "teeth": teeth,
    "tiny": lambda p: 1e-9 * math.cos(p),
    "large": lambda p: 1e12 * p * (1 - p),
    "sigmoid": lambda p: 1 / (1 + math.exp(-300 * (p - 0.6))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_table_follows_the_function(name):
    function = FUNCTIONS[name]
    schedule = Custom(function, name=name)
    p = np.linspace(0, 1, 30_011)
    true = np.array([float(function(x)) for x in p.tolist()])
    table = parse(schedule.spec()).factor(p)
    allowed = max(1e-4 * np.ptp(true), 1e-10 * np.abs(true).max())
    assert np.abs(table - true).max() <= allowed * (1 + 1e-6)
    assert len(schedule.table) <= 2000
    assert [schedule.factor(x) for x in p[:50].tolist()] == true[:50].tolist()
    again = schedule_from_spec(schedule.spec())
    assert [again.factor(x) for x in p.tolist()] == pytest.approx(
        table, rel=1e-12, abs=1e-12 * np.abs(true).max()
    )


def test_few_points_suffice():
    count = {name: len(Custom(function).table) for name, function in FUNCTIONS.items()}
    assert count["line"] == count["constant"] == 2
    assert count["gate"] == 4
    assert count["stairs"] == 1 + 2 * 37
    assert count["teeth"] <= 63
    assert max(count.values()) < 1200


def test_a_jump_is_found_where_it_is():
    """Also beside it, as near as two updates of a training can be."""
    (_, a), (left, b), (right, c), (_, d) = Custom(lambda p: p < 0.3).table
    assert left == right == pytest.approx(0.3, abs=1e-15)
    assert [a, b, c, d] == [1.0, 1.0, 0.0, 0.0]
    plan = parse(Custom(lambda p: p < 0.3).spec())
    total = 10_000_000
    assert plan.value([2_999_999, 3_000_000], total).tolist() == [1.0, 0.0]


def test_equality_goes_by_the_table():
    assert Custom(lambda p: p * p) == Custom(lambda q: q**2, name="square")
    assert hash(Custom(lambda p: p * p)) == hash(Custom(lambda q: q**2))
    assert Custom(lambda p: p) != Custom(lambda p: 1 - p)
    assert Custom(lambda p: p) != LinearWarmup()


def test_within_a_chain_and_through_pickle():
    chain = Chain(LinearWarmup(0.1), Custom(math.cos))
    assert chain(1.0) == math.cos(1.0)
    assert parse(chain.spec()).factor([1.0]) == pytest.approx([math.cos(1.0)])
    assert pickle.loads(pickle.dumps(chain)) == chain


@pytest.mark.parametrize(
    ("function", "error", "reason"),
    [
        (lambda p: float("nan"), ValueError, "gives nan at 0.0"),
        (lambda p: math.inf if p > 0.7 else 1.0, ValueError, "gives inf at 0.7"),
        (lambda p: "1", TypeError, "gives '1' at 0.0"),
        (lambda p: None, TypeError, "gives None"),
        (lambda p: torch.tensor(1.0), TypeError, "gives tensor"),
        (lambda p: math.sin(1e6 * p), ValueError, "too often"),
        (0.5, TypeError, "must be callable"),
    ],
)
def test_bad_functions(function, error, reason):
    with pytest.raises(error, match=reason):
        Custom(function)
