"""A log of which a part is lost."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch
from trainlens.run import Notice


@fault("log-damage")
def log_damage(s: Sketch) -> Mark:
    """A reader had to give up 5 to 30 % of the records.

    Strength: that share.
    """
    share = s.rng.uniform(0.05, 0.3)
    lost = int(share / (1 - share) * len(s)) + 1
    place = f"run.jsonl, bytes 1000-{1000 + 80 * lost}"
    s.notices = (Notice("corrupt", place, "these lines are no JSON: left out", lost),)
    return marked(s.step, (0, len(s) - 1), strength=share)
