"""Values of a record: the same whenever it is written again, another for each training."""

from __future__ import annotations

import random


def numbers(run: int, count: int, many: int) -> list[float]:
    """So many numbers in [0, 1) for record `count` of training `run`."""
    rng = random.Random(run * 1_000_003 + count)
    return [rng.random() for _ in range(many)]


class Counted:
    """What all writers know: their training, their number, how many records they made.

    Parameters
    ----------
    run, number : int
    """

    def __init__(self, run: int, number: int) -> None:
        self.run, self.number, self.count = run, number, 0

    def next(self, many: int) -> list[float]:
        """Numbers of one more record."""
        self.count += 1
        return numbers(self.run, self.count, many)
