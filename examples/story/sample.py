"""One training of each side of a story, for ``sample_runs``."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.story.plan import Story
from examples.story.seeds import trainings
from examples.story.telling import Teller, pair

__all__ = ["SIDES", "write_pair"]

SIDES = ("as_it_was", "treated")
_EVENTS = "events.out.tfevents.1767225600.sample.0"
"""Of an event file: its own name tells the machine."""


def write_pair(story: str, folder: Path, *, events: bool = False) -> None:
    """Train as it was and as prescribed, in the short form, and keep the logs.

    Parameters
    ----------
    story : str
        A folder of ``examples``.
    folder : Path
        That is there; gets ``as_it_was.jsonl`` and ``treated.jsonl``.
    events : bool
        Whether the logs are event files, each in a folder of that name.
    """
    plan: Story = importlib.import_module(f"examples.{story}.story").STORY
    with TemporaryDirectory() as scratch, trainings(1) as train:
        teller = Teller(lambda text: None, Path(scratch), train, (0,), short=True)
        for side, log in zip(SIDES, pair(plan, teller), strict=True):
            if events:
                (found,) = log.rglob("events.out.tfevents.*")
                (folder / side).mkdir()
                shutil.copyfile(found, folder / side / _EVENTS)
            else:
                own = log / "log.jsonl" if log.is_dir() else log
                shutil.copyfile(own, folder / f"{side}.jsonl")
