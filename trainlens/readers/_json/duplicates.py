"""Names that stand twice in one record: JSON readers keep the last value and say nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from trainlens.readers._json.decode import Object

_LOOK_AT = 1 << 18


class Duplicates:
    """Looks at the first records of a log; the cheap look only counts names."""

    def __init__(self) -> None:
        self._left = _LOOK_AT

    def skip(self, size: int) -> None:
        """Pass over lines that are known to hold none."""
        self._left -= size

    def look(self, data: bytes, rows: list[Object]) -> list[str]:
        """Names that stand twice in a record, sorted.

        Parameters
        ----------
        data : bytes
            Complete lines.
        rows : list of dict
            What was made of them.
        """
        if self._left <= 0:
            return []
        data = data[: data.rfind(b"\n", 0, self._left) + 1] if len(data) > self._left else data
        self._left -= max(len(data), 1)
        lines = data.count(b"\n") + 1
        if data.count(b'":') <= sum(map(names_in, rows[:lines])):
            return []
        return sorted(repeated(data))


def names_in(row: Object, depth: int = 0) -> int:
    """Keys of a record and of the objects in it."""
    inside = (v for v in row.values() if type(v) is dict) if depth < 20 else ()
    return len(row) + sum(names_in(v, depth + 1) for v in inside)


def repeated(data: bytes) -> set[str]:
    """Names that stand twice in a record of these lines."""
    found: set[str] = set()

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.update(k for k, n in Counter(key for key, _ in pairs).items() if n > 1)
        return dict(pairs)

    for line in data.split(b"\n"):
        try:
            json.loads(line.decode("utf-8", "replace"), object_pairs_hook=note)
        except (ValueError, RecursionError):
            continue
    return found
