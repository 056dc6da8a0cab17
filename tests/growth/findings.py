"""The monitor over a folder that grows: at the end it knows what a diagnosis of the whole says."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.growth.follow import sources
from tests.growth.schedule import WATCHING, Action
from tests.growth.world import Kind, World
from tests.robustness.reading import no_hang
from trainlens.monitor.looks import Looks
from trainlens.monitor.loop import Clocks, Monitor
from trainlens.monitor.model import CLOSED, OPENED, Standing, Update
from trainlens.readers import read
from trainlens.rules.base import Finding
from trainlens.work import Judging

Told = tuple[str, str, str, int | None, int | None, str]


def told(finding: Finding) -> Told:
    """What must be the same of two findings."""
    f = finding
    return f.rule, f.metric, f.split, f.first_step, f.last_step, f.severity.value


class Watching:
    """A monitor whose clock goes a second at each round, and never into the past of the files."""

    def __init__(self, path: Path) -> None:
        self.tick = 0.0
        clocks = Clocks(now=lambda: 1.6e9, tick=lambda: self.tick)
        self.monitor = Monitor([str(path)], Judging(), clocks=clocks, looks=Looks(apart=False))
        self.open: dict[int, int] = {}
        self.wrong = ""

    def round(self, **how: bool) -> Update:
        """A round; what it tells is held against what was told before."""
        self.tick += 1.0
        with no_hang():
            update = self.monitor.round(stirred=True, **how)
        for change in update.changes:
            state = self.open.get(change.number, 0)
            if (change.kind == OPENED) is not (change.number not in self.open):
                self.wrong = self.wrong or f"opened twice or never: {change}"
            if change.kind == CLOSED and state != 1:
                self.wrong = self.wrong or f"closed, and was not open: {change}"
            self.open[change.number] = int(change.kind != CLOSED)
        return update


def carry_out(kind: Kind, actions: Sequence[Action], scratch: Path) -> str:
    """What went wrong, empty for nothing."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    world = (kind.world or World)(folder, kind)
    try:
        watching = Watching(world.path)
        for action in actions:
            if action.verb in WATCHING:
                watching.round()
            else:
                world.do(action.verb, random.Random(action.seed))
        world.do("back", random.Random(0))
        return watching.wrong or _difference(watching.round(final=True), world.path)
    finally:
        if hasattr(world, "close"):
            world.close()
        shutil.rmtree(folder)


def _difference(last: Update, path: Path) -> str:
    # One path may hold several runs, which have names of their own. What is too little to be
    # known as a log is read on where it was known before.
    places = {str(source.path) for source in sources(path)}
    held = (r for r in last.runs if r.source in places)
    live = Counter((r.source, r.points > 0, r.verdict, _findings(r)) for r in held)
    cold: Counter[tuple[object, ...]] = Counter()
    for source in sources(path):
        d = Judging()(read(source, "x"))
        found = tuple(sorted(map(str, map(told, d.findings))))
        cold[d.run.source, d.run.points > 0, d.verdict, found] += 1
    # A run without a point is not judged while it is watched.
    more, less = ({k: n for k, n in c.items() if k[1]} for c in (live - cold, cold - live))
    return f"live {more}, cold {less}" if more or less else ""


def _findings(run: Standing) -> tuple[str, ...]:
    return tuple(sorted(str(told(f)) for _, f in run.findings))
