"""What the monitor hands to views, pages and reactions: one immutable `Update` a round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainlens.rules.base import Finding, Severity

Floats = NDArray[np.float64]

OPENED, WORSE, MILDER, CLOSED, AGAIN = "opened", "worse", "milder", "closed", "again"
"""What can happen to a finding."""

WAITING, LIVE, QUIET, ENDED, GONE, UNREADABLE = (
    "waiting", "live", "quiet", "ended", "gone", "unreadable",
)  # fmt: skip
"""How a run stands: nothing logged yet, growing, not growing for long, come to its end,
its files are gone, they cannot be read."""


@dataclass(frozen=True)
class Change:
    """Something that happened to a finding, told once.

    Parameters
    ----------
    kind : str
        ``opened``, ``worse`` (its severity rose), ``milder``, ``closed`` (it ended, or the log
        no longer bears it out), ``again`` (closed before).
    number : int
        Of the finding, the same at all its changes and across restarts of the monitor.
    run : str
        Name of the run.
    source : str
        Where its log lies, as shown to people.
    finding : Finding
        As it is now; of a closed one as it was last.
    at : float
        Unix seconds at which it was noticed.
    before : Severity or None
        Severity that it had, where that changed.
    """

    kind: str
    number: int
    run: str
    source: str
    finding: Finding
    at: float
    before: Severity | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Trail:
    """The course of one metric so far, in bounded space.

    Parameters
    ----------
    metric, split, unit, role, direction : str
        `role` is a name of `trainlens.roles.ROLES`; `direction` ``"min"``, ``"max"`` or empty.
    priority : int
        How telling it is within its role; see `trainlens.roles.Role`.
    step : ndarray of float64, shape (b,)
        First step of each bucket, b at most some hundred.
    low, high : ndarray of float64, shape (b,)
        Extremes of the finite values of each bucket; NaN without any.
    points, bad : int
        Points so far, and how many of them are NaN or infinite.
    last, last_step : float, int
        The newest point; the value may be NaN.
    ema : float
        Debiased exponential mean of the finite values; NaN without any.
    best, best_step : float and int, or None
        None without a direction or a finite value.
    """

    metric: str
    split: str
    unit: str
    role: str
    direction: str
    priority: int
    step: Floats
    low: Floats
    high: Floats
    points: int
    bad: int
    last: float
    last_step: int
    ema: float
    best: float | None
    best_step: int | None


@dataclass(frozen=True)
class Chance:
    """How likely a run still gets where it should; see `trainlens.monitor.outlook`.

    Parameters
    ----------
    metric, split : str
    target : float
    of : str
        What the target is: ``--target``, or the name of the best other run.
    probability : float or None
        None where it cannot be known.
    expected, low, high : float or None
        Forecast of the value at the planned end and its 90 % interval.
    advice : str
        ``go on``, ``stop``, ``reached``, or empty where it cannot be known.
    because : str
        One sentence: the numbers behind it, or why it cannot be known.
    """

    metric: str
    split: str
    target: float
    of: str
    probability: float | None
    expected: float | None
    low: float | None
    high: float | None
    advice: str
    because: str


@dataclass(frozen=True, eq=False)
class Standing:
    """How one run stands at a round.

    Parameters
    ----------
    name, source, format : str
    state : str
        One of the words of `trainlens.monitor.model`.
    reason : str
        Why it is waiting, gone or unreadable; else empty.
    points : int
        Points read so far.
    step : int or None
        That the training has come to; of a resumed one that of its last attempt.
    planned : int or None
        Last step that the configuration or the log plans.
    progress : float or None
        Share of the plan that is done, in [0, 1].
    epoch : float or None
    rate : float or None
        Steps a second over the last minutes.
    remaining : float or None
        Seconds to the planned end at that rate.
    age : float or None
        Seconds since the log grew, as far as the monitor saw it; None before.
    attempts : int
    verdict : str
        Of the last look: ``healthy``, ``warning``, ``failing``, ``inconclusive``; empty before it.
    sentence : str
        What to know about it in one or two sentences; empty before the first look.
    looked : int or None
        Points that the run had at the last look.
    findings : tuple of (int, Finding)
        Open ones with their numbers, the gravest first.
    trails : tuple of Trail
        Every metric, the most telling first: validation and training loss, measures of quality,
        learning rate, gradient norm, others, machine readings last.
    gap : float or None
        Generalization gap: validation minus training of the same metric, newest values.
    machine : mapping of str to (float, str)
        Newest readings of the machine with their unit: ``{"GPU memory": (71.0, "%")}``.
    throughput : (float, str) or None
        What the log says of its speed, with its unit.
    chance : Chance or None
        None where no target was asked for.
    notices : tuple of str
        What its reader said since the last round, ready to print.
    """

    name: str
    source: str
    format: str
    state: str
    reason: str = ""
    points: int = 0
    step: int | None = None
    planned: int | None = None
    progress: float | None = None
    epoch: float | None = None
    rate: float | None = None
    remaining: float | None = None
    age: float | None = None
    attempts: int = 1
    verdict: str = ""
    sentence: str = ""
    looked: int | None = None
    findings: tuple[tuple[int, Finding], ...] = ()
    trails: tuple[Trail, ...] = ()
    gap: float | None = None
    machine: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    throughput: tuple[float, str] | None = None
    chance: Chance | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Update:
    """What there is to know after one round.

    Parameters
    ----------
    round : int
        From 1.
    at : float
        Unix seconds.
    path : str
        What is watched, as the user named it.
    runs : tuple of Standing
        In the order in which they were found.
    changes : tuple of Change
        Of this round, in the order in which they were noticed.
    notices : tuple of str
        About the watch as a whole: no run yet, a folder gone, a page that cannot be written.
    """

    round: int
    at: float
    path: str
    runs: tuple[Standing, ...] = ()
    changes: tuple[Change, ...] = ()
    notices: tuple[str, ...] = ()
