"""What the values and the usual keys of a record mean: numbers, steps, times, splits."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Any

from trainlens.roles import SPLITS

STEP_KEYS = (
    "step",
    "global_step",
    "trainer/global_step",
    "train/global_step",
    "iteration",
    "iter",
    "_step",
    "num_updates",
    "train_num_updates",
    "valid_num_updates",
    "current_step",
    "current_steps",
    "total_steps",
    "n_iter",
    "updates",
    "update",
    "total_timesteps",
    "timesteps",
    "timesteps_total",
    "training_iteration",
    "num_timesteps",
    "globalstep",
    "global_steps",
    "itr",
    "train_step",
    "training_step",
    "step_num",
    "steps",
    "iterations",
    "batch",
    "batch_idx",
    "batch_id",
)
"""Keys that count steps, the best first. Compared in lower case."""

COUNTERS = frozenset(STEP_KEYS[:12])
"""Step keys that are no metric even where another key counts the steps."""

EPOCH_KEYS = (
    "epoch",
    "current_epoch",
    "epoch_id",
    "epoch_num",
    "epoch_idx",
    "epoch_number",
    "n_epoch",
    "cur_epoch",
)
CLOCK_KEYS = ("timestamp", "wall_time", "_timestamp")
"""Keys of Unix seconds, whatever their size."""

DATE_KEYS = ("time", "ts", "datetime", "date", "created_at", "logged_at")
"""Keys of Unix seconds where the number is large enough for a date; else of a duration."""

TIME_KEYS = (*CLOCK_KEYS, *DATE_KEYS)
SPLIT_KEYS = (
    "split",
    "mode",
    "phase",
    "subset",
    "stage",
    "set",
    "dataset",
    "partition",
    "kind",
    "type",
    "event",
)
"""Keys whose words may name a split, the best first."""

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The tokens that JSON does not have, as strings."""

EARLIEST = 1e8
"""Unix seconds of March 1973: smaller numbers are no date of this age."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*%?", re.IGNORECASE)
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
LARGEST = 2**62
"""Steps lie between minus and plus this."""


def number(value: Any) -> float | None:
    """The number that a JSON value stands for, None where it stands for none.

    Strings such as ``"0.5"``, ``"nan"``, ``"-inf"`` and ``"0.82%"`` (gives 0.82) are numbers;
    true, false and null are not.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text.rstrip("% \t"))
    sign = -1.0 if text[:1] == "-" else 1.0
    found = _NON_FINITE.get(text.lstrip("+-").lower())
    return None if found is None else sign * found


_COUNTED = re.compile(r"\s*(\d{1,12})\s*(?:/|of)\s*\d{1,12}\s*")


def counted(value: Any) -> Any:
    """The count in ``"7/100"``; other values as they are."""
    found = _COUNTED.fullmatch(value) if isinstance(value, str) and len(value) < 64 else None
    return int(found.group(1)) if found else value


def whole(value: Any) -> int | None:
    """The whole number that a JSON value stands for, None where it stands for none."""
    if type(value) is int:
        return value if -LARGEST < value < LARGEST else None
    found = number(value)
    if found is None or not math.isfinite(found) or not found.is_integer():
        return None
    return int(found) if abs(found) < LARGEST else None


def unix_seconds(value: Any, earliest: float = EARLIEST) -> float | None:
    """Unix seconds of a time stamp: seconds, milli-, micro- or nanoseconds, or ISO 8601.

    Numbers below `earliest` are durations: None. A text without a time zone counts as UTC, so
    that the answer does not depend on the machine.
    """
    if isinstance(value, str) and (moment := _iso(value)):
        return moment
    found = number(value)
    if found is None or not earliest <= found < 1e20:
        return None
    while found > 1e11:
        found /= 1e3
    return found


def _iso(text: str) -> float | None:
    text = text.strip()
    if len(text) < 10 or text[4:5] not in "-/":
        return None
    normal = text.replace("/", "-", 2).replace(",", ".")
    normal = normal[:-1] + "+00:00" if normal[-1] in "Zz" else normal
    # Before Python 3.11 only three or six digits of a second are understood.
    normal = re.sub(r"\.(\d{1,9})", lambda m: f".{m.group(1)[:6]:0<6}", normal)
    try:
        moment = datetime.fromisoformat(normal)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return zoned.timestamp()


def known_split(value: Any) -> str | None:
    """The split that a word names (``"validation"`` -> ``"val"``), None for other words."""
    return SPLITS.get(value.strip().lower()) if isinstance(value, str) else None
