"""The native run log, ``trainlens.log/1``: JSON Lines, standard library only.

The first line is a header, every further line one record of one step::

    {"schema": "trainlens.log/1", "run": "a", "created": 1.7e9, "config": {}, "schedules": {}}
    {"step": 10, "timestamp": 1.7e9, "progress": 0.1, "losses": {"total_loss": 2.3},
     "stats": {"lr": 0.001}, "anomalies": []}

Optional in a record: ``epoch`` and ``split`` (``"train"`` when absent). NaN, Infinity and
-Infinity are written and read as bare tokens.

Version history
---------------
1 : first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

SCHEMA = "trainlens.log/1"
RECORD_KEYS = frozenset({"step", "losses", "stats"})


def header_line(
    run: str,
    created: float,
    config: Mapping[str, Any] | None = None,
    schedules: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode the header of a log.

    Parameters
    ----------
    run : str
        Name of the run.
    created : float
        Unix seconds.
    config, schedules : mapping, optional
        Plain JSON values: the configuration, and the planned schedules by field.

    Returns
    -------
    bytes, one line with its newline
    """
    header = {
        "schema": SCHEMA,
        "run": run,
        "created": created,
        "config": dict(config or {}),
        "schedules": dict(schedules or {}),
    }
    return _line(header)


def record_line(
    step: int,
    timestamp: float,
    losses: Mapping[str, float] | None = None,
    stats: Mapping[str, float] | None = None,
    *,
    progress: float | None = None,
    epoch: float | None = None,
    split: str = "train",
    anomalies: Iterable[Any] = (),
) -> bytes:
    """Encode the record of one step.

    Parameters
    ----------
    step : int
        Optimizer updates so far.
    timestamp : float
        Unix seconds.
    losses, stats : mapping of str to float
        Values of this step; NaN and infinities are kept.
    progress : float in [0, 1], optional
        Share of the planned training that is done.
    epoch : float, optional
    split : str
        Left out of the line when it is ``"train"``.
    anomalies : iterable
        What the recorder's detectors said about this step.

    Returns
    -------
    bytes, one line with its newline
    """
    record: dict[str, Any] = {"step": step, "timestamp": timestamp}
    if progress is not None:
        record["progress"] = progress
    if epoch is not None:
        record["epoch"] = epoch
    if split != "train":
        record["split"] = split
    record["losses"] = dict(losses or {})
    record["stats"] = dict(stats or {})
    record["anomalies"] = list(anomalies)
    return _line(record)


def is_header(obj: object) -> bool:
    """Whether a decoded line is the header of a native log, of any version."""
    return isinstance(obj, dict) and str(obj.get("schema", "")).startswith("trainlens.log/")


def is_record(obj: object) -> bool:
    """Whether a decoded line has the shape of a native record."""
    return isinstance(obj, dict) and obj.keys() >= RECORD_KEYS and isinstance(obj["losses"], dict)


def _line(obj: Mapping[str, Any]) -> bytes:
    return (json.dumps(obj, separators=(", ", ": ")) + "\n").encode()
