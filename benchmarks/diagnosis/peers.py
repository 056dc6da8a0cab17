"""Other diagnosers of logs on the same runs, each called as its users call it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.diagnosis.judge import Spec
from benchmarks.diagnosis.labelled import Labelled
from benchmarks.diagnosis.others import MEANING, Said, matched
from benchmarks.diagnosis.score import Outcome
from benchmarks.process import last_line, program, run
from trainlens.run import Run

CALLS = {
    "trainspotter": ("analyze", "--no-color", "--output", "json"),
    "runmedic": ("diagnose", "--json"),
    "losslint": ("check", "--format", "json"),
    "trainproof": ("epoch", "--json"),
}
"""Arguments of each before the log."""

_NAMES = {
    ("loss", "train"): "loss", ("loss", "val"): "eval_loss", ("learning-rate", "train"):
    "learning_rate", ("gradient-norm", "train"): "grad_norm", ("batch-time", "train"): "step_time",
    ("metric", "val"): "eval_accuracy",
}  # fmt: skip
"""Names that all of them know."""


def installed() -> list[str]:
    """Peers that can be called."""
    return [name for name in CALLS if program(name) is not None]


def write(target: Path, run: Run) -> Path:
    """A run as JSON Lines with the names that every peer knows, a record a step."""
    rows: dict[int, dict[str, float]] = {}
    for series in run.series.values():
        name = _NAMES.get((series.role.name, series.split), series.name)
        held = series.effective
        for step, value in zip(held.step.tolist(), held.value.tolist(), strict=True):
            rows.setdefault(step, {"step": step})[name] = value
    with target.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(rows[step]) + "\n" for step in sorted(rows))
    return target


def _trainspotter(answer: Any) -> Iterator[tuple[str, bool]]:
    for f in answer["findings"]:
        yield f["detector"], f["severity"] != "info"


def _runmedic(answer: Any) -> Iterator[tuple[str, bool]]:
    for one in answer:
        for f in one["findings"]:
            yield f["check"], f["severity"] != "info"


def _losslint(answer: Any) -> Iterator[tuple[str, bool]]:
    for f in answer["findings"]:
        yield f["check"], f["severity"] != "info"


def _trainproof(answer: Any) -> Iterator[tuple[str, bool]]:
    for report in answer["reports"]:
        for f in report["findings"]:
            yield f["id"], f["level"] in ("FAIL", "WARN")


_ANSWERS: dict[str, Callable[[Any], Iterator[tuple[str, bool]]]] = {
    "trainspotter": _trainspotter, "runmedic": _runmedic, "losslint": _losslint,
    "trainproof": _trainproof,
}  # fmt: skip


def said(peer: str, log: Path) -> list[Said]:
    """What a peer says about a log; nothing where it fails.

    Parameters
    ----------
    peer : str
        A key of `CALLS`.
    log : Path
    """
    command = program(peer)
    if command is None:
        raise RuntimeError(f"{peer} is not installed")
    try:
        answer = json.loads(run([command, *CALLS[peer], str(log)], limit=60.0).output)
    except (RuntimeError, json.JSONDecodeError) as error:
        print(f"{peer} on {log.stem}: {last_line(str(error))}")
        return []
    means = MEANING[peer]
    return [Said(means.get(n, ()), loud and n in means, n) for n, loud in _ANSWERS[peer](answer)]


def outcomes(wanted: Sequence[Spec], workers: int = 2) -> dict[str, list[Outcome]]:
    """Outcomes of every installed peer on the same runs."""
    peers = installed()
    found: dict[str, list[Outcome]] = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:

        def one(number: int) -> tuple[Labelled, dict[str, list[Said]]]:
            case = wanted[number].make()
            log = write(Path(folder) / f"run{number}.jsonl", case.run)
            answers = {peer: said(peer, log) for peer in peers}
            log.unlink()
            return case, answers

        for case, answers in pool.map(one, range(len(wanted))):
            for peer, heard in answers.items():
                found[peer].append(matched(case, heard))
    return found
