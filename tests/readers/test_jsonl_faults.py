"""Growing, torn, damaged and hostile files of JSON records."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers import _lines, jsonl
from trainlens.readers._json.reader import JsonLines
from trainlens.readers.base import Source
from trainlens.schema import header_line, record_line

Points = dict[tuple[str, str | None, str], list[tuple[object, ...]]]


def gather(chunks: Iterable[Chunk]) -> Points:
    """Every point of some polls: step, value, time and epoch, NaN as text."""
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value, c.wall_time, c.epoch, strict=True)
            held = found.setdefault((c.name, c.split, c.kind), [])
            held += [tuple(x if x == x else "nan" for x in map(float, row)) for row in rows]
    return found


def once(path: Path) -> Chunk:
    return JsonLines(path).poll(final=True)


def records(n: int) -> list[bytes]:
    rng = random.Random(5)
    return [
        record_line(i, 1.7e9 + i, {"loss": i + rng.random()}, {"lr": 1 / (i + 1)}) for i in range(n)
    ]


names = st.sampled_from(["loss", "val_loss", "a/b", "step", "epoch", "time", "mode", "é"])
floats = st.floats(allow_nan=True, width=64)
leaves = st.one_of(
    floats,
    st.integers(-(2**63), 2**63),
    st.booleans(),
    st.none(),
    st.sampled_from(["x", "val", "nan", "1%"]),
)
rows = st.dictionaries(
    names, st.one_of(leaves, st.dictionaries(names, leaves, max_size=3)), max_size=5
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(rows, max_size=12), st.lists(st.integers(0, 2000), max_size=12), st.booleans())
def test_any_growth_gives_what_one_look_gives(
    tmp_path: Path, log: list[dict[str, object]], cuts: list[int], header: bool
) -> None:
    data = header_line("x", 1.0) if header else b""
    data += b"".join((json.dumps(row) + "\n").encode() for row in log)
    whole, growing = tmp_path / "whole.jsonl", tmp_path / "growing.jsonl"
    whole.write_bytes(data)
    growing.write_bytes(b"")
    reader, chunks = JsonLines(growing), []
    at = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for begin, end in pairwise(at):
        with open(growing, "ab") as file:
            file.write(data[begin:end])
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    expected = once(whole)
    assert gather(chunks) == gather([expected])
    config: dict[str, object] = {}
    for chunk in chunks:
        config |= chunk.config
    assert json.dumps(config) == json.dumps(expected.config)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), floats, floats), min_size=1, max_size=20))
def test_records_come_back_exactly(tmp_path: Path, log: list[tuple[int, float, float]]) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        header_line("x", 0.0) + b"".join(record_line(s, 1.0, {"a": a}, {"b": b}) for s, a, b in log)
    )
    found = {c.name: c for c in once(path).columns}
    assert found["a"].step.tolist() == [s for s, _, _ in log]
    np.testing.assert_array_equal(found["a"].value, [a for _, a, _ in log])
    np.testing.assert_array_equal(found["b"].value, [b for _, _, b in log])


def test_every_cut_of_the_last_ten_records(tmp_path: Path) -> None:
    lines = [b'{"step": %d, "loss": %d.5}\n' % (i, i) for i in range(30)]
    data = b"".join(lines)
    path = tmp_path / "log.jsonl"
    for cut in range(len(b"".join(lines[:20])), len(data) + 1):
        path.write_bytes(data[:cut])
        # A record without its line break is complete once its brace is there.
        ends = np.cumsum([len(line) for line in lines])
        complete = int(np.searchsorted(ends - 1, cut, side="right"))
        torn = cut not in (0, *ends.tolist(), *(ends - 1).tolist())
        chunk = once(path)
        found = gather([chunk])["loss", None, ""]
        assert [p[:2] for p in found] == [(i, i + 0.5) for i in range(complete)]
        notices = [n for n in chunk.notices if n.kind == "torn-tail"]
        assert [n.lost for n in notices] == ([1] if torn else [])
        if torn:
            start = int(ends[complete - 1])
            assert f"bytes {start}-{cut}" in notices[0].where


def test_an_unfinished_record_waits(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    one, two = records(2)
    path.write_bytes(one + two[:30])
    reader = JsonLines(path)
    first = reader.poll()
    assert ([p[0] for p in gather([first])["loss", None, "loss"]], first.notices) == ([0], ())
    assert reader.poll().columns == ()
    with open(path, "ab") as file:
        file.write(two[30:])
    assert [p[0] for p in gather([reader.poll()])["loss", None, "loss"]] == [1]
    last = reader.poll(final=True)
    assert (last.columns, last.notices) == ((), ())


def mutate(data: bytes, kind: int, rng: random.Random) -> tuple[bytes, int, int]:
    """A damaged copy, and the range of the original that was hit."""
    at = rng.randrange(len(data))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :], at, at + 1
    n = rng.randrange(1, 400)
    if kind == 1:
        return data[:at] + data[at + n :], at, min(at + n, len(data))
    if kind == 2:
        return data[:at] + rng.randbytes(n) + data[at:], at, at
    if kind == 3:
        n = min(n, len(data) - at)
        return data[:at] + bytes(n) + data[at + n :], at, at + n
    return data[:at], at, len(data)


@pytest.mark.parametrize("kind", range(5), ids=["flip", "delete", "insert", "zero", "truncate"])
def test_every_untouched_record_survives(tmp_path: Path, kind: int) -> None:
    lines = records(60)
    data = b"".join(lines)
    ends = np.cumsum([len(line) for line in lines])
    path = tmp_path / "log.jsonl"
    rng = random.Random(kind)
    for _ in range(60):
        damaged, first, last = mutate(data, kind, rng)
        path.write_bytes(damaged)
        found = {(p[0], p[1]) for p in gather([once(path)]).get(("loss", None, "loss"), [])}
        for i, line in enumerate(lines):
            begin, end = int(ends[i]) - len(line), int(ends[i])
            inside = begin < first < end if first == last else begin < last and first < end
            if not inside:
                assert (i, json.loads(line)["losses"]["loss"]) in found


def test_damage_is_named(tmp_path: Path) -> None:
    a, b, c, d = records(4)
    path = tmp_path / "log.jsonl"
    bad = b'{"step": 9, "lo\n{"step": 10,, }\n'
    marker = b"<<<<<<< HEAD\n"
    path.write_bytes(a + bad + b + marker + bytes(40) + c[:-1] + d)
    chunk = once(path)
    assert [p[0] for p in gather([chunk])["loss", None, "loss"]] == [0, 1, 2, 3]
    corrupt, skipped, zeros = chunk.notices
    assert (corrupt.kind, corrupt.lost) == ("corrupt", 2)
    assert corrupt.where == f"log.jsonl, bytes {len(a)}-{len(a + bad)}"
    assert (skipped.kind, skipped.lost) == ("skipped", 0)
    assert (zeros.kind, zeros.lost) == ("skipped", 0)


def test_a_torn_record_glued_to_a_whole_one(tmp_path: Path) -> None:
    a, b, c = records(3)
    path = tmp_path / "log.jsonl"
    for cut in range(1, len(b) - 2):
        path.write_bytes(a + b[:cut] + c)
        chunk = once(path)
        assert [p[0] for p in gather([chunk])["loss", None, "loss"]] == [0, 2]
        assert [n.lost for n in chunk.notices] == [1]


def test_inner_objects_of_a_torn_record_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        b'{"step": 1, "train": {"loss": 1.0}}\n{"step": 2, "train": {"loss": 2.0},\n'
        b'{"step": 3, "train": {"step": 7, "loss": 3.0}, "x": \n'
        b'{"step": 4, "train": {"loss": 4.0}}\n'
    )
    chunk = once(path)
    assert {k[0]: [p[0] for p in v] for k, v in gather([chunk]).items()} == {"train/loss": [1, 4]}
    assert [n.lost for n in chunk.notices] == [2]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "log.jsonl", tmp_path / "other"
    path.write_bytes(b"".join(records(5)))
    reader = JsonLines(path)
    reader.poll()
    other.write_bytes(b'{"step": 0, "loss": 7.5}\n' * 40)
    os.replace(other, path)
    chunk = reader.poll()
    assert gather([chunk])["loss", None, ""] == [(0.0, 7.5, "nan", "nan")] * 40
    assert [n.kind for n in chunk.notices] == ["replaced"]


def test_a_truncated_file_is_read_anew_and_a_moved_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = records(6)
    path.write_bytes(b"".join(lines[:4]))
    reader = JsonLines(path)
    reader.poll()
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(lines[:5]))
    os.replace(copy, path)
    assert [p[0] for p in gather([reader.poll()])["loss", None, "loss"]] == [4]
    path.write_bytes(lines[5])
    assert [p[0] for p in gather([reader.poll()])["loss", None, "loss"]] == [5]
    path.unlink()
    assert [n.kind for n in reader.poll().notices] == ["unreadable"]
    assert reader.poll().notices == ()


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"a":' * 150_000,
        b"[" * 1_000_000,
        b'{"step": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"step": 1, "x": ' + b"9" * 900_000 + b"}\n",
        b'{"' * 450_000,
        b"\0" * 1_000_000,
        b'{"step": 1e999, "loss": 1e999}\n' * 20_000,
        b"".join(b'{"m%d": 1}\n' % i for i in range(30_000)),
        b'{"x"}\n{"step":1}\n' * 20_000,
        b"\xff\xfe" * 400_000,
        b'{"step": 1, "\\ud800": 1, "\\u0000": 2}\n',
        b'{"loss": [' + b"1," * 500_000,
        b'{"loss": [1, "' + b'\\"' * 500_000,
        b'{"loss": ' + b"[" * 1_000_000,
        b'{"loss": {' + b",".join(b'"%d": 1' % i for i in range(90_000)) + b"}}",
        b"{'a':" * 200_000,
        b"{'a': np.a(" * 90_000,
        b"{'a': tensor(" * 80_000 + b"\n" + b"{'a': '" + b"\\'" * 100_000,
        b"[" + b'{"step": 1, "a": ' * 60_000,
    ],
    ids=range(19),
)
def test_hostile_files_end_and_do_not_crash(tmp_path: Path, hostile: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(hostile)
    assert 0 <= jsonl.sniff(path) <= 1
    chunk = jsonl.open_source(Source("jsonl", path)).poll(final=True)
    assert len(chunk.notices) < 250
    assert all(c.name.encode() for c in chunk.columns)


def test_a_line_beyond_the_limit_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lines, "BLOCK", 256)
    monkeypatch.setattr(_lines, "LONGEST", 1024)
    path = tmp_path / "log.jsonl"
    a, b, _ = records(3)
    path.write_bytes(a + b'{"step": 1, "x": "' + b"y" * 5000 + b'"}\n' + b)
    chunk = once(path)
    assert [p[0] for p in gather([chunk])["loss", None, "loss"]] == [0, 1]
    assert [(n.kind, n.lost) for n in chunk.notices] == [("corrupt", 1)]
    assert f"bytes {len(a)}-{len(a) + 5021}" in chunk.notices[0].where


def test_numbers_too_large_for_a_float(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1, "loss": 1' + b"0" * 400 + b'}\n{"step": 2, "loss": 2}\n')
    values = [p[1] for p in gather([once(path)])["loss", None, ""]]
    assert values == [math.inf, 2.0]
