"""Damaged `.wandb` files: every intact record is kept, none is invented, losses are named."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.readers import wandb_writer as ww
from trainlens.chunk import Chunk
from trainlens.readers._wandb.log import Gap, Record, Scan
from trainlens.readers._wandb.reader import WandbLog


def payloads(data: bytes) -> list[bytes]:
    """All records that a scan finds."""
    items = Scan(data, 0, True).items
    return [i.data[i.at : i.stop] for i in items if isinstance(i, Record)]


def sample(seed: int, nums: bool, count: int = 160) -> list[bytes]:
    """Records of all sizes, some over several blocks, all different."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        size = rng.choice([0, 10, 100, 100, 100, 400, 400, rng.randrange(3000)])
        values = {"loss": i + 0.5, "_step": i, "text": "x" * size}
        if i in (40, 110):
            values["text"] = "".join(
                rng.choice("abcdef\n\t") for _ in range(rng.choice([40000, 9000]))
            )
        found.append(ww.history(values, i, i + 1 if nums else 0))
    return found


def mutated(data: bytes, rng: random.Random) -> tuple[bytes, list[tuple[int, int]], list[int]]:
    """Damaged data, the ranges of the original that were changed, and where bytes came in."""
    kind, at = rng.choice(["bit", "byte", "zero", "insert", "delete"]), rng.randrange(len(data))
    size = rng.choice([1, 1, 2, 7, 30, 300])
    if kind == "bit":
        new = bytes([data[at] ^ 1 << rng.randrange(8)])
        return data[:at] + new + data[at + 1 :], [(at, at + 1)], []
    if kind == "insert":
        return data[:at] + rng.randbytes(size) + data[at:], [], [at]
    end = min(at + size, len(data))
    new = {"byte": rng.randbytes(end - at), "zero": bytes(end - at), "delete": b""}[kind]
    return data[:at] + new + data[end:], [(at, end)], []


def intact(log: ww.Log, ranges: Sequence[tuple[int, int]], places: Sequence[int]) -> list[int]:
    """Records that no change touched."""
    return [
        i
        for i, (begin, end) in enumerate(log.spans)
        if all(b <= begin or a >= end for a, b in ranges)
        and not any(begin < p < end for p in places)
    ]


def is_subsequence(part: Sequence[bytes], whole: Sequence[bytes]) -> bool:
    rest = iter(whole)
    return all(any(p == w for w in rest) for p in part)


@pytest.mark.parametrize("nums", [True, False])
def test_mutations_keep_every_intact_record_and_invent_none(nums: bool) -> None:
    records = sample(1, nums)
    log = ww.log(records)
    assert payloads(log.data) == records
    rng = random.Random(2)
    for _ in range(1000):
        data, ranges, places = mutated(log.data, rng)
        found = payloads(data)
        assert is_subsequence(found, records)
        kept = set(found)
        assert all(records[i] in kept for i in intact(log, ranges, places))


def test_many_wounds_in_one_file() -> None:
    records = sample(3, True)
    log = ww.log(records)
    rng = random.Random(4)
    for _ in range(150):
        data, places = bytearray(log.data), rng.sample(range(len(log.data)), 8)
        for place in places:
            data[place] ^= rng.randrange(1, 256)
        found = payloads(bytes(data))
        assert is_subsequence(found, records)
        whole = intact(log, [(p, p + 1) for p in places], [])
        assert {records[i] for i in whole} <= set(found)


def read(tmp_path: Path, data: bytes) -> tuple[list[float], Chunk]:
    path = tmp_path / "run-abc123.wandb"
    path.write_bytes(data)
    got = WandbLog(path).poll(final=True)
    values = [v for c in got.columns if c.name == "loss" for v in c.value.tolist()]
    return values, got


def test_a_long_deletion_and_a_second_wound() -> None:
    noise = random.Random(7).randbytes(29_000)
    records = [
        ww.record(13, noise),
        *(ww.history({"loss": float(i)}, i, i + 2) for i in range(120)),
    ]
    log = ww.log(records)
    for lost in range(3000, 3120):  # some record then begins where the damaged one should end
        data = bytearray(log.data[:9000] + log.data[9000 + lost :])
        data[log.spans[40][0] - lost + 9] ^= 1
        assert payloads(bytes(data)) == [*records[1:40], *records[41:]]


def test_cut_at_every_byte_of_the_last_ten_records(tmp_path: Path) -> None:
    records = [ww.history({"loss": i / 7, "pad": "y" * 60}, i, i + 1) for i in range(14)]
    log = ww.log(records)
    for cut in range(log.spans[4][0], len(log.data)):
        values, got = read(tmp_path, log.data[:cut])
        whole = sum(end <= cut for _, end in log.spans)
        assert values == [i / 7 for i in range(whole)]
        torn = [n for n in got.notices if n.kind == "torn-tail"]
        clean = any(end == cut for _, end in log.spans)
        assert [n.lost for n in torn] == ([] if clean else [1])


def test_cut_within_a_record_of_several_blocks(tmp_path: Path) -> None:
    log = ww.log([ww.history({"loss": 1.0}), ww.history({"loss": 2.0, "pad": "z" * 100_000})])
    for cut in (log.spans[1][0] + 3, ww.BLOCK, 2 * ww.BLOCK, 2 * ww.BLOCK + 5, len(log.data) - 1):
        values, got = read(tmp_path, log.data[:cut])
        assert values == [1.0]
        assert [(n.kind, n.lost) for n in got.notices if n.lost] == [("torn-tail", 1)]
    assert read(tmp_path, log.data)[0] == [1.0, 2.0]


def test_lost_records_are_counted_by_their_numbers(tmp_path: Path) -> None:
    log = ww.log([ww.history({"loss": float(i)}, i, i + 1) for i in range(20)])
    begin, end = log.spans[5][0] + 2, log.spans[8][1] - 2
    data = log.data[:begin] + bytes(end - begin) + log.data[end:]
    values, got = read(tmp_path, data)
    assert values == [float(i) for i in range(20) if not 5 <= i <= 8]
    (notice,) = [n for n in got.notices if n.kind == "corrupt"]
    assert notice.lost == 4
    assert notice.where == f"run-abc123.wandb, bytes {log.spans[5][0]}-{log.spans[8][1]}"


def test_without_numbers_a_damaged_payload_is_one_record(tmp_path: Path) -> None:
    log = ww.log([ww.history({"loss": float(i)}, i) for i in range(9)])
    data = bytearray(log.data)
    data[log.spans[4][0] + 20] ^= 64
    values, got = read(tmp_path, bytes(data))
    assert values == [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0]
    assert [n.lost for n in got.notices if n.kind == "corrupt"] == [1]


NESTED = ww.chunk(1, ww.history({"loss": -999.0}, 3)) + ww.chunk(1, ww.history({"loss": -998.0}))


def with_nested(tail: bytes) -> tuple[ww.Log, bytes]:
    """A log whose fourth record holds chunks of another log in its payload."""
    output = ww.record(13, ww.blob(2, b"copied: " + NESTED + tail))
    rows = [ww.history({"loss": float(i), "pad": "p" * 50}, i) for i in range(8)]
    return ww.log([*rows[:4], output, *rows[4:]]), output


def test_chunks_within_an_intact_payload_are_no_records(tmp_path: Path) -> None:
    values, _ = read(tmp_path, with_nested(b" end")[0].data)
    assert values == [float(i) for i in range(8)]


@pytest.mark.parametrize("at", [*range(0, 14), -1])
@pytest.mark.parametrize("tail", [b"", b" and so on, a line of output"])
def test_chunks_within_a_damaged_payload_are_no_records(
    tmp_path: Path, at: int, tail: bytes
) -> None:
    log, _ = with_nested(tail)
    begin, end = log.spans[4]
    place = begin + at if at >= 0 else end - 2
    for mask in (1, 2, 4, 8, 16, 32, 64, 128):
        data = bytearray(log.data)
        data[place] ^= mask
        assert read(tmp_path, bytes(data))[0] == [float(i) for i in range(8)]


@pytest.mark.parametrize("shift", [-3, -1, 1, 2, 40])
def test_chunks_within_a_payload_of_another_length(tmp_path: Path, shift: int) -> None:
    log, _ = with_nested(b" and so on, a line of output that goes on for a while")
    place = log.spans[4][1] - 45
    if shift > 0:
        data = log.data[:place] + b"#" * shift + log.data[place:]
    else:
        data = log.data[:place] + log.data[place - shift :]
    assert read(tmp_path, data)[0] == [float(i) for i in range(8)]


def test_parts_of_records_are_never_joined_to_another(tmp_path: Path) -> None:
    big = [ww.history({"loss": float(i), "pad": chr(97 + i) * 70_000}, i) for i in range(3)]
    log = ww.log(big)
    # Take out whole blocks: what is left are parts with good checksums that do not belong together.
    for first in range(1, 5):
        for last in range(first + 1, 6):
            data = log.data[: first * ww.BLOCK] + log.data[last * ww.BLOCK :]
            values, _ = read(tmp_path, data)
            assert set(values) <= {0.0, 1.0, 2.0}
            cut = [(first * ww.BLOCK, last * ww.BLOCK)]
            assert {float(i) for i in intact(log, cut, [])} <= set(values)


@pytest.mark.parametrize(
    "begin", [b"", b"\0" * 7, b":W&B\xe1\xbe\x01", b":X&B\xe1\xbe\x00", b"garbage!!"]
)
def test_a_damaged_file_header(tmp_path: Path, begin: bytes) -> None:
    log = ww.log([ww.history({"loss": float(i)}, i, i + 1) for i in range(3)])
    values, got = read(tmp_path, begin + log.data[7:])
    assert values == [0.0, 1.0, 2.0]
    said = [n for n in got.notices if n.kind == "corrupt"]
    assert [n.lost for n in said] == ([0] if begin else [])


def test_zeros_at_the_end(tmp_path: Path) -> None:
    log = ww.log([ww.history({"loss": float(i)}, i) for i in range(3)])
    values, got = read(tmp_path, log.data + bytes(70_000))
    assert values == [0.0, 1.0, 2.0]
    (notice,) = [n for n in got.notices if n.kind == "torn-tail"]
    assert "zero bytes" in notice.message
    assert notice.lost is None


def test_good_checksum_without_a_message(tmp_path: Path) -> None:
    rows = [ww.history({"loss": float(i)}, i) for i in range(4)]
    broken = [b"\xff" * 9, ww.record(2, b"\x0a\x7f"), ww.record(7, b"\x12\x05")]
    values, got = read(tmp_path, ww.log([*rows[:2], *broken, *rows[2:]]).data)
    assert values == [0.0, 1.0, 2.0, 3.0]
    (notice,) = [n for n in got.notices if n.kind == "corrupt"]
    assert notice.lost == 3


def hostile() -> dict[str, bytes]:
    size = 400_000
    rng = random.Random(5)
    empty = struct.pack("<IHB", zlib.crc32(b"\x01"), 0, 1)
    deep = ww.history({"d": b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "l": b"[" * 200_000})
    pair = ww.chunk(1, ww.blob(200, b"")) + struct.pack("<IHB", 7, 32_000, 1)
    group = ww.varint(200 << 3 | 3) * 5000
    return {
        "long lengths": b"\x7f\x01" * (size // 2),
        "longest lengths": bytes([0, 0xF9, 0x7F, 1]) * (size // 4),
        "noise": rng.randbytes(size),
        "ones": b"\x01" * size,
        "zeros": bytes(size),
        "empty records": empty * (size // 7),
        "wound after wound": pair * (size // len(pair)),
        "empty and long": (empty + b"\x05\x00\x00\x00\xf0\x7f\x01") * (size // 14),
        "middles": b"".join(ww.chunk(3, b"m" * 9) for _ in range(size // 16)),
        "firsts": b"".join(ww.chunk(2, b"m" * 9) for _ in range(size // 16)),
        "deep": ww.log([deep, ww.history({"loss": 1.0})]).data,
        "groups": ww.log([group, ww.history({"loss": 1.0})]).data,
        "many names": ww.log([ww.history({f"n{i}": i}) for i in range(20_000)]).data,
        "huge number": ww.log(
            [ww.history({"n": b"1" + b"0" * 400_000, "_step": b"9" * 5000})]
        ).data,
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_files_end(tmp_path: Path, name: str) -> None:
    data = hostile()[name]
    body = data if data.startswith(ww.MAGIC) else ww.MAGIC + data
    values, got = read(tmp_path, body)
    assert set(values) <= {1.0}
    assert got.notices
    assert len(got.notices) < 120


def test_records_around_a_hostile_stretch_are_kept(tmp_path: Path) -> None:
    before, after = (ww.log([ww.history({"loss": v})]).data for v in (1.0, 2.0))
    for name in ("noise", "zeros", "middles", "firsts"):
        values, _ = read(tmp_path, before + hostile()[name][:200_000] + after)
        assert values == [1.0, 2.0]


def test_gaps_and_records_cover_the_file() -> None:
    log = ww.log(sample(6, True, 60))
    data = log.data[:900] + b"?" * 30 + log.data[930:]
    place = len(ww.MAGIC)
    for item in Scan(data, 0, True).items:
        assert item.begin - place < 7  # nothing but padding is passed over in silence
        place = item.end
    assert place == len(data)
    assert sum(isinstance(i, Gap) for i in Scan(data, 0, True).items) == 1
