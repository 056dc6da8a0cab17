"""Lists of actions: drawn, carried out, and made short where they fail."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.growth.follow import Watch, differences, missing
from tests.growth.world import Kind, World

WATCHING = {"poll": 10, "twice": 2}
SHORTEST, LONGEST = 4, 30


class Action(NamedTuple):
    """One thing that happens; all chance in it comes from its seed."""

    verb: str
    seed: int


def draw(kind: Kind, scratch: Path, rng: random.Random) -> list[Action]:
    """A schedule."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        verbs = {**(kind.world or World)(Path(folder), kind).verbs, **WATCHING}
    n = rng.randint(SHORTEST, LONGEST)
    chosen = rng.choices(list(verbs), list(verbs.values()), k=n)
    return [Action(verb, rng.randrange(10**6)) for verb in chosen]


def carry_out(kind: Kind, actions: Sequence[Action], scratch: Path) -> str:
    """What went wrong, empty for nothing."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    world = (kind.world or World)(folder, kind)
    try:
        watch = Watch(world.path)
        for number, action in enumerate(actions):
            if action.verb not in WATCHING:
                world.do(action.verb, random.Random(action.seed))
                continue
            for _ in range(1 + (action.verb == "twice")):
                watch.poll()
            wrong = missing(watch, world.path) if world.complete and not kind.late else ""
            if wrong:
                return f"after action {number}: {wrong}"
        world.do("back", random.Random(0))
        watch.poll(final=True)
        return differences(watch, world.path, world.ordered)
    finally:
        if hasattr(world, "close"):
            world.close()
        shutil.rmtree(folder)


def shrunk(kind: Kind, actions: Sequence[Action], scratch: Path) -> list[Action]:
    """The same failing schedule without what it fails without."""
    kept, at = list(actions), len(actions)
    while at:
        at -= 1
        less = kept[:at] + kept[at + 1 :]
        if carry_out(kind, less, scratch):
            kept = less
    return kept
