"""Every metric of an AIM run.

Layout since AIM 3.11: ``seqs / v2 / chunks / <run> / <context> / <name> / <column> / <hash>`` with
the columns ``epoch``, ``step``, ``time`` and ``val``, and the points of a column under a hash of
their step, so in no useful order. Before 3.11, and for everything that is no number:
``seqs / chunks / ...`` with the step itself in place of its hash and no column ``step``.
Source: ``aim/sdk/tracker.py`` and ``aim/sdk/sequence.py``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np

from trainlens.readers._aim.cells import (
    CELL,
    COLUMNS,
    Cells,
    Part,
    Points,
    SeriesKey,
    aligned_points,
    cells_of,
    joined_points,
    part_of,
)
from trainlens.readers._aim.codec import ARRAY, END, PAST, encode_path
from trainlens.readers._aim.scan import LARGE, blocks, first_key
from trainlens.readers._aim.store import Store, rocks_errors

BULK = 4_000_000
"""Bytes of tables from which on it pays to read values without their keys."""

OWN = "trainlens/"
"""How the names of reports that were attached begin, see `trainlens.attach`: not worth a word."""

Columns = dict[str, list[Part]]


def landmarks(run: str, names: list[SeriesKey]) -> list[bytes]:
    """Keys of the columns of the metrics that a run is known to have, ascending."""
    return sorted(
        encode_path("seqs", "v2", "chunks", run, context, name, column)
        for context, name in names
        for column in ("epoch", "step", "time", "val")
    )


def read_series(
    store: Store, run: str, is_number: Callable[[int, str], bool | None]
) -> tuple[list[Points], int]:
    """Every metric of a run.

    Parameters
    ----------
    store : Store
    run : str
        Hash of the run.
    is_number : callable
        Whether a sequence of the old layout holds numbers; None lets its first value decide.

    Returns
    -------
    points : list of Points
        Sorted by name and context.
    skipped : int
        Sequences that hold no numbers; they were not decoded.
    """
    prefix = encode_path("seqs", "v2", "chunks", run)
    large = store.db is not None and store.size >= BULK
    found = _read_bulk(store, prefix) if large else None
    if found is None:
        found = _read_keyed(store, prefix, prefix)
    old: dict[SeriesKey, Columns] = {}
    skipped = _read_old(store, encode_path("seqs", "chunks", run), is_number, old)
    found += [joined_points(key, columns, hashed=False) for key, columns in old.items()]
    return sorted(found, key=lambda p: (p.name, p.context)), skipped


def _read_keyed(store: Store, prefix: bytes, within: bytes) -> list[Points]:
    new: dict[SeriesKey, Columns] = {}
    for keys, values in blocks(store, within, within + PAST):
        _sort_in(new, prefix, keys, values)
    return [joined_points(key, columns, hashed=True) for key, columns in new.items()]


def _read_bulk(store: Store, prefix: bytes) -> list[Points] | None:
    # Values alone are a third cheaper than pairs. Each column begins with a flag, so the values
    # fall into columns; a point is written as val, epoch, time, step, so columns of equal length
    # hold the same points, in the same order. A metric for which that fails is read with keys.
    columns = _column_keys(store, prefix)
    cells = _all_values(store, prefix)
    if columns is None or cells is None:
        return None
    starts = np.flatnonzero(cells["kind"] == ARRAY)
    if len(starts) != len(columns) or not len(starts) or starts[0] != 0:
        return None
    series: dict[tuple[bytes, SeriesKey], dict[str, Cells]] = {}
    for (name_key, key, label), (start, end) in zip(
        columns, pairwise([*starts.tolist(), len(cells)]), strict=True
    ):
        series.setdefault((name_key, key), {})[label] = cells[start + 1 : end]
    found: list[Points] = []
    for (name_key, key), held in series.items():
        if held.keys() >= set(COLUMNS) and len({len(held[c]) for c in COLUMNS}) == 1:
            found.append(aligned_points(key, held))
        else:
            found += _read_keyed(store, prefix, name_key)
    return found


def _column_keys(store: Store, prefix: bytes) -> list[tuple[bytes, SeriesKey, str]] | None:
    # Key of the metric, its context and name, and column; None where a column has no flag.
    found, at = [], prefix
    while (key := first_key(store, at, prefix + PAST)) is not None:
        column = column_of(key, len(prefix))
        if store.damage or column is None or column[0] != key:
            return None
        stem, (context, name, label), name_end = column
        found.append((stem[:name_end], (context, name), label))
        at = stem + PAST
    return found


def _all_values(store: Store, prefix: bytes) -> Cells | None:
    # To the end of the store: nothing sorts behind the points.
    values = store.db.itervalues()
    parts = []
    try:
        values.seek(prefix)
        while found := list(islice(values, LARGE)):
            parts.append(cells_of(found))
    except rocks_errors():
        return None
    return np.concatenate(parts) if parts else np.empty(0, CELL)


def _read_old(
    store: Store,
    prefix: bytes,
    is_number: Callable[[int, str], bool | None],
    into: dict[SeriesKey, Columns],
) -> int:
    skipped, at = 0, prefix
    while (key := first_key(store, at, prefix + PAST)) is not None:
        column = column_of(key, len(prefix))
        if column is None:
            at = key + b"\0"
            continue
        series, (context, name, _) = column[0][: column[2]], column[1]
        known = is_number(context, name)
        if _first_is_number(store, series) if known is None else known:
            for keys, values in blocks(store, series, series + PAST):
                _sort_in(into, prefix, keys, values)
        elif not name.startswith(OWN):
            skipped += 1
        at = series + PAST
    return skipped


def _first_is_number(store: Store, series: bytes) -> bool:
    column = series + encode_path("val")
    for keys, values in blocks(store, column + END, column + PAST):
        return values[0][:1] in (b"\x02", b"\x03") and len(keys[0]) == len(column) + 10
    return False


def column_of(key: bytes, start: int) -> tuple[bytes, tuple[int, str, str], int] | None:
    """Key of the column itself; context, name and column; end of the key of the metric.

    None for a key that is no cell of a column; `start` is the length of the key of the run.
    """
    if key[start : start + 1] != END or key[start + 9 : start + 10] != END:
        return None
    name_end = key.find(END, start + 10)
    end = key.find(END, name_end + 1)
    if name_end < 0 or end < 0:
        return None
    context = int.from_bytes(key[start + 1 : start + 9], "big", signed=True)
    name = key[start + 10 : name_end].decode("utf-8", "replace")
    column = key[name_end + 1 : end].decode("utf-8", "replace")
    return key[: end + 1], (context, name, column), name_end + 1


def _sort_in(
    into: dict[SeriesKey, Columns], prefix: bytes, keys: list[bytes], values: list[bytes]
) -> None:
    at = 0
    while at < len(keys):
        column = column_of(keys[at], len(prefix))
        if column is None:
            at += 1
            continue
        stem, (context, name, label), _ = column
        end = bisect_left(keys, stem + PAST, at)
        first = at + (keys[at] == stem)
        part = part_of(len(stem), keys[first:end], values[first:end])
        into.setdefault((context, name), {}).setdefault(label, []).append(part)
        at = end
