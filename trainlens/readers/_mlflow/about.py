"""What an MLflow run says about itself: parameters, tags, status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from trainlens.chunk import Floats, Notice
from trainlens.readers._values import EARLIEST

_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The numbers of the file store; the database has the words."""

_UNFINISHED = {
    "RUNNING": "still running, or it ended without a word",
    "SCHEDULED": "never started",
    "FAILED": "failed",
    "KILLED": "was killed",
}
_TAGS = {
    "mlflow.parentRunId": "parent",
    "mlflow.note.content": "note",
    "mlflow.source.name": "source",
    "mlflow.source.git.commit": "git_commit",
    "mlflow.source.git.branch": "git_branch",
}
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_REAL = re.compile(r"[+-]?(\d{1,40}\.\d{0,40}|\.\d{1,40}|\d{1,40}(?=e))(e[+-]?\d{1,4})?", re.I)
_WORDS = {"True": True, "False": False, "true": True, "false": False, "None": None, "null": None}


def plain(text: str) -> Any:
    """The value that MLflow wrote as text: whole number, real number, true, false, none, text."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else text


def status_of(info: Mapping[str, Any]) -> str:
    """Status of a run in capitals, empty where it is unknown."""
    status = info.get("status")
    return _STATUS.get(status, "") if isinstance(status, int) else str(status or "").upper()


def config_of(
    params: Mapping[str, str], tags: Mapping[str, str], info: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters of a run, and beneath ``mlflow`` what MLflow itself knows about it.

    Parameters
    ----------
    params, tags : mapping of str to str
    info : mapping
        Fields of meta.yaml, or of the table ``runs``.
    """
    config: dict[str, Any] = {key: plain(value) for key, value in params.items()}
    about: dict[str, Any] = {"run_id": info.get("run_id") or info.get("run_uuid")}
    about["name"] = run_name(tags, info)
    about["status"] = status_of(info)
    about |= {k: info.get(k) for k in ("experiment_id", "experiment", "lifecycle_stage")}
    about |= {k: _seconds(info.get(k)) for k in ("start_time", "end_time")}
    about |= {short: tags.get(name) for name, short in _TAGS.items()}
    about["tags"] = {k: plain(v) for k, v in tags.items() if not k.startswith("mlflow.")}
    kept = {key: value for key, value in about.items() if value not in (None, "", {})}
    config["mlflow" if "mlflow" not in config else "mlflow_run"] = kept
    return config


def run_name(tags: Mapping[str, str], info: Mapping[str, Any]) -> str:
    """Name that the user gave a run, empty without one."""
    return str(info.get("run_name") or tags.get("mlflow.runName") or info.get("name") or "")


def notices_of(info: Mapping[str, Any], where: str) -> list[Notice]:
    """What a finished look at a run has to say about its end."""
    found = []
    status = status_of(info)
    if status in _UNFINISHED:
        text = f"MLflow says {status}: the run {_UNFINISHED[status]}"
        found.append(Notice("unfinished", where, text))
    if info.get("lifecycle_stage") == "deleted":
        text = "this run was deleted in MLflow; it is still there and was read"
        found.append(Notice("assumed", where, text))
    return found


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    seconds = float(unix_times(np.array([value], np.float64))[0])
    return None if np.isnan(seconds) else seconds


def unix_times(stamp: Floats) -> Floats:
    """Unix seconds of MLflow's time stamps, shape (n,).

    They are milliseconds; before MLflow 1.0 they were seconds. What is no date of this age
    (counters, zeros) is NaN.
    """
    with np.errstate(invalid="ignore"):
        seconds = np.where(stamp > 1e11, stamp / 1e3, stamp)
        return np.where((seconds >= EARLIEST) & (seconds < 1e11), seconds, np.nan)
