"""Cached runs as files: exact, and nothing but what was written."""

import random

import numpy as np
import pytest

from tests.cache.conftest import cold, warm
from trainlens.chunk import unknown
from trainlens.readers._cache.entry import Entry, NoEntry, write
from trainlens.readers.base import Source


def arrays():
    step = np.arange(3000)
    nan = np.frombuffer(np.uint64(0x7FF8DEADBEEF0001).tobytes() * 5, np.float64)
    return [step, step.astype(float) / 3, unknown(3000), step, nan, np.empty(0), step[::2],
            np.array([-0.0, np.inf]), np.array(["ü", "b"])]  # fmt: skip


def test_arrays_come_back_bit_for_bit(tmp_path):
    path = tmp_path / "x"
    size = write(path, {"a": [1, "é", "\ud800", float("inf")]}, arrays())
    assert path.stat().st_size == size
    entry = Entry(path)
    assert entry.about == {"a": [1, "é", "\ud800", float("inf")]}
    back = entry.arrays()
    assert [a.tobytes() for a in back] == [a.tobytes() for a in arrays()]
    assert [a.dtype for a in back] == [a.dtype for a in arrays()]
    assert back[2].strides == (0,)


def test_an_array_that_is_shared_is_written_once(tmp_path):
    step = np.arange(100_000)
    assert write(tmp_path / "x", {}, [step] * 10) < 2 * step.nbytes
    back = Entry(tmp_path / "x").arrays()
    assert all(a is back[0] for a in back)


def test_who_writes_to_an_array_changes_nothing_on_disk(tmp_path):
    path = tmp_path / "x"
    write(path, {}, [np.arange(5000)])
    before = path.read_bytes()
    Entry(path).arrays()[0][:] = 7
    assert path.read_bytes() == before


def test_no_damage_gives_a_wrong_value(tmp_path):
    path = tmp_path / "x"
    write(path, {"said": "words"}, arrays())
    good = path.read_bytes()
    want = [a.tobytes() for a in arrays()]
    rng = random.Random(0)
    refused = 0
    for number in range(1000):
        data = bytearray(good)
        at = rng.randrange(len(data))
        way = number % 4
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            data[at : at + rng.randrange(1, 9000)] = rng.randbytes(rng.randrange(1, 9000))
        else:
            data[at:at] = bytes(rng.randrange(1, 5000))
        path.write_bytes(bytes(data))
        try:
            entry = Entry(path)
            found = [a.tobytes() for a in entry.arrays()]
        except NoEntry:
            refused += 1
            continue
        assert (entry.about, found) == ({"said": "words"}, want)
        assert bytes(data) == good
    assert refused >= 990


@pytest.mark.parametrize("foreign", [b"", b"x", b"\0" * 4096, b"trainlens cache1" * 9])
def test_a_foreign_file_is_no_entry(foreign, tmp_path):
    (tmp_path / "x").write_bytes(foreign)
    with pytest.raises(NoEntry):
        Entry(tmp_path / "x")


def test_a_damaged_cache_is_rebuilt_without_a_word(kept, looked, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f'{{"step": {i}, "loss": {i / 7}}}\n' for i in range(400)))
    source = Source("jsonl", path)
    want = cold(source)
    assert warm(source) == want
    (entry,) = kept.iterdir()
    good = entry.read_bytes()
    rng = random.Random(1)
    for number in range(200):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        entry.write_bytes(bytes(data[: rng.randrange(len(data))] if number % 5 == 0 else data))
        looked.clear()
        assert warm(source) == want
        assert looked == ["not recalled", "read"]
        assert warm(source) == want
        assert looked[-1] == "recalled"
