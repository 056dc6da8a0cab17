"""Why a training ended before its end, as an anomaly of its last record."""

from __future__ import annotations

from typing import Any

from trainlens_torch.guard.update import Diverged
from trainlens_torch.system.oom import is_out_of_memory

__all__ = ["told"]


def told(error: BaseException, step: int) -> dict[str, Any]:
    """The anomaly that an error is in the log.

    Its ``type``: ``out_of_memory``, ``interrupted`` (Ctrl-C, an exit that was asked for),
    ``diverged``, or ``exception``.

    Examples
    --------
    >>> told(ValueError("shapes do not fit"), 7)
    {'type': 'exception', 'step': 7, 'message': 'ValueError: shapes do not fit'}
    """
    lines = str(error).splitlines()
    name = type(error).__name__
    message = f"{name}: {lines[0][:200]}" if lines else name
    return {"type": _kind(error), "step": step, "message": message}


def _kind(error: BaseException) -> str:
    if is_out_of_memory(error):
        return "out_of_memory"
    if isinstance(error, Diverged):
        return "diverged"
    return "exception" if isinstance(error, Exception) else "interrupted"
