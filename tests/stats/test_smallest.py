"""The smallest number for which something holds, against looking at every one."""

from hypothesis import given
from hypothesis import strategies as st

from trainlens.stats.smallest import smallest


@given(st.integers(1, 400), st.integers(0, 100), st.floats(0, 1e6), st.integers(1, 300))
def test_equal_to_looking_at_every_number(first, above, guess, more):
    most = above + more
    wanted = next((n for n in range(above + 1, most + 1) if n >= first), None)
    assert smallest(lambda n: n >= first, above, guess, most) == wanted


def test_a_good_guess_saves_calls():
    asked = []

    def holds(n):
        asked.append(n)
        return n >= 100_000

    assert smallest(holds, 0, 101_000.0, 10**9) == 100_000
    assert len(asked) < 25
