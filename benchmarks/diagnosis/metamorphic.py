"""Multiplying a loss by a constant must change no verdict of the default profile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trainlens.rules import diagnose
from trainlens.run import Run

FACTORS = (1e-6, 1e-3, 1e3, 1e6)


def verdicts(run: Run) -> frozenset[tuple[str, str, str, str]]:
    """What the rules said of each series, without words and numbers."""
    found = diagnose(run).results
    return frozenset(
        (f.rule, f.metric, f.split, f"{f.status.value} {f.severity.value}") for f in found
    )


def scaled(run: Run, factor: float) -> Run:
    """The run with every loss multiplied."""
    series = {
        key: replace(s, value=s.value * factor) if s.role.name == "loss" else s
        for key, s in run.series.items()
    }
    return replace(run, series=series)


def changed(run: Run, factors: Iterable[float] = FACTORS) -> list[str]:
    """Verdicts that another unit of the loss changes, as text; empty for a scale-free profile."""
    before = verdicts(run)
    said = []
    for factor in factors:
        for rule, metric, split, status in sorted(verdicts(scaled(run, factor)) ^ before):
            said.append(f"{run.name} x {factor:g}: {rule} on {split}/{metric} ({status})")
    return said
