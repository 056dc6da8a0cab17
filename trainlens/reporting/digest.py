"""All that a report needs of one run, without its points.

Made where the run was read (another process, a worker of a cluster) and small: some hundred
buckets a curve, so that the report of many runs costs memory by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trainlens import verdict
from trainlens.across import compared
from trainlens.compact import Compact
from trainlens.judged import Judged, judged
from trainlens.reporting.curves import Curve, curves
from trainlens.reporting.inputs import Input, inspect
from trainlens.reporting.runs import Ranked, RunSummary, standings, summarise
from trainlens.reporting.views import View, view
from trainlens.rules import Diagnosis
from trainlens.run import Key

_VIEWS = 64
"""Findings of a run that get a small chart."""


@dataclass(frozen=True, eq=False, slots=True)
class Digest(Compact):
    """A judged run in short.

    Parameters
    ----------
    told : Judged
    summary : RunSummary
        Not placed yet.
    lead : (metric, split) or None
        The quantity that tells most about it.
    standings : mapping of (metric, split) to Ranked
    curves : tuple of Curve
    views : tuple of View or None
        Of its first findings, in their order.
    source : Input
        What was read.
    """

    told: Judged
    summary: RunSummary
    lead: Key | None
    standings: Mapping[Key, Ranked]
    curves: tuple[Curve, ...]
    views: tuple[View | None, ...]
    source: Input

    def ranked(self, key: Key | None) -> Ranked | None:
        """How it stands on a quantity, or on its own leading one where it lacks that."""
        held = self.standings.get(key) if key else None
        return held or (self.standings.get(self.lead) if self.lead else None)


def digest(diagnosis: Diagnosis, *, runs: int, now: float) -> Digest:
    """A judged run in short.

    Parameters
    ----------
    diagnosis : Diagnosis
        Prescriptions filled in.
    runs : int
        How many runs the report will have.
    now : float
        Unix seconds.
    """
    short, run = glance(diagnosis, now=now), diagnosis.run
    found = short.told.findings
    return replace(
        short,
        curves=curves(run, found, runs),
        views=tuple(view(run, f) for f in found[:_VIEWS]),
        source=inspect(run.source),
    )


def glance(diagnosis: Diagnosis, *, now: float) -> Digest:
    """A judged run as the terminal shows it: without curves, small charts and fingerprint.

    Parameters
    ----------
    diagnosis : Diagnosis
        Prescriptions filled in.
    now : float
        Unix seconds.
    """
    run, told = diagnosis.run, judged(diagnosis)
    lead = verdict.leading(run)
    return Digest(
        told,
        summarise(run, told, now),
        (lead.metric, lead.split) if lead is not None else None,
        standings(run),
        (),
        (),
        Input(run.source),
    )


def together(digests: Sequence[Digest]) -> list[Digest]:
    """Digests of runs, each with what the others tell about its faults and its values."""
    return [
        d
        if told is d.told
        else replace(d, told=told, summary=replace(d.summary, notices=told.notices))
        for d, told in zip(digests, compared([d.told for d in digests]), strict=True)
    ]
