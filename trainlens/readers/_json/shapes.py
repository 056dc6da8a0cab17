"""Records of other shapes, each made into a flat one: a row a value, places one level down.

``{"step": 7, "name": "loss", "value": 0.5}`` is the record ``{"step": 7, "loss": 0.5}``, and
``{"type": "metrics", "data": {"step": 7, "loss": 0.5}}`` stands at step 7. Each record is judged
by itself, so that the answer does not depend on the records beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainlens.readers._values import EPOCH_KEYS, STEP_KEYS, TIME_KEYS, number

Object = dict[str, Any]

_NAMES = ("metric", "metric_name", "name", "tag", "key")
_COUNTERS = frozenset({*STEP_KEYS, *EPOCH_KEYS})
_ASIDE = frozenset({"config", "args", "hparams", "hyperparameters", "hyper_parameters", "params"})
_WRAPPERS = frozenset({"data", "payload", "record", "extra", "fields", "metrics"})
_LONGEST = 200


def reshaped(rows: Sequence[Object]) -> Sequence[Object]:
    """The records with their places at the top and their metrics under their own names.

    Parameters
    ----------
    rows : sequence of dict
        Left as they are; what comes out are the same objects where nothing is to be done.
    """
    kinds: dict[tuple[str, ...], bool] = {}
    odd = False
    for row in rows:
        keys = tuple(row)
        if keys not in kinds:
            kinds[keys] = _may_be_other(keys)
        odd = odd or kinds[keys]
    return [_one(row) if kinds[tuple(row)] else row for row in rows] if odd else rows


def stays(row: Object) -> bool:
    """Whether `reshaped` leaves all records of these keys as they are, whatever they hold."""
    if any(key.lower() in _COUNTERS for key in row):
        return "value" not in row or not any(name in row for name in _NAMES)
    inside = (v for k, v in row.items() if isinstance(v, dict) and k not in _ASIDE)
    return not any(key.lower() in _COUNTERS for held in inside for key in held)


def _may_be_other(keys: tuple[str, ...]) -> bool:
    return "value" in keys or not any(key.lower() in _COUNTERS for key in keys)


def _one(row: Object) -> Object:
    return _named(_raised(row))


def _named(row: Object) -> Object:
    """A record of one value under the name of its metric."""
    if number(row.get("value")) is None or not any(key.lower() in _COUNTERS for key in row):
        return row
    for key in _NAMES:
        name = row.get(key)
        if isinstance(name, str) and 0 < len(name) <= _LONGEST and name not in row:
            rest = {k: v for k, v in row.items() if k not in (key, "value")}
            return rest | {name: row["value"]}
    return row


def _raised(row: Object) -> Object:
    """A record with the counters and times of the one object in it that has some."""
    if any(key.lower() in _COUNTERS for key in row):
        return row
    inner = [k for k, v in row.items() if isinstance(v, dict) and k not in _ASIDE and _counts(v)]
    if not inner:
        return row
    held = row[inner[0]]
    place = [k for k in held if k.lower() in _COUNTERS or k.lower() in TIME_KEYS]
    rest = {k: v for k, v in held.items() if k not in place}
    up = {k: held[k] for k in place if k not in row}
    if inner[0].lower() in _WRAPPERS and not rest.keys() & row.keys():
        return {**{k: v for k, v in row.items() if k != inner[0]}, **rest, **up}
    return {**row, inner[0]: rest, **up}


def _counts(held: Object) -> bool:
    return any(k.lower() in _COUNTERS and number(v) is not None for k, v in held.items())
