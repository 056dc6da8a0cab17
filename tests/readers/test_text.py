"""Text logs: known lines, known logs, growth, torn ends, and what is no log."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers import text
from trainlens.readers._text.reader import TextLog

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real_logs"


def read(tmp_path: Path, content: str | bytes, name: str = "train.log") -> Chunk:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return text.open_source(text.find(path)[0]).poll(final=True)


def points(*chunks: Chunk) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for chunk in chunks:
        for c in chunk.columns:
            key = f"{c.split}:{c.name}" if c.split else c.name
            found.setdefault(key, []).extend(zip(c.step.tolist(), c.value.tolist(), strict=True))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "3000/100000 lr=1.0000e-04 dropout=0.000 total=1.230 loss_theta=0.083",
            {
                "lr": (3000, 1e-4),
                "dropout": (3000, 0.0),
                "total": (3000, 1.23),
                "loss_theta": (3000, 0.083),
            },
        ),
        ("Epoch  1: Loss 3.54 (warmup, LR=1e-7)", {"Loss": (1, 3.54), "LR": (1, 1e-7)}),
        (
            "[2024-01-01 10:00:00] step 100 | loss 2.31 | lr 1e-4",
            {"loss": (100, 2.31), "lr": (100, 1e-4)},
        ),
        ("Epoch [3/10], Step [100/600], Loss: 0.3", {"Loss": (100, 0.3)}),
        (
            "iter 100: train loss 2.3, val loss 2.4",
            {"train loss": (100, 2.3), "val loss": (100, 2.4)},
        ),
        (
            "INFO:root:global step 7: loss=-inf grad_norm=12",
            {"loss": (7, -math.inf), "grad_norm": (7, 12.0)},
        ),
        (
            "step: 10  loss:  7.12  memory: 1.25GiB(1.3%)  tps: 1,234",
            {"loss": (10, 7.12), "memory": (10, 1.25), "tps": (10, 1234.0)},
        ),
        (
            "{'loss': 2.5, 'learning_rate': 5e-05, 'epoch': 3.0}",
            {"loss": (3, 2.5), "learning_rate": (3, 5e-5)},
        ),
        ("[val] step 100 loss=0.5 acc=91.2%", {"val:loss": (100, 0.5), "val:acc": (100, 91.2)}),
        ("validation: step 200, loss 0.4", {"val:loss": (200, 0.4)}),
        ("Validation | step 200 | val_loss 0.4", {"val_loss": (200, 0.4)}),
        ("\x1b[32mstep 5\x1b[0m loss=\x1b[1m0.25\x1b[0m", {"loss": (5, 0.25)}),
        (
            " iteration    100/   500 | elapsed time per iteration (ms): 12.5 | lm loss: 7.2E+00 |",
            {"elapsed time per iteration (ms)": (100, 12.5), "lm loss": (100, 7.2)},
        ),
        (
            "2023/06/05 20:10:13 - mmengine - INFO - Epoch(train)   [1][1/6]  lr: 4e-08"
            "  eta: 4:59:11  loss: 0.42",
            {"train:lr": (1, 4e-8), "train:loss": (1, 0.42)},
        ),
        (
            "Epoch: [0][  10/5005]\tTime  0.3 ( 0.4)\tLoss 6.9e+00 (7.0e+00)\tAcc@1   1.5 (  0.1)",
            {"Time": (10, 0.3), "Loss": (10, 6.9), "Acc@1": (10, 1.5)},
        ),
        (
            "600/600 [=====] - 5s 8ms/step - loss: 0.3 - val_loss: 0.4",
            {"loss": (600, 0.3), "val_loss": (600, 0.4)},
        ),
        (
            "Average loss for epoch 4: train_total:0.25; val_total:0.5;",
            {"train_total": (4, 0.25), "val_total": (4, 0.5)},
        ),
    ],
)
def test_lines(tmp_path: Path, line: str, expected: dict[str, tuple[int, float]]) -> None:
    assert points(read(tmp_path, line + "\n")) == {k: [v] for k, v in expected.items()}


@pytest.mark.parametrize(
    "line",
    [
        "max_seq_len: 128",
        '  File "x.py", line 10, in f',
        "RuntimeError: size mismatch: 3",
        "Loading checkpoint shards: 100%|██████| 2/2 [00:01<00:00, 1.2it/s]",
        "Downloading: 3/10 files",
        "numpy==1.26.4",
        "total params: 25,000,000",
        "eta: 0:10:11",
        ':::MLLOG {"key": "eval", "value": 0.5, "metadata": {"epoch_num": 3}}',
        "----- 12:30 -----",
    ],
)
def test_lines_that_say_nothing(tmp_path: Path, line: str) -> None:
    chunk = read(tmp_path, f"step 1 loss 0.5\n{line}\n")
    assert points(chunk) == {"loss": [(1, 0.5)]}


def test_times_only_where_there_is_a_date(tmp_path: Path) -> None:
    chunk = read(
        tmp_path, "2024-01-01 10:00:00,500 INFO step 1 loss 1.0\n10:00:01 step 2 loss 2.0\n"
    )
    wall = chunk.columns[0].wall_time.tolist()
    assert wall[0] == 1704103200.5
    assert math.isnan(wall[1])


def test_planned_totals(tmp_path: Path) -> None:
    assert read(tmp_path, "3000/100000 lr=1e-4\n").config == {"planned_steps": 100000}
    assert read(tmp_path, "Epoch [3/10], Step [100/600], Loss: 0.3\n").config == {
        "planned_steps": 6000,
        "planned_epochs": 10,
    }
    assert read(tmp_path, "Epoch 2/9: loss 1.0\n").config == {"planned_epochs": 9}


def test_a_counter_that_starts_again_with_each_epoch(tmp_path: Path) -> None:
    log = "".join(
        f"Epoch [{e}/3], Step [{s}/600], Loss: {e}.{s}\n"
        for e in (1, 2, 3)
        for s in (200, 400, 600)
    )
    log += "[val] Epoch [3/3], Step [5/5], Loss: 0.5\n"
    found = points(read(tmp_path, log))
    assert [s for s, _ in found["Loss"]] == [200 * k for k in range(1, 10)]
    assert found["val:Loss"] == [(1800, 0.5)]


def test_a_counter_that_goes_on_over_the_epochs(tmp_path: Path) -> None:
    log = "".join(f"Epoch {s // 4} step {s} loss {s}.5\n" for s in range(12))
    assert [s for s, _ in points(read(tmp_path, log))["loss"]] == list(range(12))


def test_metrics_in_the_lines_below_the_epoch(tmp_path: Path) -> None:
    log = "lr: 0.1\nbatch_size: 8\n"
    for e in (1, 2):
        log += f"Epoch: {e}/30\nTime Taken: 139.10s - LR: 1e-{e}\n"
        log += f"Train Loss: {e}.5\n---\nSaved in 3 s\n"
    chunk = read(tmp_path, log)
    assert points(chunk) == {
        "LR": [(1, 0.1), (2, 0.01)],
        "Time Taken": [(1, 139.1), (2, 139.1)],
        "Train Loss": [(1, 1.5), (2, 2.5)],
    }
    assert chunk.config == {"lr": 0.1, "batch_size": 8, "planned_epochs": 30}


def test_the_last_state_of_each_count_of_a_progress_bar(tmp_path: Path) -> None:
    bar = "\r".join(
        f"train epoch:1: {k}%|###   | {k}/100 [00:0{k % 10}<00:09, loss=0.{k}{again}]"
        for k in (10, 55, 99)
        for again in (0, 1)
    )
    assert points(read(tmp_path, bar + "\r\n")) == {
        "train:loss": [(10, 0.101), (55, 0.551), (99, 0.991)]
    }


def test_two_columns(tmp_path: Path) -> None:
    chunk = read(tmp_path, "1 8.25\n2 7.5\n3 nan\n")
    assert points(chunk)["loss"][:2] == [(1, 8.25), (2, 7.5)]
    assert math.isnan(chunk.columns[0].value[2])


def test_every_cut_leaves_no_wrong_value(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [
        f"{100 * i}/5000 lr=1.0000e-04 total={rng.random():.4f} acc={i}\n" for i in range(8, 13)
    ]
    whole = points(read(tmp_path, "".join(lines)))
    data = "".join(lines)
    for cut in range(len(lines[0]), len(data)):
        chunk = read(tmp_path, data[:cut])
        for name, held in points(chunk).items():
            assert held == whole[name][: len(held)]
        complete = data[:cut].count("\n")
        assert all(len(held) in (complete, complete + 1) for held in points(chunk).values())
        assert chunk.config == {"planned_steps": 5000}
        if data[cut - 1].isdigit() and data[cut - 2] == "=" and cut > len(lines[0]):
            assert [n.kind for n in chunk.notices] == ["torn-tail"]


TEMPLATES = st.sampled_from(
    [
        "{s}/1000 loss={v} lr=1e-3",
        "Epoch {s}: Loss {v}",
        "step {s} | train loss {v} | val loss 1.5",
        "Epoch: {s}/99",
        "Train Loss: {v}",
        "[val] step {s} acc={v}",
        "x\r{s}/10 loss={v}",
        "",
        "noise {s}",
        "Epoch [{s}/9], Step [{s}/60], Loss: {v}",
        "2024-01-01 00:00:00 iter {s} loss {v}",
    ]
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(TEMPLATES, st.integers(0, 99), st.floats(-9, 9)), max_size=12),
    st.lists(st.integers(0, 400), max_size=10),
)
def test_any_growth_gives_what_one_look_gives(
    tmp_path: Path, log: list[tuple[str, int, float]], cuts: list[int]
) -> None:
    data = "".join(t.format(s=s, v=round(v, 3)) + "\n" for t, s, v in log).encode()
    expected = read(tmp_path, data, "whole.log")
    path = tmp_path / "growing.log"
    path.write_bytes(b"")
    reader, chunks = TextLog(path), []
    at = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for begin, end in pairwise(at):
        with open(path, "ab") as file:
            file.write(data[begin:end])
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    assert points(*chunks) == points(expected)


@pytest.mark.parametrize(
    "hostile",
    [
        b"a" * 1_000_000,
        b"step 1 " + b"loss " * 190_000,
        b"a b c d e f " * 80_000 + b"\n",
        b"step 1 loss 2 " * 70_000,
        b"\0" * 900_000,
        b"9" * 900_000,
        b"\x1b[" * 400_000,
        b"\r" * 900_000,
        b"((((" * 200_000,
        b"step 1 loss=1\n" * 10_000,
        b"a=1e999 step 3 b=nan\n" * 100,
        (b"a-" * 8000 + b"\n") * 30,
        (b"step [[[ 1" * 1600 + b"\n") * 30,
        b"epoch " * 150_000,
        b"1/" * 400_000,
    ],
    ids=range(15),
)
def test_hostile_files_end_and_do_not_crash(tmp_path: Path, hostile: bytes) -> None:
    chunk = read(tmp_path, hostile)
    assert 0 <= text.sniff(tmp_path / "train.log") <= 0.5
    assert len(chunk.notices) < 250


@pytest.mark.parametrize("seed", range(5))
def test_mutations_keep_every_untouched_line(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lines = [f"step {i} | loss {i}.25 | lr 1e-4\n".encode() for i in range(1, 60)]
    data = b"".join(lines)
    starts = [sum(map(len, lines[:k])) for k in range(len(lines))]
    for _ in range(60):
        at, n = rng.randrange(len(data)), rng.randrange(1, 120)
        kind = rng.randrange(3)
        patch = [b"", bytes(n), rng.randbytes(n)][kind]
        found = points(read(tmp_path, data[:at] + patch + data[at + n :])).get("loss", [])
        for k, (start, line) in enumerate(zip(starts, lines, strict=True)):
            # A line that lost the line break before it is no line of its own any more.
            if start + len(line) <= at or start - 1 >= at + n:
                assert (k + 1, k + 1.25) in found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "# step 1 loss 0.5\n# step 2 loss 0.4\n# step 3 loss 0.3\n" * 3),
        ("README", "Epoch 1: loss 0.5\nEpoch 2: loss 0.4\nEpoch 3: loss 0.3\n"),
        ("requirements.txt", "numpy==1.26\ntorch>=2.1\nclick~=8.1\n"),
        ("notes.txt", "lr: 0.1\nbatch size: 8\nlayers = 12\nloss_weight = 0.5\n"),
        ("data.txt", "step,loss\n1,0.5\n2,0.4\n3,0.3\n"),
        ("data.txt", "1,0.5,3\n2,0.4,3\n3,0.3,3\n"),
        ("boxes.txt", "0 0.5 0.5 0.1 0.1\n1 0.4 0.4 0.1 0.1\n2 0.3 0.5 0.2 0.2\n"),
        ("classes.txt", "1 cat\n2 dog\n3 bird\n"),
        (
            "err.log",
            'Traceback (most recent call last):\n  File "a.py", line 3, in f\nValueError: 3\n',
        ),
        ("pip.log", "Downloading x 1/3\nDownloading y 2/3\nsize: 3 MB\n"),
        ("server.log", "2024-01-01 10:00:00 INFO GET /a 200 time=3ms\n" * 9),
        ("empty.txt", ""),
    ],
)
def test_what_is_no_log(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert text.sniff(path) == 0


@pytest.mark.parametrize(
    "content",
    [
        "3000/100000 lr=1.0000e-04 dropout=0.000 total=1.230 loss_theta=0.083\n",
        "".join(f"Epoch {e}: Loss {3 / e:.2f}\n" for e in range(1, 4)),
        "config dump: 3\n" * 9000 + "".join(f"iter {i} loss {i}.5\n" for i in range(9)),
        "".join(f"Epoch: {e}/30\nTrain Loss: {e}.5 - LR: 1e-4\n" for e in (1, 2, 3)),
        "1 8.25\n2 7.5\n3 7.25\n",
    ],
)
def test_what_is_a_log(tmp_path: Path, content: str) -> None:
    path = tmp_path / "out.txt"
    path.write_text(content)
    assert 0 < text.sniff(path) <= 0.5


def test_this_project_holds_no_text_log_among_its_sources() -> None:
    sources = [p for p in (ROOT / "trainlens").rglob("*") if p.is_file()]
    assert [p.name for p in sources if text.sniff(p)] == []


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not here")


@needs_real
def test_real_two_column_logs() -> None:
    files = sorted((REAL / "text" / "pytorch__torchtitan").rglob("*.txt"))
    assert len(files) == 6
    for path in files:
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        assert text.sniff(path) > 0
        (column,) = TextLog(path).poll(final=True).columns
        assert column.step.tolist() == [int(s) for s, _ in rows]
        assert column.value.tolist() == [float(v) for _, v in rows]


@needs_real
def test_real_block_logs() -> None:
    files = sorted((REAL / "text" / "0Xero7__slm_training").rglob("*.log"))
    assert len(files) == 14
    for path in files:
        content = path.read_text()
        found = points(TextLog(path).poll(final=True))
        assert text.sniff(path) > 0
        for label in ("Train Loss", "Train Perplexity", "Valid Loss"):
            parts = content.split(f"{label}: ")[1:]
            assert [v for _, v in found[label]] == [float(p.split()[0]) for p in parts]
        epochs = [int(p.split("/")[0]) for p in content.split("Epoch: ")[1:]]
        assert [s for s, _ in found["Train Loss"]] == epochs[: len(found["Train Loss"])]


@needs_real
def test_real_mmengine_log_agrees_with_its_json() -> None:
    import json

    folder = REAL / "mmengine" / "duanbo320__openmmlab_camp" / "20230605_200941"
    rows = [json.loads(x) for x in (folder / "vis_data" / "scalars.json").read_text().splitlines()]
    train = [row for row in rows if "loss" in row]
    found = points(TextLog(folder / "20230605_200941.log").poll(final=True))
    assert [s for s, _ in found["train:loss"]] == [row["step"] for row in train]
    assert [v for _, v in found["train:loss"]] == [round(row["loss"], 6) for row in train]
