"""Tier C: the stored logs of tiny real trainings, each with a fault or as the healthy twin of one.

The trainings and their labels are in `benchmarks.diagnosis.trainings`; reading them needs no
torch.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.diagnosis.labelled import HEALTHY, Labelled, Span
from benchmarks.diagnosis.trainings import Training, trainings
from trainlens.readers import load_one
from trainlens.run import Run

LOGS = Path(__file__).parent / "tier_c_logs"


def load() -> list[Labelled]:
    """All pairs, the sick run before its twin; none where the logs are missing."""
    held = [(one, sick) for one in trainings().values() for sick in (True, False)]
    return [labelled(one, sick) for one, sick in held if (LOGS / one.file(sick)).exists()]


def labelled(one: Training, sick: bool) -> Labelled:
    """One of the two runs with what is wrong with it."""
    run = load_one(LOGS / one.file(sick))
    families = {"training": one.name}
    if not sick:
        return Labelled(run, HEALTHY, consequences=("step-rewind",), families=families,
                        seed=one.seed)  # fmt: skip
    begin, end = run.steps or (0, 0)
    span = Span(max(one.first, begin), end if one.last is None else one.last)
    return Labelled(
        run, one.name, one.accepts, (span,), one.brings, _tolerance(run), one.point,
        least=one.least, families=families, seed=one.seed,
    )  # fmt: skip


def _tolerance(run: Run) -> int:
    """Five points of the loss, or a hundredth of the run."""
    begin, end = run.steps or (0, 0)
    points = max((len(s) for s in run.series.values()), default=1)
    return int(max(5 * (end - begin) / max(1, points - 1), 0.01 * (end - begin)))
