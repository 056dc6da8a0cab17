"""The scores as text for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.diagnosis.real_steps import Total
from benchmarks.diagnosis.sizes import Size
from benchmarks.diagnosis.strata import Score
from benchmarks.diagnosis.summary import Interval, KindScore, Overall, RuleScore

Cells = Sequence[str]
Table = tuple[Cells, Sequence[Cells]]
"""Head and rows."""


def share(value: float, digits: int = 3) -> str:
    """A share with three digits, a dash for none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _between(interval: Interval) -> str:
    return "–" if math.isnan(interval[0]) else f"{interval[0]:.2f}–{interval[1]:.2f}"


def kinds(rows: Sequence[KindScore]) -> Table:
    """Recall of each kind of fault."""
    head = ("Fault", "Runs", "Labels", "Recall", "95 %", "Inconclusive", "Wrong findings", "Delay")
    body = [
        (
            row.kind, str(row.runs), str(row.labels),
            share(row.recall) if row.judged else "no rule", _between(row.interval) if row.judged
            else "–", str(row.unsure), str(row.false),
            "–" if math.isnan(row.delay) else f"{100 * row.delay:.1f} %",
        )
        for row in rows
    ]  # fmt: skip
    return head, body


def rules(rows: Sequence[RuleScore]) -> Table:
    """Precision and recall of each rule."""
    head = ("Rule", "Precision", "Recall", "F1", "Right in", "Wrong in", "Labels")
    body = [
        (row.rule, share(row.precision), share(row.recall), share(row.f1),
         f"{row.right} runs", f"{row.false} runs", str(row.labels))
        for row in rows
    ]  # fmt: skip
    return head, body


def whole(named: Mapping[str, Overall]) -> Table:
    """The figures of several sets or diagnosers, a column each."""
    rows = {
        "Macro recall over kinds": [share(o.macro_recall) for o in named.values()],
        "95 % interval": [_between(o.macro_interval) for o in named.values()],
        "Kinds": [str(o.kinds) for o in named.values()],
        "Healthy runs with a warning": [
            f"{o.healthy_warned} of {o.healthy} ({100 * o.healthy_share:.1f} %)"
            if o.healthy else "–" for o in named.values()
        ],
        "False alarms per 100,000 healthy points": [f"{o.per_100k:.2f}" for o in named.values()],
        "False alarms per healthy run": [share(o.alarms_per_run) for o in named.values()],
        "Faulty runs with a wrong finding": [
            f"{o.faulty_wrong} of {o.faulty} ({100 * o.wrong_share:.1f} %)"
            for o in named.values()
        ],
        "Worst stratum": [
            f"{o.worst[0]}: {share(o.worst[1])}" if o.worst[0] else "–" for o in named.values()
        ],
    }  # fmt: skip
    return ("", *named), [(name, *cells) for name, cells in rows.items()]


def sizes(rows: Sequence[Size]) -> Table:
    """False-positive rates at a nominal 5 %, a row a test and length, a column a correlation."""
    rhos = sorted({row.rho for row in rows})
    held = {(r.test, r.points, r.rho): r for r in rows}
    body = []
    for test, points in dict.fromkeys((r.test, r.points) for r in rows):
        cells = [held[test, points, rho] for rho in rhos]
        body.append((test, f"{points:,}", *(_size(c) for c in cells)))
    return ("Test", "Points", *(f"AR {rho:g}" for rho in rhos)), body


def _size(one: Size) -> str:
    return f"{one.rate:.3f}" + ("" if one.right else " !")


def real_steps(rows: Sequence[Total]) -> Table:
    """Alarms of `loss-spike` on healthy trainings, a row a task."""
    head = ("Training", "Runs", "Steps", "False alarms", "Per 100,000", "At most (95 %)",
            "Real spikes", "Notes", "Put in", "Found", "F1")  # fmt: skip
    body = [
        (row.named, str(row.trainings), f"{row.steps:,}", str(row.false), f"{row.per_100k:.2f}",
         f"{row.at_most:.1f}", str(row.true), str(row.notes), str(row.labels), str(row.hits),
         share(row.f1))
        for row in rows
    ]  # fmt: skip
    return head, body


def spike_strata(rows: Sequence[tuple[str, int, str, Score]]) -> Table:
    """The worst stratum of each way to cut the synthetic runs."""
    head = ("Cut by", "Strata", "Worst", "F1", "Spikes", "Found", "By the oracle", "False alarms")
    body = [
        (axes, str(count), name, share(one.f1), str(one.labels), str(one.hits),
         share(one.told), str(one.false))
        for axes, count, name, one in rows
    ]  # fmt: skip
    return head, body


def text(table: Table) -> str:
    """Columns padded with spaces."""
    lines = [table[0], *table[1]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(table: Table) -> str:
    """GitHub Markdown."""
    head, body = table
    rule = "|---|" + "--:|" * (len(head) - 1)
    lines = ("| " + " | ".join(line) + " |" for line in (head, *body))
    first, *rest = lines
    return "\n".join([first, rule, *rest])
