"""Advice on inputs of which too few are valid, and on what they do to a loss."""

from __future__ import annotations

import numpy as np

from trainlens import words
from trainlens.prescribe.base import Advice, Case, Expectation, Hypothesis, Remedy, advises
from trainlens.prescribe.expecting import NOT_LOGGED, expect, series_of
from trainlens.prescribe.signs.look import named
from trainlens.rules.base import Finding
from trainlens.run import Series
from trainlens.stats.noise import median

_GATE: Remedy = (
    "weight the consistency loss by coverage, with a soft gate at 0.6",
    {"clip_loss.coverage_threshold": 0.6, "clip_loss.soft_gate": True},
)
_LOW, _RARE = 0.3, 0.25
"""Coverage that is too low, and the share of points up to which it is no habit of the run."""


@advises("low-coverage")
def _low_coverage(case: Case, finding: Finding) -> Advice:
    there = words.steps(finding.first_step, finding.last_step)
    look: Remedy = (f"look at the inputs of {there}", {})
    weighted = "weight_there" in finding.evidence
    return Advice(
        causes=(
            "projection or matching fails for these inputs",
            "the calibration or the masks of a part of the data are wrong",
        ),
        do=(look,) if weighted else (_GATE, look),
        verify="coverage stays above 0.3 in nine of ten steps"
        + ("" if weighted else ", or the weight of the loss falls with it"),
        expect=_better(case, finding) if weighted else _follows(case) or _better(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _follows(case: Case) -> tuple[Expectation, ...]:
    """A weight that falls where coverage does; nothing where none is logged.

    The gate changes the weight, not the coverage: that the inputs stay as they are is no sign
    that it does not work.
    """
    weight = _weight(case)
    return () if weight is None else expect(weight, "<", median(weight.value) / 2, "p5")


def _better(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """More coverage; in percent where the log has percent."""
    series = series_of(case, finding)
    percent = series is not None and float(series.finite.value.max()) > 1.5
    limit = finding.evidence.get("threshold", _LOW) * (100.0 if percent else 1.0)
    return expect(finding, ">", limit, "p10")


def _weight(case: Case) -> Series | None:
    held = [s.finite for s in named(case.run, "coverage_weight") if len(s.finite)]
    return held[0] if held else None


def few_valid(case: Case, first: int, last: int) -> Hypothesis | None:
    """Inputs of which few were valid, at the steps where something went wrong.

    Parameters
    ----------
    case : Case
    first, last : int
        Where it went wrong.

    Returns
    -------
    Hypothesis or None
        None where coverage is not logged, was no lower there, or is as low in more than a quarter
        of the other points. As good as known, unless the weight of the loss fell with it.
    """
    for series in case.run.with_role("coverage"):
        held = series.finite
        inside = (held.step >= first) & (held.step <= last)
        if not inside.any() or inside.all():
            continue
        unit = 100.0 if float(held.value.max()) > 1.5 else 1.0
        there, usual = (median(held.value[m]) / unit for m in (inside, ~inside))
        often = float(np.mean(held.value[~inside] < _LOW * unit))
        if there < _LOW and there < usual / 2 and often <= _RARE:
            return _few(case, series, (there, usual), (first, last))
    return None


def _few(
    case: Case,
    series: Series,
    level: tuple[float, float],
    steps: tuple[int, int],
) -> Hypothesis:
    there, usual = (words.percent(x, 2) for x in level)
    said = f"{series.metric} is {there} there and {usual} otherwise"
    look: Remedy = (f"look at the inputs of {words.steps(*steps)}", {})
    text = "batches of which few inputs are valid"
    if any("weight_there" in f.evidence for f in case.faults("low-coverage")):
        return Hypothesis(text, 0.7, said, (look,))
    return Hypothesis(text, 0.95, said, (_GATE, look))
