"""What readers hand over: `Column` and `Chunk`, and the `Notice` of what they doubted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Notice:
    """Something that a reader repaired, skipped or doubted.

    Parameters
    ----------
    kind : str
        Kebab-case: ``torn-tail``, ``corrupt``, ``skipped``, ``assumed``, ``lfs-pointer``,
        ``empty``, ``unreadable``, ``not-a-log``, ``unfinished``, ``identical``; ``event`` for
        what the training itself said: an error, a traceback; ``replaced`` where something that
        was given in an earlier poll is no longer there: who wants what a reader at the beginning
        would give opens the source anew. A first poll never says so.
    where : str
        File, and byte range or line where there is one: ``"run.jsonl, bytes 100-220"``; of an
        ``event`` the step as well: ``"train.log, line 12, step 300"``.
    message : str
        What was found and what was done about it.
    lost : int or None
        Records lost; None when they cannot be counted; 0 when nothing was lost.
    """

    kind: str
    where: str
    message: str
    lost: int | None = 0

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"

    @property
    def step(self) -> int | None:
        """The step that `where` names, None where it names none."""
        head, _, step = self.where.rpartition(", step ")
        return int(step) if head and step.lstrip("-").isdecimal() else None


@dataclass(frozen=True, eq=False)
class Column:
    """New points of one metric, as a reader found them.

    Parameters
    ----------
    name : str
        The name as it stands in the log.
    step : ndarray of int64, shape (n,)
    value : ndarray of float64, shape (n,)
        NaN and infinities are data.
    wall_time : ndarray of float64, shape (n,)
        Unix seconds; NaN where unknown.
    epoch : ndarray of float64, shape (n,)
        NaN where unknown.
    split : str or None
        None lets the name decide (``val_loss`` -> ``loss`` of ``val``); else the name is kept.
    kind : str
        ``"loss"`` or ``"system"`` where the format itself says so, ``"flag"`` for true and
        false; else empty.
    unit : str
        Unit that stands beside the values in the log (``"%"``, ``"ms"``); else empty.
    """

    name: str
    step: Ints
    value: Floats
    wall_time: Floats
    epoch: Floats
    split: str | None = None
    kind: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Ended:
    """That whoever wrote a log has ended it, as the log says.

    Parameters
    ----------
    time : float
        Unix seconds; NaN where it is not said.
    how : str
        ``closed``; ``exit`` where the process came to its end without closing it; ``exception``.
    """

    time: float
    how: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """What one `poll` of a reader found: each record exactly once.

    Parameters
    ----------
    columns : tuple of Column
    config : mapping
    notices : tuple of Notice
    ended : Ended or None
        How the log stands behind all that was read of it, in this poll and before; None where it
        does not say that it was ended, or goes on behind that.
    """

    columns: tuple[Column, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    ended: Ended | None = None


def unknown(n: int) -> Floats:
    """A column of n NaNs that takes no memory: the value of a field the log does not have."""
    # An eighth of the time of `broadcast_to`; read-only as well, because bytes are.
    return np.ndarray((n,), np.float64, _NAN, strides=(0,))


_NAN = np.float64(np.nan).tobytes()


def joined(a: Floats, b: Floats) -> Floats:
    """The values of `a` with those of `b` behind them; unknowns stay one number in memory."""
    if a.strides == (0,) and b.strides == (0,) and np.isnan(a[:1]).all() and np.isnan(b[:1]).all():
        return unknown(len(a) + len(b))
    return np.concatenate([a, b])
