"""Runs of W&B: known answers and dialects."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.readers import wandb_writer as ww
from tests.readers.wandb_reading import (
    column,
    folder,
    kinds,
    read,
    read_records,
    row,
    steps_and_values,
)
from trainlens.readers import wandb


def test_rows_become_points(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.run("nice", {"lr": 0.1, "model": {"dim": 3}, "_wandb": {}}),
        *[row(i * 10, loss=1 / (i + 1), **{"val/acc": i / 4}, epoch=i // 2) for i in range(4)],
        ww.end(0),
    )
    assert [c.name for c in got.columns] == ["loss", "val/acc"]
    loss = column(got, "loss")
    assert (loss.split, loss.kind, loss.unit) == (None, "", "")
    assert loss.step.tolist() == [0, 10, 20, 30]
    assert loss.value.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert loss.wall_time.tolist() == [1.7e9 + s for s in (0, 10, 20, 30)]
    assert loss.epoch.tolist() == [0, 0, 1, 1]
    assert got.notices == ()
    config = dict(got.config)
    assert config.pop("wandb") == {
        "id": "abc123", "project": "proj", "name": "nice", "tags": ["tag-a", "tag-b"],
        "host": "host", "git_commit": "c0ffee",
    }  # fmt: skip
    assert config == {"lr": 0.1, "model": {"dim": 3}}


def test_values_that_json_lacks_and_values_that_are_none(tmp_path: Path) -> None:
    raw = [b"NaN", b"Infinity", b"-Infinity", b'"NaN"', b'"-Infinity"', b"1e-3", b"-0", b"7"]
    others = [b"true", b"null", b'"0.5"', b"[1, 2]", b"{broken", b"", b'{"_type": "histogram"}']
    got = read_records(tmp_path, *[ww.history({"x": v}, i) for i, v in enumerate(raw + others)])
    steps, values = steps_and_values(got, "x")
    assert steps == list(range(8))
    np.testing.assert_equal(values, [np.nan, np.inf, -np.inf, np.nan, -np.inf, 1e-3, -0.0, 7.0])
    assert "x (histogram)" in next(n.message for n in got.notices if n.kind == "skipped")


def test_nested_values_are_joined_with_dots(tmp_path: Path) -> None:
    nested = {("a", "b"): 1, ("a", "c", "d"): 2, ("e.f",): 3}
    media = {("h", "_type"): "histogram", ("h", "bins"): [1.0], ("h", "n"): 5, ("i", "n"): 6}
    old = {"a": {"b": 10, "c": {"d": 20}, "s": "no"}, "img": {"_type": "image-file", "size": 9}}
    got = read_records(tmp_path, ww.history({**nested, **media}, 0), ww.history(old, 1))
    assert steps_and_values(got, "a.b") == ([0, 1], [1, 10])
    assert steps_and_values(got, "a.c.d") == ([0, 1], [2, 20])
    assert sorted(c.name for c in got.columns) == ["a.b", "a.c.d", "e.f", "i.n"]
    (notice,) = [n for n in got.notices if n.kind == "skipped"]
    assert notice.message == "no numbers in: h (histogram), a.s (text), img (image-file)"


def test_typed_values(tmp_path: Path) -> None:
    def item(key: str, value: bytes) -> bytes:
        return ww.blob(1, ww.blob(2, key) + value)

    typed = item("i", ww.number(5, 13)) + item("f", ww.varint(6 << 3 | 1) + struct.pack("<d", 0.1))
    typed += item("t", ww.blob(7, 'a"b')) + item("b", ww.number(4, 1)) + item("n", ww.number(3, 0))
    typed += item("j", ww.blob(8, b'{"k": 2.5}'))
    got = read_records(tmp_path, ww.record(2, typed))
    assert {c.name: c.value.tolist() for c in got.columns} == {"i": [-7], "f": [0.1], "j.k": [2.5]}


def test_steps_without_an_item(tmp_path: Path) -> None:
    bare = [ww.history({"x": i}, s) for i, s in enumerate([0, 5, None, None])]
    assert steps_and_values(read_records(tmp_path, *bare), "x")[0] == [0, 5, 6, 7]


def test_wall_time_from_the_runtime(tmp_path: Path) -> None:
    got = read_records(tmp_path, ww.run(), ww.history({"x": 1, "_runtime": 2.5}, 0))
    assert column(got, "x").wall_time.tolist() == [1_700_000_002.5]


def test_readings_of_the_machine(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.stats({"cpu": 5.0, "network": {"sent": 7}}, 1_700_000_000.25),
        row(40, loss=1.0),
        ww.stats({"gpu.0.memory": 80, "cpu": 6.0}, 1_700_000_010.0),
    )
    cpu = column(got, "system/cpu")
    assert (cpu.kind, cpu.split) == ("system", None)
    assert (cpu.step.tolist(), cpu.value.tolist()) == ([0, 40], [5.0, 6.0])
    np.testing.assert_allclose(cpu.wall_time, [1_700_000_000.25, 1_700_000_010.0], rtol=1e-15)
    assert steps_and_values(got, "system/network.sent") == ([0], [7])
    assert steps_and_values(got, "system/gpu.0.memory") == ([40], [80])


def test_a_step_metric_is_the_step(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.metric(glob="*", step_metric="trainer/global_step"),
        *[row(i, loss=0.5, **{"trainer/global_step": 100 * i}) for i in range(3)],
        row(3, loss=0.25),
        ww.stats({"cpu": 1}, 1.7e9),
    )
    assert steps_and_values(got, "loss")[0] == [0, 100, 200, 200]
    assert steps_and_values(got, "system/cpu")[0] == [200]
    assert [c.name for c in got.columns] == ["loss", "system/cpu"]


def test_each_metric_has_its_own_axis(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.metric(glob="train/*", step_metric="train/step"),
        ww.metric(glob="val/*", step_metric="val/step"),
        ww.metric(name="val/acc", step_metric="train/step"),
        row(0, **{"train/loss": 1, "train/step": 10, "plain": 1}),
        row(1, **{"val/loss": 2, "val/acc": 3, "val/step": 5, "plain": 2}),
    )
    steps = {c.name: c.step.tolist() for c in got.columns}
    assert steps == {"train/loss": [10], "val/loss": [5], "val/acc": [10], "plain": [0, 1]}


def test_an_epoch_is_no_step(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.metric(glob="train/*", step_metric="train/step"),
        ww.metric(glob="val/*", step_metric="epoch"),
        *[row(i, **{"train/loss": 1.0, "train/step": 50 * i}) for i in range(3)],
        row(3, **{"val/loss": 2.0, "epoch": 1}),
    )
    val = column(got, "val/loss")
    assert (val.step.tolist(), val.epoch.tolist()) == ([100], [1.0])
    alone = read_records(
        tmp_path, ww.metric(glob="val/*", step_metric="epoch"), row(7, **{"val/a": 1, "epoch": 2})
    )
    assert column(alone, "val/a").step.tolist() == [7]


def test_an_axis_of_fractions_is_no_step(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.metric(name="loss", step_metric="hours"),
        *[row(i, loss=1.0, hours=h) for i, h in enumerate([0.5, 1.0, 1.5])],
    )
    assert steps_and_values(got, "loss")[0] == [0, 1, 2]
    assert steps_and_values(got, "hours") == ([0, 1, 2], [0.5, 1.0, 1.5])
    assert "hours does not count in whole numbers" in str(got.notices)


def test_steps_of_a_synced_tensorboard(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.record(9, ww.blob(1, "runs")),
        *[row(i, loss=1.0, global_step=i * 512) for i in range(3)],
    )
    assert steps_and_values(got, "loss")[0] == [0, 512, 1024]


def test_config_updates(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        ww.run(config={"a": 1, "gone": 2, "m": {"x": 1}}),
        ww.config({"b": "text", ("m", "y"): 2, ("a", "z"): 3}, remove=["gone"]),
        ww.config({"c": b"{no json", "d": b"[" * 100_000}),
    )
    config = dict(got.config)
    config.pop("wandb")
    assert config.pop("d").startswith("[[[")
    assert config == {"a": {"z": 3}, "b": "text", "m": {"x": 1, "y": 2}, "c": "{no json"}


def test_config_from_the_file_beside(tmp_path: Path) -> None:
    path = folder(tmp_path, ww.log([row(0, x=1)]).data)
    text = "wandb_version: 1\n_wandb:\n  value: {t: 1}\nlr:\n  desc: null\n  value: 0.5\nplain: 3\n"
    (path / "files" / "config.yaml").write_text(text)
    assert read(path).config == {"lr": 0.5, "plain": 3}
    (path / "files" / "config.yaml").write_text("a: [1\n")
    assert "corrupt" in kinds(read(path))


@pytest.mark.parametrize(
    ("code", "words"), [(0, None), (1, "code 1: the run failed"), (255, "was interrupted")]
)
def test_exit_codes(tmp_path: Path, code: int, words: str | None) -> None:
    got = read_records(tmp_path, row(0, x=1), ww.end(code))
    said = [n.message for n in got.notices if n.kind == "unfinished"]
    assert len(said) == (words is not None)
    assert words is None or words in said[0]


def test_no_exit_code(tmp_path: Path) -> None:
    got = read_records(tmp_path, row(0, x=1))
    assert ["killed" in n.message for n in got.notices] == [True]


def test_the_summary_stands_in_for_an_empty_history(tmp_path: Path) -> None:
    path = folder(tmp_path, ww.log([ww.run(), ww.end(0)]).data)
    final = {
        "acc": 0.9,
        "n": {"a": 2},
        "w": "text",
        "_step": 70,
        "_timestamp": 1.7e9,
        "_runtime": 3,
    }
    (path / "files" / "wandb-summary.json").write_text(json.dumps(final))
    got = read(path)
    assert steps_and_values(got, "acc") == ([70], [0.9])
    assert steps_and_values(got, "n.a") == ([70], [2.0])
    assert column(got, "acc").wall_time.tolist() == [1.7e9]
    assert sorted(kinds(got)) == ["assumed", "empty"]
    (path / "files" / "wandb-summary.json").write_text('{"acc": 0.')
    got = read(path)
    assert (got.columns, sorted(kinds(got))) == ((), ["corrupt", "empty"])


def test_the_summary_in_the_log_serves_as_well(tmp_path: Path) -> None:
    got = read_records(tmp_path, ww.summary({"acc": 0.5}), ww.summary({"acc": 0.75, "_step": 3}))
    assert steps_and_values(got, "acc") == ([3], [0.75])


def test_the_summary_is_left_alone_where_the_history_is_whole(tmp_path: Path) -> None:
    rows = [row(i, loss=float(i)) for i in range(6)]
    got = read_records(tmp_path, *rows, ww.summary({"loss": 5.0, "best": 1.0}), ww.end(0))
    assert [c.name for c in got.columns] == ["loss"]
    log = ww.log([*rows, ww.summary({"loss": 5.0, "best": 1.0}), ww.end(0)])
    data = bytearray(log.data)
    data[log.spans[2][0] + 9] ^= 1
    got = read(folder(tmp_path, bytes(data)))
    assert steps_and_values(got, "loss")[0] == [0, 1, 3, 4, 5]
    assert steps_and_values(got, "best") == ([5], [1.0])


def test_names_and_files(tmp_path: Path) -> None:
    path = folder(tmp_path, ww.log([ww.run("nice"), row(0, x=1)]).data)
    (source,) = wandb.find(path)
    assert (source.path, source.name) == (path, "nice")
    assert wandb.files(source) == [path]
    lone = path / "run-abc123.wandb"
    (source,) = wandb.find(lone)
    assert wandb.files(source) == [lone, path / "files"]
    elsewhere = tmp_path / "copied.wandb"
    elsewhere.write_bytes(ww.log([ww.run(), row(0, x=1)]).data)
    (source,) = wandb.find(elsewhere)
    assert (source.name, wandb.files(source)) == ("abc123", [elsewhere])
    (path / "run-other.wandb").write_bytes(elsewhere.read_bytes())
    assert [s.path.name for s in wandb.find(path)] == ["run-abc123.wandb", "run-other.wandb"]


def test_sniffing(tmp_path: Path) -> None:
    good = ww.log([ww.run()]).data
    path = folder(tmp_path, good)
    assert wandb.sniff(path) == wandb.sniff(path / "run-abc123.wandb") == 1.0
    assert wandb.sniff(path / "files") == 0.0
    (path / "files" / "x.bin").write_bytes(good)
    assert wandb.sniff(path / "files" / "x.bin") == 1.0
    cases = {b"\0" * 99: 0.6, good[1:]: 0.6, b"": 0.0, b"hello: 1\n": 0.0}
    cases[b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"] = 0.0
    for data, confidence in cases.items():
        (path / "run-abc123.wandb").write_bytes(data)
        assert wandb.sniff(path / "run-abc123.wandb") == confidence
        assert wandb.sniff(path) == confidence


def test_rows_of_several_shapes_keep_the_order_of_the_log(tmp_path: Path) -> None:
    """Rows are gathered by their names; a metric that stands in several kinds of rows is one."""
    rng = random.Random(4)
    names = ["loss", "acc", "lr", "note"]
    rows: list[dict[str, Any]] = []
    for step in range(200):
        held = rng.sample(names, rng.randrange(1, 5))
        rows.append({n: "text" if n == "note" else step + names.index(n) / 8 for n in held})
    got = read_records(tmp_path, *[row(i, **values) for i, values in enumerate(rows)], ww.end(0))
    wanted = {n: [(i, r[n]) for i, r in enumerate(rows) if n in r] for n in names[:3]}
    first = sorted(wanted, key=lambda n: (wanted[n][0][0], list(rows[wanted[n][0][0]]).index(n)))
    assert [c.name for c in got.columns] == first
    for c in got.columns:
        assert list(zip(c.step.tolist(), c.value.tolist(), strict=True)) == wanted[c.name]
        assert c.wall_time.tolist() == [1.7e9 + i for i, _ in wanted[c.name]]


def test_an_axis_that_is_defined_late_counts_from_then_on(tmp_path: Path) -> None:
    got = read_records(
        tmp_path,
        *[row(i, loss=i / 2, **{"trainer/global_step": i * 10}) for i in range(3)],
        ww.metric("*", step_metric="trainer/global_step"),
        ww.metric(glob="*", step_metric="trainer/global_step"),
        *[row(i, loss=i / 2, **{"trainer/global_step": i * 10}) for i in range(3, 6)],
        ww.end(0),
    )
    assert column(got, "loss").step.tolist() == [0, 1, 2, 30, 40, 50]
    assert column(got, "trainer/global_step").step.tolist() == [0, 1, 2]


@pytest.mark.parametrize("raw", [b" 1", b"+1", b"nan", b"inf", b"1e", b"", b"null", b"0x1"])
def test_what_is_no_json_number_is_no_point(tmp_path: Path, raw: bytes) -> None:
    records = [ww.history({"odd": raw, "loss": i / 2, "_step": i}, i) for i in range(3)]
    got = read_records(tmp_path, *records, ww.end(0))
    assert [c.name for c in got.columns] == ["loss"]
    assert column(got, "loss").value.tolist() == [0, 0.5, 1]
