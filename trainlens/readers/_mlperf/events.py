"""What records mean: points of metrics, configuration, how the run ended."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from trainlens.readers._columns import Columns, Key
from trainlens.readers._mlperf.place import AXES, At, Axis, Places, axis_of
from trainlens.readers._mlperf.record import Record
from trainlens.readers._values import number
from trainlens.roles import role_of

_METRIC = re.compile(
    r"(\w+_)?(accuracy|acc|loss|error|perplexity|throughput|wer|bleu|auc|dice|iou|map|hit_rate|fid"
    r"|(samples|tokens|images|sequences)_per_sec(ond)?|grad(ient)?_norm|current_lr)",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"target|_hp_|^opt_(?!learning_rate$)|_opt_|^model_|^preproc_|^input_|^submission_|^seed$"
    r"|(_|^)(sizes?|samples|examples|seed|fn|name|scale|smoothing|epsilon|warmup)(_|$)",
    re.IGNORECASE,
)
_INTERVAL = re.compile(r"\w+_(start|stop|begin|end)|train_(loop|epoch)|run_final", re.IGNORECASE)
_BESIDE = frozenset({"learning-rate", "loss", "metric", "gradient-norm", "throughput"})

# Benchmarks whose `eval_accuracy` is a log perplexity or a word error rate, by their rules.
_MINIMISED = re.compile(r"gpt|llama|rnnt|moe|mixtral|deepseek|flux", re.IGNORECASE)

_NOWHERE = Axis(None, None, None)
_DEPTH = 8


class Events:
    """Turns records into points and configuration, in the order in which they were logged."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.places = Places()
        self.config: dict[str, Any] = {}
        self.records = 0
        self.points = 0
        self.runs = 0
        self.unplaced: dict[str, int] = {}
        self.open = False
        self.status = ""
        self._benchmark = ""
        self._seen_since_start = 0
        self._last: dict[str, tuple[int, float]] = {}
        self._rows: dict[Key, list[tuple[int, float, float, float]]] = {}

    def take(self, record: Record) -> None:
        """Take in one record."""
        self.records += 1
        if record.benchmark and record.benchmark != self._benchmark:
            self._benchmark = self.config["benchmark"] = record.benchmark
        if _what(record.key) == "interval":
            self._event(record)
        elif not self._measure(record):
            self._configure(record)

    def add(self, key: Key, at: At, value: float, wall_time: float) -> None:
        """Add one point."""
        self.points += 1
        self._seen_since_start += 1
        self._last[key.name] = at.step, value
        self._rows.setdefault(key, []).append((at.step, value, wall_time, at.epoch))

    def flush(self) -> None:
        """Hand the points so far to `columns`."""
        for key, rows in self._rows.items():
            step = np.array([row[0] for row in rows], np.int64)
            value, wall_time, epoch = np.array([row[1:] for row in rows], np.float64).T.copy()
            self.columns.add(key, step, value, wall_time, epoch)
        self._rows = {}

    def _event(self, record: Record) -> None:
        if record.key == "run_start":
            self._start()
        elif record.key == "run_stop":
            self._stop(record)
        self.places.event(record.key, record.value, record.metadata)

    def _start(self) -> None:
        # Several ranks may each say that the run starts.
        if self.runs and self._seen_since_start:
            self.places.restart()
            self.runs += 1
        self.runs = max(self.runs, 1)
        self.open, self.status, self._seen_since_start = True, "", 0

    def _stop(self, record: Record) -> None:
        self.open = False
        self._seen_since_start += 1
        status = record.metadata.get("status")
        success = record.metadata.get("success")
        if isinstance(status, str):
            self.status = status.lower()
        elif success is not None:
            self.status = "success" if str(success).lower() == "true" else "aborted"
        if self.status:
            self.config["status"] = self.status

    def _measure(self, record: Record) -> bool:
        """Give the points of a record; whether it is a measurement at all."""
        key, value = record.key, record.value
        beside = value if isinstance(value, dict) else {}
        axis = axis_of(record.metadata, beside)
        what = _what(key)
        if what == "setting" or (what != "metric" and axis == _NOWHERE):
            return False
        found = _numbers("" if key == "tracked_stats" else key, value)
        if not found:
            return False
        bare_rate = key == "opt_learning_rate" and axis == _NOWHERE
        at = None if bare_rate else self.places(key, axis)
        if at is None:
            if not bare_rate:
                self._count_unplaced(key)
            return False
        if axis == _NOWHERE and self._last.get(key) == (at.step, found[0][1]):
            return True  # the same reading once more, beside the `tracked_stats` that hold it
        kind = "loss" if self._is_minimised(key) else ""
        metric = record.metadata.get("metric")
        for name, number_ in found:
            whole_name = f"{name}/{metric}" if isinstance(metric, str) and name == key else name
            self.add(Key(whole_name, kind=kind), at, number_, record.wall_time)
        aside = {k: v for k, v in record.metadata.items() if isinstance(v, dict) or _is_told(k)}
        for name, number_ in _numbers("", aside):
            if _is_told(name) and name not in beside:
                self.add(Key(name), at, number_, record.wall_time)
        return True

    def _is_minimised(self, key: str) -> bool:
        benchmark = self._benchmark or str(self.config.get("submission_benchmark", ""))
        return key == "eval_accuracy" and bool(_MINIMISED.search(benchmark))

    def _configure(self, record: Record) -> None:
        # A value of null says only that something was done.
        if record.value is None:
            return
        before = self.config.setdefault(record.key, record.value)
        if record.key == "opt_learning_rate" and before != record.value:
            self._count_unplaced(record.key)
        self.config[record.key] = record.value

    def _count_unplaced(self, key: str) -> None:
        self.unplaced[key] = self.unplaced.get(key, 0) + 1


@lru_cache(maxsize=4096)
def _what(key: str) -> str:
    """What a key names: ``interval``, ``setting``, ``metric``, or nothing certain."""
    if _INTERVAL.fullmatch(key):
        return "interval"
    if _SETTING.search(key):
        return "setting"
    always = key in ("tracked_stats", "opt_learning_rate")
    return "metric" if always or _METRIC.fullmatch(key) else ""


def _numbers(name: str, value: Any, depth: int = 0) -> list[tuple[str, float]]:
    """The numbers of a value, names of nested ones joined with ``/``; axes are left out."""
    if not isinstance(value, dict):
        single = number(value) if name else None
        return [] if single is None else [(name, single)]
    found: list[tuple[str, float]] = []
    for key, inner in value.items():
        if key in AXES or depth >= _DEPTH:
            continue
        path = f"{name}/{key}" if name else str(key)
        if type(inner) is float and path:
            found.append((path, inner))
        else:
            found += _numbers(path, inner, depth + 1)
    return found


@lru_cache(maxsize=4096)
def _is_told(name: str) -> bool:
    """Whether a number beside the value of a record is a measurement of its own."""
    return role_of(name).name in _BESIDE and name != "metric"
