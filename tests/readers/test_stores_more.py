"""Stores as people fill them: points without steps, hyperparameters in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainlens.readers import load
from trainlens.readers._join import joined
from trainlens.readers._mlflow.stepless import ZeroSteps
from trainlens.readers.base import Source


def _mlflow_run(folder: Path, lines: str) -> None:
    run = folder / "mlruns" / "0" / ("a" * 32)
    (run / "metrics").mkdir(parents=True)
    (run / "meta.yaml").write_text(f"run_id: {'a' * 32}\nrun_name: r\nstatus: 3\n")
    (run / "metrics" / "loss").write_text(lines)


def test_points_of_mlflow_without_steps_are_counted(tmp_path: Path) -> None:
    _mlflow_run(tmp_path, "".join(f"{1700000000000 + i} {0.9 - i / 10} 0\n" for i in range(4)))
    run = load(tmp_path)[0]
    assert run["loss"].step.tolist() == [0, 1, 2, 3]
    assert any("no steps in loss" in n.message for n in run.notices)


def test_points_of_mlflow_with_steps_keep_them(tmp_path: Path) -> None:
    _mlflow_run(tmp_path, "1700000000000 0.9 0\n1700000000001 0.8 5\n1700000000002 0.7 10\n")
    run = load(tmp_path)[0]
    assert run["loss"].step.tolist() == [0, 5, 10]
    assert not any("no steps" in n.message for n in run.notices)


@pytest.mark.parametrize("cut", range(7))
def test_counting_does_not_depend_on_polls(cut: int) -> None:
    step = np.array([0, 0, 0, 7, 0, 9], np.int64)
    zeros = ZeroSteps()
    parts = [zeros(step[:cut]), zeros(step[cut:])]
    assert np.concatenate(parts).tolist() == [0, 1, 2, 7, 0, 9]


def test_hyperparameters_of_torch_belong_to_the_run_around_them(tmp_path: Path) -> None:
    inner, other = tmp_path / "1795232579.9957137", tmp_path / "trial"
    for folder in (inner, other):
        folder.mkdir()
    sources = [Source("tensorboard", p) for p in (tmp_path, inner, other)]
    found = joined(sources)
    assert [s.path for s in found] == [tmp_path, other]
    assert [p.path for p in found[0].parts] == [tmp_path, inner]
