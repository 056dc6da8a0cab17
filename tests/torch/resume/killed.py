"""Runs the small training in a folder, from its checkpoint if there is one, and dies if asked.

``python -m tests.torch.resume.killed FOLDER UPDATE PLACE``: kills itself by SIGKILL at that update,
``before`` its checkpoint is written, in the middle of writing it (``within``), or ``after``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from tests.torch.resume.training import UPDATES, Setting, Training
from trainlens_torch.record.jsonl import JsonlSink
from trainlens_torch.schedules import Chain, Cosine, LinearWarmup

SETTING = Setting(Chain(LinearWarmup("3ba"), Cosine(end=0.1)), adaptive="seed", accumulation=3)


def main(folder: Path, die_at: int, place: str) -> None:
    """Train to the end, or to death."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums depend on how they are divided among threads
    training, saved = Training(SETTING), folder / "checkpoint"
    if saved.exists():
        training.resume(saved.read_bytes())
    with JsonlSink(folder / "log.jsonl", schedules=training.scheduler.header()) as sink:
        while training.clock.updates < UPDATES:
            step = training.clock.updates
            mean, norm, *_ = training.update()
            told = training.scheduler.logged()
            sink.log(step, {"loss": mean}, {"grad_norm": norm, **told})
            dying = training.clock.updates == die_at
            _die(dying and place == "before")
            state = training.state()
            part = folder / "checkpoint.part"
            part.write_bytes(state[: len(state) // 2] if dying and place == "within" else state)
            _die(dying and place == "within")
            part.replace(saved)
            _die(dying and place == "after")
    torch.save(training.weights(), folder / "weights")


def _die(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
