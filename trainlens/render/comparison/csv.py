"""A comparison as CSV: one number a line, with all of its digits, for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from trainlens.comparison.model import Comparison, Contrast, Interval, Row, Summary
from trainlens.render._visible import visible

COLUMNS = (
    "part", "metric", "split", "unit", "baseline", "candidate", "run", "at", "quantity", "value",
)  # fmt: skip
"""`part` is one of ``run``, ``at``, ``difference``, ``late``, ``variance``, ``replicates``,
``verdict``, ``gap``, ``setting`` and ``expectation``; `run` is the arm that a value is of, empty
for what is of both; `at` is a place on the axis, or a threshold."""
_SUMMARY = (
    "n", "mean", "std", "min", "min_step", "max", "max_step", "last", "last_step", "best",
    "best_step", "best_windowed", "best_windowed_step", "window", "area", "last_at",
)  # fmt: skip
_Line = tuple[Any, ...]


def page(comparison: Comparison) -> str:
    """The whole comparison as CSV.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        Numbers that are not known are ``nan``; percentages are such (27.4 is 27.4 %).
    """
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part in (_rows, _gaps, _settings, _expectations):
        writer.writerows(part(comparison))
    return visible(held.getvalue())  # It may be printed to a terminal.


def _rows(c: Comparison) -> Iterator[_Line]:
    for row in c.rows:
        known = (row.metric, row.split, row.unit, row.baseline, row.candidate)
        for part, run, at, quantity, value in _of_row(row):
            yield part, *known, run, at, quantity, value


def _of_row(row: Row) -> Iterator[_Line]:
    """Part, run, place, quantity and value of everything that is known of a row."""
    names = (row.baseline, row.candidate)
    for name, summary in zip(names, row.summaries, strict=True):
        yield from _of_summary(name, summary)
    for one in row.at:
        yield "at", row.baseline, one.step, "value", one.baseline
        yield "at", row.candidate, one.step, "value", one.candidate
        yield "at", "", one.step, "delta", one.delta
        yield "at", "", one.step, "percent", 100 * one.percent
        for name, value in _ends(one.interval):
            yield "at", "", one.step, name, value
    for part, contrast in (("difference", row.difference), ("late", row.late)):
        for name, value in _of_contrast(contrast):
            yield part, "", "", name, value
    if row.variance is not None:
        for name in ("ratio", "p", "needed"):
            yield "variance", "", "", name, getattr(row.variance, name)
    yield from _of_runs(row)
    for name in ("direction", "q", "verdict", "because"):
        yield "verdict", "", "", name, getattr(row, name)


def _of_summary(name: str, told: Summary) -> Iterator[_Line]:
    for quantity in _SUMMARY:
        yield "run", name, "", quantity, getattr(told, quantity)
    for threshold, at in told.reached.items():
        yield "run", name, threshold, "reached", at


def _of_contrast(found: Contrast | None) -> Iterator[tuple[str, Any]]:
    if found is None:
        return
    yield "mean", found.mean
    yield from _ends(found.interval)
    for name in ("n", "n_effective", "rho", "p", "needed"):
        yield name, getattr(found, name)


def _ends(found: Interval | None) -> Iterator[tuple[str, float]]:
    if found is not None:
        yield "low", found.low
        yield "high", found.high


def _of_runs(row: Row) -> Iterator[_Line]:
    r = row.replicates
    if r is None:
        return
    names = (row.baseline, row.candidate)
    for name, scores, iqm, around in zip(names, r.scores, r.iqm, r.iqm_intervals, strict=True):
        for score in scores:
            yield "replicates", name, "", "score", score
        yield "replicates", name, "", "iqm", iqm
        for end, value in _ends(around):
            yield "replicates", name, "", f"iqm {end}", value
    yield "replicates", "", "", "paired", r.paired
    yield "replicates", "", "", "improvement", r.improvement
    for end, value in _ends(r.improvement_interval):
        yield "replicates", "", "", f"improvement {end}", value


def _gaps(c: Comparison) -> Iterator[_Line]:
    for table in c.gaps:
        known = (table.metric, "gap", table.unit, table.baseline, table.candidate)
        for gap in table.rows:
            for name, value in ((table.baseline, gap.baseline), (table.candidate, gap.candidate)):
                yield "gap", *known, name, gap.step, "value", value


def _settings(c: Comparison) -> Iterator[_Line]:
    for one in c.config_diff:
        for name, value in one.values.items():
            yield "setting", "", "", "", c.baseline, "", name, "", one.key, value


def _expectations(c: Comparison) -> Iterator[_Line]:
    for one in c.expectations:
        asked = one.expectation
        known = (asked.metric, asked.split, one.unit, one.baseline, one.candidate)
        for quantity in ("status", "actual", "before", "low", "high", "because"):
            yield "expectation", *known, "", str(asked), quantity, getattr(one, quantity)
