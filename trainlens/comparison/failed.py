"""The verdict of a row in which runs failed: what they showed before does not count."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainlens import words
from trainlens.comparison.model import Failure, Replicates, Row
from trainlens.comparison.ranks import smallest_p

_NAMED = 3
"""Failed runs that are named in a sentence."""


def of_pair(row: Row, outlasted: bool) -> tuple[str, str]:
    """Verdict and reason of two single runs, of which at least one failed.

    Parameters
    ----------
    row : Row
    outlasted : bool
        Whether the other run ends before the place where the one failed.
    """
    before, after = row.failed
    if before is not None and after is not None:
        return (
            "cannot-judge",
            f"both failed: {row.baseline} is {before.told}, {row.candidate} is {after.told}",
        )
    name, other, failure = _one(row)
    if outlasted:
        return (
            "cannot-judge",
            f"{name} is {failure.told}, but {other} ends before that: it is not known whether it "
            "would have lasted",
        )
    return (
        "worse" if after is not None else "better",
        f"{name} is {failure.told} and {other} is not: what {name} showed before does not count",
    )


def _one(row: Row) -> tuple[str, str, Failure]:
    """The run that failed, the other one, and how."""
    before, after = row.failed
    failure = after if before is None else before
    assert failure is not None
    names = row.baseline, row.candidate
    return *(names if before is not None else names[::-1]), failure


def of_groups(row: Row, found: Replicates, counts: bool) -> tuple[str, str]:
    """Verdict and reason of two arms with several runs, of which some failed.

    Where all runs of one arm failed and none of the other did, that decides, however few they
    are; else the test by ranks does, with all that failed at the worst one.

    Parameters
    ----------
    row : Row
    found : Replicates
    counts : bool
        Whether the p-value of the test counts, among all of the comparison.
    """
    runs = [len(scores) for scores in found.scores]
    lost = [len(failed) for failed in found.failed]
    said = list_of(found.failed[0] + found.failed[1])
    which = "better" if found.improvement > 0.5 else "worse"
    if lost == runs:
        return "cannot-judge", f"all runs of both failed: {said}"
    if (lost[0] == 0 and lost[1] == runs[1]) or (lost[1] == 0 and lost[0] == runs[0]):
        names = (row.baseline, row.candidate)
        arm, other = names if lost[0] else names[::-1]
        return which, f"all runs of {arm} failed and none of {other}: {said}"
    told = f"{_shares(row, runs, lost)} failed and {'counts' if sum(lost) == 1 else 'count'} as "
    told += f"worst ({said}): "
    if counts:
        return which, told + _chance(row, found)
    if smallest_p(*runs) > 0.05:
        few = " against ".join(words.plural(n, "run") for n in runs)
        told += f"the ranks of {few} can show no difference, four each can; "
        return "cannot-judge", told + _chance(row, found)
    return "indistinguishable", f"{told}that may be chance; {_chance(row, found)}"


def _shares(row: Row, runs: Sequence[int], lost: Sequence[int]) -> str:
    names = (row.baseline, row.candidate)
    return " and ".join(
        f"{words.step(k)} of {words.plural(n, 'run')} of {name}"
        for name, n, k in zip(names, runs, lost, strict=True)
        if k
    )


def _chance(row: Row, found: Replicates) -> str:
    told = (
        f"a run of {row.candidate} beats one of {row.baseline} with probability "
        f"{found.improvement:.2f}"
    )
    if row.difference is None:
        return told
    told += f", p = {words.number(row.difference.p, 2)} by ranks"
    mean = row.difference.mean
    if math.isnan(mean):
        return told
    rest = sum(map(len, found.scores)) - sum(map(len, found.failed))
    size = words.with_unit(abs(mean), row.unit)
    side = "lower" if mean < 0 else "higher"
    return f"{told}; among the {rest} others {row.candidate} is {side} by {size}"


def list_of(told: Sequence[str]) -> str:
    """Sentences about runs, the first ones of many.

    Examples
    --------
    >>> list_of(["a is NaN", "b is NaN", "c is NaN", "d is NaN"])
    'a is NaN; b is NaN; c is NaN; and 1 more'
    """
    more = [f"and {words.step(len(told) - _NAMED)} more"] if len(told) > _NAMED else []
    return "; ".join([*told[:_NAMED], *more])
