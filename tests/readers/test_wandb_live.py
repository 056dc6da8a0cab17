"""Logs of W&B that grow, are filled in, replaced or missing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readers import wandb_writer as ww
from tests.readers.wandb_reading import (
    FOLDER,
    column,
    kinds,
    points,
    row,
    same,
    steps_and_values,
)
from trainlens.errors import NotFound
from trainlens.readers import wandb
from trainlens.readers._wandb.reader import WandbLog
from trainlens.readers.base import Source


def growing() -> list[bytes]:
    def rows() -> Iterator[bytes]:
        yield ww.run("nice", {"lr": 1})
        yield ww.metric(glob="val/*", step_metric="global_step")
        for i in range(150):
            yield row(i, loss=i / 3, pad="x" * (i * 37 % 900), global_step=i * 10)
            if i % 7 == 0:
                yield ww.stats({"cpu": i}, 1.7e9 + i)
            if i % 40 == 5:
                yield row(i, big="y" * 70_000, **{"val/loss": i})
        yield ww.end(0)

    return list(rows())


@pytest.mark.parametrize("wounds", [0, 3])
def test_live_is_cold(tmp_path: Path, wounds: int) -> None:
    rng = random.Random(wounds)
    data = bytearray(ww.log(growing()).data)
    path = tmp_path / "run-abc123.wandb"
    for _ in range(25):
        wounded = bytearray(data)
        for place in rng.sample(range(7, len(data)), wounds):
            wounded[place] ^= 1 << rng.randrange(8)
        path.write_bytes(wounded)
        cold = WandbLog(path).poll(final=True)
        path.write_bytes(b"")
        live, chunks = WandbLog(path), []
        cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(1, 30)))
        for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
            with path.open("ab") as file:
                file.write(wounded[a:b])
            chunks.append(live.poll())
            assert not any(n.kind == "torn-tail" for n in chunks[-1].notices)
        chunks.append(live.poll(final=True))
        assert same(points(chunks), points([cold]))
        lost = sorted((n.where, n.lost) for c in chunks for n in c.notices if n.kind == "corrupt")
        assert lost == sorted((n.where, n.lost) for n in cold.notices if n.kind == "corrupt")


def test_zeros_that_are_filled_in_later(tmp_path: Path) -> None:
    data = ww.log(growing()).data
    path = tmp_path / "run-abc123.wandb"
    live, chunks = WandbLog(path), []
    for cut in (50_000, 120_000, 200_000):
        path.write_bytes(data[:cut] + bytes(60_000))
        chunks.append(live.poll())
    path.write_bytes(data)
    chunks.append(live.poll(final=True))
    assert same(points(chunks), points([WandbLog(path).poll(final=True)]))
    assert not any(n.lost for c in chunks for n in c.notices)


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "run-abc123.wandb"
    path.write_bytes(ww.log([row(i, loss=1.0) for i in range(5)]).data)
    live = WandbLog(path)
    assert len(column(live.poll(), "loss").step) == 5
    path.write_bytes(ww.log([row(i, loss=2.0) for i in range(2)]).data)
    got = live.poll()
    assert steps_and_values(got, "loss") == ([0, 1], [2.0, 2.0])
    assert kinds(got) == ["replaced"]
    path.unlink()
    assert kinds(live.poll()) == ["unreadable"]
    assert live.poll().notices == ()


def test_a_missing_log(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(NotFound):
        wandb.open_source(Source("wandb", tmp_path / FOLDER)).poll()
