"""Entries as lines of the native log, fast where all of their values are finite."""

from __future__ import annotations

import orjson

from trainlens.schema import record, record_line
from trainlens_torch.record.entry import Entry

__all__ = ["line"]


def line(entry: Entry) -> bytes:
    """The line of one entry, with its newline.

    What orjson writes as null (NaN and the infinities, which JSON does not have), as it stands (a
    line separator of Unicode in a name) or not at all (half of a surrogate pair) goes the way of
    `trainlens.schema.record_line`, which escapes it.
    """
    try:
        fast = orjson.dumps(record(*entry), option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        fast = b"null"
    if fast.isascii() and b"null" not in fast:
        return fast
    return record_line(
        entry.step,
        entry.time,
        entry.losses,
        entry.stats,
        progress=entry.progress,
        epoch=entry.epoch,
        split=entry.split,
        anomalies=entry.anomalies,
    )
