"""A stalled training brought down: fixed rate, ReduceLROnPlateau and the adaptive manager.

``python -m benchmarks adaptive`` trains all of them and compares; ``python -m benchmarks.adaptive``
prints every decision as well, and ``--simulate N`` how often simulated healthy runs are touched.
"""

from collections.abc import Iterator

from benchmarks.table import Row

__all__ = ["results"]


def results(quick: bool = False) -> Iterator[Row]:
    """Rows of the benchmark; torch is loaded here."""
    from benchmarks.adaptive.results import results as found

    return found(quick)
