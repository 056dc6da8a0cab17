"""Blocks about what was found: the list by gravity, the forecast, and what was said."""

from __future__ import annotations

from datetime import tzinfo

from rich.text import Text

from trainlens import words
from trainlens.monitor.model import Chance, Standing
from trainlens.monitor.screen import told
from trainlens.monitor.screen.layout import cut, prose
from trainlens.monitor.screen.marks import ACROSS, STYLES, Marks
from trainlens.monitor.screen.memory import Shown
from trainlens.render._said import SEVERITY, counted
from trainlens.render.text import clean, todo
from trainlens.rules.base import Finding
from trainlens.verdict import headline

_WIDE = 72
"""Columns from which on what to do stands below the title of its finding."""


def findings(
    run: Standing, shown: Shown, columns: int, marks: Marks, most: int = 10**9
) -> list[Text]:
    """How many findings are open, each in a line, and what to do about the gravest."""
    lines = [count(run)]
    for i, (number, finding) in enumerate(run.findings[:most]):
        lines.append(brief(finding, shown, number, marks))
        if i == 0 and finding.prescriptions:
            indent = " " * (12 if columns >= _WIDE else 4)
            do = prose("Do:", todo(finding.prescriptions[0]), columns, indent, "bold")
            lines += cut(do, max(1, min(2, most - len(lines))), columns)
    return lines[:most]


def count(run: Standing) -> Text:
    """How many findings of each severity are open."""
    items = [counted(n, s) for s, n in told.counted(f for _, f in run.findings).items() if n]
    line = Text().append("Findings", "bold")
    if items:
        return line.append(f"  {' · '.join(items)}").append("  f: at length", ACROSS)
    return line.append("  none" if run.verdict else "  not judged yet", ACROSS)


def brief(finding: Finding, shown: Shown, number: int, marks: Marks) -> Text:
    """A finding in one line: how grave, what, where, since when."""
    severity = finding.severity.value
    line = Text("  ").append(
        f"{marks.severity[severity]} {SEVERITY[severity]:<8}", STYLES[severity]
    )
    line.append(clean(headline(finding)))
    items = []
    if finding.metric:
        items.append(clean(f"{finding.split}/{words.shortened(finding.metric, 40)}"))
    if number in shown.since:
        items.append(told.ago(shown.now - shown.since[number]))
    return line.append(f"  {' · '.join(items)}", ACROSS) if items else line


def at_length(
    finding: Finding, shown: Shown, number: int, columns: int, marks: Marks
) -> list[Text]:
    """A finding with all that there is to know of it."""
    severity = finding.severity.value
    sign = f"{marks.severity[severity]} {SEVERITY[severity]}  "
    lines = [Text.assemble((sign, STYLES[severity]), (clean(headline(finding)), "bold"))]
    items = [clean(f"{finding.split}/{words.shortened(finding.metric)}")] if finding.metric else []
    items.append(words.steps(finding.first_step, finding.last_step))
    if number in shown.since:
        items.append(f"told {told.ago(shown.now - shown.since[number])}")
    items.append(finding.rule)
    lines += [Text(line.plain, ACROSS) for line in _plain(" · ".join(filter(None, items)), columns)]
    lines += _plain(finding.message, columns)
    parts = [("May be:", " · ".join(finding.causes))]
    parts += [("Do:", todo(one)) for one in finding.prescriptions]
    parts.append(("Check:", finding.verify))
    for lead, text in parts:
        if text:
            lines += prose(lead, text, columns, "  ", "bold")
    return lines


def _plain(text: str, columns: int) -> list[Text]:
    return prose("", text, columns, "  ")


def chance(held: Chance, columns: int, lines: int) -> list[Text]:
    """How likely the target is still reached, and the advice that follows."""
    lead = "Target"
    share = words.percent(held.probability, 2) if held.probability is not None else "unknown"
    what = f"{held.split}/{words.shortened(held.metric, 30)} {words.number(held.target)}"
    advice = f", advice: {held.advice}" if held.advice else ""
    text = f"{what} ({words.shortened(held.of, 30)}): chance {share}{advice}. {held.because}"
    return cut(prose(lead, text, columns, style="bold"), lines, columns)


def said(shown: Shown, zone: tzinfo | None) -> list[Text]:
    """Notices about the watch, and what was lately said of runs, the newest first."""
    update = shown.update
    several = update is not None and len(update.runs) > 1
    lines = [Text(f"notice  {clean(words.shortened(n, 300))}") for n in _standing(shown)]
    for news in reversed(shown.news):
        whose = f"{clean(words.shortened(news.run, 40))}: " if several and news.run else ""
        text = clean(words.shortened(news.text, 300))
        lines.append(Text(f"{told.time_of(news.at, zone)}  {whose}{text}", ACROSS))
    return lines


def _standing(shown: Shown) -> tuple[str, ...]:
    return shown.update.notices if shown.update is not None else ()
