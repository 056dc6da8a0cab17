"""The native run log, ``trainlens.log/1``: JSON Lines, standard library only.

The first line is a header, every further line one record of one step::

    {"schema": "trainlens.log/1", "run": "a", "created": 1.7e9, "config": {}, "schedules": {}}
    {"step": 10, "timestamp": 1.7e9, "progress": 0.1, "losses": {"total_loss": 2.3},
     "stats": {"lr": 0.001}, "anomalies": []}

Optional in a record: ``epoch`` and ``split`` (``"train"`` when absent). NaN, Infinity and
-Infinity are written and read as bare tokens.

``anomalies`` is what the training itself, or its recorder, has to say of a step: words, or
objects with a kind and, if there is one, a value and a message::

    "anomalies": ["low_coverage",
                  {"type": "loss_spike", "value": 3.2, "message": "3.2 sigma above the median"}]

Each entry is read as a point of the series ``anomalies/KIND`` (kind in snake case) at that step,
of its value or 1; the rule ``reported-anomaly`` tells of them. True and false are read as 1 and 0.

``copies`` of the header, where there are any, names files and folders beside the log which hold
the same run in other formats, ``"copies": ["tb", "log.txt"]``: readers count that run once.
``ranks``, where there are several, is the number of processes that train together: those above 0
write ``log.rank1.jsonl`` and so on beside ``log.jsonl``, and are no runs of their own.

A log that was ended says so in a last line: the time, and ``how`` where that is not ``closed``
(``exit``: the process came to its end without closing it; ``exception``: the training was left by
one). Like the header it has a schema and no step, so whoever passes over the one does the other::

    {"schema": "trainlens.end/1", "ended": 1.7e9, "how": "exception"}

It is no record. A record behind it, of a training that goes on in the same file, makes it void.
Where there is none the process was killed, or writes on.

Planned schedules
-----------------
``schedules`` of the header holds, by the name under which a field is logged, what its values are
planned to be; ``total_steps`` beside them, in one of them or in ``config`` says how long the
training is. `trainlens.stats.planned` reads them, the rule ``plan-deviation`` checks them::

    "schedules": {"total_steps": 100000,
                  "lr": {"kind": "chain", "base": 1e-4, "ratios": {"backbone": 0.1},
                      "times": "lr_factor", "parts": [
                      {"kind": "linear-warmup", "until_steps": 500},
                      {"kind": "cosine", "end": 0.01}]},
                  "dropout": {"kind": "step", "base": 0.1, "at_steps": [10000], "gamma": 0.5}}

Every spec has a ``kind`` and may have ``base`` (value at a factor of 1, default 1), ``ratios`` (of
parameter groups, logged as ``lr/backbone``) and ``times``: the name of a logged series whose value
multiplies the plan from its step on, until its next one; before its first the factor is 1. Places
(``warmup``, ``decay``, ``at``, ``until``) are shares of the training, the same with ``_steps``
behind the name are steps; in a part of a chain they relate to that part, but for ``until``.

==================== ==========================================================================
kind                 keys (defaults)
==================== ==========================================================================
constant             factor (1)
linear-warmup        warmup (1), start (0)
linear               start (1), end (0)
cosine               end (0)
cosine-restarts      cycles (1), growth (1), height (1), end (0); or first instead of cycles
polynomial           power (1), end (0)
exponential          end
step                 at, gamma (0.1)
inverse-sqrt         warmup
warmup-stable-decay  warmup (0), decay (0.2), end (0), shape (linear; cosine, root)
one-cycle            warmup (0.3), start (0.04), end (4e-6), shape (cosine; linear)
ramp                 warmup_end_progress (0.1), ramp_duration_progress (0.1), start (0), end (1)
piecewise            at, factors, between (constant: one factor more than places; linear)
chain                parts: specs with until, the last one may go without
==================== ==========================================================================

Version history
---------------
1 : first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCHEMA = "trainlens.log/1"
END = "trainlens.end/1"
TORN_END = b'{"schema": "trainlens.end/'
"""How a line begins that was to be an end, whatever became of the rest of it."""
HOWS = ("closed", "exit", "exception")
RECORD_KEYS = frozenset({"step", "losses", "stats"})
_MOST_RANKS = 10_000  # a header may say anything


def header_line(
    run: str,
    created: float,
    config: Mapping[str, Any] | None = None,
    schedules: Mapping[str, Any] | None = None,
    copies: Iterable[str] = (),
    ranks: int = 1,
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
    copies : iterable of str
        Names of files and folders beside the log that hold the same run in other formats.
    ranks : int
        Processes that train together, each with a log of its own.

    Returns
    -------
    bytes, one line with its newline
    """
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run,
        "created": created,
        "config": dict(config or {}),
        "schedules": dict(schedules or {}),
    }
    if names := list(copies):
        header["copies"] = names
    if ranks > 1:
        header["ranks"] = ranks
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
    held = (dict(losses or {}), dict(stats or {}))
    return _line(record(step, timestamp, *held, split, epoch, progress, list(anomalies)))


def record(
    step: int,
    timestamp: float,
    losses: Mapping[str, float],
    stats: Mapping[str, float],
    split: str,
    epoch: float | None,
    progress: float | None,
    anomalies: Sequence[Any],
) -> dict[str, Any]:
    """One record as it stands in a line, of what `record_line` takes; nothing is copied."""
    found: dict[str, Any] = {"step": step, "timestamp": timestamp}
    if progress is not None:
        found["progress"] = progress
    if epoch is not None:
        found["epoch"] = epoch
    if split != "train":
        found["split"] = split
    found["losses"] = losses
    found["stats"] = stats
    found["anomalies"] = anomalies
    return found


def end_line(ended: float, how: str = "closed") -> bytes:
    r"""Encode the last line of a log that is ended.

    Parameters
    ----------
    ended : float
        Unix seconds.
    how : str
        One of `HOWS`; left out of the line when it is ``"closed"``.

    Returns
    -------
    bytes, one line with its newline

    Examples
    --------
    >>> end_line(1.7e9)
    b'{"schema": "trainlens.end/1", "ended": 1700000000.0}\n'
    """
    found: dict[str, Any] = {"schema": END, "ended": ended}
    return _line(found if how == "closed" else found | {"how": how})


def is_end(obj: object) -> bool:
    """Whether a decoded line says that the log was ended, in any version."""
    return isinstance(obj, dict) and str(obj.get("schema", "")).startswith("trainlens.end/")


def is_header(obj: object) -> bool:
    """Whether a decoded line is the header of a native log, of any version."""
    return isinstance(obj, dict) and str(obj.get("schema", "")).startswith("trainlens.log/")


def copies_of(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the copies that a decoded header tells of: single names, no paths."""
    found = header.get("copies")
    if not isinstance(found, list):
        return ()
    return tuple(
        n
        for n in found
        if isinstance(n, str) and n and n == n.replace("\\", "/").rpartition("/")[2]
    )


def ranks_of(header: Mapping[str, Any], stem: str, suffix: str) -> tuple[str, ...]:
    """Names of the logs of the other ranks that a decoded header tells of.

    Examples
    --------
    >>> ranks_of({"ranks": 3}, "log", ".jsonl"), ranks_of({"ranks": "3"}, "log", ".jsonl")
    (('log.rank1.jsonl', 'log.rank2.jsonl'), ())
    """
    found = header.get("ranks")
    if type(found) is not int or found > _MOST_RANKS:
        return ()
    return tuple(f"{stem}.rank{rank}{suffix}" for rank in range(1, found))


def is_record(obj: object) -> bool:
    """Whether a decoded line has the shape of a native record."""
    return isinstance(obj, dict) and obj.keys() >= RECORD_KEYS and isinstance(obj["losses"], dict)


def _line(obj: Mapping[str, Any]) -> bytes:
    return (json.dumps(obj, separators=(", ", ": ")) + "\n").encode()
