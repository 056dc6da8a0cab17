"""Whether the first bytes of a file look like a log of JSON records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from trainlens import schema
from trainlens.readers._json.decode import Object, decode_line, quote_non_finite, scan
from trainlens.readers._json.lists import confidence as of_lists
from trainlens.readers._json.python import is_python
from trainlens.readers._json.rows import leaves
from trainlens.readers._json.shapes import reshaped
from trainlens.readers._values import EPOCH_KEYS, STEP_KEYS, TIME_KEYS, number
from trainlens.roles import parse_name, role_of

Shape = tuple[Any, ...]

_LOOK_AT = 200
_DEEPEST = 8
_LONE = ("metrics", "scalars", "log", "history")
_TELLING = frozenset({"loss", "metric", "learning-rate", "gradient-norm"})
_MACHINE = frozenset(
    {"system", "gpu-memory", "gpu-usage", "memory-limit", "throughput", "batch-time"}
)
_SAMPLE = frozenset(
    {"id", "idx", "index", "uid", "uuid", "number", "trial", "name", "model", "file", "filename"}
    | {"image", "path", "text", "prompt", "question", "input", "label", "target", "params"}
)
_WEAK = frozenset({"batch", "batch_idx", "batch_id", "update", "updates"})
_COUNTERS = frozenset({*STEP_KEYS, *EPOCH_KEYS})
_STRONG = _COUNTERS - _WEAK
_AXES = frozenset({*_COUNTERS, *TIME_KEYS})


def confidence(path: Path, data: bytes, whole: bool) -> float:
    """Confidence in [0, 1] that a file is a log of JSON records.

    Parameters
    ----------
    path : Path
        Its name decides about files of a single record.
    data : bytes
        The first bytes.
    whole : bool
        Whether they are all.
    """
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")
    if body[:1] == b"[":
        return _of_array(body) or of_lists(path, data, whole)
    if sure := of_lists(path, data, whole):
        return sure
    if not whole and body[:1] == b"{" and b"\n" not in body:
        return _of_begun(path, body)
    if goes_on(body.partition(b"\n")[0]):
        return _of_pretty(body)
    lines = [line for line in body.split(b"\n") if line.strip(b" \t\r\0")]
    if not whole and not body.endswith(b"\n") and len(lines) > 1:
        lines.pop()
    clean = _at_once(lines[:_LOOK_AT])
    rows = _one_by_one(lines[:_LOOK_AT]) if clean is None else clean
    if not rows and b'{"' in body:
        return _of_tails(lines[:_LOOK_AT])
    printed = clean is None and any(is_python(line.lstrip()) for line in lines[:_LOOK_AT])
    if printed and len(rows) * 4 < min(len(lines), _LOOK_AT) * 3:
        return 0.0  # a text that holds some of them
    # A header further down may stand in a text about logs; then the share of records decides.
    if rows and body[:1] == b"{" and schema.is_header(rows[0]):
        return 0.95
    if len(rows) * 3 < min(len(lines), _LOOK_AT):
        return 0.0
    if len(rows) == 1:
        return _of_one(path, rows[0], data.endswith(b"\n"))
    return _of_rows(rows)


def _at_once(lines: list[bytes]) -> list[Object] | None:
    """The records of lines that each are one, None where some are not: one call for them all."""
    if not all(line[:1] == b"{" for line in lines):
        return None
    try:
        rows = orjson.loads(b"[" + quote_non_finite(b",".join(lines)) + b"]")
    except orjson.JSONDecodeError:
        return None
    return rows if len(rows) == len(lines) and all(type(row) is dict for row in rows) else None


def _one_by_one(lines: list[bytes]) -> list[Object]:
    begun = (line for line in lines if line.lstrip(b" \t\0")[:1] == b"{")
    return [row for line in begun for row in decode_line(line).objects]


def goes_on(first: bytes) -> bool:
    """Whether a first line is the beginning of an object over several lines."""
    return first[:1] == b"{" and first.rstrip()[-1:] in b"{[,"


def counts(row: Mapping[str, Any]) -> bool:
    """Whether a record has a step or an epoch."""
    return any(number(row[key]) is not None for key in _counters(tuple(row)))


@lru_cache(maxsize=128)
def _counters(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some keys that count; records of one log have the same keys again and again."""
    return tuple(key for key in keys if key.lower() in _COUNTERS)


def tells(row: Mapping[str, Any], roles: Set[str] = _TELLING) -> bool:
    """Whether a record has a number of one of these roles: is about training."""
    return any(
        role_of(parse_name(name)[0]).name in roles
        for name, value in leaves(row)
        if number(value) is not None
    )


def _of_tails(lines: list[bytes]) -> float:
    """Records behind a time and a name, as fairseq writes them."""
    ends = [line for line in lines if line.rstrip().endswith(b"}") and b'{"' in line]
    rows = [row for line in ends for row in decode_line(line).objects]
    good = [row for row in rows if counts(row) and tells(row)]
    return 0.6 if len(good) > 1 and len(good) * 5 >= len(lines) else 0.0


def _metrics(row: Object) -> int:
    return sum(1 for _ in _measured(row))


def _measures(row: Object) -> bool:
    return next(_measured(row), None) is not None


def _measured(row: Object) -> Iterator[str]:
    return (n for n, v in leaves(row) if n.lower() not in _AXES and number(v) is not None)


def _of_rows(rows: list[Object]) -> float:
    kinds = _kinds(reshaped(rows))
    numeric = [(row, n) for row, n in kinds if _measures(row)]
    count = _count(numeric)
    if not numeric or count * 4 < len(rows):
        return 0.0
    if _count((r, n) for r, n in numeric if counts(r) and not _of_model(r)) * 2 >= count:
        return 0.9 if any(tells(r) for r, _ in numeric) or not _wordy(numeric) else 0.3
    if any(_of_sample(r) for r, _ in numeric):
        return 0.0
    if _count((r, n) for r, n in numeric if tells(r)) * 2 >= count:
        return 0.7
    known = _count((r, n) for r, n in numeric if tells(r, _MACHINE)) * 2 >= count
    return 0.4 if known and not _wordy(numeric) else 0.0


def _kinds(rows: Sequence[Object]) -> list[tuple[Object, int]]:
    """One record of each kind, and how many there are: which numbers it holds is all the same."""
    kinds: dict[Shape, tuple[Object, int]] = {}
    for row in rows:
        shape = _shape(row)
        first, n = kinds.get(shape, (row, 0))
        kinds[shape] = first, n + 1
    return list(kinds.values())


def _shape(row: Object, depth: int = 0) -> Shape:
    """Names and types; a text may be a number or a name, so it counts itself."""
    types = (*map(type, row.values()),)
    if str in types or (dict in types and depth < _DEEPEST):
        inner = [_told(value, depth) for value in row.values()]
        return (*row, *inner)
    return (*row, *types)


def _told(value: Any, depth: int) -> Any:
    if type(value) is dict and depth < _DEEPEST:
        return _shape(value, depth + 1)
    return (value,) if type(value) is str else type(value)


def _count(kinds: Iterable[tuple[Object, int]]) -> int:
    return sum(n for _, n in kinds)


def _of_sample(row: Object) -> bool:
    """Whether a record without a place is about one sample, model or trial of many."""
    return _has_sample(tuple(row))


@lru_cache(maxsize=128)
def _has_sample(keys: tuple[str, ...]) -> bool:
    return any(key.lower() in _SAMPLE or key.lower().endswith("_id") for key in keys)


def _wordy(kinds: Sequence[tuple[Object, int]]) -> bool:
    """Whether words outweigh numbers, as in data sets and server logs."""
    words = sum(
        n * (isinstance(v, (str, list)) and number(v) is None)
        for row, n in kinds
        for _, v in leaves(row)
    )
    return words >= sum(n * _metrics(row) for row, n in kinds)


def _of_one(path: Path, row: Object, ended: bool) -> float:
    """A lone record may be a run that has just begun, or a configuration, or a summary."""
    if schema.is_record(row):
        return 0.9
    if not counts(row) or not _measures(row):
        return 0.0
    if path.suffix in (".jsonl", ".ndjson"):
        return 0.8
    named = path.stem in _LONE or (path.suffix == ".json" and path.parent.name == "vis_data")
    return 0.6 if ended and named else 0.0


def _of_begun(path: Path, body: bytes) -> float:
    """A first record that is longer than what may be looked at: thousands of metrics."""
    whole = body[: body.rfind(b",")]
    for close in (b"}", b"}}"):
        rows = decode_line(whole + close).objects
        if rows and counts(rows[0]) and tells(rows[0]):
            return _of_one(path, rows[0], ended=True)
    return 0.0


def _of_array(body: bytes) -> float:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        whole = scan(body, array=True).objects
    rows = list(reshaped([row for row in whole if isinstance(row, dict)][:_LOOK_AT]))
    good = [row for row in rows if counts(row) and _measures(row) and not _of_model(row)]
    if rows and len(good) * 2 >= len(rows) and any(map(tells, good)):
        return 0.8
    bare = [row for row in rows if tells(row, {"loss"}) and not _of_sample(row)]
    return 0.6 if len(bare) > 1 and len(bare) * 2 >= len(rows) and not _wordy(_kinds(bare)) else 0.0


def _of_model(row: Object) -> bool:
    """Whether a record is about a model at some size of its batches, as in a benchmark."""
    return _of_sample(row) and {key.lower() for key in row}.isdisjoint(_STRONG)


def _of_pretty(body: bytes) -> float:
    """Objects over several lines, one behind the other; a single one is no log."""
    rows, _, gaps = scan(body)
    good = [row for row in rows if counts(row) and _measures(row)]
    return 0.7 if not gaps and len(rows) > 1 and len(good) * 2 >= len(rows) else 0.0
