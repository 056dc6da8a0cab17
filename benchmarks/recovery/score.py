"""Counting what a reader made of damaged logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.recovery.cases import Case, Triple
from benchmarks.recovery.worker import CRASH, HANG


@dataclass
class Score:
    """Sums over all cases.

    Parameters
    ----------
    cases : int
    intact, kept : int
        Points of untouched records, and those of them that came back.
    other, other_kept : int
        The same of runs in which nothing was touched.
    invented : int
        Points that were never logged.
    errors, crashes, hangs : int
        Cases that ended in an exception, a dead process, no answer.
    touched : int
        Cases in which reading changed the files.
    """

    cases: int = 0
    intact: int = 0
    kept: int = 0
    other: int = 0
    other_kept: int = 0
    invented: int = 0
    errors: int = 0
    crashes: int = 0
    hangs: int = 0
    touched: int = 0

    def add(self, case: Case, answer: Any, touched: bool) -> None:
        """Count what a reader answered about a case."""
        self.cases += 1
        self.touched += touched
        self.intact += case.intact.total()
        self.other += case.other.total()
        if isinstance(answer, str):
            self.crashes += answer == CRASH
            self.hangs += answer == HANG
            self.errors += answer not in (CRASH, HANG)
            return
        got = _counted(answer)
        self.kept += (case.intact & got).total()
        self.other_kept += (case.other & got).total()
        if case.headless:
            return
        self.invented += sum(n for point, n in got.items() if point not in case.possible)


def _counted(answer: Iterable[tuple[str, int, float]]) -> Counter[Triple]:
    return Counter((name, step, value if value == value else "nan") for name, step, value in answer)


def percent(part: int, whole: int) -> str:
    """A share in percent, never rounded up to 100."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return "100 %" if part == whole else f"{min(share, 99.99):.2f} %"
