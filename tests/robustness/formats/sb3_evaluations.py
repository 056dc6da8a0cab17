"""``evaluations.npz`` of Stable-Baselines3: an archive of arrays, each with its checksum."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.robustness.truth import Log, LogFile, Point, Record

FORMAT = "sb3-evaluations"
NAME = "evaluations.npz"


def _archive(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def write(folder: Path, rng: random.Random) -> Log:
    """Twenty evaluations of five episodes; its steps are needed for all that follows."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    steps = np.arange(1, 21) * 500
    rewards, lengths = noise.normal(size=(20, 5)), noise.integers(10, 99, (20, 5))
    data = _archive(timesteps=steps, results=rewards, ep_lengths=lengths)
    (folder / NAME).write_bytes(data)
    mean, spread, length = rewards.mean(axis=1), rewards.std(axis=1), lengths.mean(axis=1)
    begins = [info.header_offset for info in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    rows = list(zip(steps.tolist(), mean.tolist(), spread.tolist(), length.tolist(), strict=True))
    first = tuple(
        Point(f"eval/{name}", None, step, value)
        for step, a, b, _ in rows
        for name, value in (("mean_reward", a), ("std_reward", b))
    )
    last = tuple(Point("eval/mean_ep_length", None, step, c) for step, _, _, c in rows)
    end = data.index(b"PK\x01\x02", begins[2])
    records = (
        Record(begins[0], begins[1], header=True),
        Record(begins[1], begins[2], first),
        Record(begins[2], end, last),
        Record(end, len(data)),
    )
    return Log(FORMAT, (LogFile(NAME, data, "checksummed", records, single=True),), NAME)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Archives that promise more than they hold."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (40000000, 5), }"
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + shape.ljust(117) + b"\n"
        archive.writestr("timesteps.npy", _npy(np.arange(9)))
        with archive.open("results.npy", "w") as member:
            member.write(head)
            for _ in range(800):
                member.write(bytes(1 << 20))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for i in range(9000):
            archive.writestr(f"a{i}.npy", b"")
    return {
        "bomb": bomb.getvalue(),
        "many": many.getvalue(),
        "signatures": b"PK\x03\x04" * 260_000,
        "pickle": _archive(timesteps=np.array([{}, []], object), results=np.ones((2, 1))),
    }


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()
