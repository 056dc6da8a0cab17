"""The long table as a file: CSV, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens import atomic
from trainlens.errors import MissingExtra, UsageError
from trainlens.run import Runs

if TYPE_CHECKING:
    import pandas as pd


def write_table(runs: Runs, path: Path) -> int:
    """Write run, metric, split, step, epoch, wall_time and value of every point.

    Parameters
    ----------
    runs : Runs
    path : Path
        Its ending chooses the format: ``.csv``, ``.jsonl`` or ``.parquet``. NaN and infinities
        are written as such in all of them; an unknown epoch or time is left empty in CSV.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    UsageError
        Another ending.
    MissingExtra
        Parquet without pyarrow.
    OutputError
        The file cannot be written; nothing is left behind.
    """
    writers: dict[str, Callable[[pd.DataFrame, str], object]] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        ".parquet": lambda frame, target: frame.to_parquet(target, index=False),
    }
    if path.suffix not in writers:
        raise UsageError(
            f"{path}: tables are written as {', '.join(writers)}; end the name with one"
        )
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtra("writing Parquet", "parquet")
    frame = runs.frame()
    atomic.produce(path, lambda target: writers[path.suffix](frame, target))
    return len(frame)


def _csv(frame: pd.DataFrame, target: str) -> None:
    # `value` is data, so its NaN is written; elsewhere NaN means unknown and stays empty.
    shown = frame.assign(value=frame["value"].map(repr))
    shown.to_csv(target, index=False)


def _jsonl(frame: pd.DataFrame, target: str) -> None:
    import json

    columns = [frame[name].tolist() for name in frame]
    with open(target, "w", encoding="utf-8") as file:
        for row in zip(*columns, strict=True):
            record = dict(zip(frame, row, strict=True))
            known = {k: v for k, v in record.items() if k == "value" or v == v}
            file.write(json.dumps(known) + "\n")
