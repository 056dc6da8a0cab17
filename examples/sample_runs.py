"""Train the sample runs anew: ``python -m examples.sample_runs [-o sample_runs]``.

Takes two to four minutes on two cores. Needs the ``aim``, ``tensorboard`` and ``torch`` extras.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from examples.expected import EXPECTED, write_expectations
from examples.handpose_dropout.sample import write_sample
from examples.quadmodal_flat_loss.sample import write_sample as write_flat_loss
from examples.small import diverging, healthy, overfitting
from examples.story.sample import write_pair


def main(arguments: list[str] | None = None) -> None:
    """Replace the sample runs in a folder by fresh ones."""
    parser = argparse.ArgumentParser(description="Train the sample runs anew.")
    parser.add_argument("-o", "--out", type=Path, default=Path("sample_runs"))
    parser.add_argument("--steps", type=int, help="of the hand-pose runs, for a quick look")
    options = parser.parse_args(arguments)
    out: Path = options.out
    jobs: dict[str, Callable[[], None]] = {
        "healthy_jsonl": lambda: healthy.main(out / "healthy_jsonl"),
        "overfitting_tensorboard": lambda: overfitting.main(out / "overfitting_tensorboard"),
        "diverging_jsonl": lambda: diverging.main(out / "diverging_jsonl"),
        "flat_loss_text": lambda: write_flat_loss(out / "flat_loss_text"),
        "fusion_jsonl": lambda: write_pair("bifusion_clip", out / "fusion_jsonl"),
        "structures_jsonl": lambda: write_pair("diffold_guarded", out / "structures_jsonl"),
        "emitters_tensorboard": lambda: write_pair(
            "decode_stagnation", out / "emitters_tensorboard", events=True
        ),
        "handpose_aim": lambda: write_sample(
            out / "handpose_aim", out / "handpose_text", options.steps
        ),
    }
    # One thread each: these networks are too small to share, and the sums stay the same.
    torch.set_num_threads(1)
    for folder in EXPECTED:
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir(parents=True)
    for name, job in jobs.items():
        start = time.monotonic()
        job()
        print(f"{out / name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    write_expectations(out)


if __name__ == "__main__":
    main()
