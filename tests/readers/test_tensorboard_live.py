"""Following growing event files: each record exactly once, and in the end what a cold read sees."""

import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from trainlens.readers import tensorboard as reader
from trainlens.readers._tfevents import fallback, follow
from trainlens.readers._tfevents.crc32c import Checksums
from trainlens.readers._tfevents.reader import TensorBoardReader
from trainlens.run import Run

Reader = TensorBoardReader


def frame(data: bytes) -> bytes:
    """One TFRecord."""

    def masked(part: bytes) -> bytes:
        sums = Checksums(np.frombuffer(part, np.uint8))
        return sums.masked(np.array([0]), np.array([len(part)])).astype("<u4").tobytes()

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def scalar(step: int, value: float, tag: str = "loss") -> bytes:
    """A record with one scalar."""
    name = tag.encode()
    inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(inner)]) + inner
    head = b"\x09" + struct.pack("<d", step) + b"\x10" + bytes([step & 127 | 128, step >> 7])
    return frame(head + b"\x2a" + bytes([len(summary)]) + summary)


def log(first: int, count: int) -> list[bytes]:
    """Records of two tags."""
    return [scalar(i, i / 4, ("loss", "acc")[i % 2]) for i in range(first, first + count)]


def state(run: Run) -> tuple:
    """Points and notices of a run."""
    series = {k: (s.step.tolist(), s.value.tolist()) for k, s in run.series.items()}
    return dict(sorted(series.items())), sorted(map(str, run.notices))


def extend(run: Run, it: Reader, final: bool = False) -> Run:
    """The run after one more poll."""
    return run.extend(it.poll(final))


def empty() -> Run:
    """A run without points."""
    return Run("a", "a", reader.FORMAT)


@pytest.fixture(params=["chosen", "fallback"], autouse=True)
def decoder(request, monkeypatch):
    """The decoder that this machine uses, and the numpy one; windows small enough to matter."""
    if request.param == "fallback":
        monkeypatch.setattr(follow, "Decoder", fallback.Decoder)
    monkeypatch.setattr(follow, "WINDOW", 700)


@pytest.mark.parametrize("seed", range(25))
def test_growth_in_random_cuts_equals_a_cold_read(tmp_path, seed):
    rng = random.Random(seed)
    records = log(0, 80)
    if seed % 3 == 1:
        records[rng.randrange(60)] = b"garbage"
    data = bytearray(b"".join(records))
    if seed % 3 == 2:
        data[rng.randrange(len(data) // 2)] ^= 1
    if seed % 5 == 0:
        data = data[:-7]
    path = tmp_path / "events.out.tfevents.5.a"
    it, run, done = Reader(tmp_path), empty(), 0
    while done < len(data):
        end = min(len(data), done + rng.choice([1, 5, 11, 60, 400, 2000]))
        with open(path, "ab") as file:
            file.write(data[done:end])
        done = end
        if rng.random() < 0.7:
            run = extend(run, it)
    run = extend(run, it, final=True)
    cold = extend(empty(), Reader(tmp_path), final=True)
    assert state(run) == state(cold)
    assert extend(run, it, final=True).points == run.points


@pytest.mark.parametrize("writers", [2, 5, 8])
def test_all_live_writers_are_followed(tmp_path, writers):
    rng = random.Random(writers)
    pending = [list(log(100 * k, 30)) for k in range(writers)]
    it, run = Reader(tmp_path), empty()
    while any(pending):
        k = rng.randrange(writers)
        with open(tmp_path / f"events.out.tfevents.7.host.{k}", "ab") as file:
            for record in pending[k][:3]:
                file.write(record)
        del pending[k][:3]
        run = extend(run, it)
    steps = sorted(s for series in run.series.values() for s in series.step.tolist())
    assert steps == sorted(100 * k + i for k in range(writers) for i in range(30))
    assert run.notices == ()


def grow(tmp_path: Path, data: bytes) -> tuple[Path, Reader, Run]:
    """A file that has been read once."""
    path = tmp_path / "events.out.tfevents.5.a"
    path.write_bytes(data)
    it = Reader(tmp_path)
    return path, it, extend(empty(), it)


def test_a_synchronised_copy_that_continues_the_file_is_continued(tmp_path):
    """Tools that copy logs from another machine put a longer file in place of the old one."""
    records = log(0, 40)
    path, it, run = grow(tmp_path, b"".join(records[:20])[:-3])
    (tmp_path / "copy").write_bytes(b"".join(records))
    os.replace(tmp_path / "copy", path)
    run = extend(run, it, final=True)
    assert sorted(run["loss"].step.tolist() + run["acc"].step.tolist()) == list(range(40))
    assert run.notices == ()


@pytest.mark.parametrize("count", [5, 20, 60])
def test_a_replaced_file_is_read_anew(tmp_path, count):
    path, it, run = grow(tmp_path, b"".join(log(0, 20)))
    (tmp_path / "copy").write_bytes(b"".join(log(200, count)))
    os.replace(tmp_path / "copy", path)
    run = extend(run, it, final=True)
    steps = sorted(run["loss"].step.tolist() + run["acc"].step.tolist())
    assert steps == [*range(20), *range(200, 200 + count)]
    assert [n.kind for n in run.notices] == ["replaced"]


def test_a_file_that_was_cut_and_written_again_is_read_anew(tmp_path):
    path, it, run = grow(tmp_path, b"".join(log(0, 20)))
    with open(path, "r+b") as file:
        file.truncate(0)
    run = extend(run, it)
    with open(path, "ab") as file:
        file.write(b"".join(log(300, 30)))
    run = extend(run, it, final=True)
    steps = sorted(run["loss"].step.tolist() + run["acc"].step.tolist())
    assert steps == [*range(20), *range(300, 330)]


def test_zeros_that_become_data_are_read(tmp_path):
    """A network file system may show a block of zeros before its bytes arrive."""
    records = log(0, 30)
    data = b"".join(records)
    cut = len(b"".join(records[:12])) + 9
    path, it, run = grow(tmp_path, data[:cut] + bytes(len(data) - cut))
    assert run.points == 12
    assert run.notices == ()
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    run = extend(run, it, final=True)
    assert run.points == 30
    assert run.notices == ()


def test_only_new_bytes_are_read(tmp_path, monkeypatch):
    path, it, run = grow(tmp_path, b"".join(log(0, 100)))
    read, fill = [], follow._fill

    def counted(*args):
        got = fill(*args)
        read.append(got)
        return got

    monkeypatch.setattr(follow, "_fill", counted)
    assert it.poll().columns == ()
    assert read == []
    with open(path, "ab") as file:
        file.write(log(100, 1)[0])
    assert extend(run, it).points == 101
    assert sum(read) == len(log(100, 1)[0])


def test_a_large_record_is_waited_for_without_reading_it_again(tmp_path, monkeypatch):
    big = frame(b"\x22\x80\x80\x04" + bytes(65536))
    path, it, run = grow(tmp_path, b"".join(log(0, 4)) + big[:40])
    calls, feed_windows = [], follow.EventFile._windows

    def counted(*args):
        calls.append(1)
        return feed_windows(*args)

    monkeypatch.setattr(follow.EventFile, "_windows", counted)
    for end in range(1000, 60_000, 5000):
        with open(path, "ab") as file:
            file.write(big[40 : 40 + 1000] if end == 1000 else bytes(5000))
        run = extend(run, it)
    assert calls == []
    path.write_bytes(b"".join(log(0, 4)) + big + b"".join(log(4, 2)))
    assert extend(run, it, final=True).points == 6


def test_a_file_that_appears_later_is_picked_up(tmp_path):
    _, it, run = grow(tmp_path, b"".join(log(0, 4)))
    (tmp_path / "events.out.tfevents.4.b").write_bytes(b"")
    assert extend(run, it).points == 4
    (tmp_path / "events.out.tfevents.4.b").write_bytes(b"".join(log(10, 4)))
    assert extend(run, it).points == 8


def test_a_pointer_that_is_replaced_by_its_file_is_read(tmp_path):
    path, it, run = grow(tmp_path, follow.LFS_POINTER + b"v1\noid sha256:0\nsize 9\n")
    assert [n.kind for n in run.notices] == ["lfs-pointer"]
    path.write_bytes(b"".join(log(0, 6)))
    run = extend(run, it, final=True)
    assert run.points == 6
    assert len(run.notices) == 1


def test_a_renamed_file_is_followed_under_its_new_name(tmp_path):
    path, it, run = grow(tmp_path, b"".join(log(0, 10)))
    path.rename(tmp_path / "events.out.tfevents.5.a.old")
    with open(tmp_path / "events.out.tfevents.5.a.old", "ab") as file:
        file.write(log(10, 1)[0])
    path.write_bytes(b"".join(log(50, 4)))
    run = extend(run, it, final=True)
    steps = sorted(run["loss"].step.tolist() + run["acc"].step.tolist())
    assert steps == [*range(11), *range(50, 54)]
