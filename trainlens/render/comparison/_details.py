"""What is said of a single row of a comparison, and the small tables beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.comparison.model import At, GapTable, Row, Summary
from trainlens.render._cells import Table
from trainlens.render.comparison import _sentences, _words
from trainlens.words import shortened

if TYPE_CHECKING:
    from trainlens.comparison.expectations import Judged


def sentences(row: Row, by: str, known: bool, alone: bool) -> Iterator[str]:
    """What there is to say of a row.

    Parameters
    ----------
    row : Row
    by : str
        What the runs are aligned by.
    known : bool
        Whether the reason for the verdict was said already.
    alone : bool
        Whether no other metric was looked at.
    """
    if row.because and not known:
        yield _words.ended(row.because)
    said = (
        _sentences.late(row),
        _sentences.weight(row),
        _sentences.spread(row),
        *_sentences.runs(row),
        "" if alone else _sentences.discovery(row),
        _sentences.matched(row, by),
    )
    yield from filter(None, said)


def statistics(rows: Sequence[Row], by: str) -> Table:
    """Mean, spread, best and last of all sides of a metric, and when thresholds were reached.

    Parameters
    ----------
    rows : sequence of Row
        One a candidate, all of one metric.
    by : str
    """
    row = rows[0]
    held = (row.summaries[0], *(r.summaries[1] for r in rows))
    beside = len(rows) > 1
    several = row.replicates is not None
    told = list(_of_runs() if several else _of_curves(held, row.direction, not beside))
    where = "after" if by == "time" else f"at {by}"
    for threshold in dict.fromkeys(t for s in held for t in s.reached):
        name = f"reaches {words.with_unit(threshold, row.unit)} {where}"
        told.append((name, partial(_words.reached, threshold=threshold, by=by)))
    told.append(("runs" if several else "points", lambda s: words.step(s.n)))
    if not beside:
        return Table(("", *_names(rows)), tuple((name, *map(show, held)) for name, show in told))
    # Many sides stand below each other, and what tells least can go.
    lines = tuple(
        (name, *(show(s) for _, show in told)) for name, s in zip(_names(rows), held, strict=True)
    )
    drop = (len(told), *range(len(told) - 1, 1, -1))
    return Table(("", *(name for name, _ in told)), lines, drop=drop)


def _names(rows: Sequence[Row]) -> list[str]:
    return [shortened(name, 24) for name in (rows[0].baseline, *(r.candidate for r in rows))]


_Shown = Iterator[tuple[str, Callable[[Summary], str]]]


def _of_runs() -> _Shown:
    for name, field in (("mean", "mean"), ("std", "std"), ("smallest", "min"), ("largest", "max")):
        yield name, partial(_number, field=field)


def _of_curves(held: Sequence[Summary], direction: str, places: bool) -> _Shown:
    """What curves amount to, with the step of what has one where there is room for it."""
    sizes = _words.listed([words.step(n) for n in dict.fromkeys(s.window for s in held)])
    known = [("best", "best"), (f"best mean of {sizes}", "best_windowed")]
    extremes = known if direction else [("smallest", "min"), ("largest", "max")]
    yield "mean", partial(_number, field="mean")
    yield "std", partial(_number, field="std")
    for name, field in (*extremes, ("last", "last")):
        if places:
            yield f"{name}, at step", partial(_number_at, field=field)
        else:
            yield name, partial(_number, field=field)
    yield "mean along the axis", partial(_number, field="area")


def _number(summary: Summary, field: str) -> str:
    return _words.value(getattr(summary, field))


def _number_at(summary: Summary, field: str) -> str:
    return _words.number_at(getattr(summary, field), getattr(summary, f"{field}_step"))


def at(rows: Sequence[Row], by: str) -> Table:
    """All sides of a metric at the chosen places.

    Parameters
    ----------
    rows : sequence of Row
        One a candidate; of a single one the difference has its interval.
    by : str
    """
    if len(rows) == 1:
        return _pair_at(rows[0], by)
    known = {(one.step, k): one for k, row in enumerate(rows) for one in row.at}
    lines = []
    for step in sorted({step for step, _ in known}):
        here = [known.get((step, k)) for k in range(len(rows))]
        base = next(one.baseline for one in here if one is not None)
        lines.append((words.place(step, by), _words.value(base), *map(_beside, here)))
    drop = tuple(range(len(rows) + 1, 2, -1))
    return Table((_axis(by), *_names(rows)), tuple(lines), drop=drop, left=(), short=())


def _beside(one: At | None) -> str:
    if one is None or math.isnan(one.candidate):
        return _words.NOTHING
    share = "" if math.isnan(one.percent) else f" ({_words.percent(one.percent)})"
    return f"{_words.value(one.candidate)}{share}"


def _pair_at(row: Row, by: str) -> Table:
    lines = tuple(
        (
            words.place(one.step, by),
            _words.value(one.baseline),
            _words.value(one.candidate),
            f"{_words.signed(one.delta)} {_words.between(one.interval)}".rstrip(),
            _words.percent(one.percent),
        )
        for one in row.at
    )
    heads = (_axis(by), *_names([row]), "difference [95 %]", "percent")
    return Table(heads, lines, drop=(4,), left=(), short=())


def _axis(by: str) -> str:
    return "after" if by == "time" else by


def gaps(found: GapTable, by: str) -> Table:
    """Generalization gaps of both runs at the chosen places."""
    heads = (_axis(by), shortened(found.baseline, 24), shortened(found.candidate, 24), "change")
    rows = tuple(
        (
            words.place(g.step, by),
            _words.signed(g.baseline),
            _words.signed(g.candidate),
            _words.signed(g.change),
        )
        for g in found.rows
    )
    return Table(heads, rows, left=(), short=())


def expectation(one: Judged, before: bool) -> tuple[str, ...]:
    """An expectation as a row of a table: what, before where wanted, now, whether met."""
    then = (_words.value(one.before),) if before else ()
    return str(one.expectation), *then, _words.value(one.actual), _words.STATES[one.status]


def reason(one: Judged, several: bool) -> str:
    """Why an expectation is missed or cannot be judged."""
    who = f"{one.candidate}, " if several else ""
    return f"{who}{one.expectation}: {_words.ended(one.because)}"
