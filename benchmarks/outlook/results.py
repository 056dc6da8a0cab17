"""Rows of the table: synthetic runs, trainlens beside what forecasts without the learning rate."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.outlook.ask import METHODS, Question, answered, ours, questions
from benchmarks.outlook.score import Asked, Score
from benchmarks.outlook.synthetic import case
from benchmarks.table import Row

SEED = 50_000
"""Of the first run; none below was used to tune."""


def drawn(count: int, first: int = SEED) -> list[Question]:
    """Questions to so many runs."""
    rng = np.random.default_rng(first)
    return [q for seed in range(first, first + count) for q in questions(case(seed), rng)]


def scored(asked: list[Question]) -> dict[str, tuple[list[Asked], Score]]:
    """Answers and score of each method."""
    found = {}
    for name, method in METHODS.items():
        told = [answered(q, method) for q in asked]
        found[name] = told, Score.of(told)
    return found


def results(quick: bool = False) -> list[Row]:
    """Brier score beside each peer, and what an advice to stop is worth."""
    asked = drawn(20 if quick else 80)
    found = scored(asked)
    _, own = found["trainlens"]
    rows = [
        Row(
            f"Brier score, {own.count} questions", name, score.brier, own.brier, "",
            f"intervals hold {score.coverage:.0%} of the ends, ours {own.coverage:.0%}; of the "
            f"targets reached later it stops {score.false_stop:.1%}, ours {own.false_stop:.1%}",
            "",
        )
        for name, (_, score) in found.items()
        if name != "trainlens"
    ]  # fmt: skip
    return [*rows, _cost(asked[:: max(len(asked) // 40, 1)])]


def _cost(asked: list[Question]) -> Row:
    took = []
    for question in asked:
        begin = time.process_time()
        ours(question)
        took.append(time.process_time() - begin)
    return Row(
        "one forecast", "", float("nan"), 1000 * float(np.median(took)), "<= 30 ms", "", "ms"
    )
