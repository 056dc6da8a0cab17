"""``evaluations.npz`` of Stable-Baselines3: the episodes of each evaluation during a training.

Of each evaluation the mean and standard deviation of the rewards, the mean length of the
episodes, and the share of successes where the task tells, at the time step of the evaluation.
The archive is written anew at each evaluation; what was there before is not given again.

Recognition
-----------
A zip archive with the arrays ``timesteps`` and ``results``; by its name where the first of them is
damaged.

Damage
------
Every array whose checksum holds is kept, whether the list at the end of the archive is there or
not; the others are named.

Limits
------
The episodes of an evaluation are summed up: their single rewards are not series. There are no
times in this format. What Stable-Baselines3 logs besides (``progress.csv``, event files) is read
by other readers, as parts of the same run where it lies in the same folder.

Examples
--------
>>> import numpy as np, trainlens
>>> from pathlib import Path
>>> rewards, lengths = [[10.0, 12.0], [20.0, 22.0]], [[5, 7], [9, 9]]
>>> np.savez("evaluations.npz", timesteps=[1000, 2000], results=rewards, ep_lengths=lengths)
>>> run = trainlens.load_one("evaluations.npz")
>>> print(run.frame()[["metric", "split", "step", "value"]].to_string(index=False))
        metric split  step  value
   mean_reward   val  1000   11.0
   mean_reward   val  2000   21.0
    std_reward   val  1000    1.0
    std_reward   val  2000    1.0
mean_ep_length   val  1000    6.0
mean_ep_length   val  2000    9.0

The archive cut in its last array:

>>> data = Path("evaluations.npz").read_bytes()
>>> _ = Path("evaluations.npz").write_bytes(data[: len(data) * 2 // 3])
>>> trainlens.load_one("evaluations.npz").notices[0].message
'ep_lengths cannot be read: the file ends before its last byte'
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
