"""Signs and colours of the view: every sign has a word beside it or in the help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainlens.monitor.model import ENDED, GONE, LIVE, QUIET, UNREADABLE, WAITING

ACCENT, ACROSS = "cyan", "dim"
"""Styles of curves, and of what they are read by."""
STYLES = {"error": "red", "warning": "yellow", "info": "blue"}
"""Colours of severities, the ones of every other output."""
VERDICTS = {"failing": "error", "warning": "warning"}
"""Severity that a verdict has the sign and colour of."""


@dataclass(frozen=True, eq=False)
class Marks:
    """The signs of a terminal.

    Parameters
    ----------
    plain : bool
        Whether it has ASCII alone.
    severity, state : mapping of str to str
        One sign for each word.
    chosen, done, open, side, tick, corner, along, stop : str
        One character each: before what is chosen, parts of a bar, and of the axes of a chart.
    keys : (str, str)
        How the keys are called that choose the run and the metric.
    """

    plain: bool
    severity: Mapping[str, str]
    state: Mapping[str, str]
    chosen: str
    done: str
    open: str
    side: str
    tick: str
    corner: str
    along: str
    stop: str
    keys: tuple[str, str]


UNICODE = Marks(
    plain=False,
    severity={"error": "✗", "warning": "▲", "info": "•"},
    state={WAITING: "◌", LIVE: "●", QUIET: "○", ENDED: "■", GONE: "–", UNREADABLE: "?"},
    chosen="▸", done="━", open="─", side="│", tick="┤", corner="└", along="─", stop="┴",
    keys=("↑↓", "←→"),
)  # fmt: skip
ASCII = Marks(
    plain=True,
    severity={"error": "x", "warning": "!", "info": "i"},
    state={WAITING: ".", LIVE: "*", QUIET: "o", ENDED: "#", GONE: "-", UNREADABLE: "?"},
    chosen=">", done="#", open="-", side="|", tick="+", corner="+", along="-", stop="+",
    keys=("j/k", "tab"),
)  # fmt: skip
