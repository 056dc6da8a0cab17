"""Command line: ``python -m benchmarks.outlook``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.outlook.ask import METHODS, answered, ours, questions
from benchmarks.outlook.results import drawn, scored
from benchmarks.outlook.score import Asked, Score, calibration
from benchmarks.outlook.synthetic import KINDS, SCHEDULES

HEAD = (
    "| | questions | refused | Brier | 90 % intervals hold | stops of targets reached later "
    "| stops of targets missed | stops that are wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|"
)


def line(name: str, s: Score) -> str:
    """A score as a row of Markdown."""
    shares = (s.coverage, s.false_stop, s.stops, s.wrong_stop)
    told = " | ".join("-" if np.isnan(v) else f"{v:.1%}" for v in shares)
    return f"| {name} | {s.count} | {s.refused:.0%} | {s.brier:.3f} | {told} |"


def bins(asked: Sequence[Asked]) -> str:
    """The calibration table."""
    rows = [f"| {p:.2f} | {y:.2f} | {n} |" for p, y, n in calibration(asked)]
    return "\n".join(["| said | reached | questions |", "|--:|--:|--:|", *rows])


def synthetic(count: int) -> None:
    """Methods beside each other, and ours by kind of curve, schedule and cut."""
    print(f"## Synthetic runs: {count}\n\n{HEAD}")
    found = scored(drawn(count))
    for name, (_, score) in found.items():
        print(line(name, score))
    own = found["trainlens"][0]
    for word in (*KINDS, *SCHEDULES, *("at 30%", "at 50%", "at 70%")):
        print(line(f"trainlens, {word}", Score.of([a for a in own if word in a.group])))
    print(f"\n{bins(own)}\n")


def trained(each: int) -> None:
    """Small real trainings."""
    from benchmarks.outlook.trainings import SHAPES, cases

    rng = np.random.default_rng(0)
    asked = [q for case in cases(each, 90_000) for q in questions(case, rng)]
    print(f"## Small trainings: {each} of each of {len(SHAPES)} schedules\n\n{HEAD}")
    for name, method in METHODS.items():
        print(line(name, Score.of([answered(q, method) for q in asked])))
    print(f"\n{bins([answered(q, ours) for q in asked])}\n")


def real(folder: Path) -> None:
    """Real logs."""
    from benchmarks.outlook.real import asked

    told = list(asked(folder))
    print(f"## Real logs\n\n{HEAD}\n{line('trainlens', Score.of([a for a, _ in told]))}\n")
    print(bins([a for a, _ in told]))
    for why, count in Counter(why for _, why in told if why).most_common():
        print(f"- {count}: {why}")


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outlook", description=__doc__)
    parser.add_argument("--runs", type=int, default=150, help="synthetic runs")
    parser.add_argument("--trainings", type=int, default=0, help="small trainings a schedule")
    parser.add_argument("--logs", type=Path, help="folder of real logs")
    options = parser.parse_args()
    synthetic(options.runs)
    if options.trainings:
        trained(options.trainings)
    if options.logs:
        real(options.logs)


if __name__ == "__main__":
    main()
