"""What a run is to reach: as the user says it, or as another run did."""

from __future__ import annotations

from dataclasses import dataclass

from trainlens import verdict
from trainlens.errors import UsageError
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.outlook import condensed, window, windowed

_STATS = {"min": ("end", "best", "min"), "max": ("end", "best", "max")}


@dataclass(frozen=True)
class Target:
    """A value that the best window of evaluations is to reach.

    Parameters
    ----------
    metric, split : str
        As `trainlens.expectation` understands them.
    value : float
        In the unit of the log.
    of : str
        What it is: ``--target``, or the best of a run.
    direction : str
        ``"min"`` where it is to be undercut, ``"max"`` where it is to be exceeded.
    unit : str
        Unit of the value, where it is said.
    """

    metric: str
    split: str
    value: float
    of: str
    direction: str
    unit: str = ""


def parse(text: str) -> Target:
    """The target that a text such as ``val/mpjpe < 80`` or ``best(val/acc) > 0.9`` stands for.

    Raises
    ------
    UsageError
        It is none; one line that says why.
    """
    from trainlens.expectation.grammar import Malformed
    from trainlens.expectation.grammar import parse as statement

    try:
        asked = statement(text)
    except Malformed as error:
        raise UsageError(f"--target {text!r}: {error}; {_EXAMPLE}") from None
    direction = {"<": "min", "<=": "min", ">": "max", ">=": "max"}.get(asked.op)
    if direction is None:
        raise UsageError(f"--target {text!r}: a target is below or above a number; {_EXAMPLE}")
    if asked.needs_baseline:
        raise UsageError(f"--target {text!r}: for the best of another run there is --baseline")
    placed = asked.at is not None or asked.first is not None or asked.last is not None
    if placed or asked.rtol is not None or asked.atol is not None:
        raise UsageError(f"--target {text!r}: no place and no tolerance, please; {_EXAMPLE}")
    if asked.stat not in _STATS[direction]:
        what = f"the best window counts, not {asked.stat}"
        raise UsageError(f"--target {text!r}: {what}; {_EXAMPLE}")
    if asked.split in ("gap", "*") or "*" in asked.metric:
        raise UsageError(f"--target {text!r}: name one series; {_EXAMPLE}")
    return Target(asked.metric, asked.split, asked.value, "--target", direction, asked.unit)


_EXAMPLE = "write it as 'val/mpjpe < 80' or 'val/acc > 0.9'"


def of_run(baseline: Run) -> Target:
    """The best window of the leading quality metric of a run.

    Raises
    ------
    UsageError
        The run has none.
    """
    series = verdict.leading(baseline)
    if series is None or not series.role.direction or len(series.finite) < 3:
        raise UsageError(
            f"{baseline.name}: no metric of known direction with three values; "
            "give the target by --target"
        )
    direction = series.role.direction
    value = best_window(*curve(series, direction))
    signed = value if direction == "min" else -value
    name = f"the best of {baseline.name}"
    return Target(series.metric, series.split, signed, name, direction, series.unit)


def curve(series: Series, direction: str) -> tuple[Floats, Floats]:
    """Places and values of a series, lower being better, at most some hundred of them."""
    good = series.finite
    value = good.value if direction == "min" else -good.value
    return condensed(good.step.astype(float), value)


def best_window(place: Floats, value: Floats, planned: float = 0.0) -> float:
    """The best median of neighbouring values, of a run that will have `planned` values."""
    size = min(window(max(planned, len(value))), len(value))
    return float(windowed(value, size).min())
