"""Pages besides the overview: the findings of a run at length, and help."""

from __future__ import annotations

from rich.text import Text

from trainlens.monitor.model import Standing
from trainlens.monitor.screen import faults, runs
from trainlens.monitor.screen.layout import prose
from trainlens.monitor.screen.marks import ACROSS, STYLES, Marks
from trainlens.monitor.screen.memory import Shown
from trainlens.render._said import SEVERITY

_PROSE = 100
"""Columns that can be read as lines of prose."""
_STATES = {
    "waiting": "nothing is logged yet",
    "live": "the log grows",
    "quiet": "it has not grown for long",
    "ended": "it has come to its end",
    "gone": "its files are no longer there",
    "unreadable": "its files cannot be read",
}


def findings(run: Standing, shown: Shown, columns: int, marks: Marks) -> list[Text]:
    """Every open finding of a run, with causes and what to do."""
    room = min(columns, _PROSE)
    lines = runs.verdict(run, room, marks, 10)
    for number, finding in run.findings:
        lines += [Text(), *faults.at_length(finding, shown, number, room, marks)]
    if not run.findings:
        lines += [Text(), Text("No finding is open." if run.verdict else "Not judged yet.")]
    return lines


def guide(columns: int, marks: Marks) -> list[Text]:
    """What the keys do, and what the signs say."""
    up_down = f"{marks.keys[0]}, j k" if not marks.plain else marks.keys[0]
    side = f"{marks.keys[1]}, tab" if not marks.plain else marks.keys[1]
    keys = {
        up_down: "another run; in a page: scroll",
        side: "another metric; among findings: another run",
        "l": "logarithmic axis, and back",
        "f": "findings at length, and back",
        "p, space": "hold the view; reading goes on",
        "r": "read at once",
        "?": "this page, and back",
        "q": "leave",
    }
    lines = [Text("Keys", "bold")]
    for name, text in keys.items():
        lines += prose(f"{name:<10}", text, columns, "  ", "bold")
    lines += [Text(), Text("Signs", "bold")]
    for severity, word in SEVERITY.items():
        line = Text("  ").append(marks.severity[severity], STYLES[severity])
        lines.append(line.append(f"  finding: {word}; a sign at a chart: where it begins"))
    lines += [Text(f"  {marks.state[word]}  {word}: {text}") for word, text in _STATES.items()]
    told = "A curve reaches from the lowest to the highest value of each column; a gap holds "
    told += "values that are NaN or infinite. A mean is an exponential one."
    return [*lines, Text(), *[Text(t.plain, ACROSS) for t in prose("", told, columns)]]
