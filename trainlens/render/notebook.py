"""A run, a diagnosis or a comparison where a notebook shows it: a fragment of HTML.

No script and no style sheet, only attributes, so that it stands wherever a notebook is shown;
colours that hold on light and dark paper. `Run`, `Diagnosis` and `Comparison` get here through
`trainlens.notebook.Shown`, so nothing of this is imported before a notebook asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from markupsafe import Markup, escape

from trainlens import words
from trainlens.comparison.model import Comparison
from trainlens.judged import judged
from trainlens.render._cells import Table
from trainlens.render._svg import spark
from trainlens.render._visible import visible
from trainlens.render.comparison import Block, blocks
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Run, Series
from trainlens.stats.resample import bucket, uniform_edges
from trainlens.verdict import title
from trainlens.words import shortened

FINDINGS, SERIES, ARMS, ROWS = 5, 6, 8, 10
"""How many of each are shown."""
_SHOWN = ("loss", "metric", "learning-rate", "gradient-norm")
_POINTS = 60
_LOOKS = {"error": ("✕", "#d63a2f"), "warning": ("▲", "#a86a00"), "info": ("●", "#2f78c4")}
"""A sign beside the word, and a colour as far from white as from a dark page."""

_BOX = "max-width:900px;font:14px/1.5 system-ui,sans-serif;color:inherit;text-align:left"
_SMALL = "font-size:12.5px;opacity:.75"
_LINE = "border-bottom:1px solid rgba(128,128,128,.3)"
_CELL = f"padding:3px 14px 3px 0;background:none;white-space:nowrap;{_LINE}"
_NUMBER = f"{_CELL};font-variant-numeric:tabular-nums"


def fragment(shown: Run | Diagnosis | Comparison) -> str:
    """What a notebook shows.

    Parameters
    ----------
    shown : Run, Diagnosis or Comparison

    Returns
    -------
    str
        HTML. Text from logs is escaped, and what would be invisible in it is shown.
    """
    if isinstance(shown, Run):
        parts = _run(shown)
    elif isinstance(shown, Diagnosis):
        parts = _diagnosis(shown)
    else:
        parts = _comparison(shown)
    return f'<div style="{_BOX}">{Markup("").join(parts)}</div>'


def _text(text: str) -> Markup:
    return escape(visible(text))


def _div(style: str, *inner: str) -> Markup:
    return Markup('<div style="{}">{}</div>').format(style, Markup("").join(inner))


def _head(sentence: str, facts: Iterable[str]) -> Iterator[Markup]:
    yield _div("font-size:17px;font-weight:600;line-height:1.35", _text(sentence))
    yield _div(f"{_SMALL};margin:2px 0 8px", _text(" · ".join(facts)))


def _run(run: Run) -> Iterator[Markup]:
    yield from _head(shortened(run.name), _facts(run))
    yield _series(run)


def _facts(run: Run) -> Iterator[str]:
    yield run.format
    yield words.steps(*run.steps) if run.steps else "no points"
    yield words.plural(len(run.series), "metric")
    if run.attempts > 1:
        yield words.plural(run.attempts, "attempt")
    if run.notices:
        yield words.plural(len(run.notices), "notice")


def _diagnosis(diagnosis: Diagnosis) -> Iterator[Markup]:
    told = judged(diagnosis)
    yield from _head(told.sentence, [shortened(told.name), *_facts(diagnosis.run)])
    yield from map(_finding, told.findings[:FINDINGS])
    rest = len(told.findings) - FINDINGS
    if rest > 0:
        yield _div(_SMALL, _text(f"and {words.plural(rest, 'more finding')}"))
    yield _series(diagnosis.run)


def _finding(finding: Finding) -> Markup:
    sign, colour = _LOOKS[finding.severity.value]
    where = f"{finding.split}/{finding.metric}" if finding.metric else ""
    steps = words.steps(finding.first_step, finding.last_step)
    facts = "".join(f" · {fact}" for fact in (shortened(where), steps) if fact)
    severity = Markup('<span style="color:{}">{} {}</span>').format(
        colour, sign, finding.severity.value
    )
    lines = [_div("", severity, Markup(" <b>{}</b>").format(_text(title(finding.rule))),
                  _text(facts)), _div("", _text(finding.message))]  # fmt: skip
    for one in finding.prescriptions[:1]:
        lines.append(_div(_SMALL, _text(f"Do: {one['text']}")))
    return _div(f"border-left:3px solid {colour};padding-left:10px;margin:8px 0", *lines)


def _series(run: Run) -> Markup:
    held = [s for role in _SHOWN for s in run.with_role(role)] or list(run.training_series)
    if not held:
        return Markup("")
    rows = [_series_row(s) for s in held[:SERIES]]
    rest = len(run.series) - len(rows)
    table = _table(("metric", "", "last", "at step"), rows, {0, 1})
    more = _div(_SMALL, _text(f"and {words.plural(rest, 'more metric')}")) if rest > 0 else ""
    return Markup("{}{}").format(table, more)


def _series_row(series: Series) -> list[str]:
    name = f"{series.split}/{series.metric}" + (f", {series.unit}" if series.unit else "")
    good = series.finite
    if not len(good):
        return [_text(shortened(name)), Markup(""), _text("nothing finite"), Markup("")]
    last = words.number(float(good.value[-1]))
    return [_text(shortened(name)), _spark(series, None), _text(last), _at(int(good.step[-1]))]


def _at(step: int) -> Markup:
    return _text(words.step(step))


def _spark(series: Series, colour: int | None) -> Markup:
    held = series.finite
    if len(held) < 2:
        return Markup("")
    first, last = held.span
    value = held.value
    if len(held) > _POINTS:
        value = bucket(held.step, value, uniform_edges(first, last, _POINTS)).mean
    return spark(np.asarray(value, np.float64), colour)


def _comparison(comparison: Comparison) -> Iterator[Markup]:
    head, *rest = blocks(comparison)
    yield from _head(head.title, [f"against {shortened(comparison.baseline)}"])
    yield from (_div("", _text(sentence)) for sentence in head.sentences)
    if comparison.rows:
        yield _arms(comparison)
    for block in rest:
        yield from _block(block)
        if block.table is not None:
            return


def _arms(comparison: Comparison) -> Markup:
    """The metric that tells most, of each side."""
    key = comparison.rows[0].key
    rows = []
    for place, arm in enumerate(comparison.arms[:ARMS]):
        run = next((run for run in arm.runs if key in run.series), None)
        if run is not None:
            name = [_text(shortened(arm.name)), _spark(run.series[key], place)]
            rows.append([*name, *_series_row(run.series[key])[2:]])
    return _table((f"{key[1]}/{key[0]}", "", "last", "at step"), rows, {0, 1}) if rows else Markup()


def _block(block: Block) -> Iterator[Markup]:
    if block.title:
        yield _div("font-weight:600;margin-top:10px", _text(block.title))
    yield from (_div("", _text(sentence)) for sentence in block.sentences)
    if block.table is not None:
        yield _cells(block.table)
    yield from (_div(_SMALL, _text(note)) for note in block.notes)


def _cells(table: Table) -> Markup:
    # What can go goes: a notebook is not wide.
    kept = [i for i in range(len(table.heads)) if i not in table.drop[:1]]
    rows = [[_text(row[i]) for i in kept] for row in table.rows[:ROWS]]
    heads, left = [table.heads[i] for i in kept], {kept.index(i) for i in table.left if i in kept}
    rest = len(table.rows) - len(rows)
    more = _div(_SMALL, _text(f"and {words.plural(rest, 'more row')}")) if rest > 0 else ""
    return Markup("{}{}").format(_table(heads, rows, left), more)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: set[int]) -> Markup:
    """Cells are escaped already, headings are not."""
    style = {i: _CELL if i in left else _NUMBER for i in range(len(heads))}
    top = Markup("").join(
        Markup(
            '<th style="{};{};white-space:normal;font-weight:normal;text-align:{}">{}</th>'
        ).format(style[i], _SMALL, "left" if i in left else "right", _text(head))
        for i, head in enumerate(heads)
    )
    body = Markup("").join(
        Markup('<tr style="background:none">{}</tr>').format(
            Markup("").join(
                Markup('<td style="{};text-align:{}">{}</td>').format(
                    style[i], "left" if i in left else "right", cell
                )
                for i, cell in enumerate(row)
            )
        )
        for row in rows
    )
    return Markup(
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:8px 0;'
        'border:0;font-size:13px"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(top, body)
