"""The smallest number for which something holds."""

from __future__ import annotations

from collections.abc import Callable


def smallest(holds: Callable[[int], bool], above: int, guess: float, most: int) -> int | None:
    """The smallest number of points for which something holds that more points keep true.

    Parameters
    ----------
    holds : callable
        Of a number; once true, true for all larger ones.
    above : int
        A number for which it does not hold.
    guess : float
        Where to look first; a good one saves calls.
    most : int
        Largest number to try.

    Returns
    -------
    int, or None where it holds for no number up to `most`

    Examples
    --------
    >>> smallest(lambda n: n * n > 1000, 0, 40.0, 10**6), smallest(lambda n: n > 9, 0, 1.0, 8)
    (32, None)
    """
    low, high = above, int(min(max(guess, above + 1), most))
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(high + max(high // 8, 1), most)
    step = max(high // 8, 1)
    while high - low > step and holds(high - step):
        high, step = high - step, 2 * step
    low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
