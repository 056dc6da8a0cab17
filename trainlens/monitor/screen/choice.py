"""What the user chose to see, and how a key changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainlens.monitor.model import Standing, Trail, Update
from trainlens.monitor.screen.memory import key

OVERVIEW, FINDINGS, HELP = "overview", "findings", "help"
"""The pages that there are."""
_TURNS = {"up": -1, "k": -1, "down": 1, "j": 1}
_SIDES = {"left": -1, "backtab": -1, "right": 1, "tab": 1}
_LEAPS = {"page-up": -10, "page-down": 10, "home": -(10**9), "g": -(10**9), "end": 10**9,
          "G": 10**9}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """What is shown.

    Parameters
    ----------
    run : (str, str) or None
        `trainlens.monitor.screen.memory.key` of the chosen run; None is the first.
    metric : (str, str) or None
        Metric and split; None is the most telling one of the run.
    log : bool
        Logarithmic axis.
    paused : bool
    page : str
        ``overview``, ``findings`` or ``help``.
    scroll : int
        Lines of the page that lie above the screen.
    """

    run: tuple[str, str] | None = None
    metric: tuple[str, str] | None = None
    log: bool = False
    paused: bool = False
    page: str = OVERVIEW
    scroll: int = 0


def pressed(choice: Choice, name: str, update: Update | None, limit: int = 0) -> Choice:
    """The choice after a key.

    Parameters
    ----------
    choice : Choice
    name : str
        As `trainlens.monitor.screen.keys` calls it; unknown ones change nothing.
    update : Update or None
    limit : int
        Lines that the page can be scrolled by.
    """
    if name == "l":
        return replace(choice, log=not choice.log)
    if name in ("p", " "):
        return replace(choice, paused=not choice.paused)
    if name in ("f", "?", "escape"):
        wanted = {"f": FINDINGS, "?": HELP}.get(name, OVERVIEW)
        return replace(choice, page=OVERVIEW if choice.page == wanted else wanted, scroll=0)
    if choice.page != OVERVIEW and (name in _TURNS or name in _LEAPS):
        moved = choice.scroll + _TURNS.get(name, 0) + _LEAPS.get(name, 0)
        return replace(choice, scroll=max(0, min(limit, moved)))
    return _moved(choice, name, update.runs if update else ())


def _moved(choice: Choice, name: str, runs: Sequence[Standing]) -> Choice:
    if not runs:
        return choice
    at = place(choice, runs)
    by = (_TURNS | _LEAPS | (_SIDES if choice.page == FINDINGS else {})).get(name)
    if by is not None:
        wanted = runs[max(0, min(len(runs) - 1, at + by))]
        return replace(choice, run=key(wanted), scroll=0)
    trails = runs[at].trails
    if name in _SIDES and trails:
        trail = trails[(_metric(choice, trails) + _SIDES[name]) % len(trails)]
        return replace(choice, metric=(trail.metric, trail.split))
    return choice


def place(choice: Choice, runs: Sequence[Standing]) -> int:
    """Where the chosen run is among the runs; the first where it is not there (any more)."""
    return next((i for i, run in enumerate(runs) if key(run) == choice.run), 0)


def trail_of(choice: Choice, run: Standing) -> Trail | None:
    """The chosen metric of a run; its most telling one where it lacks that."""
    return run.trails[_metric(choice, run.trails)] if run.trails else None


def _metric(choice: Choice, trails: Sequence[Trail]) -> int:
    wanted = choice.metric
    return next((i for i, t in enumerate(trails) if (t.metric, t.split) == wanted), 0)
