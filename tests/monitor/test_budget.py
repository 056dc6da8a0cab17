"""Looks take no more than their share of a core."""

from hypothesis import given
from hypothesis import strategies as st

from trainlens.monitor.budget import Budget


def test_a_debt_is_paid_by_waiting():
    budget = Budget(0.1)
    assert budget.allows(0.0)
    budget.spend(2.0)
    assert not budget.allows(19.9)
    assert budget.allows(20.1)


def test_idle_time_is_no_more_than_the_reserve():
    budget = Budget(0.5, reserve=1.0)
    assert budget.allows(0.0)
    assert budget.allows(1e6)
    budget.spend(1.5)
    assert not budget.allows(1e6)


@given(
    st.floats(0.01, 1.0),
    st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.0, 5.0)), min_size=1, max_size=60),
)
def test_over_time_work_takes_its_share_at_most(share, days):
    budget, tick, spent, most = Budget(share, 1.0), 0.0, 0.0, 0.0
    for waited, cost in days:
        tick += waited
        if budget.allows(tick):
            budget.spend(cost)
            spent, most = spent + cost, max(most, cost)
    assert spent <= 1.0 + share * tick + most + 1e-6


def test_a_clock_that_goes_back_gives_nothing():
    budget = Budget(1.0)
    budget.allows(100.0)
    budget.spend(1.0)
    assert not budget.allows(50.0)
    assert not budget.allows(100.5)
    assert budget.allows(101.5)
