"""What a comparison consists of on paper: titles, sentences and tables, in their order.

Every output for people prints these blocks; none has words of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import Comparison, Row
from trainlens.render._cells import Table
from trainlens.render.comparison import _details, _words
from trainlens.render.comparison._cautions import cautions
from trainlens.words import shortened

_METRICS, _CANDIDATES, _SETTINGS, _NOTICES = 20, 20, 20, 5
"""Rows that are shown where not all are wanted."""
_FEW = 4
"""So many candidates can stand side by side."""
_DETAILED = 3
"""Rows that are told of at length where not all are wanted."""


@dataclass(frozen=True)
class Block:
    """A part of a comparison.

    Parameters
    ----------
    title : str
        Empty where it goes on with what is above.
    sentences : tuple of str
    table : Table or None
    notes : tuple of str
        Below the table.
    level : int
        1 is the whole, 2 a section, 3 a part of one.
    """

    title: str = ""
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()
    level: int = 2


def blocks(
    comparison: Comparison, everything: bool = False, parts: Sequence[str] = ()
) -> tuple[Block, ...]:
    """A comparison as blocks.

    Parameters
    ----------
    comparison : Comparison
    everything : bool
        All rows at length, instead of the metrics and candidates that tell most.
    parts : sequence of str
        Keys of `PARTS`; all without any.
    """
    wanted = [PARTS[name] for name in parts or PARTS]
    return tuple(block for part in wanted for block in part(comparison, everything))


def _head(c: Comparison, everything: bool) -> Iterator[Block]:
    reason = [_words.leading(c).because] if c.rows and len(c.candidates) == 1 else []
    told = (*(_words.ended(r) for r in reason if r), *_words.standing(c))
    yield Block(_words.verdict(c), told, level=1)
    if c.cautions:
        yield Block("Cautions", tuple(cautions(c, everything)))


# --- all metrics, all candidates ------------------------------------------------------------


def _measures(c: Comparison, everything: bool) -> Iterator[Block]:
    if not c.rows:
        return
    if len(c.candidates) == 1:
        yield _by_metric(c, everything)
        return
    yield _by_candidate(c, everything)
    keys = _words.metrics(c)
    if len(keys) > 1:
        yield Block(f"Metrics ({len(keys)})", table=_counted_by_metric(c, keys))
    if everything or len(c.candidates) <= _FEW:
        for key in keys[1:] if everything else keys[1:_METRICS]:
            own = [row for row in c.rows if row.key == key]
            if everything or any(row.difference for row in own):
                table = _candidates(c, own[0], len(own))
                yield Block(_titled(own[0]), table=table, notes=tuple(_open(own)), level=3)


def _titled(row: Row) -> str:
    return f"{_words.with_unit(_words.called(row), row.unit)}, {_words.direction(row)}"


def _more(shown: int, of: int, what: str) -> tuple[str, ...]:
    return (f"And {of - shown} more {what}; --all shows them.",) if of > shown else ()


def _by_metric(c: Comparison, everything: bool) -> Block:
    lead = _words.leading(c)
    rows = [lead, *(row for row in c.rows if row is not lead)]
    shown = rows if everything else rows[:_METRICS]
    heads = (
        "metric",
        shortened(c.baseline, 24),
        shortened(c.candidates[0], 24),
        "difference [95 %]",
        "percent",
        "verdict",
    )
    table = Table(
        heads,
        tuple((_metric(r), *_means(r), *_judged(r)) for r in shown),
        drop=(4, 2, 1),
        left=(0, 5),
    )
    notes = _more(len(shown), len(rows), "metrics") + tuple(_held_back(shown))
    return Block("Metrics", table=table, notes=notes)


def _held_back(rows: Sequence[Row], most: int = 5) -> Iterator[str]:
    """Why a verdict is not what the interval beside it says, rows of one reason together.

    The reason of the first row stands above the table.
    """
    held: dict[str, list[str]] = {}
    for row in rows[1:]:
        if row.because and (_without_zero(row) or _words.failed(row)):
            held.setdefault(row.because, []).append(_words.called(row))
    for because, names in list(held.items())[:most]:
        why = "as said above" if because == rows[0].because else because
        yield _words.ended(f"{_words.some(names)}: {why}")


def _without_zero(row: Row) -> bool:
    found = row.difference
    if found is None or row.verdict != "indistinguishable":
        return False
    return found.interval.low > 0 or found.interval.high < 0


def _metric(row: Row) -> str:
    return _words.with_unit(_words.called(row), row.unit)


def _means(row: Row) -> tuple[str, str]:
    a, b = (_words.value(s.mean) for s in row.summaries)
    return a, b


def _judged(row: Row) -> tuple[str, str, str]:
    return (
        _words.difference(row.difference),
        _words.percent(_words.share(row)),
        _words.SHOWN[row.verdict],
    )


def _by_candidate(c: Comparison, everything: bool) -> Block:
    row = _words.leading(c)
    most = len(c.candidates) if everything else _CANDIDATES
    table = _candidates(c, row, most, counts=len(_words.metrics(c)) > 1)
    own = [r for r in c.rows if r.key == row.key]
    held = {r.candidate for r in own}
    without = [shortened(name) for name in c.candidates if name not in held]
    notes = _more(most, len(held), "candidates")
    notes += (f"Without {_words.called(row)}: {_words.some(without)}.",) if without else ()
    notes += tuple(_open(own))
    return Block(f"Candidates by {_titled(row)}", table=table, notes=notes)


def _open(rows: Sequence[Row], most: int = 5) -> Iterator[str]:
    """Why candidates cannot be judged, or failed, once for all of the same reason."""
    held: dict[str, list[str]] = {}
    for row in rows:
        if row.because and (row.verdict == "cannot-judge" or _words.failed(row)):
            held.setdefault(row.because, []).append(shortened(row.candidate))
    for because, names in list(held.items())[:most]:
        said = any(name in because for name in names)
        yield _words.ended(because if said else f"{_words.some(names)}: {because}")
    if len(held) > most:
        yield f"And {len(held) - most} more reasons; --json lists them all."


def _candidates(c: Comparison, row: Row, most: int, counts: bool = False) -> Table:
    """One metric of all candidates, the best first, beside the baseline."""
    held = _words.ranked(c, row)[:most]
    verdicts = list(_words.SHOWN) if counts else []
    heads = ("candidate", "mean", "difference [95 %]", "percent", "verdict")
    base = (c.baseline, _words.value(row.summaries[0].mean), "", "", "baseline")
    rows = [base + ("",) * len(verdicts)]
    for one in held:
        tally = _tally(c.of(one.candidate)) if counts else {}
        number = [str(tally.get(v, 0)) for v in verdicts]
        rows.append((one.candidate, _means(one)[1], *_judged(one), *number))
    told = ("better", "worse", "same", "unknown") if counts else ()
    dropped = (8, 7, 3, 6, 5, 1) if counts else (3, 1)
    return Table(heads + told, tuple(rows), drop=dropped, left=(0, 4))


def _tally(rows: Sequence[Row]) -> dict[str, int]:
    told: dict[str, int] = {}
    for row in rows:
        told[row.verdict] = told.get(row.verdict, 0) + 1
    return told


def _counted_by_metric(c: Comparison, keys: Sequence[tuple[str, str]]) -> Table:
    rows = []
    for key in keys:
        held = _words.ranked(c, next(r for r in c.rows if r.key == key))
        tally = _tally(held)
        first = held[0]
        known = first.direction and first.difference is not None
        ahead = first.candidate if known else _words.NOTHING
        size = _words.signed(_words.mean(first)) if known else _words.NOTHING
        counts = (str(tally.get(v, 0)) for v in _words.SHOWN)
        rows.append((_metric(first), *counts, ahead, size))
    heads = ("metric", "better", "worse", "same", "unknown", "farthest ahead", "difference")
    return Table(heads, tuple(rows), drop=(6, 4), left=(0, 5))


# --- expectations ---------------------------------------------------------------------------


def _expectations(c: Comparison, everything: bool) -> Iterator[Block]:
    if c.expectations:
        several = len(c.candidates) > 1
        yield _held(c.expectations, "Expectations", shortened(c.baseline, 24), several, everything)


def checked(name: str, judged: Sequence[Judged]) -> tuple[Block, ...]:
    """What was expected of a run, without a baseline, and what became of it.

    Parameters
    ----------
    name : str
        Of the run.
    judged : sequence of Judged
    """
    return (_held(judged, f"{name}. {_words.counted(judged)}", "", False, False),)


def _held(
    judged: Sequence[Judged], title: str, before: str, several: bool, everything: bool
) -> Block:
    """Expectations as a table, and why some are not met."""
    labelled = any(one.expectation.label for one in judged)
    heads = ["candidate"] * several + [""] * labelled + ["expectation"]
    texts = len(heads)
    heads += [before] * bool(before) + ["actual", "result"]
    rows, above = [], ""
    for one in judged:
        label = one.expectation.label
        lead = [one.candidate] * several + [label if label != above else ""] * labelled
        rows.append((*lead, *_details.expectation(one, bool(before))))
        above = label
    left = (*range(texts), len(heads) - 1)
    drop, short = (texts,) * bool(before), (0,) * several
    table = Table(tuple(heads), tuple(rows), drop=drop, left=left, short=short)
    missed = [one for one in judged if one.status != "met"]
    shown = missed if everything else missed[:_METRICS]
    notes = tuple(_details.reason(one, several) for one in shown)
    return Block(title, table=table, notes=notes + _more(len(shown), len(missed), "reasons"))


# --- single rows ----------------------------------------------------------------------------


def _detail(c: Comparison, everything: bool) -> Iterator[Block]:
    for rows in _told(c, everything):
        row = rows[0]
        known = len(c.candidates) == 1 and row is _words.leading(c)
        said = (
            list(_details.sentences(row, c.by, known, len(c.rows) == 1))
            if len(rows) == 1
            else [_words.ended(r.because) for r in rows if r.verdict != "cannot-judge"]
        )
        alone = len(c.candidates) > 1 and len(rows) == 1
        name = f"{row.candidate}: {_titled(row)}" if alone else _titled(row)
        yield Block(name, tuple(said), _details.statistics(rows, c.by))
        if any(r.at for r in rows):
            yield Block(table=_details.at(rows, c.by), level=3)


def _told(c: Comparison, everything: bool) -> list[list[Row]]:
    """The rows that are told of at length, those together that stand side by side."""
    keys = _words.metrics(c)
    few = len(c.candidates) <= _FEW
    if everything and not few:
        return [[row] for key in keys for row in c.rows if row.key == key]
    if not everything:
        ranked = [k for k in keys if next(r for r in c.rows if r.key == k).direction] or keys
        most = _DETAILED if len(c.candidates) == 1 else 1
        keys = ranked[:most] if few else []
    return [[row for row in c.rows if row.key == key] for key in keys]


# --- gaps, settings, data -------------------------------------------------------------------


_SPLITS = {"val": "validation"}


def _gaps(c: Comparison, everything: bool) -> Iterator[Block]:
    shown = c.gaps if everything or len(c.candidates) <= _FEW else ()
    for table in shown:
        name = _words.with_unit(shortened(table.metric, 40), table.unit)
        yield Block(
            f"Generalization gap of {name}: {_SPLITS.get(table.split, table.split)} minus training",
            table=_details.gaps(table, c.by),
        )


def _settings(c: Comparison, everything: bool) -> Iterator[Block]:
    if not c.config_diff:
        return
    shown = c.config_diff if everything else c.config_diff[:_SETTINGS]
    names = [arm.name for arm in c.arms]
    side_by_side = len(names) <= _FEW + 1
    rows = []
    for one in shown:
        values = [one.values.get(name) for name in names]
        told = (
            [_words.setting(v) for v in values]
            if side_by_side
            else [_words.setting(values[0]), _words.different(values[1:])]
        )
        rows.append((shortened(one.key), *told))
    heads = [shortened(n, 24) for n in names] if side_by_side else [names[0], "candidates"]
    table = Table(("setting", *heads), tuple(rows), left=tuple(range(len(heads) + 1)))
    notes = _more(len(shown), len(c.config_diff), "settings")
    yield Block(f"Settings that differ ({len(c.config_diff)})", table=table, notes=notes)


def _data(c: Comparison, everything: bool) -> Iterator[Block]:
    if not c.notices:
        return
    shown = c.notices if everything else c.notices[:_NOTICES]
    lost = sum(n.lost or 0 for n in c.notices)
    title = "Data" + (f": {lost} records lost" if lost > 1 else ": 1 record lost" if lost else "")
    notes = _more(len(shown), len(c.notices), "notices")
    yield Block(title, (*(f"{n.kind}: {n}" for n in shown), *notes))


PARTS = {
    "head": _head,
    "measures": _measures,
    "expectations": _expectations,
    "detail": _detail,
    "gaps": _gaps,
    "settings": _settings,
    "data": _data,
}
"""What makes the blocks of each part, in their order; the page puts its curves in between."""


def in_report(comparison: Comparison) -> tuple[str, ...]:
    """The parts that a report of the runs shows: it tells the rest of itself.

    Of single runs it has every number in its tables already; the scores of several runs of one
    side, their interquartile means and how often they beat the others stand nowhere else.
    """
    detail = ("detail",) if comparison.of_groups else ()
    return ("head", "measures", *detail, "gaps")
