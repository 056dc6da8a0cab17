"""Better, worse, or not to be told apart: the decision of one row, with its reason in words.

A row has up to two looks at the difference: all matched points, and their last half, which is
what the end of training says. Each counts at half of the level, so that both together keep it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from trainlens import words
from trainlens.comparison import failed
from trainlens.comparison.model import Contrast, Interval, Replicates, Row
from trainlens.stats.contrast import LEAST

LEVEL = 0.05
"""False discovery rate of the rows of a comparison; the level of the one test of a lone row."""
_ALIKE = (
    "but the configurations are the same but for seeds and names: two runs of one configuration "
    "differ like this"
)
_FADED = 0.25
"""A late difference below this share of the overall one, and not sure, has faded."""


@dataclass(frozen=True)
class Known:
    """What to know about a pair of arms before their differences are judged.

    Parameters
    ----------
    replicates : bool
        The configurations differ in seeds and names at most.
    single : bool
        One run each.
    allowance : float
        What a change of seed alone may shift the metric by, in its unit; 0 where unknown.
    allowed_because : str
        Where that comes from, in words.
    refused : str
        Why one run a side cannot tell at all, empty where it may.
    apart : float
        Mean difference of the last half of the matched points where all of these lie on one side;
        NaN where they do not, or are few.
    points : int
        How many these are.
    outlasted : bool
        Whether one run failed where the other had ended.
    """

    replicates: bool = False
    single: bool = True
    allowance: float = 0.0
    allowed_because: str = ""
    refused: str = ""
    apart: float = math.nan
    points: int = 0
    outlasted: bool = False

    @property
    def separate(self) -> bool:
        """Whether two runs end so far apart, and so lastingly, that no seed explains it."""
        open_to_judgement = self.single and not self.replicates and not self.refused
        return open_to_judgement and abs(self.apart) > self.allowance


def tested(row: Row) -> float:
    """The p-value of a row: of its two looks, the smaller one twice; NaN where it has none.

    Where one of two single runs failed, no look decides.
    """
    if any(row.failed):
        return math.nan
    looks = [c.p for c in (row.difference, row.late) if c is not None]
    return min(1.0, len(looks) * min(looks)) if looks else math.nan


def judged(row: Row, known: Known) -> Row:
    """The row with its verdict and the reason for it.

    Parameters
    ----------
    row : Row
        With `q` filled in; a reason that stands there already is kept: it cannot be judged.
    known : Known
    """
    if any(row.failed):
        verdict, because = failed.of_pair(row, known.outlasted)
        scope = _scope(known) if verdict in ("better", "worse") else ""
        return replace(row, verdict=verdict, because=because + scope)
    if row.because and row.difference is None:
        return row
    if row.replicates is not None and any(row.replicates.failed):
        return _judged_by_ranks(row, row.replicates, known)
    if row.difference is None:
        return replace(row, because="there is no difference to judge")
    verdict, because = _decided(row, known)
    return replace(row, verdict=verdict, because=because)


def _judged_by_ranks(row: Row, found: Replicates, known: Known) -> Row:
    verdict, because = failed.of_groups(row, found, row.q <= LEVEL)
    if known.replicates and verdict in ("better", "worse"):
        verdict, because = "indistinguishable", f"{because}, {_ALIKE}"
    return replace(row, verdict=verdict, because=because)


def _decided(row: Row, known: Known) -> tuple[str, str]:
    overall = row.difference
    assert overall is not None
    if not row.direction:
        told = _told(row, overall, "")
        return (
            "cannot-judge",
            f"{told}; it is not known whether lower or higher {row.metric} is better",
        )
    drifts = overall.n_effective < LEAST and known.single
    if known.separate and (drifts or not row.q <= LEVEL):
        return _better(row, known.apart), _separate(row, known)
    if drifts:
        return "cannot-judge", _drift(row)
    if not row.q <= LEVEL:
        return "indistinguishable", _too_close(row, known)
    look, where = _deciding(row)
    if look is None:
        return "indistinguishable", _faded(row)
    if known.replicates:
        return "indistinguishable", _same_code(row, look, where)
    if known.refused:
        return "cannot-judge", f"{_told(row, look, where)}, but {known.refused}"
    if known.single and abs(look.mean) <= known.allowance:
        return "indistinguishable", _within(row, look, where, known)
    return _better(row, look.mean), _told(row, look, where) + _scope(known)


def _better(row: Row, difference: float) -> str:
    return "better" if (difference < 0) == (row.direction == "min") else "worse"


def _deciding(row: Row) -> tuple[Contrast | None, str]:
    """The look that decides, and what it looks at; None where an early difference has faded."""
    overall, late = row.difference, row.late
    assert overall is not None
    if late is None:
        return overall, ""
    if late.p <= LEVEL / 2:
        return late, "late"
    if np.sign(late.mean) != np.sign(overall.mean) or abs(late.mean) < _FADED * abs(overall.mean):
        return None, ""
    return overall, ""


def _told(row: Row, look: Contrast, where: str) -> str:
    """Which way, by how much and how sure."""
    over = {"late": f" over the last {words.step(look.n)} matched points"}.get(where, "")
    return f"{_shifted(row, look)}{over}, 95 % interval {interval(look.interval)}"


def _shifted(row: Row, look: Contrast) -> str:
    """Which way, and by how much, also as share of the baseline."""
    base = row.summaries[0].mean
    known = base > 0 and math.isfinite(base)
    share = f" ({words.percent(abs(look.mean) / base)})" if known else ""
    size = words.with_unit(abs(look.mean), row.unit)
    return f"{row.candidate} is {_side(look.mean)} by {size}{share}"


def _side(difference: float) -> str:
    return "lower" if difference < 0 else "higher"


def interval(found: Interval) -> str:
    """An interval in words.

    Examples
    --------
    >>> interval(Interval(-1.234, 8.1)), interval(Interval(-float("inf"), 3.0))
    ('−1.23 to +8.1', '−∞ to +3')
    """
    return f"{words.signed(found.low, 3)} to {words.signed(found.high, 3)}"


def _scope(known: Known) -> str:
    """What such a difference says about the configurations."""
    if not known.single:
        return ""
    return "; these two runs differ, and one run each does not show that the configuration is why"


def _too_close(row: Row, known: Known) -> str:
    overall = row.difference
    assert overall is not None
    if overall.p <= LEVEL:
        rest = "which would count alone; among as many tests as here it may be chance"
    elif not overall.mean:
        return f"{row.candidate} and {row.baseline} are equal at every matched point"
    else:
        rest = "which contains 0" + _settling(overall, known)
    return f"{_told(row, overall, '')}, {rest}"


def _drift(row: Row) -> str:
    overall = row.difference
    assert overall is not None
    return (
        f"on average {_shifted(row, overall)}, but the {words.step(overall.n)} differences are one "
        "long drift that tells no more than a single point: longer runs would tell"
    )


def _separate(row: Row, known: Known) -> str:
    """The curves are so smooth that their difference has no interval, and far apart all along."""
    size = words.with_unit(abs(known.apart), row.unit)
    most = words.with_unit(known.allowance, row.unit)
    return (
        f"{row.candidate} is {_side(known.apart)} at each of the last {words.step(known.points)} "
        f"matched points, by {size} on average, where a change of seed alone may bring {most}"
        + _scope(known)
    )


def _settling(look: Contrast, known: Known) -> str:
    if look.needed is None:
        return ""
    if known.single:
        return (
            f"; about {words.plural(look.needed, 'matched evaluation')} would settle a difference "
            f"of this size, and there are {words.step(look.n)}"
        )
    return f"; about {words.plural(look.needed, 'run')} each would settle a difference of this size"


def _faded(row: Row) -> str:
    overall, late = row.difference, row.late
    assert overall is not None
    assert late is not None
    return (
        f"{_told(row, overall, '')}, but that is from the first half: over the last "
        f"{words.step(late.n)} matched points {words.signed(late.mean)} "
        f"({interval(late.interval)})"
    )


def _same_code(row: Row, look: Contrast, where: str) -> str:
    return f"{_told(row, look, where)}, {_ALIKE}"


def _within(row: Row, look: Contrast, where: str, known: Known) -> str:
    most = words.with_unit(known.allowance, row.unit)
    why = f" ({known.allowed_because})" if known.allowed_because else ""
    return (
        f"{_told(row, look, where)}: the curves differ, but a change of seed alone may shift them "
        f"by {most}{why}; three seeds each would tell"
    )
