"""Whether the first bytes of a file look like a log of JSON records."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import orjson

from trainlens import schema
from trainlens.readers._json.decode import Object, decode_line, scan
from trainlens.readers._json.lists import confidence as of_lists
from trainlens.readers._json.python import is_python
from trainlens.readers._json.rows import leaves
from trainlens.readers._json.shapes import reshaped
from trainlens.readers._values import EPOCH_KEYS, STEP_KEYS, TIME_KEYS, number
from trainlens.roles import parse_name, role_of

_LOOK_AT = 200
_LONE = ("metrics", "scalars", "log", "history")
_TELLING = frozenset({"loss", "metric", "learning-rate", "gradient-norm"})
_MACHINE = frozenset({"system", "gpu-memory", "throughput", "batch-time"})
_SAMPLE = frozenset(
    {"id", "idx", "index", "uid", "uuid", "number", "trial", "name", "model", "file", "filename"}
    | {"image", "path", "text", "prompt", "question", "input", "label", "target", "params"}
)
_WEAK = frozenset({"batch", "batch_idx", "batch_id", "update", "updates"})
_COUNTERS = frozenset({*STEP_KEYS, *EPOCH_KEYS})


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
    if goes_on(body.partition(b"\n")[0]):
        return _of_pretty(body)
    lines = [line for line in body.split(b"\n") if line.strip(b" \t\r\0")]
    if not whole and not body.endswith(b"\n") and len(lines) > 1:
        lines.pop()
    rows: list[Object] = []
    for line in lines[:_LOOK_AT]:
        rows += decode_line(line).objects if line.lstrip(b" \t\0")[:1] == b"{" else []
    if not rows and b'{"' in body:
        return _of_tails(lines[:_LOOK_AT])
    printed = any(is_python(line.lstrip()) for line in lines[:_LOOK_AT])
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


def goes_on(first: bytes) -> bool:
    """Whether a first line is the beginning of an object over several lines."""
    return first[:1] == b"{" and first.rstrip()[-1:] in b"{[,"


def counts(row: Mapping[str, Any]) -> bool:
    """Whether a record has a step or an epoch."""
    return any(key.lower() in _COUNTERS and number(row[key]) is not None for key in row)


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
    axes = {*_COUNTERS, *TIME_KEYS}
    return sum(n.lower() not in axes and number(v) is not None for n, v in leaves(row))


def _of_rows(rows: list[Object]) -> float:
    rows = list(reshaped(rows))
    numeric = [row for row in rows if _metrics(row)]
    if not numeric or len(numeric) * 4 < len(rows):
        return 0.0
    if sum(counts(row) and not _of_model(row) for row in numeric) * 2 >= len(numeric):
        return 0.9 if any(map(tells, numeric)) or not _wordy(numeric) else 0.3
    if any(map(_of_sample, numeric)):
        return 0.0
    if sum(map(tells, numeric)) * 2 >= len(numeric):
        return 0.7
    known = sum(tells(row, _MACHINE) for row in numeric) * 2 >= len(numeric)
    return 0.4 if known and not _wordy(numeric) else 0.0


def _of_sample(row: Object) -> bool:
    """Whether a record without a place is about one sample, model or trial of many."""
    return any(key.lower() in _SAMPLE or key.lower().endswith("_id") for key in row)


def _wordy(rows: list[Object]) -> bool:
    """Whether words outweigh numbers, as in data sets and server logs."""
    words = sum(
        isinstance(v, (str, list)) and number(v) is None for r in rows for _, v in leaves(r)
    )
    return words >= sum(map(_metrics, rows))


def _of_one(path: Path, row: Object, ended: bool) -> float:
    """A lone record may be a run that has just begun, or a configuration, or a summary."""
    if schema.is_record(row):
        return 0.9
    if not counts(row) or not _metrics(row):
        return 0.0
    if path.suffix in (".jsonl", ".ndjson"):
        return 0.8
    named = path.stem in _LONE or (path.suffix == ".json" and path.parent.name == "vis_data")
    return 0.6 if ended and named else 0.0


def _of_array(body: bytes) -> float:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        whole = scan(body, array=True).objects
    rows = list(reshaped([row for row in whole if isinstance(row, dict)][:_LOOK_AT]))
    good = [row for row in rows if counts(row) and _metrics(row) and not _of_model(row)]
    if rows and len(good) * 2 >= len(rows) and any(map(tells, good)):
        return 0.8
    bare = [row for row in rows if tells(row, {"loss"}) and not _of_sample(row)]
    return 0.6 if len(bare) > 1 and len(bare) * 2 >= len(rows) and not _wordy(bare) else 0.0


def _of_model(row: Object) -> bool:
    """Whether a record is about a model at some size of its batches, as in a benchmark."""
    strong = {key.lower() for key in row} & (_COUNTERS - _WEAK)
    return not strong and _of_sample(row)


def _of_pretty(body: bytes) -> float:
    """Objects over several lines, one behind the other; a single one is no log."""
    rows, _, gaps = scan(body)
    good = [row for row in rows if counts(row) and _metrics(row)]
    return 0.7 if not gaps and len(rows) > 1 and len(good) * 2 >= len(rows) else 0.0
