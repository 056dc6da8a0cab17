"""The compiled scanner of JSON lines gives what the decoder in Python gives, bit by bit."""

from __future__ import annotations

import gc
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers import jsonl
from trainlens.readers._json import fast
from trainlens.readers._json.reader import JsonLines
from trainlens.schema import header_line, record_line

REAL = Path(__file__).resolve().parents[3] / "shared" / "real_logs"

pytestmark = pytest.mark.skipif(not fast.COMPILED, reason="installed without a compiler")
QUICK = settings(
    deadline=None,
    max_examples=150,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scanner takes over behind the first line, not only behind the first pages."""
    monkeypatch.setattr(fast, "_STRETCH", 1)


def seen(chunk: Chunk) -> Any:
    """All of a chunk in a form that can be compared, NaN and the sign of zero included."""
    columns = sorted(
        (c.name, c.split or "", c.kind, c.unit, *(_bits(a) for a in _arrays(c)))
        for c in chunk.columns
    )
    notices = sorted((n.kind, n.where, _in_order(n.message), str(n.lost)) for n in chunk.notices)
    return columns, repr(chunk.config), notices


def _in_order(message: str) -> str:
    # Names come in the order in which batches of records showed them, and where only a part of
    # the records has a step, the first batch decides about the words.
    if message.startswith(("no step in this log", "records without a step")):
        return "records without a step"
    lead, colon, names = message.partition("no numbers in: ")
    return lead + colon + ", ".join(sorted(names.split(", ")))


def _arrays(column: Any) -> tuple[Any, ...]:
    return column.step, column.value, column.wall_time, column.epoch


def _bits(array: Any) -> bytes:
    # All NaNs are one.
    return (
        np.where(np.isnan(array), np.nan, array) if array.dtype.kind == "f" else array
    ).tobytes()


def both(path: Path) -> tuple[Any, Any, JsonLines]:
    """What the scanner and what Python alone make of a file, and the reader with the scanner."""
    scanned = JsonLines(path)
    found = seen(scanned.poll(final=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "COMPILED", False)
        expected = seen(JsonLines(path).poll(final=True))
    return found, expected, scanned


def test_whole_numbers_of_counters_are_never_rounded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    steps = [2**53 + 1 + i for i in range(50)]
    path.write_text("".join(f'{{"Step": {s}, "loss": {s}}}\n' for s in steps))
    found, expected, _ = both(path)
    assert found == expected
    (column,) = JsonLines(path).poll(final=True).columns
    assert column.step.tolist() == steps


def test_the_scanner_takes_what_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:
        file.write(header_line("a", 1.7e9, {"lr": 0.1}))
        for i in range(2000):
            loss = math.nan if i % 7 == 0 else 1 / (i + 1)
            file.write(record_line(i, 1.7e9 + i, {"total": loss}, {"lr": 1e-4}, epoch=i / 10))
    found, expected, reader = both(path)
    assert found == expected
    assert reader._fast.taken > 0.99 * path.stat().st_size


def test_a_break_now_and_then_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [f'{{"step": {i}, "loss": 0.5, "text": "a{i % 3}"}}' for i in range(6000)]
    for i in range(500, 6000, 1000):
        lines[i] = lines[i][:17]
    path.write_text("\n".join(lines) + "\n")
    found, expected, reader = both(path)
    assert found == expected
    assert len(found[2]) == 7  # six torn lines, and a name without numbers
    assert reader._fast.taken > 0.9 * path.stat().st_size


KEYS = st.sampled_from(
    [
        "step",
        "epoch",
        "loss",
        "val_loss",
        "lr",
        "time",
        "timestamp",
        "split",
        "mode",
        "iter",
        "value",
        "name",
        "a",
        "a/b",
        "b",
        "",
        "é",
        "losses",
        "stats",
        "config",
    ]
)
PLAIN = (
    st.integers(-5, 300)
    | st.floats(width=32)
    | st.floats(-1e3, 1e3)
    | st.sampled_from([None, True, False, "train", "val", "NaN", "3/10", "71.5%", "x", "", 1e300])
    | st.sampled_from([2**60 + 1, 10**25, 1.7e9, "2024-01-01 10:00:00", [], [1, "a"], [{"a": 1}]])
)
VALUES = PLAIN | st.dictionaries(KEYS, PLAIN | st.dictionaries(KEYS, PLAIN, max_size=2), max_size=3)
ROWS = st.dictionaries(KEYS, VALUES, max_size=6)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Lines of a few shapes, some of them broken, glued or foreign."""
    shapes = draw(st.lists(ROWS, min_size=1, max_size=4))
    lines = []
    for i in range(draw(st.integers(1, 12))):
        row = dict(draw(st.sampled_from(shapes)))
        if "step" in row and draw(st.booleans()):
            row["step"] = i
        for key in row:
            if not isinstance(row[key], dict) and draw(st.integers(0, 3)) == 0:
                row[key] = draw(PLAIN)
        blanks = draw(st.sampled_from([(", ", ": "), (",", ":"), (" ,  ", ":  ")]))
        line = json.dumps(row, separators=blanks, ensure_ascii=draw(st.booleans())).encode()
        odd = draw(st.integers(0, 25))
        if odd == 0:
            line = line[: draw(st.integers(0, len(line)))]
        elif odd == 1:
            line = line + line
        elif odd == 2:
            line = draw(
                st.sampled_from([b"", b"text", b"\xff\xfe", b"{}", b"[1]", b'{"a": 1, "a": 2}'])
            )
        elif odd == 3:
            line = header_line("x", 1.0, {"k": 1})[:-1]
        lines.append(line)
    return draw(st.sampled_from([b"\n", b"\r\n"])).join(lines) + b"\n"


@given(data=logs())
@QUICK
def test_equal_on_any_log(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    found, expected, _ = both(path)
    assert found == expected


@given(data=logs(), cuts=st.lists(st.floats(0, 1), max_size=4))
@QUICK
def test_equal_however_the_log_grows(tmp_path: Path, data: bytes, cuts: list[float]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    readers = [JsonLines(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "COMPILED", False)
        readers.append(JsonLines(path))
    for cut in [*sorted(cuts), 1.0]:
        path.write_bytes(data[: int(cut * len(data))])
        found, expected = [seen(reader.poll(final=cut == 1.0)) for reader in readers]
        assert found == expected


def _mutants(data: bytes, count: int) -> Iterator[bytes]:
    rng = random.Random(len(data))
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(changed))
            kind = rng.randrange(4)
            if kind == 0:
                changed[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del changed[at : at + rng.randrange(1, 40)]
            elif kind == 2:
                changed[at:at] = bytes(rng.choices(b'{}[]",:0.eE-\\\n\r tN\0\xff', k=3))
            else:
                changed[at] = rng.choice(b'{}[]",:0.eE-\\\n\r tN\0\xff')
        yield bytes(changed)


def test_equal_on_damaged_logs(tmp_path: Path) -> None:
    native = header_line("a", 1.7e9, {"lr": 0.1}) + b"".join(
        record_line(i, 1.7e9 + i, {"total": 0.1 * i}, {"lr": 1e-4}, split=("train", "val")[i % 2])
        for i in range(25)
    )
    flat = b"".join(
        json.dumps({"step": i, "loss": i / 7, "tag": "a", "m": {"x": None, "y": [1]}}).encode()
        + b"\n"
        for i in range(25)
    )
    path = tmp_path / "a.jsonl"
    for data in (native, flat):
        for mutant in _mutants(data, 150):
            path.write_bytes(mutant)
            found, expected, _ = both(path)
            assert found == expected


def test_python_shares_its_bytes_of_length_one_and_they_stay(tmp_path: Path) -> None:
    keys = [chr(c) for c in range(ord("A"), ord("Z") + 1)]
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(json.dumps({"step": i, **dict.fromkeys(keys, i)}) + "\n" for i in range(3))
    )
    found, expected, _ = both(path)
    assert found == expected
    assert [bytes([i])[0] for i in range(256)] == list(range(256))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not here")
def test_equal_on_real_logs() -> None:
    paths = [p for p in sorted(REAL.rglob("*")) if p.is_file() and jsonl.sniff(p)]
    paths = [p for p in paths if p.stat().st_size < 3 << 20]
    assert len(paths) > 10
    for path in paths:
        found, expected, _ = both(path)
        assert found == expected, path


def test_hostile_logs_end_the_scanner_not_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows: list[Any] = [{"step": 1, "loss": 0.5}]
    rows += [{f"k{i}": i, "step": i} for i in range(200)]
    rows += [{"step": 2, **{f"w{i}": 0.5 for i in range(9000)}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, expected, _ = both(path)
    assert found == expected


def test_what_needs_the_whole_record_goes_the_long_way(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    plain = '{"step": 1, "loss": 0.5, "a/b": 1}\n' * 3
    odd = [
        '{"step": 2, "loss": 0.5, "config": {"lr": 0.1}}',
        '{"step": 2, "loss": 0.5, "image": {"_type": "image-file", "width": 3}}',
        '{"step": 2, "name": "loss", "value": 0.5}',
        '{"type": "metrics", "data": {"step": 2, "loss": 0.5}}',
        '{"step": 2, "loss": 0.5, "loss": 0.25}',
        '{"step": 2, "a": {"x": 0.5}, "a": {"y": 0.5}}',
        '{"step": 2, "a/b": 0.5, "a": {"b": 0.25}}',
        '{"step": 2, "loss": 0.5, "list": [{"x": 1, "x": 2}]}',
        '{"st\\u0065p": 2, "loss": 0.5}',
        "{'step': 2, 'loss': 0.5}",
    ]
    for line in odd:
        path.write_text(plain + line + "\n" + plain)
        found, expected, _ = both(path)
        assert found == expected, line


def test_misuse_is_refused() -> None:
    scanner = fast.Scanner(frozenset())
    good = b'{"a": 1}\n'
    with pytest.raises(ValueError, match="complete lines"):
        scanner.feed(b'{"a": 1}', 0, lambda line, paths: True)
    with pytest.raises(ValueError, match="complete lines"):
        scanner.feed(good, 10, lambda line, paths: True)
    with pytest.raises(RuntimeError, match="at work"):
        scanner.feed(good, 0, lambda line, paths: bool(scanner.feed(good, 0, lambda a, b: True)))
    with pytest.raises(RuntimeError, match="at work"):
        scanner.feed(b' {"a": 1}\n', 0, lambda line, paths: bool(scanner.take()))
    with pytest.raises(ZeroDivisionError):
        scanner.feed(b'{"b": 1}\n', 0, lambda line, paths: bool(1 // 0))
    with pytest.raises(TypeError):
        fast.Scanner({b"a"})
    assert scanner.take()[0] == 0
    gc.collect()
