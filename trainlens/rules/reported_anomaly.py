"""The rule ``reported-anomaly``: what the training itself said about its course."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from trainlens import words
from trainlens.chunk import Ints
from trainlens.rules._reports import EVENT, is_memory, kind, reported, says_memory, went_on
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Notice, Run

_NOT_A_NUMBER = re.compile(r"(^|_)(nan|nans|inf|infinite|infinity|non_?finite)(_|$)")
_EXPLOSION = re.compile(r"grad[a-z]*_(.*_)?explo|explod[a-z]*_grad")
_DIVERGED = re.compile(r"diverg|(^|_)loss_explo|explod[a-z]*_loss")
_MEASURED = ("loss", "metric", "gradient-norm")
_ERROR = re.compile(
    r"(?:error: |exception: )?[\w.]*(?:Error|Exception|Interrupt|Exit|Failure|Aborted)\b(?!:\s*\d)"
    r"|.*\bKilled\b|Segmentation fault|Bus error|.*\bNCCL error|.*CANCELLED AT"
    r"|(?i:.*\bloss\b.*\b(?:stop|abort))|Traceback"
)
_BY_HAND = re.compile(r"(?:error: )?(?:KeyboardInterrupt|SystemExit)|.*CANCELLED AT|.*time limit")
_MOST = 6


@rule(
    "reported-anomaly",
    severity="info",
    about="log",
    source="BiFusion seed (the anomalies of each record)",
)
def reported_anomaly(run: Run) -> Iterator[Finding]:
    """The training itself reported anomalies, or ended in an error.

    Reports are the points of the series anomalies/KIND (made of the lists anomalies, warnings and
    errors of records), flags such as diverged, and messages of errors among the lines of a log.
    They are told with how often and at which steps, as info: by which bounds a training calls
    something odd is its own affair. A warning are kinds that mean a fault by themselves and that
    no other rule can judge: NaN where every logged value is finite, exploding gradients in a log
    without gradient norms, divergence in a log without a loss. Out of memory is the matter of
    out-of-memory. An error message behind the last point is a warning, in a log without any
    point an error; a training that was interrupted by hand is told as info.

    What to do: look at the charts around the steps that are named; read the last error and the
    lines above it in the log.
    """
    held = _by_kind(run)
    found = [f for f in (_grave(run, held), _others(run, held), _ended(run)) if f is not None]
    yield from found
    if not found:
        yield _none(run)


def _by_kind(run: Run) -> dict[str, Ints]:
    """Steps of the reports of each kind."""
    held: dict[str, list[Ints]] = {}
    for series in run.with_role("anomaly"):
        if len(steps := reported(series)):
            held.setdefault(kind(series), []).append(steps)
    return {name: np.sort(np.concatenate(steps)) for name, steps in held.items()}


def _grave(run: Run, held: Mapping[str, Ints]) -> Finding | None:
    """Kinds that mean a fault by themselves and that no rule about numbers sees."""
    grave = {name: steps for name, steps in held.items() if _unseen(run, name)}
    if not grave:
        return None
    return _finding(f"{_told(grave)}; no other value in this log shows it", grave, "warning")


def _unseen(run: Run, name: str) -> bool:
    if _NOT_A_NUMBER.search(name):
        measured = (s for role in _MEASURED for s in run.with_role(role))
        return all(bool(np.isfinite(s.value).all()) for s in measured)
    if _EXPLOSION.search(name):
        return not run.with_role("gradient-norm")
    return bool(_DIVERGED.search(name)) and not run.with_role("loss")


def _others(run: Run, held: Mapping[str, Ints]) -> Finding | None:
    mild = {
        name: steps
        for name, steps in held.items()
        if not is_memory(name) and not _unseen(run, name)
    }
    return _finding(_told(mild), mild, "info") if mild else None


def _told(held: Mapping[str, Ints]) -> str:
    total = sum(map(len, held.values()))
    often = sorted(held, key=lambda name: (-len(held[name]), name))
    each = [
        f"{name} {words.step(len(held[name]))} "
        f"({words.steps(int(held[name][0]), int(held[name][-1]))})"
        for name in often[:_MOST]
    ]
    more = f" and {words.plural(len(often) - _MOST, 'more kind')}" if len(often) > _MOST else ""
    count = words.plural(total, "anomaly", "anomalies")
    return f"The training itself reported {count}: {', '.join(each)}{more}"


def _finding(message: str, held: Mapping[str, Ints], severity: str) -> Finding:
    return fail(
        f"{message}.",
        first_step=min(int(steps[0]) for steps in held.values()),
        last_step=max(int(steps[-1]) for steps in held.values()),
        evidence={"reports": sum(map(len, held.values())), "kinds": len(held)},
        severity=severity,
        confidence=0.9,
    )


def _ended(run: Run) -> Finding | None:
    """The error behind the last point, None where the training went on."""
    last = [n for n in run.notices if n.kind == EVENT and _ERROR.match(n.message)]
    last = [n for n in last if not went_on(run, n)]
    if not last or any(map(says_memory, last)):
        return None
    event, by_hand = last[-1], _BY_HAND.match(last[-1].message) is not None
    how = "was interrupted" if by_hand else "ended in an error"
    step = event.step
    when = "before its first point" if step is None else f"after step {words.step(step)}"
    return fail(
        f"The training {how} {when} ({_place(event)}): {event.message.rstrip('.')}.",
        first_step=step,
        last_step=step,
        evidence={"messages": len(last)},
        severity="info" if by_hand else "warning" if run.points else "error",
        confidence=0.95,
    )


def _place(event: Notice) -> str:
    return event.where if event.step is None else event.where.rpartition(", step ")[0]


def _none(run: Run) -> Finding:
    if run.with_role("anomaly") or (run.points and {"run", "created"} <= run.config.keys()):
        return passed("The training itself reported no anomaly.")
    return skip("no report of the training about itself in this log")
