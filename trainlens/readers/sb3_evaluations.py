"""``evaluations.npz`` of Stable-Baselines3: the episodes of each evaluation during a training.

Of each evaluation the mean and standard deviation of the rewards, the mean length of the
episodes, and the share of successes where the task tells, at the time step of the evaluation.
The archive is written anew at each evaluation; what was there before is not given again.
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Look, Reader, Source

FORMAT = "sb3-evaluations"
SUREST = 0.98

_STEPS = "timesteps"


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 1] that a file holds the evaluations of a Stable-Baselines3 training."""
    look = Look.at(path)
    named = look.name == "evaluations.npz"
    if not look.is_file or not (named or look.head[:2] == b"PK"):
        return 0.0
    from trainlens.readers._sb3.archive import HEADER, entry_at

    data = look.head
    names = set()
    at = data.find(HEADER) if data[:2] == b"PK" else -1
    while at >= 0 and (entry := entry_at(data, at)) is not None:
        names.add(entry.name.removesuffix(".npy"))
        at = data.find(HEADER, entry.begin + entry.size)
    if {_STEPS, "results"} <= names:
        return 0.98
    # The head may end within the first member, or its header may be damaged.
    if names == {_STEPS}:
        return 0.97 if named else 0.9
    return 0.6 if named and any(f"{n}.npy".encode() in data for n in (_STEPS, "results")) else 0.0


def find(path: Path) -> list[Source]:
    """The one run of a file."""
    return [Source(FORMAT, path)]


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._sb3.reader import Evaluations

    return Evaluations(source.path)
