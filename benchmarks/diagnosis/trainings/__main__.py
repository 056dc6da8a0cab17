"""Run all trainings and store their logs: ``python -m benchmarks.diagnosis.trainings [NAME ...]``.

torch is needed; the three minutes that it may take are spent on one core. A pair whose logs do not
show what they should (`Training.facts`, `curves.healthy`) stops it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from benchmarks.diagnosis.tier_c import LOGS
from benchmarks.diagnosis.trainings import Training, trainings
from benchmarks.diagnosis.trainings.bench import Bench
from benchmarks.diagnosis.trainings.curves import Curves, healthy
from trainlens.readers import load_one


def make(one: Training, folder: Path = LOGS) -> list[str]:
    """Run both trainings of a pair and store their logs.

    Returns
    -------
    list of str
        What the logs should show and do not.
    """
    curves = {}
    for sick in (False, True):
        bench = Bench(f"{one.name}-{'sick' if sick else 'well'}", one.seed)
        one.train(bench, sick)
        bench.log.pack(folder / one.file(sick))
        curves[sick] = Curves(load_one(folder / one.file(sick)))
    facts = {f"twin: {said}": true for said, true in healthy(curves[False]).items()}
    facts |= one.facts(curves[True], curves[False])
    return [said for said, true in facts.items() if not true]


def main(names: list[str]) -> int:
    """Make the pairs asked for, or all."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    LOGS.mkdir(exist_ok=True)
    held, wrong = trainings(), 0
    if unknown := set(names) - set(held):
        print(f"no training {', '.join(sorted(unknown))}; there are: {', '.join(held)}")
        return 2
    for name in names or held:
        begin = time.perf_counter()
        missing = make(held[name])
        wrong += bool(missing)
        print(f"{name:22} {time.perf_counter() - begin:5.1f} s  {'; '.join(missing) or 'ok'}",
              flush=True)  # fmt: skip
    size = sum(path.stat().st_size for path in LOGS.glob("*.jsonl.gz"))
    count = len(names or held)
    print(f"{count} pairs, {size / 1000:.0f} kB of logs, {wrong} not as they should be")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
