"""Growing, torn, damaged and hostile MLPerf logs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers import mlperf
from trainlens.readers._mlperf.reader import MLPerfLog

NEW = ":::" + "MLLOG "
OLD = ":::" + "MLPv0.5.0 "

Points = dict[tuple[str, str | None], list[tuple[object, ...]]]


def gather(chunks: Iterable[Chunk]) -> Points:
    """Every point of some polls: step, value, time and epoch, NaN as text."""
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value, c.wall_time, c.epoch, strict=True)
            held = found.setdefault((c.name, c.split), [])
            held += [tuple(x if x == x else "nan" for x in map(float, row)) for row in rows]
    return found


def once(path: Path) -> Chunk:
    return MLPerfLog(path).poll(final=True)


def new_line(i: int) -> bytes:
    record = {
        "namespace": "",
        "time_ms": 1683756302000 + i,
        "event_type": "POINT_IN_TIME",
        "key": "train_loss",
        "value": i + 0.5,
        "metadata": {"file": "main.py", "lineno": 3, "step": i},
    }
    return (NEW + json.dumps(record) + "\n").encode()


def old_line(i: int) -> bytes:
    value = f'{{"epoch": {i}, "value": {i}.5}}'
    return f"{OLD}ncf 1541720383.{i:06d} (ncf.py:49) train_loss: {value}\n".encode()


def seen(chunks: Iterable[Chunk]) -> list[float]:
    return [v for c in chunks for x in c.columns for v in x.value.tolist()]


def test_growing_real_logs_give_what_one_look_gives(tmp_path: Path, real_logs: Path) -> None:
    rng = random.Random(1)
    base = real_logs / "mlperf_mllog"
    for path in sorted(base.rglob("*.txt")):
        data = path.read_bytes()
        if len(data) > 200_000:
            continue
        growing = tmp_path / "growing.txt"
        growing.write_bytes(b"")
        reader, chunks = MLPerfLog(growing), []
        cuts = sorted(rng.randrange(len(data)) for _ in range(12))
        for begin, end in pairwise([0, *cuts, len(data)]):
            with open(growing, "ab") as file:
                file.write(data[begin:end])
            chunks.append(reader.poll())
        chunks.append(reader.poll(final=True))
        expected = once(path)
        assert gather(chunks) == gather([expected]), path
        config: dict[str, object] = {}
        for chunk in chunks:
            config |= chunk.config
        assert config == dict(expected.config)


lines = st.one_of(
    st.integers(0, 30).map(new_line),
    st.integers(0, 30).map(old_line),
    st.sampled_from(
        [
            (NEW + '{"key": "run_start", "event_type": "INTERVAL_START"}\n').encode(),
            (NEW + '{"key": "epoch_start", "metadata": {"epoch_num": 2}}\n').encode(),
            (NEW + '{"key": "epoch_stop", "metadata": {"epoch_num": 2}}\n').encode(),
            (
                NEW + '{"key": "eval_accuracy", "value": NaN, "metadata": {"epoch_num": 2}}\n'
            ).encode(),
            (
                NEW + '{"key": "eval_accuracy", "value": 1, "metadata": {"epoch_num": 2.5}}\n'
            ).encode(),
            (NEW + '{"key": "throughput", "value": 3}\n').encode(),
            (OLD + "ncf 1541720383 (ncf.py:49) train_epoch: 3\n").encode(),
            (OLD + "ncf 1541720383 (ncf.py:49) opt_learning_rate: 0.5\n").encode(),
            (OLD + "ncf 1541720383 (ncf.py:49) run_st\n").encode(),
            (NEW + '{"key": "tracked_stats", "value": {"los').encode(),
            b"Iteration: 7, Loss: 0.5\n",
            b"\r\n",
            b"\xff\xfe\n",
        ]
    ),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(lines, max_size=15), st.lists(st.integers(0, 3000), max_size=8))
def test_any_growth_gives_what_one_look_gives(
    tmp_path: Path, log: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(log)
    whole, growing = tmp_path / "whole.txt", tmp_path / "growing.txt"
    whole.write_bytes(data)
    growing.write_bytes(b"")
    reader, chunks = MLPerfLog(growing), []
    for begin, end in pairwise([0, *sorted(min(c, len(data)) for c in cuts), len(data)]):
        with open(growing, "ab") as file:
            file.write(data[begin:end])
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    assert gather(chunks) == gather([once(whole)])


@pytest.mark.parametrize("line", [new_line, old_line])
def test_every_cut_of_the_last_ten_records(tmp_path: Path, line) -> None:
    log = [line(i) for i in range(10)]
    data = b"".join(log)
    ends = np.cumsum([len(x) for x in log])
    path = tmp_path / "log.txt"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        # A record is complete once its last bracket is there.
        complete = int(np.searchsorted(ends - 1, cut, side="right"))
        chunk = once(path)
        assert seen([chunk]) == [i + 0.5 for i in range(complete)], cut
        begun = cut - ([0, *ends.tolist()][complete])
        torn = [n for n in chunk.notices if n.kind == "torn-tail"]
        assert len(torn) <= 1
        # Fewer bytes than a mark could be anything.
        if begun > len(":::ML"):
            assert [n.lost for n in torn] == [1]
            assert f"-{cut}" in torn[0].where


def test_a_bare_value_without_a_line_break_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(old_line(1) + (OLD + "ncf 1541720384.5 (ncf.py:49) eval_loss: 0.12").encode())
    reader = MLPerfLog(path)
    assert seen([reader.poll()]) == [1.5]
    chunk = reader.poll(final=True)
    assert seen([chunk]) == []
    assert [(n.kind, n.lost) for n in chunk.notices if n.kind == "torn-tail"] == [("torn-tail", 1)]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"".join(map(new_line, range(5))))
    reader = MLPerfLog(path)
    assert len(seen([reader.poll()])) == 5
    path.write_bytes(new_line(9))
    chunk = reader.poll()
    assert seen([chunk]) == [9.5]
    assert any("replaced" in n.message for n in chunk.notices)
    path.unlink()
    assert "unreadable" in [n.kind for n in reader.poll().notices]


@pytest.mark.parametrize("line", [new_line, old_line])
def test_damage_costs_the_lines_it_hits(tmp_path: Path, line) -> None:
    rng = random.Random(3)
    log = [line(i) for i in range(40)]
    starts = np.cumsum([0, *map(len, log)])
    data = b"".join(log)
    path = tmp_path / "log.txt"
    for _ in range(250):
        at, n = rng.randrange(len(data)), rng.randrange(1, 300)
        kind = rng.randrange(4)
        if kind == 0:
            hit = (at, at + 1)
            now = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            hit = (at, min(at + n, len(data)))
            now = data[:at] + data[at + n :]
        elif kind == 2:
            hit = (at, at)
            now = data[:at] + rng.randbytes(n) + data[at:]
        else:
            hit = (at, min(at + n, len(data)))
            now = data[:at] + bytes(hit[1] - at) + data[hit[1] :]
        path.write_bytes(now)
        chunk = once(path)
        found = seen([chunk])
        whole = [i + 0.5 for i in range(40) if starts[i + 1] <= hit[0] or starts[i] >= hit[1]]
        assert set(whole) <= set(found), (kind, at)
        assert len(found) <= 40
        # Only a cut can leave no trace: whole lines, or the same stretch of two lines.
        loud = {"corrupt", "torn-tail", "skipped"} & {n.kind for n in chunk.notices}
        assert loud or kind == 1 or len(found) == 40 or setting(chunk), (kind, at)


def setting(chunk: Chunk) -> bool:
    """Whether a changed name turned a measurement into a setting."""
    return any(k != "benchmark" for k in chunk.config)


HOSTILE = {
    "marks": (":::" + "MLLOG ") .encode() * 100_000,
    "old marks": (":::" + "MLPv0.5.0 ").encode() * 80_000,
    "one mark": (":::" + "MLLOG {").encode() + b'"a": {' * 160_000,
    "arrays": (":::" + "MLLOG ").encode() + b"[" * 1_000_000,
    "nested": (OLD + "a 1 (b) c: ").encode() + b'{"a":' * 190_000 + b"\n",
    "digits": (OLD + "a 1 (b) eval_loss: ").encode() + b"9" * 900_000 + b"\n",
    "brackets": (OLD + "a 1 (").encode() + b"(" * 900_000 + b"\n",
    "spaces": (OLD + "a 1 (b) c").encode() + b" " * 900_000 + b"x\n",
    "keys": b"".join(
        f'{NEW}{{"key": "k{i}_loss", "value": 1, "metadata": {{"step": 1}}}}\n'.encode()
        for i in range(12_000)
    ),
    "steps": (NEW + '{"key": "a_loss", "value": 1e999, "step": 1e300}\n').encode() * 9000,
    "aside": (NEW + '{"key": "run_start"}\n').encode() + b"step 1 a" + b"a " * 500_000 + b"\n",
    "lines": (NEW + '{"key": "run_start"}\n').encode() + b"step 1, loss is 1\n" * 50_000,
    "versions": b"MLPv0" * 200_000,
    "values": b'"value":' * 125_000,
    "escapes": b"\x1b[" + b"0;" * 500_000 + (":::" + "MLLOG {}").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_read_to_their_end(tmp_path: Path, name: str) -> None:
    data = HOSTILE[name][: 1 << 20]
    path = tmp_path / "log.txt"
    path.write_bytes(data)
    assert mlperf.sniff(path) in (0.0, 0.98)
    reader = MLPerfLog(path)
    chunks = [reader.poll(), reader.poll(final=True)]
    assert sum(len(v) for v in gather(chunks).values()) <= data.count(b"\n") + 1
    assert sum(len(c.notices) for c in chunks) < 210
    assert any(n.kind != "unfinished" for c in chunks for n in c.notices) or name in (
        "keys", "lines", "aside", "steps")  # fmt: skip
