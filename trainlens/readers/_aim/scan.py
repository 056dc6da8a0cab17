"""Walking through a store in key order, in blocks, and around what cannot be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any

from trainlens.readers._aim.codec import END, PAST
from trainlens.readers._aim.store import Damage, Store, damage_of, rocks_errors

SMALL, LARGE = 256, 65536
"""Pairs in the first block and in the largest one."""

_MOST = (1 << 64) - 1

Block = tuple[list[bytes], list[bytes]]


def blocks(store: Store, start: bytes, stop: bytes) -> Iterator[Block]:
    """Keys and values from `start` (inclusive) to `stop` (exclusive).

    What cannot be read is noted in ``store.damage`` and stepped over.

    Yields
    ------
    keys : list of bytes
    values : list of bytes
    """
    broken = rocks_errors()
    at: bytes | None = start
    size = SMALL
    while at is not None and at < stop and store.db is not None:
        items = store.db.iteritems()
        try:
            items.seek(at)
            while at is not None:
                found = list(islice(items, size))
                at = found[-1][0] + b"\0" if len(found) == size else None
                size = min(size * 4, LARGE)
                if found and found[-1][0] >= stop:
                    found, at = [pair for pair in found if pair[0] < stop], None
                if found:
                    keys, values = zip(*found, strict=True)
                    yield list(keys), list(values)
        except broken as error:
            _note(store, error)
            found = _one_by_one(store.db, at or start)
            kept = [pair for pair in found if pair[0] < stop]
            if kept:
                yield [key for key, _ in kept], [value for _, value in kept]
            last = found[-1][0] if found else at or start
            at = _beyond(store, last, stop) if last < stop else None
            size = SMALL


def pairs(store: Store, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """All pairs whose key begins with `prefix`; meant for small trees."""
    return [
        pair
        for keys, values in blocks(store, prefix, prefix + PAST)
        for pair in zip(keys, values, strict=True)
    ]


def first_key(store: Store, start: bytes, stop: bytes) -> bytes | None:
    """The first readable key from `start` on, None where there is none before `stop`."""
    if store.db is None:
        return None
    keys = store.db.iterkeys()
    try:
        keys.seek(start)
        key: bytes = keys.get()
    except ValueError:
        return None
    except rocks_errors() as error:
        _note(store, error)
        beyond = _beyond(store, start, stop)
        return first_key(store, beyond, stop) if beyond is not None else None
    return key if key < stop else None


def _note(store: Store, error: Exception) -> None:
    damage: Damage = damage_of(error)
    if damage not in store.damage:
        store.damage.append(damage)


def _one_by_one(db: Any, start: bytes) -> list[tuple[bytes, bytes]]:
    # Up to the block that is broken, which ends a faster walk before its time.
    found: list[tuple[bytes, bytes]] = []
    items = db.iteritems()
    try:
        items.seek(start)
        while True:
            found.append(items.get())
            items.skip()
    except ValueError:
        return found
    except rocks_errors():
        return found


def _beyond(store: Store, last: bytes, stop: bytes) -> bytes | None:
    # The first place behind `last` from which the store can be read again.
    failed = last[:-1] if last.endswith(END + b"\0") else last
    for candidate in _further(failed, stop, store.landmarks):
        if _readable(store.db, candidate):
            return _closer(store.db, failed, candidate)
        failed = candidate
    return None


def _further(last: bytes, stop: bytes, landmarks: list[bytes]) -> list[bytes]:
    # Points of a series lie under 8 bytes of hash: go on in growing steps within the column, to
    # the columns that are known to exist, and to the next column, metric and context.
    hashed = len(last) > 9 and last[-10:-9] == END and last[-1:] == END
    stem, number = (last[:-9], int.from_bytes(last[-9:-1], "big")) if hashed else (last + END, 0)
    found = [stem + _eight(min(number + (1 << power), _MOST)) + END for power in range(40, 64)]
    found += landmarks[bisect_right(landmarks, last) :]
    prefix = last[:-1]
    while END in prefix:
        prefix = prefix[: prefix.rindex(END)]
        found.append(prefix + PAST)
    return sorted({key for key in found if last < key < stop})


def _closer(db: Any, failed: bytes, good: bytes) -> bytes:
    # Halve the distance while both differ only in their hash.
    if len(failed) != len(good) or failed[:-9] != good[:-9]:
        return good
    low, high = (int.from_bytes(key[-9:-1], "big") for key in (failed, good))
    for _ in range(24):
        middle = (low + high) // 2
        key = good[:-9] + _eight(middle) + END
        low, high = (low, middle) if _readable(db, key) else (middle, high)
    return good[:-9] + _eight(high) + END


def _readable(db: Any, key: bytes) -> bool:
    items = db.iteritems()
    try:
        items.seek(key)
    except rocks_errors():
        return False
    return True


def _eight(number: int) -> bytes:
    return number.to_bytes(8, "big")
