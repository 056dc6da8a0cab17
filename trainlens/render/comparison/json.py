"""A comparison as JSON, ``trainlens.comparison/1``: versioned and stable.

Version history
---------------
1 : first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainlens.chunk import Notice
from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import (
    Arm,
    At,
    Comparison,
    Contrast,
    GapTable,
    Interval,
    Replicates,
    Row,
    Summary,
    Variances,
)
from trainlens.render.comparison._words import headline
from trainlens.render.json import laid_out, notice_dict, plain

SCHEMA = "trainlens.comparison/1"
FILE = "comparison.json"
"""Where it lies in the folder of a page."""


def document(comparison: Comparison, notices: Sequence[Notice] = ()) -> dict[str, Any]:
    """A comparison as plain JSON values.

    Parameters
    ----------
    comparison : Comparison
    notices : sequence of Notice
        Besides those of its runs: about files that became no run.

    Returns
    -------
    dict
        One entry of ``metrics`` for each metric, split and candidate. What is called ``percent``
        is one (27.4 is 27.4 %). Numbers that JSON cannot hold (NaN, infinities) are null.
    """
    told: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "baseline": comparison.baseline,
            "candidates": list(comparison.candidates),
            "by": comparison.by,
            "sentence": headline(comparison),
            "metrics": [_row(row) for row in comparison.rows],
            "gaps": [_gaps(table) for table in comparison.gaps],
            "config_diff": {one.key: dict(one.values) for one in comparison.config_diff},
            "expectations": [_judged(one) for one in comparison.expectations],
            "cautions": [
                {"kind": c.kind, "candidate": c.candidate, "message": c.message}
                for c in comparison.cautions
            ],
            "arms": [_arm(arm) for arm in comparison.arms],
            "notices": [notice_dict(n) for n in (*comparison.notices, *notices)],
        }
    )
    return told


def brief(comparison: Comparison) -> dict[str, Any]:
    """What a report of the runs says of their comparison: plain JSON values.

    Returns
    -------
    dict
        The runs of each side, and of each metric and candidate the verdict, why, and the
        difference with its interval; the rest is in ``file``, beside the report.
    """
    told: dict[str, Any] = plain(
        {
            "file": FILE,
            "sentence": headline(comparison),
            "baseline": comparison.baseline,
            "sides": {arm.name: [run.name for run in arm.runs] for arm in comparison.arms},
            "metrics": [_brief(row) for row in comparison.rows],
        }
    )
    return told


def _brief(row: Row) -> dict[str, Any]:
    difference = row.difference
    return {
        "metric": row.metric,
        "split": row.split,
        "unit": row.unit,
        "candidate": row.candidate,
        "verdict": row.verdict,
        "because": row.because,
        "difference": None if difference is None else difference.mean,
        "interval": None if difference is None else _interval(difference.interval),
    }


def dumps(comparison: Comparison, notices: Sequence[Notice] = ()) -> str:
    """`document` as text, indented, ASCII only."""
    return laid_out(document(comparison, notices))


def _row(row: Row) -> dict[str, Any]:
    names = (row.baseline, row.candidate)
    return {
        "metric": row.metric,
        "split": row.split,
        "unit": row.unit,
        "direction": row.direction,
        "baseline": row.baseline,
        "candidate": row.candidate,
        "runs": {n: _summary(s) for n, s in zip(names, row.summaries, strict=True)},
        "at": [_at(one, names) for one in row.at],
        "difference": _contrast(row.difference),
        "late": _contrast(row.late),
        "variance": _variances(row.variance),
        "replicates": _replicates(row.replicates, names),
        "alignment": _alignment(row),
        "q": row.q,
        "verdict": row.verdict,
        "because": row.because,
    }


def _summary(told: Summary) -> dict[str, Any]:
    known = {name: getattr(told, name) for name in _SUMMARY}
    reached = [{"threshold": t, "at": at} for t, at in told.reached.items()]
    return known | {"reached": reached}


_SUMMARY = (
    "n", "mean", "std", "min", "min_step", "max", "max_step", "last", "last_step", "best",
    "best_step", "best_windowed", "best_windowed_step", "window", "area", "last_at",
)  # fmt: skip


def _at(one: At, names: tuple[str, str]) -> dict[str, Any]:
    # A run may be called "step": the fields of this format come last and stay what they are.
    return {
        names[0]: one.baseline,
        names[1]: one.candidate,
        "step": _place(one.step),
        "delta": one.delta,
        "percent": 100 * one.percent,
        "interval": _interval(one.interval),
        "values": [one.baseline, one.candidate],
    }


def _interval(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]


def _contrast(found: Contrast | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "mean": found.mean,
        "interval": _interval(found.interval),
        "n": found.n,
        "n_effective": found.n_effective,
        "rho": found.rho,
        "p": found.p,
        "needed": found.needed,
        "method": found.method,
    }


def _variances(found: Variances | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "std": list(found.std),
        "ratio": found.ratio,
        "p": found.p,
        "needed": found.needed,
    }


def _replicates(found: Replicates | None, names: tuple[str, str]) -> dict[str, Any] | None:
    if found is None:
        return None
    sides = zip(names, found.scores, found.iqm, found.iqm_intervals, strict=True)
    runs = {
        name: {"scores": list(scores), "iqm": iqm, "iqm_interval": _interval(around)}
        for name, scores, iqm, around in sides
    }
    return {
        "runs": runs,
        "paired": found.paired,
        "improvement": found.improvement,
        "improvement_interval": _interval(found.improvement_interval),
    }


def _alignment(row: Row) -> dict[str, Any] | None:
    found = row.alignment
    if found is None:
        return None
    return {
        "matched": len(found),
        "exact": found.exact,
        "of": list(found.of),
        "shares": list(found.shares),
        "why": found.why,
    }


def _gaps(table: GapTable) -> dict[str, Any]:
    rows = [
        {
            "step": _place(gap.step),
            "values": [gap.baseline, gap.candidate],
            "delta": gap.change,
        }
        for gap in table.rows
    ]
    return {
        "metric": table.metric,
        "split": table.split,
        "unit": table.unit,
        "baseline": table.baseline,
        "candidate": table.candidate,
        "at": rows,
    }


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "text": str(one.expectation),
        **one.expectation.mapping,
        "candidate": one.candidate,
        "status": one.status,
        "actual": one.actual,
        "before": one.before,
        "limits": [one.low, one.high],
        "because": one.because,
    }


def _arm(arm: Arm) -> dict[str, Any]:
    runs = [
        {
            "name": run.name,
            "path": run.source,
            "format": run.format,
            "attempts": run.attempts,
            "steps": list(run.steps) if run.steps else None,
        }
        for run in arm.runs
    ]
    return {"name": arm.name, "seeds": list(arm.seeds), "runs": runs}


def _place(at: float) -> float | int:
    """A place on the axis, without a point where it is whole."""
    return int(at) if float(at).is_integer() else at
