"""Torn, damaged and hostile trainer_state.json."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from pathlib import Path

import pytest

from tests.readers.trainer_state_writer import expected, log, points, put, state
from trainlens.chunk import Chunk
from trainlens.readers import trainer_state

LOG = log(100)


def read(path: Path) -> Chunk:
    return trainer_state.open_source(trainer_state.find(path)[0]).poll(final=True)


def complete(data: bytes) -> int:
    """Entries that are closed in the beginning of a state."""
    return data[data.find(b'"log_history": [') :].count(b"}")


def test_cut_at_every_byte_of_the_last_ten_entries(tmp_path: Path) -> None:
    data = state(LOG)
    opening = [i for i in range(len(data)) if data.startswith(b"    {\n", i)]
    begin, end = opening[-10], data.rindex(b"]")
    path = tmp_path / "trainer_state.json"
    for cut in range(begin, end + 1):
        path.write_bytes(data[:cut])
        chunk = read(path)
        kept = complete(data[:cut])
        assert points(chunk) == expected(LOG[:kept]), cut
        (notice,) = chunk.notices
        assert notice.kind == "torn-tail"
        assert notice.where.endswith(f"-{cut}")
        assert notice.lost == int(data[:cut].count(b"{") - 1 > kept)


def test_a_torn_state_is_completed_by_an_older_one(tmp_path: Path) -> None:
    data = state(log(200))
    put(tmp_path / "checkpoint-100" / "trainer_state.json", state(log(100)))
    newest = tmp_path / "checkpoint-200" / "trainer_state.json"
    first = data.index(b"[")
    for cut in [first - 30, first + 1, *range(first + 2, len(data) - 40, 97)]:
        put(newest, data[:cut])
        chunk = read(tmp_path)
        assert points(chunk) == expected(log(200)[: max(len(log(100)), complete(data[:cut]))])
        assert chunk.notices


def test_entries_lost_in_the_middle_come_from_an_older_state(tmp_path: Path) -> None:
    data = bytearray(state(log(200)))
    data[data.index(b"loss", 400)] = 0xFF  # no UTF-8: that entry is lost
    data[data.index(b"loss")] = 0xFF
    put(tmp_path / "trainer_state.json", bytes(data))
    alone = read(tmp_path)
    assert sum(n.lost or 0 for n in alone.notices) == 2
    assert {n.kind for n in alone.notices} == {"corrupt"}
    put(tmp_path / "checkpoint-100" / "trainer_state.json", state(log(100)))
    both = read(tmp_path)
    assert points(both) == expected(log(200))
    assert sum(n.lost or 0 for n in both.notices) == 0
    assert "an older state gave" in both.notices[0].message


def test_a_torn_state_of_another_attempt_is_not_mixed_with_an_older_one(tmp_path: Path) -> None:
    other = [{**e, "grad_norm": 8.0} for e in log(200)]
    put(tmp_path / "checkpoint-100" / "trainer_state.json", state(log(100)))
    put(tmp_path / "checkpoint-200" / "trainer_state.json", state(other)[:-300])
    found = points(read(tmp_path))["grad_norm"]
    assert {value for _, value in found} == {8.0}


def test_settings_around_a_damaged_history_are_kept(tmp_path: Path) -> None:
    data = bytearray(state(LOG, best_metric=0.25))
    data[data.index(b"[") + 3] = 0
    data[data.index(b'"loss"') + 1] = 0xFF
    chunk = read(put(tmp_path / "trainer_state.json", bytes(data)))
    assert chunk.config["best_metric"] == 0.25
    assert chunk.config["planned_steps"] == 500
    assert points(chunk)["loss"] == expected(LOG)["loss"][1:]


def test_what_is_no_state_at_all_is_named(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    for data, kind in ((pointer, "lfs-pointer"), (b"\0" * 99, "corrupt"), (b"[3]", "corrupt")):
        chunk = read(put(tmp_path / "trainer_state.json", data))
        assert kind in {n.kind for n in chunk.notices}
        assert chunk.columns == ()
    chunk = read(put(tmp_path / "trainer_state.json", state([{"step": 1, "loss": 1.0}, 5], 1)))
    assert points(chunk) == {"loss": [(1, 1.0)]}
    assert chunk.notices[0].lost == 1


def mutated(data: bytes, rng: random.Random) -> bytes:
    at, n = rng.randrange(len(data)), rng.randrange(1, 40)
    kind = rng.randrange(4)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + n :]
    if kind == 2:
        return data[:at] + rng.randbytes(n) + data[at:]
    return data[:at] + bytes(n) + data[at + n :]


def test_mutations_keep_every_untouched_entry(tmp_path: Path) -> None:
    data, rng = state(LOG), random.Random(4)
    path = tmp_path / "trainer_state.json"
    whole = {(name, *point) for name, held in expected(LOG).items() for point in held}
    for _ in range(1000):
        broken = mutated(data, rng)
        path.write_bytes(broken)
        found = {(name, *p) for name, held in points(read(path)).items() for p in held}
        # A change of up to 40 bytes touches at most two entries, of two values each.
        assert len(whole & found) >= len(whole) - 4, broken
        assert len(found - whole) <= 2, broken


@pytest.mark.parametrize(
    "data",
    [
        b'{"global_step": 1, "epoch": 1, "log_history": ' + b"[" * 1_000_000,
        b'{"global_step": 1, "epoch": 1, "log_history": [' + b'{"a":' * 190_000,
        b'{"global_step": 1, "epoch": 1, "log_history": [' + b'x{"step":1}' * 22_000,
        b'{"global_step": 1, "epoch": 1, "log_history": [' + b'"' * 900_000,
        b'{"global_step": 1, "epoch": 1, ' + b'"log_history"' * 70_000,
        b'{"global_step": 1, "epoch": 1, "log_history": [' + b'{"step":1},' * 22_000 + b"{}]}",
        b'{"global_step": 1, "epoch": 1, "log_history": ['
        + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}",
        json.dumps(
            {"global_step": 10**40, "log_history": [{"step": 10**30, "loss": 10**400}]}
        ).encode(),
        b'{"global_step": 1, "epoch": 1, "log_history": [{"step": 1, "\\ud800": 2, "loss": 3}',
    ],
    ids=range(9),
)  # fmt: skip
def test_hostile_states_are_read_within_bounds(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path / "trainer_state.json", data)
    tracemalloc.start()
    try:
        trainer_state.sniff(path)
        read(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_nothing_is_touched(tmp_path: Path) -> None:
    path = put(tmp_path / "trainer_state.json", state(LOG))
    before = (path.stat().st_mtime_ns, path.read_bytes(), os.listdir(tmp_path))
    read(tmp_path)
    assert (path.stat().st_mtime_ns, path.read_bytes(), os.listdir(tmp_path)) == before
