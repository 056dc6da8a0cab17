"""A log that grows under a monitor whose clocks are set by hand."""

import json
import math

from trainlens.monitor.looks import Looks
from trainlens.monitor.loop import Clocks, Monitor
from trainlens.work import Judging


def record(step, value, split=None, at=None, **stats):
    """One line of a native log."""
    held = {
        "step": step,
        "timestamp": 1.7e9 + (step if at is None else at),
        "losses": {"total": value},
        "stats": stats,
        "anomalies": [],
    }
    if split:
        held["split"] = split
    return json.dumps(held) + "\n"


def falling(step):
    """A loss that falls, with a little of a noise that is always the same."""
    return 3 / (1 + step) ** 0.3 * (1 + 0.02 * math.sin(12.9898 * step * step))


class Watch:
    """A monitor, and the time that passes at each of its rounds."""

    def __init__(self, *paths, seconds=1.0, **options):
        self.time, self.jump, self.seconds = 1000.0, 0.0, seconds
        clocks = Clocks(now=lambda: 1.7e9 + self.time + self.jump, tick=lambda: self.time)
        options.setdefault("looks", Looks(apart=False))
        self.monitor = Monitor(
            [str(p) for p in paths], options.pop("judge", Judging()), clocks=clocks, **options
        )
        self.changes = []

    def round(self, **how):
        """A round, a little later."""
        self.time += self.seconds
        update = self.monitor.round(**how)
        self.changes += update.changes
        return update

    @property
    def told(self):
        """What was told so far, notes left out."""
        return [
            (c.kind, c.finding.rule, c.finding.first_step)
            for c in self.changes
            if c.finding.severity.rank
        ]


def add(path, *lines):
    """Append lines as a training does."""
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(lines)
