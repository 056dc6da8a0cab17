"""How a run stands, from what is kept of it and what the last look has said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from trainlens.monitor.following import Followed
from trainlens.monitor.ledger import Account
from trainlens.monitor.look import Looked
from trainlens.monitor.model import ENDED, QUIET, Standing, Trail
from trainlens.monitor.trail import MACHINE
from trainlens.rules.base import Severity
from trainlens.verdict import first_sentence, headline
from trainlens.words import shortened

_READINGS = 6
_DONE = 0.999
_WORDS = {Severity.ERROR: "failing", Severity.WARNING: "warning"}


def standing(
    run: Followed,
    looked: Looked | None,
    account: Account,
    tick: float,
    trails: tuple[Trail, ...],
    notices: tuple[str, ...],
) -> Standing:
    """How a run stands at a round.

    Parameters
    ----------
    run : Followed
    looked : Looked or None
        The last look.
    account : Account
        What was told of it.
    tick : float
    trails : tuple of Trail
        As `trails_of` gives them.
    notices : tuple of str
        What its reader said since the last round.
    """
    planned = looked.planned if looked is not None else None
    rate = run.pace.rate
    state = run.state(tick)
    if state == QUIET and looked is not None and looked.ended:
        state = ENDED
    verdict, sentence = _verdict(looked, account)
    left = None
    if planned and run.step is not None:
        left = max(0, planned - run.step)
        state = ENDED if state == QUIET and run.step >= _DONE * planned else state
    return Standing(
        name=run.name,
        source=looked.told.source if looked is not None else str(run.source.path),
        format=run.source.format,
        state=state,
        reason=run.failure,
        points=run.points,
        step=run.step,
        planned=planned,
        progress=min(1.0, (run.step or 0) / planned) if planned else _progress(trails),
        epoch=run.epoch,
        rate=rate,
        remaining=left / rate if left is not None and rate else None,
        age=run.age(tick),
        attempts=looked.told.attempts if looked is not None else 1,
        verdict=verdict,
        sentence=sentence,
        looked=looked.points if looked is not None else None,
        findings=tuple((e.number, e.finding) for e in account.open),
        trails=trails,
        gap=_gap(trails),
        machine=_machine(trails),
        throughput=_throughput(trails),
        chance=looked.chance if looked is not None else None,
        notices=notices,
    )


def _verdict(looked: Looked | None, account: Account) -> tuple[str, str]:
    """Verdict and sentence of the last look, as far as what they say has lasted."""
    if looked is None:
        return "", ""
    told, suspects = looked.told, [e.finding for e in account.suspected]
    held = [e.finding for e in account.open if e.finding.severity is not Severity.INFO]
    grave = [f for f in suspects if f.severity is not Severity.INFO]
    if not grave or (held and held[0].severity.rank >= grave[0].severity.rank):
        return told.verdict, told.sentence
    wait = f"{headline(grave[0])} is suspected, and has to last."
    if not held:
        return "healthy", f"No fault found so far. {wait}"
    first = f"{headline(held[0])}: {first_sentence(held[0].message)}"
    return _WORDS[held[0].severity], f"{first} {wait}"


def trails_of(run: Followed) -> tuple[Trail, ...]:
    """The course of every metric, the most telling first."""
    return tuple(course.trail() for course in run.ranked)


def _gap(trails: Iterable[Trail]) -> float | None:
    """Newest validation loss minus the running mean of the training loss of that name."""
    losses = {(t.metric, t.split): t for t in trails if t.role == "loss"}
    for (metric, split), val in losses.items():
        train = losses.get((metric, "train"))
        if split == "val" and train is not None:
            gap = val.last - train.ema
            return gap if math.isfinite(gap) else None
    return None


def _progress(trails: Iterable[Trail]) -> float | None:
    for trail in trails:
        if trail.role == "progress" and 0.0 <= trail.last <= 1.0:
            return trail.last
    return None


def _machine(trails: Iterable[Trail]) -> Mapping[str, tuple[float, str]]:
    held = [t for t in trails if t.role in MACHINE and math.isfinite(t.last)]
    held.sort(key=lambda t: (t.role == "system", t.metric))
    return {shortened(t.metric, 30): (t.last, t.unit) for t in held[:_READINGS]}


def _throughput(trails: Iterable[Trail]) -> tuple[float, str] | None:
    for trail in trails:
        if trail.role == "throughput" and math.isfinite(trail.last):
            return trail.last, trail.unit
    return None
