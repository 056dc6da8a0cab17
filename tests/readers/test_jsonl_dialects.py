"""Dialects of JSON: MMEngine, Ray, W&B, fairseq, printed dictionaries, lists, percents."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from trainlens.chunk import Chunk
from trainlens.readers import jsonl
from trainlens.readers._json.reader import JsonLines
from trainlens.readers.base import HEAD, Source
from trainlens.run import Run

Points = dict[tuple[str, str], list[tuple[object, ...]]]


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(tmp_path: Path, text: str, name: str = "log.jsonl") -> tuple[Run, Chunk]:
    path = tmp_path / name
    path.write_text(text)
    chunk = jsonl.open_source(Source("jsonl", path)).poll(final=True)
    return Run("x", str(path), "jsonl").extend(chunk), chunk


def steps(run: Run, metric: str, split: str = "train") -> list[tuple[int, float]]:
    series = run[metric, split]
    return list(zip(series.step.tolist(), series.value.tolist(), strict=True))


def gather(chunks: Iterable[Chunk]) -> Points:
    """Every point of some polls by name and split, NaN as text."""
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value, c.epoch, strict=True)
            held = found.setdefault((c.name, str(c.split) + c.unit), [])
            held += [tuple(x if x == x else "nan" for x in map(float, row)) for row in rows]
    return found


def mmengine(epochs: int, length: int, interval: int) -> list[dict[str, object]]:
    """What the logger hook of MMEngine writes."""
    rows: list[dict[str, object]] = []
    for i in range(1, epochs * length + 1):
        if i % interval == 0:
            epoch = (i - 1) // length + 1
            rows.append({"lr": 0.1, "loss": 1 / i, "epoch": epoch, "iter": i, "step": i})
        if i % length == 0:
            epoch = i // length
            rows.append({"acc/top1": epoch / 100, "time": 0.1, "step": epoch})
    return rows


def test_evaluations_of_mmengine_count_epochs(tmp_path: Path) -> None:
    run, chunk = read(tmp_path, lines(*mmengine(3, 100, 50)))
    assert steps(run, "acc/top1", "val") == [(100, 0.01), (200, 0.02), (300, 0.03)]
    assert run["acc/top1", "val"].epoch.tolist() == [1.0, 2.0, 3.0]
    assert [s for s, _ in steps(run, "loss")] == [50, 100, 150, 200, 250, 300]
    assert ("time", "train") not in run.series
    assert chunk.notices == ()


def test_epochs_shorter_than_the_interval_do_not_fall_together(tmp_path: Path) -> None:
    run, _ = read(tmp_path, lines(*mmengine(20, 10, 50)))
    found = run["acc/top1", "val"]
    assert found.epoch.tolist() == [float(e) for e in range(5, 21)]
    assert found.step.tolist() == [10 * e for e in range(5, 21)]


def test_evaluations_by_iteration_stay_where_they_are(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for i in range(1, 9):
        rows.append({"lr": 0.1, "loss": 1.0, "iter": i * 50, "step": i * 50})
        if i % 4 == 0:
            rows.append({"mIoU": 40.0, "step": i * 50})
    run, _ = read(tmp_path, lines(*rows))
    assert steps(run, "mIoU", "val") == [(200, 40.0), (400, 40.0)]
    late = lines(
        {"lr": 0.1, "loss": 1.0, "epoch": 3, "iter": 1000, "step": 1000}, {"acc": 1, "step": 990}
    )
    run, _ = read(tmp_path, late)
    assert steps(run, "acc", "val") == [(990, 1.0)]


@pytest.mark.parametrize("seed", range(6))
def test_mmengine_live_is_cold(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows = mmengine(rng.randrange(2, 8), rng.randrange(5, 40), rng.choice([1, 7, 50]))
    rows += mmengine(2, 30, 10)  # a second training appended
    data = lines(*rows).encode()
    cold = tmp_path / "cold.json"
    cold.write_bytes(data)
    path = tmp_path / "live.json"
    path.write_bytes(b"")
    reader, chunks = JsonLines(path), []
    at = 0
    while at < len(data):
        n = rng.randrange(1, 400)
        with open(path, "ab") as file:
            file.write(data[at : at + n])
        at += n
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    assert gather(chunks) == gather([JsonLines(cold).poll(final=True)])


PRINTED = (
    "{'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 5e-05, 'epoch': 0.01}\n"
    "{'loss': nan, 'grad_norm': inf, 'learning_rate': 4e-05, 'epoch': 0.02}\n"
    "{'loss': np.float64(1.5), 'grad_norm': tensor(0.5, device='cuda:0'), 'epoch': 0.03}\n"
    "{'eval_loss': 1.75, 'eval_runtime': 3, 'epoch': 1.0}\n"
    "{'train_runtime': 12.5, 'who': \"it's\", 'done': True, 'none': None, 'epoch': 1.0}\n"
)


def test_dictionaries_that_python_printed(tmp_path: Path) -> None:
    run, chunk = read(tmp_path, PRINTED, "train.log")
    assert jsonl.sniff(tmp_path / "train.log") == 0.9
    loss = run["loss"]
    assert (loss.step.tolist(), loss.epoch.tolist()) == ([0, 1, 2], [0.01, 0.02, 0.03])
    assert loss.value[0] == 2.5
    assert math.isnan(loss.value[1])
    assert loss.value[2] == 1.5
    assert run["grad_norm"].value.tolist() == [1.25, math.inf, 0.5]
    assert steps(run, "loss", "val") == [(3, 1.75)]
    assert [n.kind for n in chunk.notices] == ["skipped", "assumed"]


def test_a_torn_printed_dictionary_gives_nothing(tmp_path: Path) -> None:
    first, second = PRINTED.splitlines(keepends=True)[:2]
    for cut in range(1, len(second) - 2):
        run, chunk = read(tmp_path, first + second[:cut])
        assert len(run["loss"]) == 1
        assert [n.lost for n in chunk.notices if n.kind == "torn-tail"] == [1]


def test_a_text_with_some_dictionaries_is_left_to_others(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join(f"epoch {i}\n{{'loss': 0.5, 'epoch': {i}}}\n" for i in range(20)))
    assert jsonl.sniff(path) == 0


def test_records_behind_a_time_and_a_name(tmp_path: Path) -> None:
    head = "2020-01-01 00:00:0{} | INFO | {} | "
    text = "fairseq Namespace(lr=[0.1])\n"
    for i in range(1, 5):
        row = {"epoch": 1, "update": 0.1 * i, "loss": f"{13 - i}.5", "num_updates": str(i * 100)}
        text += head.format(i, "train_inner") + json.dumps(row) + "\n"
    last = {"epoch": 1, "valid_loss": "9.5", "valid_ppl": "700", "valid_num_updates": "400"}
    text += head.format(9, "valid") + json.dumps(last) + "\n"
    run, chunk = read(tmp_path, text, "train.log")
    assert jsonl.sniff(tmp_path / "train.log") == 0.6
    assert steps(run, "loss") == [(100, 12.5), (200, 11.5), (300, 10.5), (400, 9.5)]
    assert steps(run, "loss", "val") == [(400, 9.5)]
    assert steps(run, "ppl", "val") == [(400, 700.0)]
    assert [n.message for n in chunk.notices][-1].startswith("5 lines: text around a record")


def test_a_configuration_in_every_record(tmp_path: Path) -> None:
    rows = [
        {"episode_reward_mean": 1.0 * i, "timesteps_total": 4000 * i, "training_iteration": i,
         "info": {"learner": {"default_policy": {"cur_lr": 0.1}}}, "hist_stats": {"r": [1, 2]},
         "timestamp": 1.7e9 + i, "config": {"gamma": 0.9, "model": {"fcnet": [64]}}}
        for i in range(1, 4)
    ]  # fmt: skip
    run, chunk = read(tmp_path, lines(*rows), "result.json")
    assert run.config == {"gamma": 0.9, "model": {"fcnet": [64]}}
    assert steps(run, "episode_reward_mean") == [(4000, 1.0), (8000, 2.0), (12000, 3.0)]
    assert not [m for m, _ in run.series if "gamma" in m or "config" in m]
    assert run["episode_reward_mean"].wall_time.tolist() == [1.7e9 + i for i in range(1, 4)]
    assert [n.message for n in chunk.notices] == ["no numbers in: hist_stats/r (list)"]
    flat, _ = read(tmp_path, lines({"step": 1, "loss": 1.0, "config/lr": 0.1}))
    assert steps(flat, "config/lr") == [(1, 0.1)]


def test_media_are_no_metrics(tmp_path: Path) -> None:
    media = {"_type": "image-file", "width": 32, "boxes": {"_type": "boxes2D", "size": 9}}
    run, chunk = read(
        tmp_path, lines(*({"_step": i, "_runtime": 1.5, "loss": 0.5, "x": media} for i in range(3)))
    )
    assert sorted(m for m, _ in run.series) == ["_runtime", "loss"]
    assert [n.message for n in chunk.notices] == ["no numbers in: x (image-file)"]


def test_percents_keep_their_unit(tmp_path: Path) -> None:
    rows = [{"step": i, "acc": f"{70 + i}.5%", "loss": "0.5", "b": 1.0} for i in range(3)]
    rows.append({"step": 3, "acc": 74.0, "loss": 0.25, "b": "7%"})
    run, _ = read(tmp_path, lines(*rows))
    assert steps(run, "acc") == [(0, 70.5), (1, 71.5), (2, 72.5), (3, 74.0)]
    assert (run["acc"].unit, run["loss"].unit, run["b"].unit) == ("%", "", "")
    assert [v for _, v in steps(run, "b")] == [1.0, 1.0, 1.0, 7.0]


def test_a_name_twice_in_a_record_is_told_once(tmp_path: Path) -> None:
    row = '{"step": %d, "loss": 9, "loss": %d, "a": {"k": 1, "k": 2}}\n'
    run, chunk = read(tmp_path, "".join(row % (i, i) for i in range(50)))
    assert steps(run, "loss")[:2] == [(0, 0.0), (1, 1.0)]
    assert [n.message for n in chunk.notices] == [
        "twice in the same record: k, loss; the last value counts"
    ]
    _, chunk = read(tmp_path, lines({"step": 1, "loss": 1, "a": 'x":"y', "loss ": 2}))
    assert [n.kind for n in chunk.notices] == ["skipped"]


HISTORY = {
    "loss": [2.5, 2.0, 1.5],
    "val_loss": [2.25, None, math.nan],
    "lr": [0.1, 0.1, 0.01],
    "params": {"epochs": 3},
}


def test_one_object_of_lists(tmp_path: Path) -> None:
    run, chunk = read(tmp_path, json.dumps(HISTORY), "history.json")
    assert jsonl.sniff(tmp_path / "history.json") == 0.75
    assert steps(run, "loss") == [(0, 2.5), (1, 2.0), (2, 1.5)]
    assert run["loss", "val"].step.tolist() == [0, 2]
    assert math.isnan(run["loss", "val"].value[1])
    assert run.config == {"params": {"epochs": 3}}
    assert [n.kind for n in chunk.notices] == ["assumed"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"loss": {"0": 2.5, "1": 2.0}, "val_loss": {"0": 3.0, "1": 2.5}}, [(0, 2.5), (1, 2.0)]),
        ({"history": {"loss": [2.5, 2.0], "val_loss": [1, 2]}}, [(0, 2.5), (1, 2.0)]),
        ({"epoch": [3, 4], "train": {"loss": [2.5, 2.0]}}, [(3, 2.5), (4, 2.0)]),
        ({"steps": 5, "step": [10, 20, 30], "loss": [2.5, 2.0]}, [(10, 2.5), (20, 2.0)]),
        ({"epoch": [0.5, 1.0], "loss": [2.5, 2.0]}, [(0, 2.5), (1, 2.0)]),
    ],
)
def test_forms_of_lists(
    tmp_path: Path, document: object, expected: list[tuple[int, float]]
) -> None:
    for indent in (None, 2):
        run, _ = read(tmp_path, json.dumps(document, indent=indent), "history.json")
        assert jsonl.sniff(tmp_path / "history.json") == 0.75
        assert steps(run, "loss") == expected


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("config.json", {"milestones": [30, 60], "lr": [0.1, 0.01]}),
        ("config.json", {"loss_weights": [1, 2], "name": "x"}),
        ("curve.json", {"precision": [1.0, 0.5], "recall": [0.0, 1.0]}),
        ("coco.json", {"images": [{"id": 1}], "categories": [{"id": 2}]}),
        ("vocab.json", {"a": 1, "b": 2}),
        ("one.json", {"step": 5, "loss": [1.0, 2.0]}),
    ],
)
def test_other_objects_are_not_claimed(tmp_path: Path, name: str, document: object) -> None:
    for indent in (None, 2):
        path = tmp_path / name
        path.write_text(json.dumps(document, indent=indent))
        assert jsonl.sniff(path) == 0


def test_a_long_history_is_claimed_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"loss": [1 / (i + 1) for i in range(9000)]}))
    assert path.stat().st_size > 2 * HEAD
    assert jsonl.sniff(path) == 0.75


def test_every_cut_of_a_history(tmp_path: Path) -> None:
    text = json.dumps({"loss": [2.25, 12.5, 3.75], "val_loss": [1.5, 0.25]})
    for cut in range(10, len(text)):
        run, chunk = read(tmp_path, text[:cut], "history.json")
        held = run.series.get(("loss", "train"))
        values = [] if held is None else held.value.tolist()
        # A number is complete once a comma or a bracket stands behind it.
        assert (
            values
            == [2.25, 12.5, 3.75][: text[9:cut].partition("]")[0].count(",") + ("]" in text[:cut])]
        )
        assert any(n.kind in ("torn-tail", "corrupt") for n in chunk.notices)


def test_a_bare_array_of_losses(tmp_path: Path) -> None:
    run, _ = read(tmp_path, '[{"loss": 1.0, "acc": 0.5}, {"loss": 0.5, "acc": 0.6}]', "a.json")
    assert jsonl.sniff(tmp_path / "a.json") == 0.6
    assert steps(run, "loss") == [(0, 1.0), (1, 0.5)]
