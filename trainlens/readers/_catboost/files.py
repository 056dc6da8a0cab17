"""Where the logs of a CatBoost training lie."""

from __future__ import annotations

from pathlib import Path

TIMES = "time_left.tsv"


def logs(folder: Path) -> list[Path]:
    """The files that a training writes into its folder, there or not."""
    tables = sorted(folder.glob("*_error.tsv"))
    return [folder / "catboost_training.json", *tables, folder / TIMES]
