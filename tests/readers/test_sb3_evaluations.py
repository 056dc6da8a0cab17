"""Evaluations of Stable-Baselines3: known answers, growth, damage, hostile archives."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainlens
from trainlens.chunk import Chunk
from trainlens.readers import sb3_evaluations
from trainlens.readers._sb3.reader import Evaluations
from trainlens.run import Run


def arrays(n: int = 6, k: int = 4, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "timesteps": np.arange(1, n + 1) * 1000,
        "results": np.cumsum(rng.normal(size=(n, k)), axis=0),
        "ep_lengths": rng.integers(10, 99, size=(n, k)),
        **more,
    }


def packed(held: dict[str, Any], squeeze: bool = False) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if squeeze else np.savez)(file, **held)
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path) -> Chunk:
    return sb3_evaluations.open_source(sb3_evaluations.find(path)[0]).poll(final=True)


def points(*chunks: Chunk) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for chunk in chunks:
        for c in chunk.columns:
            assert np.isnan(c.epoch).all()
            rows = zip(c.step.tolist(), c.value.tolist(), strict=True)
            found.setdefault(c.name, []).extend(rows)
    return found


def truth(held: dict[str, Any]) -> dict[str, list[tuple[int, float]]]:
    steps = held["timesteps"].tolist()
    told = {
        "eval/mean_reward": ("results", np.mean),
        "eval/std_reward": ("results", np.std),
        "eval/mean_ep_length": ("ep_lengths", np.mean),
        "eval/success_rate": ("successes", np.mean),
    }
    return {
        name: [(s, float(f(row))) for s, row in zip(steps, held[key], strict=True)]
        for name, (key, f) in told.items()
        if key in held
    }


def kinds(chunk: Chunk) -> list[str]:
    return [n.kind for n in chunk.notices]


@pytest.mark.parametrize("squeeze", [False, True])
def test_known_answers(tmp_path: Path, squeeze: bool) -> None:
    held = arrays(successes=np.arange(24).reshape(6, 4) % 3 == 0)
    path = write(tmp_path / "evaluations.npz", packed(held, squeeze))
    assert sb3_evaluations.sniff(path) == 0.98
    chunk = read(path)
    assert points(chunk) == truth(held)
    assert (chunk.config, chunk.notices) == ({"n_eval_episodes": 4}, ())
    run = Run("r", "r", "sb3").extend(chunk)
    assert run["mean_reward", "val"].step.tolist() == [1000, 2000, 3000, 4000, 5000, 6000]
    assert run["success_rate", "val"].role.direction == "max"


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"timesteps": np.array([5.0, np.nan]), "results": np.ones((2, 1))}, [(5, 1.0), (0, 1.0)]),
        ({"timesteps": np.array([7], "u8"), "results": np.array([3.0])}, [(7, 3.0)]),
        ({"timesteps": np.array([7], ">i4"), "results": np.array([[3, 5]], ">f4")}, [(7, 4.0)]),
        ({"timesteps": np.array([7]), "results": np.full((1, 2), np.inf)}, [(7, np.inf)]),
        (
            {"timesteps": np.array([7]), "results": np.asfortranarray(np.ones((1, 2, 3)))},
            [(7, 1.0)],
        ),
    ],
)
def test_odd_arrays(
    tmp_path: Path, held: dict[str, Any], expected: list[tuple[int, float]]
) -> None:
    path = write(tmp_path / "evaluations.npz", packed(held))
    assert points(read(path))["eval/mean_reward"] == expected


@pytest.mark.parametrize(
    "held",
    [
        {"timesteps": np.empty(0, int), "results": np.empty((0, 5))},
        {"timesteps": np.array([1, 2]), "results": np.empty((2, 0))},
    ],
)
def test_no_evaluation_yet(tmp_path: Path, held: dict[str, Any]) -> None:
    chunk = read(write(tmp_path / "evaluations.npz", packed(held)))
    assert (points(chunk), "empty" in kinds(chunk) or len(held["timesteps"]) > 0) == ({}, True)


def test_python_objects_are_never_loaded(tmp_path: Path) -> None:
    ragged = np.array([[1, 2], [3]], dtype=object)
    held = {"timesteps": np.array([1, 2]), "results": ragged, "ep_lengths": np.ones((2, 1))}
    chunk = read(write(tmp_path / "evaluations.npz", packed(held)))
    assert list(points(chunk)) == ["eval/mean_ep_length"]
    assert "Python objects" in chunk.notices[0].message


def test_a_growing_file_gives_each_evaluation_once(tmp_path: Path) -> None:
    held = arrays(12)
    path = tmp_path / "evaluations.npz"
    rng = random.Random(1)
    chunks = []
    reader = None
    for n in (1, 3, 4, 9, 12):
        data = packed({k: v[:n] for k, v in held.items()})
        # The writer is seen at work: a file that is not whole yet.
        for size in (0, *sorted(rng.randrange(len(data)) for _ in range(3)), len(data)):
            path.write_bytes(data[:size])
            reader = reader or sb3_evaluations.open_source(sb3_evaluations.find(path)[0])
            chunks.append(reader.poll())
        chunks.append(reader.poll())
    assert reader is not None
    chunks.append(reader.poll(final=True))
    assert points(*chunks) == truth(held)
    assert [k for c in chunks for k in kinds(c)] == []
    assert reader.poll(final=True).columns == ()


def test_another_training_into_the_same_file(tmp_path: Path) -> None:
    path = write(tmp_path / "evaluations.npz", packed(arrays(6)))
    reader = Evaluations(path)
    assert len(points(reader.poll())["eval/mean_reward"]) == 6
    other = arrays(2)
    other["results"] = other["results"] + 1
    write(path, packed(other))
    chunk = reader.poll()
    assert points(chunk) == truth(other)
    assert kinds(chunk) == ["replaced"]
    path.unlink()
    assert kinds(reader.poll()) == ["unreadable"]
    path.write_bytes(packed(other)[:700])
    last = reader.poll(final=True)
    assert last.columns == ()
    assert {"corrupt", "torn-tail"} <= set(kinds(last))


def test_every_cut(tmp_path: Path) -> None:
    held = arrays(5, 2)
    data = packed(held)
    ends = [i.header_offset for i in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    path = tmp_path / "evaluations.npz"
    whole = truth(held)
    for cut in range(ends[1], len(data)):
        chunk = read(write(path, data[:cut]))
        found = points(chunk)
        for name, rows in found.items():
            assert rows == whole[name], cut
        # The comment's length, the last two bytes of an archive, does not matter.
        assert "torn-tail" in kinds(chunk) or cut >= len(data) - 18
        told = 3 if cut >= data.rindex(b"PK\x01\x02", 0, data.index(b"PK\x01\x02") + 4) else None
        assert told is None or len(found) == told
    assert kinds(read(write(path, data))) == []


def test_damage_costs_the_array_it_hits(tmp_path: Path) -> None:
    held = arrays(8, 3)
    data = packed(held)
    listed = zipfile.ZipFile(io.BytesIO(data)).infolist()
    begins = {i.filename[:-4]: data.index(b"\x93NUMPY", i.header_offset) for i in listed}
    sizes = {i.filename[:-4]: i.file_size for i in listed}
    path = tmp_path / "evaluations.npz"
    whole = truth(held)
    named = {"results": "eval/mean_reward", "ep_lengths": "eval/mean_ep_length"}
    rng = random.Random(5)
    for _ in range(400):
        at = rng.randrange(len(data))
        chunk = read(
            write(path, data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        )
        found = points(chunk)
        hit = [n for n, b in begins.items() if b <= at < b + sizes[n]]
        for name, series in named.items():
            # What the checksum covers is whole, whichever header or list was hit.
            assert (series in found) == (name not in hit), at
        if "timesteps" in hit:
            rows = found["eval/mean_reward"]
            assert rows == [(i, v) for i, (_, v) in enumerate(whole["eval/mean_reward"])]
            assert {"assumed", "corrupt"} <= set(kinds(chunk))
        else:
            assert all(rows == whole[name] for name, rows in found.items()), at
        assert not hit or "corrupt" in kinds(chunk), at


def header(name: bytes, size: int, full: int, crc: int = 0, method: int = 0) -> bytes:
    return struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, method, 0, 0, crc, size, full, len(name), 0
    ) + name  # fmt: skip


def npy(shape: str, kind: str = "<f8", body: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def member(name: bytes, content: bytes, squeeze: bool = False) -> bytes:
    stored = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = stored.compress(content) + stored.flush() if squeeze else content
    crc = zlib.crc32(content)
    return header(name, len(data), len(content), crc, 8 if squeeze else 0) + data


STEPS = member(b"timesteps.npy", npy("(3,)", "<i8", struct.pack("<3q", 1, 2, 3)))
HOSTILE = {
    "bomb": STEPS + member(b"results.npy", npy("(3, 10000000)", "<f8", bytes(240_000_000)), True),
    "bytes": STEPS + member(b"results.npy", npy("(3, 5000000)", "|i1", bytes(15_000_000)), True),
    "shape": STEPS + member(b"results.npy", npy("(3, 1000000000000)")),
    "empty shape": STEPS + member(b"results.npy", npy("(1000000000000, 0)")),
    "only shape": member(b"results.npy", npy("(1000000000000, 0)")),
    "negative": STEPS + member(b"results.npy", npy("(-3, -1)", "<f8", bytes(24))),
    "nested": STEPS + member(b"results.npy", npy("(" * 500 + "3" + ")" * 500)),
    "long": STEPS + member(b"results.npy", npy("(3," + " " * 60_000 + ")")),
    "words": STEPS + member(b"results.npy", npy("(3,)", "<U8", bytes(96))),
    "digits": STEPS + member(b"results.npy", npy("(" + "9" * 3000 + ",)")),
    "headers": header(b"results.npy", 900_000, 900_000) * 20_000,
    "small": b"".join(member(b"results.npy", bytes(100_000), True) for _ in range(3000)),
    "signatures": b"PK\x03\x04" * 250_000,
    "list": b"PK\x01\x02" * 250_000,
    "size": STEPS + header(b"results.npy", 2**32 - 2, 2**32 - 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "evaluations.npz", HOSTILE[name][: 1 << 20])
    sb3_evaluations.sniff(path)
    tracemalloc.start()
    reader = Evaluations(path)
    chunks = [reader.poll(), reader.poll(final=True)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 150 << 20
    assert all(len(c.value) <= 3 for chunk in chunks for c in chunk.columns)
    assert chunks[1].notices or name == "bytes"


def test_the_real_files(real_logs: Path) -> None:
    total = 0
    paths = sorted((real_logs / "csv_rl").rglob("evaluations.npz"))
    for path in paths:
        with np.load(path) as archive:
            held = {name: archive[name] for name in archive.files}
        chunk = read(path)
        found = points(chunk)
        expected = truth(held)
        assert found.keys() == expected.keys()
        for name, rows in expected.items():
            assert [s for s, _ in rows] == [s for s, _ in found[name]]
            np.testing.assert_allclose(
                [v for _, v in found[name]], [v for _, v in rows], rtol=1e-12, atol=1e-12
            )
        assert chunk.notices == ()
        total += len(held["timesteps"])
    assert (len(paths), total) == (7, 1282)


def test_they_are_found(real_logs: Path) -> None:
    folder = real_logs / "csv_rl" / "DLR-RM__rl-trained-agents" / "ppo" / "CartPole-v1_1"
    runs = trainlens.load(folder / "evaluations.npz")
    assert [r.format for r in runs] == ["sb3-evaluations"]
    assert runs[0]["mean_reward", "val"].value[-1] == 500


def test_nothing_else_is_claimed(real_logs: Path, tmp_path: Path) -> None:
    claimed = {p for p in real_logs.rglob("*") if sb3_evaluations.sniff(p) > 0}
    assert claimed == set((real_logs / "csv_rl").rglob("evaluations.npz"))
    other = write(tmp_path / "weights.npz", packed({"layer": np.ones(3), "bias": np.ones(2)}))
    assert sb3_evaluations.sniff(other) == 0
    assert (
        sb3_evaluations.sniff(write(tmp_path / "evaluations.npz", packed({"a": np.ones(3)}))) == 0
    )


def test_a_long_or_damaged_beginning_is_still_claimed(tmp_path: Path) -> None:
    data = packed(arrays(20_000, 2))
    path = write(tmp_path / "evaluations.npz", data)
    assert sb3_evaluations.sniff(path) == 0.97
    assert sb3_evaluations.sniff(write(tmp_path / "other.npz", data)) == 0.9
    assert sb3_evaluations.sniff(write(path, b"\0\0" + packed(arrays())[2:])) == 0.6
