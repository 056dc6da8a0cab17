"""Command line: ``python -m benchmarks.adaptive``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.adaptive.results import ARMS, SEEDS, trained, verdicts, workers
from benchmarks.adaptive.simulated import ENDED, HEALTHY, STALLED, course
from benchmarks.adaptive.training import CONTROL, STALL


def trainings(seeds: int) -> None:
    """Real trainings: every decision, and the verdicts."""
    for task in (STALL, CONTROL):
        with tempfile.TemporaryDirectory() as place, workers() as pool:
            found = trained(task, seeds, Path(place), pool)
            said = verdicts(task, Path(place))
        for name in ARMS[task.name]:
            print(f"{task.name}, {name}: {said.get(name, '')}")
            for seed, result in enumerate(found[name]):
                print(f"  seed {seed}: ends at {result.losses[-1]:.4g}, factor {result.factor:.4g}")
                print("".join(f"    {change}\n" for change in result.changes), end="")


def simulations(count: int) -> None:
    """How often a rate is changed, and where the loss ends, as Markdown."""
    print(
        "| Simulated run | epochs | touched, seed | touched, robust | end, fixed | seed | robust |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, model in {**HEALTHY, **ENDED, **STALLED}.items():
        for epochs in (150, 400):
            found = {
                mode: [course(model, seed, epochs, mode) for seed in range(count)]
                for mode in ("fixed", "seed", "robust")
            }
            touched = [
                f"{np.mean([c.changes > 0 for c in found[mode]]):.1%}"
                for mode in ("seed", "robust")
            ]
            ends = [
                f"{np.median([c.losses[-20:].mean() for c in one]):.3g}" for one in found.values()
            ]
            print(f"| {name} | {epochs} | {' | '.join(touched + ends)} |", flush=True)


def main() -> None:
    """Train or simulate, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds a method")
    parser.add_argument("--simulate", type=int, metavar="N", help="N simulated runs a kind instead")
    options = parser.parse_args()
    if options.simulate:
        simulations(options.simulate)
    else:
        trainings(options.seeds)


if __name__ == "__main__":
    main()
