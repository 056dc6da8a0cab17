"""What runs of one configuration show, as expectations of the next run: gates for CI.

From several runs a tolerance is learnt: where one more such run will lie. From fewer, the values
are golden ones, and a tolerance is to be said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from trainlens import words
from trainlens.comparison.endings import gone
from trainlens.comparison.model import Key
from trainlens.errors import UsageError
from trainlens.expectation import Expectation, measure
from trainlens.run import Run, Series

FEWEST = 3
"""Runs from which a tolerance is learnt."""
_ROLES = ("loss", "metric")


@dataclass(frozen=True)
class Learning:
    """What to learn of runs.

    Parameters
    ----------
    metrics, splits : tuple of str
        Names or patterns, none for all losses and measures of quality.
    stats : tuple of str
        Of `trainlens.expectation.STATS`.
    places : tuple of float
        Steps at which values are learnt as well.
    level : float
        Share of further runs that keep to one expectation.
    rtol, atol : float or None
        Tolerance around the mean in place of what the runs teach; needed with fewer than
        `FEWEST` runs.
    both : bool
        Values that are better than expected miss as well.
    """

    metrics: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    stats: tuple[str, ...] = ("end",)
    places: tuple[float, ...] = ()
    level: float = 0.99
    rtol: float | None = None
    atol: float | None = None
    both: bool = False

    @property
    def told(self) -> bool:
        """Whether the tolerance is said rather than learnt."""
        return self.rtol is not None or self.atol is not None


def learn(runs: Sequence[Run], asked: Learning) -> tuple[Expectation, ...]:
    """Expectations that one more run like these keeps to.

    The limit is that of a prediction interval: mean and spread of the runs, Student's t with
    n - 1 degrees of freedom, and the spread of a new run around a mean that is itself uncertain
    (Whitmore 1986, doi:10.1080/00031305.1986.10475374). Of a metric whose direction is known only
    the worse side is a limit.

    Parameters
    ----------
    runs : sequence of Run
    asked : Learning

    Returns
    -------
    tuple of Expectation

    Raises
    ------
    UsageError
        Too few runs to learn a tolerance, no common metric, an unknown statistic, a run that
        ended in values that are no numbers.
    """
    if not asked.told and len(runs) < FEWEST:
        raise UsageError(
            f"a tolerance is learnt from at least {FEWEST} runs, and there are {len(runs)}; "
            "name more, or say it: --rtol 0.02"
        )
    found = tuple(one for probe in _probes(runs, asked) if (one := _learnt(runs, probe, asked)))
    if not found:
        asked_for = " or ".join([*asked.metrics, *asked.splits]) or "a loss or a measure of quality"
        raise UsageError(f"the runs have no metric in common that is {asked_for}")
    return found


def _probes(runs: Sequence[Run], asked: Learning) -> Iterator[Expectation]:
    """What to take of the runs: expectations without a limit yet."""
    for metric, split in _shared(runs, asked):
        _refuse_failed(runs, (metric, split))
        blank = Expectation(metric, split, "==", 0.0, stat="end", unit=runs[0][metric, split].unit)
        for stat in asked.stats:
            yield replace(blank, stat=stat)
        for place in asked.places:
            yield replace(blank, stat="", at=place)


def _refuse_failed(runs: Sequence[Run], key: Key) -> None:
    for run in runs:
        failure = gone(run.series[key])
        if failure is not None:
            raise UsageError(
                f"{words.shortened(run.name)}: {key[1]}/{key[0]} is {failure.told}; limits are "
                "learnt from runs that ended well: leave it out"
            )


def _shared(runs: Sequence[Run], asked: Learning) -> list[Key]:
    return [
        key
        for key, series in runs[0].series.items()
        if all(key in run.series and len(run.series[key].finite) for run in runs)
        and _meant(series, asked)
    ]


def _meant(series: Series, asked: Learning) -> bool:
    if asked.splits and series.split not in asked.splits:
        return False
    if not asked.metrics:
        return series.role.name in _ROLES
    names = (series.metric, f"{series.split}/{series.metric}")
    return any(fnmatchcase(name, pattern) for name in names for pattern in asked.metrics)


def _learnt(runs: Sequence[Run], probe: Expectation, asked: Learning) -> Expectation | None:
    measured = [measure(run, probe)[0] for run in runs]
    if any(one.why or not math.isfinite(one.value) for one in measured):
        return None
    values = np.array([one.value for one in measured])
    mean = _rounded(float(values.mean()))
    if asked.told:
        return replace(probe, op="about", value=mean, rtol=asked.rtol, atol=asked.atol)
    reach = _reach(values, asked.level)
    direction = "" if asked.both else runs[0][probe.metric, probe.split].role.direction
    low, high = _rounded(mean - reach, -1), _rounded(mean + reach, +1)
    if direction == "min":
        return replace(probe, op="<=", value=high)
    if direction == "max":
        return replace(probe, op=">=", value=low)
    return replace(probe, op="between", value=low, upper=high)


def _reach(values: np.ndarray[tuple[int], np.dtype[np.float64]], level: float) -> float:
    from scipy.special import stdtrit

    n = len(values)
    t = float(stdtrit(n - 1, (1 + level) / 2))
    return t * float(values.std(ddof=1)) * math.sqrt(1 + 1 / n)


def _rounded(value: float, way: int = 0) -> float:
    """To six digits; away from the mean where it is a limit."""
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 5)
    rounded = np.round if way == 0 else np.floor if way < 0 else np.ceil
    return float(f"{float(rounded(value / unit)) * unit:.6g}")


def written(expectations: Iterable[Expectation], runs: Sequence[Run], asked: Learning) -> str:
    """The expectations as a TOML file that `trainlens.expectation.load` reads."""
    names = ", ".join(words.shortened(run.name) for run in runs[:6])
    more = f" and {len(runs) - 6} more" if len(runs) > 6 else ""
    how = (
        "golden values"
        if asked.told
        else f"limits that {words.percent(asked.level)} of further runs keep to, each by itself"
    )
    # JSON's strings are TOML's basic strings; a name may hold a line break.
    lines = [f"# Learnt from {words.plural(len(runs), 'run')}: {json.dumps(names + more)[1:-1]}",
             f"# {how}", "expect = ["]  # fmt: skip
    lines += [f"  {json.dumps(str(one), ensure_ascii=False)}," for one in expectations]
    return "\n".join([*lines, "]", ""])
