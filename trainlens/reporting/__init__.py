"""What a report says, as data only; `trainlens.render` turns it into pages."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trainlens import words
from trainlens.judged import Judged, overall
from trainlens.leaves import IDENTITY
from trainlens.reporting.charts import KEY_CHARTS, Chart, Line, build_charts
from trainlens.reporting.digest import Digest, digest, glance, together
from trainlens.reporting.findings import (
    GROUP_ABOVE,
    TOP,
    Group,
    Item,
    Outcome,
    crowded,
    grouped,
    items,
    outcomes,
    ranked,
    suppressed,
    thresholds,
)
from trainlens.reporting.inputs import Input
from trainlens.reporting.runs import (
    Attempt,
    Clock,
    Gap,
    RunSummary,
    Standing,
    looks,
    looks_of_sides,
)
from trainlens.reporting.selection import Choice, choose
from trainlens.reporting.sweep import Axis, Sweep, sweep
from trainlens.reporting.views import View
from trainlens.rules import Diagnosis
from trainlens.rules.base import Status
from trainlens.run import Key, Notice

if TYPE_CHECKING:
    from trainlens.comparison.model import Comparison

__all__ = [
    "GROUP_ABOVE",
    "KEY_CHARTS",
    "MANY",
    "TOP",
    "Attempt",
    "Axis",
    "Chart",
    "Clock",
    "Digest",
    "Gap",
    "Group",
    "Input",
    "Item",
    "Line",
    "Outcome",
    "Report",
    "RunSummary",
    "Standing",
    "Sweep",
    "Table",
    "View",
    "build",
    "digest",
    "glance",
    "together",
]


MANY = 100
"""More runs than this get an overview, and some of them pages of their own."""


@dataclass(frozen=True)
class Table:
    """A further section of a report: a comparison of runs, say.

    Parameters
    ----------
    title : str
    sentences : tuple of str
        What the table says, before it.
    columns : tuple of str
    rows : tuple of tuple of str
        As many cells a row as columns; the first is the row's name.
    notes : tuple of str
        After it.
    """

    title: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that a page shows, in the order in which it shows it.

    Parameters
    ----------
    title, command : str
    created : float
        Unix seconds.
    versions : mapping of package to version
    verdict : str
    counts : mapping of severity to number of findings
    best : str
        Which run is best, with its noise; empty without a ranked quantity.
    ranking : (metric, split) or None
        The quantity that the runs are ranked by.
    span : str
        Steps, points and time that the runs cover.
    judged : tuple of Judged
    items : tuple of Item
        All findings, the gravest and surest first.
    groups : tuple of Group
        The same by rule; empty unless they are `crowded`.
    passed, not_applicable, undecided, suppressed : tuple of Outcome
    runs : tuple of RunSummary
    tables : tuple of Table
    config_differences : tuple of (setting, value of each run)
        Among the runs that have settings; empty text where a run lacks one.
    sweep : Sweep or None
        The settings against the result, where there are runs enough.
    pages : mapping of name of a run to a relative address
    drawn : tuple of int
        Runs whose curves are in the charts: all, unless there are too many.
    charts : tuple of Chart
    undrawn : int
        Metrics behind `MOST_CHARTS` others, which no chart shows.
    notices : tuple of Notice
        About files that became no run; those of a run are in its summary.
    lost : int or None
        Records lost in all; None when something was lost that cannot be counted.
    thresholds : mapping of rule to {setting: default}
    inputs : tuple of Input
    comparison : Comparison or None
        Of its runs, where one of them was called the baseline.
    """

    title: str
    command: str
    created: float
    versions: Mapping[str, str]
    verdict: str
    counts: Mapping[str, int]
    best: str
    ranking: Key | None
    span: str
    judged: tuple[Judged, ...]
    items: tuple[Item, ...]
    groups: tuple[Group, ...]
    passed: tuple[Outcome, ...]
    not_applicable: tuple[Outcome, ...]
    undecided: tuple[Outcome, ...]
    suppressed: tuple[Outcome, ...]
    runs: tuple[RunSummary, ...]
    tables: tuple[Table, ...]
    config_differences: tuple[tuple[str, tuple[str, ...]], ...]
    sweep: Sweep | None
    pages: Mapping[str, str]
    drawn: tuple[int, ...]
    charts: tuple[Chart, ...]
    notices: tuple[Notice, ...]
    lost: int | None
    thresholds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    undrawn: int = 0
    inputs: tuple[Input, ...] = ()
    comparison: Comparison | None = None

    @property
    def many(self) -> bool:
        """Whether there are more runs than one page can tell everything of."""
        return len(self.runs) > MANY

    @property
    def top(self) -> tuple[Item, ...]:
        """The findings that matter first; of many runs, the gravest of each of three rules."""
        if self.many and self.groups:
            return tuple(group.items[0] for group in self.groups[:TOP])
        return self.items[:TOP]

    @property
    def damaged(self) -> bool:
        """Whether a record was lost, counted or not."""
        return self.lost != 0

    @property
    def all_notices(self) -> tuple[tuple[str, Notice], ...]:
        """Every notice with the name of its run, empty for those of no run."""
        own = [(r.name, n) for r in self.runs for n in r.notices]
        return (*(("", n) for n in self.notices), *own)


def build(
    diagnoses: Iterable[Diagnosis | Digest],
    *,
    title: str,
    command: str,
    notices: Sequence[Notice] = (),
    tables: Sequence[Table] = (),
    comparison: Comparison | None = None,
    pages: Mapping[str, str] | None = None,
    choice: Choice | None = None,
    now: float,
    version: str,
) -> Report:
    """Gather what a report of some judged runs says.

    Parameters
    ----------
    diagnoses : iterable of Diagnosis or Digest
        Prescriptions filled in.
    title : str
        Empty takes the name of the run, or their number.
    command : str
        The exact command that asked for it.
    notices : sequence of Notice
        About files that became no run.
    tables : sequence of Table
        Further sections.
    comparison : Comparison, optional
        Of these runs.
    pages : mapping of name of a run to a relative address, optional
        Where runs of many have a page of their own.
    choice : Choice, optional
        What `choose` said of these digests, where it was asked already.
    now : float
        Unix seconds.
    version : str
        Of trainlens.

    Returns
    -------
    Report
    """
    digests = together(_digests(list(diagnoses), now))
    choice = choice or choose(digests)
    runs = _placed(digests, choice.key, comparison)
    return Report(
        title=title or _title(runs),
        command=command,
        created=now,
        versions=package_versions(version),
        ranking=choice.key,
        tables=tuple(tables),
        comparison=comparison,
        pages=pages or {},
        drawn=choice.drawn,
        notices=tuple(notices),
        lost=_lost([*notices, *(n for d in digests for n in d.told.notices)]),
        inputs=tuple({d.source.path: d.source for d in digests}.values()),
        **_of_rules(tuple(d.told for d in digests)),
        **_of_findings(digests, choice),
        **_of_runs(runs, choice.key),
    )


def _of_rules(judged: tuple[Judged, ...]) -> dict[str, Any]:
    """What the rules said of all runs together."""
    return {
        "judged": judged,
        "verdict": overall(judged),
        "passed": outcomes(judged, Status.PASS),
        "not_applicable": outcomes(judged, Status.SKIP),
        "undecided": outcomes(judged, Status.INCONCLUSIVE),
        "suppressed": suppressed(judged),
        "thresholds": thresholds(judged),
    }


def _of_findings(digests: Sequence[Digest], choice: Choice) -> dict[str, Any]:
    """The findings in their order, and the charts that mark them."""
    found = ranked(digests)
    needed = {digests[run].told.findings[place].metric for run, place in found}
    charts, undrawn = build_charts({i: digests[i].curves for i in choice.drawn}, found, needed)
    places = {(c.metric, line.split): c.key for c in charts for line in c.lines}
    held = items(digests, found, places)
    return {
        "counts": {s: sum(i.finding.severity.value == s for i in held) for s in _SEVERITIES},
        "items": held,
        "groups": grouped(held) if crowded(i.finding.rule for i in held) else (),
        "charts": charts,
        "undrawn": undrawn,
    }


def _of_runs(runs: tuple[RunSummary, ...], key: Key | None) -> dict[str, Any]:
    """How the runs compare."""
    differences = _differences(runs)
    return {
        "runs": runs,
        "best": _best(runs, key),
        "span": _span(runs),
        "config_differences": differences,
        "sweep": sweep(runs, differences),
    }


def _digests(given: Sequence[Diagnosis | Digest], now: float) -> list[Digest]:
    return [digest(d, runs=len(given), now=now) if isinstance(d, Diagnosis) else d for d in given]


def _placed(
    digests: Sequence[Digest], key: Key | None, comparison: Comparison | None
) -> tuple[RunSummary, ...]:
    if comparison is not None and comparison.of_groups:
        sides = [{run.name for run in arm.runs} for arm in comparison.arms]
        chosen = looks_of_sides([d.told.name for d in digests], sides)
    else:
        chosen = looks([d.told.flagged for d in digests])
    return tuple(
        d.summary.placed(i, look, d.ranked(key))
        for i, (d, look) in enumerate(zip(digests, chosen, strict=True))
    )


_SEVERITIES = ("error", "warning", "info")


def package_versions(own: str) -> dict[str, str]:
    """What a page was made with; `own` is the version of trainlens."""
    return {"trainlens": own, "numpy": np.__version__, "Python": platform.python_version()}


def _lost(notices: Sequence[Notice]) -> int | None:
    """Records lost in all, None when something was lost that cannot be counted."""
    if any(n.lost is None for n in notices):
        return None
    return sum(n.lost or 0 for n in notices)


def _title(runs: Sequence[RunSummary]) -> str:
    return runs[0].name if len(runs) == 1 else words.plural(len(runs), "run")


def _best(runs: Sequence[RunSummary], key: Key | None) -> str:
    ranking = [(r, s) for r in runs if (s := r.standing) is not None and (s.metric, s.split) == key]
    # One run of many that has this quantity is not the best of them.
    if not ranking or len(ranking) == 1 < len(runs):
        return ""
    sign = -1 if ranking[0][1].direction == "max" else 1
    ranking.sort(key=lambda pair: sign * pair[1].best)
    run, top = ranking[0]
    noise = f" ± {words.number(top.noise, 2)}" if top.noise > 0 else ""
    unit = f"{words.THIN}{top.unit}" if top.unit else ""
    text = f"{words.number(top.best)}{noise}{unit} at step {words.step(top.best_step)}"
    if noise:
        text += " (± is the step-to-step noise)"
    if len(runs) == 1:
        return text
    # Two minima of the same noise: their difference has about sqrt(2) of it.
    close = [r.name for r, s in ranking[1:] if abs(s.best - top.best) < 1.96 * 2**0.5 * top.noise]
    text = f"{words.shortened(run.name)}, {text}"
    if close:
        told = ", ".join(words.shortened(n, 30) for n in close[:3])
        text += f"; within noise of {told}"
        text += f" and {len(close) - 3} more" if len(close) > 3 else ""
    return text


def _span(runs: Sequence[RunSummary]) -> str:
    steps = [r.steps for r in runs if r.steps is not None]
    points = f"{words.plural(sum(r.points for r in runs), 'point')}"
    if not steps:
        return points
    told = words.steps(min(a for a, _ in steps), max(b for _, b in steps))
    times = [r.seconds for r in runs if r.seconds is not None and r.seconds > 0]
    told_of = "from first to last record" + (", all runs together" if len(times) > 1 else "")
    lasted = f", {words.duration(sum(times))} {told_of}" if times else ""
    return f"{told}, {points}{lasted}"


def _is_setting(key: str, value: str) -> bool:
    return key not in IDENTITY and value not in ("", "{}")


def _differences(runs: Sequence[RunSummary]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    settings = [{k: v for k, v in r.config if _is_setting(k, v)} for r in runs]
    known = [s for s in settings if s]
    keys = dict.fromkeys(k for s in known for k in s)
    return tuple(
        (key, tuple(s.get(key, "") for s in settings))
        for key in keys
        if len({s.get(key, "") for s in known}) > 1
    )
