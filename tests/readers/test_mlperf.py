"""MLPerf logs: both syntaxes, prefixes, places, endings, and the real files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainlens.chunk import Chunk, Column
from trainlens.readers import mlperf
from trainlens.readers._mlperf.reader import MLPerfLog
from trainlens.run import Run

# Written apart, so that this file itself holds no line of such a log.
NEW = ":::" + "MLLOG "
OLD = ":::" + "MLPv0.5.0 "


def event(key: str, value: Any = None, kind: str = "POINT_IN_TIME", t: int = 0, **meta: Any) -> str:
    record = {
        "namespace": "",
        "time_ms": 1683756302000 + t,
        "event_type": kind,
        "key": key,
        "value": value,
        "metadata": {"file": "main.py", "lineno": 3, **meta},
    }
    return NEW + json.dumps(record) + "\n"


def old(key: str, value: str = "", t: float = 0.0) -> str:
    tail = f": {value}" if value else ""
    return f"{OLD}resnet {1541720383 + t:.6f} (train.py:49) {key}{tail}\n"


def read(tmp_path: Path, *lines: str | bytes) -> Chunk:
    path = tmp_path / "result_0.txt"
    path.write_bytes(b"".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    return mlperf.open_source(mlperf.find(path)[0]).poll(final=True)


def columns(chunk: Chunk) -> dict[str, Column]:
    assert len({c.name for c in chunk.columns}) == len(chunk.columns)
    return {c.name: c for c in chunk.columns}


def kinds(chunk: Chunk) -> list[str]:
    return [n.kind for n in chunk.notices]


START, STOP = event("run_start"), event("run_stop", status="success")


def test_a_point_has_step_epoch_time_and_split(tmp_path: Path) -> None:
    chunk = read(tmp_path, START, event("eval_accuracy", 0.5, t=1500, epoch_num=3), STOP)
    (column,) = chunk.columns
    assert (column.name, column.split, column.kind) == ("eval_accuracy", None, "")
    assert (column.step.tolist(), column.value.tolist()) == ([3], [0.5])
    assert (column.epoch.tolist(), column.wall_time.tolist()) == ([3.0], [1683756303.5])
    run = Run("r", "r", "mlperf").extend(chunk)
    assert run["accuracy", "val"].value.tolist() == [0.5]
    assert chunk.config["status"] == "success"
    assert kinds(chunk) == ["assumed"]


@pytest.mark.parametrize(
    ("meta", "step"),
    [
        ({"step": 7, "samples_count": 70, "epoch_num": 1}, 7),
        ({"samples_count": 70, "epoch_num": 1}, 70),
        ({"step_num": 7}, 7),
        ({"iteration": "7"}, 7),
        ({"step": [2, 652], "epoch_num": 9}, 652),
        ({"epoch_num": 4}, 4),
        ({"epoch_num": 4.0}, 4),
        ({"epoch": -1}, -1),
    ],
)
def test_the_best_axis_counts(tmp_path: Path, meta: dict[str, Any], step: int) -> None:
    chunk = read(tmp_path, START, event("train_loss", 1.0, **meta), STOP)
    assert columns(chunk)["train_loss"].step.tolist() == [step]


def test_fractional_epochs_are_numbered(tmp_path: Path) -> None:
    lines = [event("eval_accuracy", i / 10, epoch_num=i * 0.05) for i in range(1, 5)]
    chunk = read(tmp_path, START, *lines, STOP)
    found = columns(chunk)["eval_accuracy"]
    assert found.step.tolist() == [0, 1, 2, 3]
    assert found.epoch.tolist() == [i * 0.05 for i in range(1, 5)]
    assert any("numbered" in n.message for n in chunk.notices)


def test_an_evaluation_by_epoch_stands_at_the_last_step_of_it(tmp_path: Path) -> None:
    lines = []
    for epoch in (1, 2):
        lines.append(event("epoch_start", None, "INTERVAL_START", epoch_num=epoch))
        for step in range((epoch - 1) * 100 + 50, epoch * 100 + 1, 50):
            lines.append(event("tracked_stats", {"loss": step / 10}, step=step))
        lines.append(event("epoch_stop", None, "INTERVAL_END", epoch_num=epoch))
    # The evaluation of epoch 1 is done while epoch 2 is training.
    late = [event("eval_accuracy", {"BBOX": 0.1 * e, "SEGM": 0.2 * e}, epoch_num=e) for e in (1, 2)]
    chunk = read(tmp_path, START, *lines[:6], late[0], *lines[6:], late[1], STOP)
    found = columns(chunk)
    assert found["loss"].step.tolist() == [50, 100, 150, 200]
    assert found["loss"].epoch.tolist() == [1, 1, 2, 2]
    assert found["eval_accuracy/BBOX"].step.tolist() == [100, 200]
    assert found["eval_accuracy/SEGM"].epoch.tolist() == [1, 2]


def test_epochs_that_are_called_steps_stay_epochs(tmp_path: Path) -> None:
    lines = []
    for epoch in (1, 2, 3):
        lines += [
            event("epoch_start", None, "INTERVAL_START", epoch_num=epoch),
            event("epoch_stop", None, "INTERVAL_END", epoch_num=epoch),
            event("tracked_stats", {"throughput": 10.0}, step=epoch),
            event("eval_accuracy", 0.1, epoch_num=epoch),
        ]
    chunk = read(tmp_path, START, *lines, STOP)
    assert columns(chunk)["eval_accuracy"].step.tolist() == [1, 2, 3]


def test_a_reading_without_a_place_stands_at_the_step_before_it(tmp_path: Path) -> None:
    stats = [event("tracked_stats", {"loss": 2.0 - i, "throughput": 5.0 + i}, step=50 * i)
             for i in (1, 2)]  # fmt: skip
    again = [event("throughput", 5.0 + i) for i in (1, 2)]
    own = event("tokens_per_sec", 9.0)
    chunk = read(tmp_path, START, stats[0], again[0], own, stats[1], again[1], STOP)
    found = columns(chunk)
    assert found["throughput"].step.tolist() == [50, 100]  # logged twice, one reading
    assert found["tokens_per_sec"].step.tolist() == [50]


def test_what_stands_beside_a_loss(tmp_path: Path) -> None:
    chunk = read(tmp_path, START, event("train_loss", 11.8, samples_count=32, lr=3.1e-6), STOP)
    found = columns(chunk)
    assert (found["lr"].step.tolist(), found["lr"].value.tolist()) == ([32], [3.1e-6])
    assert "lineno" not in found
    flat = NEW + json.dumps({"key": "eval_loss", "value": 0.9, "samples_count": 576}) + "\n"
    assert columns(read(tmp_path, START, flat, STOP))["eval_loss"].step.tolist() == [576]


def test_two_metrics_of_one_key_are_told_apart(tmp_path: Path) -> None:
    lines = [
        event("eval_accuracy", v, step_num=9, metric=m) for v, m in ((81.4, "FID"), (0.15, "CLIP"))
    ]
    found = columns(read(tmp_path, START, *lines, STOP))
    assert {n: c.value.tolist() for n, c in found.items()} == {
        "eval_accuracy/FID": [81.4],
        "eval_accuracy/CLIP": [0.15],
    }


def test_settings_go_to_the_configuration(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        event("submission_benchmark", "gpt3"),
        event("seed", 16197),
        event("opt_base_learning_rate", 2e-5),
        event("opt_learning_rate_decay_steps", [12000, 16000]),
        event("quality_target", 0.72),
        event("weights_initialization", None, tensor="a"),
        event("eval_samples", 42, epoch_num=1),
        START,
        event("eval_start", 1000, "INTERVAL_START", epoch_num=1000),
        event("eval_accuracy", 2.7, samples_count=1),
        STOP,
    )
    assert dict(chunk.config) == {
        "submission_benchmark": "gpt3",
        "seed": 16197,
        "opt_base_learning_rate": 2e-5,
        "opt_learning_rate_decay_steps": [12000, 16000],
        "quality_target": 0.72,
        "eval_samples": 42,
        "status": "success",
    }
    assert [(c.name, c.kind) for c in chunk.columns] == [("eval_accuracy", "loss")]


def test_the_old_syntax(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        old("run_start"),
        old("input_batch_size", " 32 "),
        old("opt_name", '"sgd"'),
        old("eval_target", "0.749"),
        old("eval_accuracy", '{"epoch": -1, "value": 0.19}', t=1.5),
        old("eval_accuracy", '{"value": 0.33, "epoch": 0}\r', t=2.5),
        OLD + 'resnet 1541720390 (a.py:9) opt_learning_rate : { "deferred": true, "value": 0 }\n',
        old("opt_learning_rate", '{"epoch": 0, "iteration": 5, "value": 0.1}'),
        old("run_stop", '{"success": "true"}'),
        old("run_final"),
    )  # fmt: skip
    found = columns(chunk)
    assert found["eval_accuracy"].step.tolist() == [-1, 0]
    assert found["eval_accuracy"].value.tolist() == [0.19, 0.33]
    assert found["eval_accuracy"].wall_time.tolist() == [1541720384.5, 1541720385.5]
    assert found["opt_learning_rate"].step.tolist() == [5]
    assert chunk.config["input_batch_size"] == 32
    assert (chunk.config["opt_name"], chunk.config["status"]) == ("sgd", "success")
    assert (chunk.config["benchmark"], chunk.config["eval_target"]) == ("resnet", 0.749)
    assert chunk.config["opt_learning_rate"] == 0
    assert "run_final" not in chunk.config


@pytest.mark.parametrize(
    "prefix",
    ["0: ", "[1,0]<stdout>:", "ray-training  | [0] ", "2023-05-10 10:00:00 INFO ", "\x1b[32m",
     "  3%|#   | 1/95 [00:00<00:40]\r"],
)  # fmt: skip
def test_what_may_stand_before_a_record(tmp_path: Path, prefix: str) -> None:
    lines = [prefix + x.rstrip("\n") + ("\x1b[0m\n" if "\x1b" in prefix else "\n") for x in (
        START, event("eval_accuracy", 0.5, epoch_num=1), event("eval_accuracy", 0.6, epoch_num=2),
        STOP)]  # fmt: skip
    chunk = read(tmp_path, *lines)
    assert columns(chunk)["eval_accuracy"].value.tolist() == [0.5, 0.6]
    assert set(kinds(chunk)) == {"assumed"}
    assert mlperf.sniff(tmp_path / "result_0.txt") == 0.98


def test_records_of_two_writers_on_one_line(tmp_path: Path) -> None:
    a, b = (event("eval_accuracy", v, epoch_num=e).rstrip("\n") for e, v in ((1, 0.5), (2, 0.6)))
    chunk = read(tmp_path, START, a + b + "\n", "\n", a[:60] + b + " trailing words\n", STOP)
    assert columns(chunk)["eval_accuracy"].value.tolist() == [0.5, 0.6, 0.6]
    assert [(n.kind, n.lost) for n in chunk.notices if n.kind == "corrupt"] == [("corrupt", 1)]


def test_values_that_are_no_numbers_of_json(tmp_path: Path) -> None:
    values = [math.nan, math.inf, "0.25"]
    lines = [event("train_loss", v, step=i) for i, v in enumerate(values)]
    found = columns(read(tmp_path, START, *lines, STOP))["train_loss"].value
    np.testing.assert_array_equal(found, [math.nan, math.inf, 0.25])


def test_other_output_with_a_loss(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        "Iteration: 1, Loss function: 9.0\n",  # before the run
        old("run_start"),
        old("train_epoch", "0"),
        "Iteration:    740, Loss function: 4.979, Average Loss: 3.780, avg. words: 7\n",
        "[Epoch 1 99/99][Iteration 1012][Clock 184.4s] loss is 0.5, cost 1s. Throughput is 8 r\n",
        "parallelism=28, learning rate=0.003, max epoch=20\n",
        "Epoch 5: took a while\n",
        old("run_stop", '{"success": true}'),
    )
    found = {n: (c.step.tolist(), c.value.tolist()) for n, c in columns(chunk).items()}
    assert found == {
        "Loss function": ([740], [4.979]),
        "Average Loss": ([740], [3.78]),
        "loss": ([1012], [0.5]),
        "Throughput": ([1012], [8.0]),
    }


def test_how_a_run_ended(tmp_path: Path) -> None:
    point = event("eval_accuracy", 0.5, step=1)
    assert kinds(read(tmp_path, START, point, STOP)) == []
    aborted = read(tmp_path, START, point, event("run_stop", status="aborted"))
    assert (kinds(aborted), aborted.config["status"]) == (["unfinished"], "aborted")
    failed = read(tmp_path, old("run_start"), point, old("run_stop", '{"success": false}'))
    assert (kinds(failed), failed.config["status"]) == (["unfinished"], "aborted")
    assert kinds(read(tmp_path, START, point)) == ["unfinished"]
    assert kinds(read(tmp_path, old("run_start"), point, old("run_stop"))) == []


def test_several_runs_in_one_file(tmp_path: Path) -> None:
    points = [event("eval_accuracy", v, epoch_num=e) for e, v in ((1, 0.1), (2, 0.2))]
    ranks = [START, START]  # two ranks say that one run starts
    chunk = read(tmp_path, *ranks, *points, STOP, *ranks, *points, STOP)
    assert columns(chunk)["eval_accuracy"].step.tolist() == [1, 2, 1, 2]
    assert any("2 runs" in n.message for n in chunk.notices)
    run = Run("r", "r", "mlperf").extend(chunk)
    assert run.attempts == 2


@pytest.mark.parametrize("at", ["begin", "end"])
def test_records_far_into_a_file_are_found(tmp_path: Path, at: str) -> None:
    path = tmp_path / "slurm.out"
    noise = "compiling kernels, please wait\n" * 4000
    record = event("eval_accuracy", 0.5, epoch_num=1)
    path.write_text(record + noise if at == "begin" else noise + record)
    assert mlperf.sniff(path) == 0.98


@pytest.mark.parametrize(
    "text",
    [
        "grep '{}' log",
        'print("{}")\n',
        "lines like `{}` are records\n",
        "the mark {} begins a record\n",
    ],
)
def test_speaking_of_records_is_no_log(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    record = event("a", 1).strip() if "mark" not in text else NEW
    path.write_text(text.replace("{}", record))
    assert mlperf.sniff(path) == 0
    (tmp_path / "README.md").write_text(event("a", 1))
    assert mlperf.sniff(tmp_path / "README.md") == 0


def test_no_other_file_is_claimed(real_logs: Path) -> None:
    claimed = {p for p in real_logs.rglob("*") if p.is_file() and mlperf.sniff(p) > 0}
    assert claimed == {p for p in (real_logs / "mlperf_mllog").rglob("*") if p.is_file()}
    project = Path(__file__).resolve().parents[2]
    own = [p for f in ("trainlens", "tests", "docs") for p in (project / f).rglob("*.*")]
    assert [p for p in own if p.is_file() and mlperf.sniff(p) > 0] == []


def test_the_record_counts_of_the_index(real_logs: Path) -> None:
    counts = {"v0.5": 0, "v3.0": 0}
    for path in (real_logs / "mlperf_mllog").rglob("*.txt"):
        reader = MLPerfLog(path)
        chunk = reader.poll(final=True)
        assert not {"corrupt", "torn-tail"} & set(kinds(chunk)), path
        counts["v0.5" if "results_v0.5" in str(path) else "v3.0"] += reader.records
    assert counts == {"v0.5": 8709, "v3.0": 4771}


def evaluations(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Epoch and value of every evaluation, by expressions of its own."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text().splitlines():
        if NEW.strip() in line:
            record = json.loads(line.split(NEW, 1)[1])
            if record["key"] != "eval_accuracy":
                continue
            value, epoch = record["value"], record["metadata"]["epoch_num"]
            parts = value if isinstance(value, dict) else {"": value}
        elif m := re.search(r"\) eval_accuracy: (\{.*\})", line):
            record = json.loads(m[1])
            parts, epoch = {"": record["value"]}, record["epoch"]
        else:
            continue
        for part, value in parts.items():
            found.setdefault("eval_accuracy" + ("/" + part if part else ""), []).append(
                (epoch, value)
            )
    return found


def test_every_evaluation_of_the_real_logs(real_logs: Path) -> None:
    total = 0
    for path in sorted((real_logs / "mlperf_mllog").rglob("*.txt")):
        found = {
            c.name: list(zip(c.epoch.tolist(), c.value.tolist(), strict=True))
            for c in MLPerfLog(path).poll(final=True).columns
            if c.name.startswith("eval_accuracy")
        }
        expected = evaluations(path)
        assert found == expected, path
        total += sum(map(len, expected.values()))
    assert total == 444


def test_what_the_index_says_of_the_real_logs(real_logs: Path) -> None:
    base = real_logs / "mlperf_mllog" / "mlcommons__training_results_v3.0" / "NVIDIA" / "results"

    def one(name: str) -> tuple[dict[str, Column], Chunk]:
        chunk = MLPerfLog(base / name).poll(final=True)
        return columns(chunk), chunk

    found, chunk = one("dgxh100_n64_ngc23.04_mxnet/resnet/result_1.txt")
    assert set(found["eval_accuracy"].value.tolist()) == {0.001}
    assert (chunk.config["status"], "unfinished" in kinds(chunk)) == ("aborted", True)
    found, chunk = one("dgxh100_n54_ngc23.04_mxnet/unet3d/result_22.txt")
    dice = dict(
        zip(found["eval_accuracy"].step.tolist(), found["eval_accuracy"].value, strict=True)
    )
    assert dice[1320] == pytest.approx(0.8827, abs=1e-4)
    assert dice[1340] < 1e-10
    assert len(found["current_lr"].value) == len(found["throughput"].value) == 68
    found, _ = one("dgxh100_ngc23.04_pytorch/maskrcnn/result_2.txt")
    box = found["eval_accuracy/BBOX"]
    assert box.value[box.epoch == 8][0] == pytest.approx(0.2945, abs=1e-4)
    assert set(box.value[box.epoch >= 9].tolist()) == {0.0}
    assert found["loss"].step.tolist() == list(range(50, 40001, 50))
    assert len(found["throughput"].value) == 800
    assert (np.diff(box.step) > 0).all()
    assert box.step[-1] > 30000  # counted like the training, not in epochs
