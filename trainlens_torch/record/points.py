"""The numbers of an entry by name: what sinks write that know only names and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainlens_torch.record.entry import Entry

__all__ = ["anomaly_kind", "legible", "points"]

_HEAD = re.compile(r"[^\W\d_][^:=(\[{,;.!?<>\d]*")
_BETWEEN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s_-]+")
_KEYS = ("type", "kind", "name", "rule", "message")


def points(entry: Entry) -> Iterator[tuple[str, float]]:
    """Losses, stats and anomalies of an entry as names and numbers.

    An anomaly is a number under ``anomalies/KIND``: its value, or 1 where it has none; so the
    native log is read, too.

    Parameters
    ----------
    entry : Entry

    Yields
    ------
    name : str
        As it was logged, in well-formed Unicode.
    value : float
        NaN and infinities are kept.
    """
    for group in (entry.losses, entry.stats):
        for name, value in group.items():
            yield legible(name), float(value)
    for anomaly in entry.anomalies:
        yield f"anomalies/{anomaly_kind(anomaly)}", _size(anomaly)


def anomaly_kind(anomaly: Any) -> str:
    """What an anomaly is about, in snake case.

    Examples
    --------
    >>> anomaly_kind({"type": "LossSpike", "value": 3.2}), anomaly_kind("low coverage: 0.2")
    ('loss_spike', 'low_coverage')
    """
    text = anomaly
    if isinstance(anomaly, Mapping):
        text = next((v for k in _KEYS if isinstance(v := anomaly.get(k), str) and v), "")
    found = _HEAD.search(legible(str(text)).replace("NaN", "Nan"))
    words = _BETWEEN.sub(" ", found.group()).lower().split() if found else []
    return "_".join(words[:5]) or "unnamed"


def legible(text: str) -> str:
    r"""The text with ``?`` for what no file can hold: surrogates without a partner.

    Examples
    --------
    >>> legible("loss"), legible("a\ud800")
    ('loss', 'a?')
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _size(anomaly: Any) -> float:
    value = anomaly.get("value") if isinstance(anomaly, Mapping) else None
    # Zero would say that nothing was there.
    finite = isinstance(value, int | float) and abs(value) < float("inf")
    return float(value) if finite and value else 1.0
