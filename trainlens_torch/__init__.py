"""The companion of trainlens for PyTorch training loops: schedules, recorders and guards.

Public names are loaded on first use, so that importing the package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainlens_torch.dropout import ProgressiveDropout, set_dropout_rate
    from trainlens_torch.record.jsonl import JsonlSink

_HOME = {
    "JsonlSink": "trainlens_torch.record.jsonl",
    "ProgressiveDropout": "trainlens_torch.dropout",
    "set_dropout_rate": "trainlens_torch.dropout",
}

__all__ = ["JsonlSink", "ProgressiveDropout", "set_dropout_rate"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
