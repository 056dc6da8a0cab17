"""Keys of a configuration file, as arguments of the manager."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

__all__ = ["from_keys"]

_NAMES = {
    "adaptive_threshold": "threshold",
    "loss_window_size": "window",
    "lr_boost_factor": "boost",
    "lr_decay_factor": "decay",
    "plateau_patience": "patience",
    "plateau_factor": "factor",
    "plateau_min_lr": "min_lr",
    "warmup_epochs": "warmup",
}
_OWN = (
    *("mode", "threshold", "window", "boost", "decay", "no_improvement", "patience", "factor"),
    *("min_lr", "max_factor", "warmup", "step", "trials", "keep"),
)
_TYPES = {"adaptive_plateau": "seed", "adaptive_robust": "robust"}
_OTHERS = ("enable_warmup", "warmup_start_lr", "scheduler_type")


def from_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `AdaptiveLRManager` from the keys of a configuration.

    See `AdaptiveLRManager.from_config`. Raises ValueError for a key that is unknown or given by
    two names, and for an unknown ``scheduler_type``; TypeError where `config` is no mapping.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"a configuration is a mapping, not {type(config).__name__}")
    known = (*_NAMES, *_OWN, *_OTHERS)
    unknown = [str(key) for key in config if key not in known]
    if unknown:
        raise ValueError(f"unknown key {_with_hints(unknown, known)}; known are {', '.join(known)}")
    out: dict[str, Any] = {}
    for key, value in config.items():
        if key in _OTHERS:
            continue
        name = _NAMES.get(key, key)
        if name in out:
            raise ValueError(f"{name!r} is given by two names; leave {key!r} out")
        out[name] = value
    if "scheduler_type" in config:
        _add_mode(out, config["scheduler_type"])
    if config.get("enable_warmup", True) is False:
        out.pop("warmup", None)
    return out


def _add_mode(out: dict[str, Any], kind: Any) -> None:
    if kind not in _TYPES:
        raise ValueError(f"scheduler_type must be one of {', '.join(_TYPES)}, not {kind!r}")
    if out.get("mode", _TYPES[kind]) != _TYPES[kind]:
        raise ValueError(f"scheduler_type {kind!r} and mode {out['mode']!r} do not agree")
    out["mode"] = _TYPES[kind]


def _with_hints(unknown: list[str], known: tuple[str, ...]) -> str:
    said = []
    for key in unknown:
        near = difflib.get_close_matches(key, known, 1)
        said.append(f"{key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return ", ".join(said)
