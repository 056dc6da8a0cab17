"""The reader of event files: what it claims, what it says about odd files, how it follows."""

import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from trainlens.readers import tensorboard as reader
from trainlens.readers._tfevents import damage, fallback, follow
from trainlens.readers._tfevents.crc32c import Checksums
from trainlens.readers._tfevents.reader import TensorBoardReader
from trainlens.readers._tfevents.settings import LONGEST
from trainlens.readers.base import Source
from trainlens.run import Chunk, Run

NAME = "events.out.tfevents.1700000000.host.1.0"


@pytest.fixture(params=["chosen", "fallback"], autouse=True)
def decoder(request, monkeypatch):
    """The decoder that this machine uses, and the numpy one."""
    if request.param == "fallback":
        monkeypatch.setattr(follow, "Decoder", fallback.Decoder)


def masked(data: bytes) -> bytes:
    """The stored checksum of bytes."""
    view = np.frombuffer(data, np.uint8)
    return Checksums(view).masked(np.array([0]), np.array([len(data)])).astype("<u4").tobytes()


def frame(data: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def field(number: int, data: bytes) -> bytes:
    """A protobuf field of up to 2 MiB."""
    n = len(data)
    size = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14])
    return bytes([number << 3 | 2]) + size + data


def scalar(step: int, value: float, tag: str = "loss") -> bytes:
    """A record with one scalar."""
    inner = field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    head = b"\x09" + struct.pack("<d", step + 1e9) + b"\x10" + bytes([step & 127 | 128, step >> 7])
    return frame(head + field(5, field(1, inner)))


def text(step: int, tag: str, content: bytes) -> bytes:
    """A record with a text summary."""
    tensor = b"\x08\x07" + field(8, content)
    value = field(1, tag.encode()) + field(8, tensor) + field(9, field(1, field(1, b"text")))
    return frame(b"\x10" + bytes([step]) + field(5, field(1, value)))


VERSION = frame(field(3, b"brain.Event:2"))
LOG = VERSION + b"".join(scalar(i, i / 2) for i in range(50))


def opened(path: Path) -> TensorBoardReader:
    """A reader of the one run in a path."""
    (source,) = reader.find(path)
    return reader.open_source(source)


def read(path: Path) -> Chunk:
    """A path read at once."""
    return opened(path).poll(final=True)


def values(chunk: Chunk) -> dict[str, list[float]]:
    """Values by name."""
    return {c.name: c.value.tolist() for c in chunk.columns}


@pytest.mark.parametrize(
    ("name", "content", "confidence"),
    [
        (NAME, LOG, 1),
        ("events.out.tfevents", LOG, 1),
        ("my-tfevents-file", LOG, 1),
        (NAME, b"", 0.6),
        (NAME, b"\0" + LOG[1:], 0.6),
        (NAME, LOG[:7], 0.6),
        (NAME, follow.LFS_POINTER + b"v1\noid sha256:00\nsize 9\n", 0.6),
        (NAME + ".csv", b"step,value\n1,2\n", 0),
        ("tfevents_parser.py", b"import struct\n", 0),
        ("tfevents_cache", b"\0\1\2", 0),
        ("other.bin", LOG, 0),
    ],
)
def test_sniff_goes_by_content(tmp_path, name, content, confidence):
    (tmp_path / name).write_bytes(content)
    assert reader.sniff(tmp_path / name) == confidence
    assert reader.sniff(tmp_path) == confidence
    own = [tmp_path / name] if confidence > 0 else []
    assert reader.files(Source("tensorboard", tmp_path)) == own


def test_sniff_refuses_a_folder_without_event_files_of_its_own(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / NAME).write_bytes(LOG)
    (tmp_path / NAME).mkdir()
    assert reader.sniff(tmp_path) == 0
    assert reader.sniff(tmp_path / "train") == 1


def test_files_come_in_the_order_of_their_times_not_of_their_names(tmp_path):
    for stamp, value in ((9, 1.0), (10, 2.0), (100, 3.0)):
        (tmp_path / f"events.out.tfevents.{stamp}.a").write_bytes(VERSION + scalar(1, value))
    assert values(read(tmp_path)) == {"loss": [1, 2, 3]}


def test_a_lone_file_is_a_run_of_its_own(tmp_path):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / "events.out.tfevents.2.b").write_bytes(VERSION + scalar(1, 9, "other"))
    assert values(read(tmp_path / NAME)) == {"loss": [i / 2 for i in range(50)]}


@pytest.mark.parametrize(
    ("content", "kind", "words", "lost"),
    [
        (b"", "empty", "is empty", 0),
        (VERSION, "empty", "no scalar", 0),
        (VERSION + frame(field(4, b"graph")), "empty", "2 records", 0),
        (follow.LFS_POINTER + b"v1\n", "lfs-pointer", "git lfs pull", None),
        (LOG + scalar(50, 1)[:-1], "torn-tail", "cut off", 1),
        (LOG + scalar(50, 1)[:5], "torn-tail", "cut off", 1),
        (LOG + bytes(300), "corrupt", "zero bytes", None),
        (LOG + frame(b"\xff\xff\xff"), "corrupt", "no events", 1),
        (b"?????" + LOG, "corrupt", "length", None),
    ],
)
def test_what_is_odd_is_said_once(tmp_path, content, kind, words, lost):
    (tmp_path / NAME).write_bytes(content)
    it = opened(tmp_path)
    (notice,) = it.poll(final=True).notices
    assert (notice.kind, notice.lost) == (kind, lost)
    assert words in notice.message
    assert notice.where.startswith(NAME)
    assert it.poll(final=True).notices == ()


@pytest.mark.parametrize("at", [0, 9, 20, -2])
def test_one_flipped_byte_costs_one_record(tmp_path, at):
    records = [VERSION, *(scalar(i, i) for i in range(200))]
    begin = sum(map(len, records[:101]))
    data = bytearray(b"".join(records))
    data[begin + at % len(records[101])] ^= 8
    (tmp_path / NAME).write_bytes(data)
    chunk = read(tmp_path)
    assert values(chunk) == {"loss": [i for i in range(200) if i != 100]}
    (notice,) = chunk.notices
    end = begin + len(records[101])
    assert (notice.kind, notice.lost) == ("corrupt", 1)
    assert notice.where == f"{NAME}, bytes {begin}-{end}"


def test_neighbouring_records_with_wrong_data_are_counted():
    bad = bytearray(scalar(1, 1) + scalar(2, 2) + scalar(3, 3))
    for i in range(3):
        bad[i * len(bad) // 3 + 20] ^= 1
    assert damage.explain(bytes(bad), len(bad), False)[2] == 3
    assert damage.explain(bytes(bad[:-5]), len(bad) - 5, True)[2] == 3
    assert damage.explain(bytes(bad[:-5]), len(bad) - 5, False)[2] is None


def test_a_file_full_of_damage_does_not_flood_the_output(tmp_path):
    data = b"".join(b"?" + scalar(i % 100, i) for i in range(500))
    (tmp_path / NAME).write_bytes(data)
    chunk = read(tmp_path)
    assert len(chunk.columns[0].value) == 500
    assert len(chunk.notices) == damage.DETAILED + 1
    assert chunk.notices[-1].message.startswith("450 more")


def test_a_record_larger_than_the_window_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "WINDOW", 256)
    big = frame(field(4, bytes(random.Random(0).randbytes(20_000))))
    (tmp_path / NAME).write_bytes(scalar(0, 0) + big + scalar(1, 1) + b"x" + big + scalar(2, 2))
    chunk = read(tmp_path)
    assert values(chunk) == {"loss": [0, 1, 2]}
    assert [n.kind for n in chunk.notices] == ["corrupt"]


def test_an_unreadable_file_leaves_the_others_alone(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / "events.out.tfevents.1.b").write_bytes(LOG)
    real = os.stat

    def refuse(path, *args, **kwargs):
        if str(path).endswith(".1.b"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(follow.os, "stat", refuse)
    it = opened(tmp_path)
    chunk = it.poll(final=True)
    assert len(chunk.columns[0].value) == 50
    assert [(n.kind, n.where) for n in chunk.notices] == [("unreadable", "events.out.tfevents.1.b")]
    assert it.poll(final=True).notices == ()


def test_a_folder_that_vanishes_is_no_crash(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / NAME).write_bytes(LOG)
    it = opened(folder)
    assert it.poll().columns
    (folder / NAME).unlink()
    folder.rmdir()
    assert [n.kind for n in it.poll().notices] == ["unreadable"]
    assert it.poll().notices == ()


def test_texts_become_settings_unless_they_are_logged_again(tmp_path):
    table = b"| name | value |\n|---|:-:|\n| lr | 0.5 |\n| env | a b |"
    parts = [
        text(0, "lr/text_summary", b"0.1"),
        text(0, "all", b'{"a": {"b": 1}}'),
        text(0, "broken", b'{"a": '),
        text(0, "table", table),
        text(0, "sample", b"first"),
        text(1, "sample", b"second"),
        text(0, "long", b"x" * (LONGEST + 1)),
        text(0, "bytes", b"\xff"),
    ]
    (tmp_path / NAME).write_bytes(b"".join(parts))
    assert read(tmp_path).config == {
        "lr": "0.1",
        "all": {"a": {"b": 1}},
        "broken": '{"a": ',
        "table": {"lr": 0.5, "env": "a b"},
        "sample": "first",
        "long": f"(a text of {LONGEST + 1} bytes, left out)",
        "bytes": "�",
    }


def test_hparams_tags_never_become_series(tmp_path):
    record = scalar(1, 1, "_hparams_/session_end_info") + scalar(1, 2, "_hparams")
    (tmp_path / NAME).write_bytes(record)
    assert values(read(tmp_path)) == {"_hparams": [2]}


def test_hparams_of_every_kind_of_value(tmp_path):
    def number(x):
        return b"\x11" + struct.pack("<d", x)

    nested = field(5, field(1, field(1, b"k") + field(2, b"\x20\x01")))
    listed = field(6, field(1, number(1.5)) + field(1, field(3, b"s")))
    deep = b"\x08\0"
    for _ in range(40):
        deep = field(6, field(1, deep))
    entries = {
        b"int": number(3),
        b"float": number(0.5),
        b"str": field(3, b"x"),
        b"null": b"\x08\0",
        b"map": nested,
        b"list": listed,
        b"deep": deep,
    }
    start = b"".join(field(1, field(1, k) + field(2, v)) for k, v in entries.items())
    meta = field(9, field(1, field(1, b"hparams") + field(2, field(3, start))))
    value = field(1, b"_hparams_/session_start_info") + meta
    (tmp_path / NAME).write_bytes(frame(field(5, field(1, value))))
    assert read(tmp_path).config == {
        "int": 3,
        "float": 0.5,
        "str": "x",
        "null": None,
        "map": {"k": True},
        "list": [1.5, "s"],
    }


def test_nothing_beneath_the_run_is_touched(tmp_path):
    (tmp_path / NAME).write_bytes(LOG[:-3])
    os.chmod(tmp_path / NAME, 0o444)
    before = [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()]
    run = Run("a", str(tmp_path), reader.FORMAT).extend(read(tmp_path))
    assert run.points == 49
    assert [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()] == before
