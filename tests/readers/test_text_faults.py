"""What goes wrong in text logs: growth, torn ends, damage, several writers, hostile lines."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers import text
from trainlens.readers._text.layout import Layouts
from trainlens.readers._text.reader import TextLog

Points = dict[str, list[tuple[int, float, float, float]]]


def collect(*chunks: Chunk) -> Points:
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            wall, epoch = (
                [None if math.isnan(v) else v for v in a.tolist()] for a in (c.wall_time, c.epoch)
            )
            rows = zip(c.step.tolist(), c.value.tolist(), wall, epoch, strict=True)
            found.setdefault(f"{c.split}:{c.name} {c.unit}", []).extend(rows)
    return found


def read(path: Path, content: str | bytes) -> Chunk:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TextLog(path).poll(final=True)


def values(chunk: Chunk, name: str = "loss") -> list[tuple[int, float]]:
    return [
        (s, v)
        for c in chunk.columns
        if c.name == name
        for s, v in zip(c.step.tolist(), c.value.tolist(), strict=True)
    ]


def long_log(kind: str, rng: random.Random) -> str:
    lines = []
    for i in range(1, 400):
        v = [rng.random() * 10 for _ in range(5)]
        epoch, step = divmod(i, 50)
        lines.append(
            {
                "seed": f"{i}/5000 lr={v[0]:.4e} dropout={v[1]:.3f} total={v[2]:.3f}\n",
                "epochs": f"Epoch [{epoch + 1}/9], Step [{step + 1}/50], Loss: {v[0]:.4f}\n",
                "dated": f"2024-05-01 10:{i % 60:02}:{i % 7:02},{i:03} INFO step {i:4} loss"
                f" {v[0]:.3g} tps {int(v[1] * 1000):,}\n",
                "split": f"[{'val' if i % 10 == 0 else 'train'}] step {i} loss={v[0]:.3f}\n",
                "bars": f"Epoch {epoch}: {step * 2:3}%|{'█' * (step // 5):10}| {step}/50"
                f" [00:{step:02}<00:09, {v[0]:.2f}it/s, loss={v[1]:.3f}]\r",
                "mixed": f"iter {i} loss {v[0]:.{i % 4}f} acc {i % 3 and v[1]}\n"
                + ("nan:\n" if i % 9 == 0 else "")
                + f"iter {i} lr {'nan' if i % 5 else 1e-3}\n",
                "odd": f"step {i} loss {'1.5.2' if i == 200 else v[0]} lr 1e-{i % 5}\n",
                "units": f"step {i} time {v[0]:.2f}{'ms' if i % 3 else 's'} mem: {v[1]:.1f}GiB\n",
            }[kind]
        )
    return "".join(lines)


KINDS = ["seed", "epochs", "dated", "split", "bars", "mixed", "odd", "units"]


@pytest.mark.parametrize("kind", KINDS)
def test_known_layouts_give_what_the_long_way_gives(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = long_log(kind, random.Random(3))
    quick = collect(read(tmp_path / "a.log", log))
    monkeypatch.setattr(Layouts, "learn", lambda self, line, text: None)
    slow = collect(read(tmp_path / "a.log", log))
    assert repr(quick) == repr(slow)
    assert sum(map(len, quick.values())) > 300


@pytest.mark.parametrize("kind", KINDS)
def test_growth_by_random_pieces(tmp_path: Path, kind: str) -> None:
    rng = random.Random(kind)
    data = long_log(kind, rng).encode()
    expected = read(tmp_path / "whole.log", data)
    path = tmp_path / "growing.log"
    path.write_bytes(b"")
    reader, chunks, at = TextLog(path), [], 0
    while at < len(data):
        end = at + rng.choice([1, 30, 200, 3000])
        with open(path, "ab") as file:
            file.write(data[at:end])
        chunks.append(reader.poll())
        at = end
    chunks.append(reader.poll(final=True))
    assert repr(collect(*chunks)) == repr(collect(expected))
    config: dict[str, object] = {}
    for chunk in chunks:
        config.update(chunk.config)
    assert config == dict(expected.config)


def test_a_last_line_without_end_counts_where_its_digits_are_all_there(tmp_path: Path) -> None:
    log = "".join(f"step {i} loss {i}.250\n" for i in range(1, 6))
    chunk = read(tmp_path / "a.log", log[:-1])
    assert values(chunk)[-1] == (5, 5.25)
    assert chunk.notices == ()
    chunk = read(tmp_path / "a.log", log[:-2])
    assert values(chunk)[-1] == (4, 4.25)
    assert [n.kind for n in chunk.notices] == ["torn-tail"]


def test_a_bar_without_a_line_break_is_seen_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(
        b"Epoch 0: 10%|#| 1/10 [00:01<00:09, 1it/s, loss=2.5]\r"
        b"Epoch 0: 20%|##| 2/10 [00:02<00:08, 1it/s, loss=2.25]\r"
        b"Epoch 0: 30%|###| 3/10 [00:03<00:07, 1it/s, loss=2.1"
    )
    assert values(TextLog(path).poll()) == [(1, 2.5)]


def test_a_file_of_blank_lines(tmp_path: Path) -> None:
    log = ("\n" * 300 + "step {} loss 0.5\n" + "\r\n" * 300) * 40
    chunk = read(tmp_path / "a.log", log.format(*range(40)))
    assert values(chunk) == [(i, 0.5) for i in range(40)]


def test_both_sides_of_a_conflict_of_git(tmp_path: Path) -> None:
    log = "<<<<<<< HEAD\nstep 1 loss 0.5\n=======\nstep 1 loss 0.4\n>>>>>>> 28e87e7\n"
    chunk = read(tmp_path / "a.log", log)
    assert values(chunk) == [(1, 0.5), (1, 0.4)]
    assert [n.kind for n in chunk.notices] == ["assumed"]
    assert "conflict" in chunk.notices[0].message


def test_ranks_are_not_mixed(tmp_path: Path) -> None:
    log = "".join(f"[rank{r}]: step {s} loss {s}.{r}\n" for s in (1, 2, 3) for r in (1, 0, 2))
    log += "[rank0]: step 3 acc 0.5\n"
    chunk = read(tmp_path / "a.log", log)
    assert values(chunk) == [(1, 1.1), (2, 2.1), (3, 3.1)]
    assert values(chunk, "acc") == [(3, 0.5)]
    assert [(n.kind, n.lost) for n in chunk.notices] == [("assumed", 0), ("skipped", 6)]


@pytest.mark.parametrize("prefix", ["{}: ", "[1,{}]<stdout>:", "(pid={}) ", "[default{}]:"])
def test_prefixes_of_ranks(tmp_path: Path, prefix: str) -> None:
    log = "".join(prefix.format(r) + f"step {s} loss {s}.{r}\n" for s in (1, 2, 3) for r in (0, 1))
    assert values(read(tmp_path / "a.log", log)) == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.parametrize(
    "line",
    [
        "step 10 lossstep 11 loss 2.4",
        "step 10 loss 2.step 11 loss 2.4",
        "step 10 loss 2.3step 11 loss 2.4",
        "step 10 loss 2.3 step 11 loss 2.4",
        "Epoch 1 loss: 0.5Epoch 2 loss: 0.4",
        "step 1step 11 loss 2.4",
        "step 10 loss 2.3 loss 2.4",
    ],
)
def test_half_lines_of_two_writers_give_nothing(tmp_path: Path, line: str) -> None:
    chunk = read(tmp_path / "a.log", f"step 5 loss 1.5\n{line}\nstep 12 loss 3.5\n")
    assert values(chunk) == [(5, 1.5), (12, 3.5)]
    assert [(n.kind, n.lost) for n in chunk.notices] == [("corrupt", 1)]
    assert chunk.notices[0].where == f"a.log, bytes 16-{16 + len(line)}"


@pytest.mark.parametrize("bad", [b"\0", b"\0" * 300, b"\xff", b"\xe2\x96", b"\x01"])
def test_bytes_that_are_no_text_give_no_wrong_value(tmp_path: Path, bad: bytes) -> None:
    line = b"step 7 loss=0.125 acc=0.5"
    for at in range(len(line)):
        data = b"step 6 loss=1.5\n" + line[:at] + bad + line[at + 1 :] + b"\nstep 8 loss=0.25\n"
        chunk = read(tmp_path / "a.log", data)
        assert set(values(chunk)) <= {(6, 1.5), (7, 0.125), (8, 0.25)}
        assert {(6, 1.5), (8, 0.25)} <= set(values(chunk))
        assert set(values(chunk, "acc")) <= {(7, 0.5)}


def test_more_names_than_a_training_has(tmp_path: Path) -> None:
    chunk = read(tmp_path / "a.log", "".join(f"step {i} loss{i}=0.5\n" for i in range(5100)))
    assert len(chunk.columns) == 5000
    assert [(n.kind, n.lost) for n in chunk.notices] == [("skipped", 100)]


def test_units_stand_in_the_columns(tmp_path: Path) -> None:
    log = "step 1 acc: 91.5% time: 3.5 ms mem: 512MiB\nstep 2 acc: 92% time: 1s mem: 1.5GiB\n"
    found = {c.name: (c.unit, c.value.tolist()) for c in read(tmp_path / "a.log", log).columns}
    assert found == {
        "acc": ("%", [91.5, 92.0]),
        "time": ("ms", [3.5, 1000.0]),
        "mem": ("MiB", [512.0, 1536.0]),
    }


def test_settings_before_the_first_record(tmp_path: Path) -> None:
    log = (
        "2024-01-01 10:00:00,000 - root - INFO - Namespace(lr=0.001, name='a, b', ks=[1, 2],"
        " f=<object>)\n"
        "Namespace(batch=8, deep=None, on=True)\nseed: 21\nmodel = 'resnet'\n"
        "  hidden_size ..................... 4096\nhooks = dict(\n    interval=10,\n"
        "    max_keep_ckpts=2)\nUsing 8 dataloader workers\nRuntimeError: 3\nloss: 0.5\n"
        "step 1 loss 0.5\nafter: 3\n"
    )
    assert dict(read(tmp_path / "a.log", log).config) == {
        "lr": 0.001,
        "name": "a, b",
        "ks": [1, 2],
        "batch": 8,
        "deep": None,
        "on": True,
        "seed": 21,
        "model": "resnet",
        "hidden_size": 4096,
    }


@pytest.mark.parametrize(
    "hostile",
    [
        b"loss " * 200_000,
        b"step 1 " * 140_000,
        b"a=" * 500_000,
        b"1,234," * 170_000,
        b"0.1.2" * 200_000,
        b"50%|" * 250_000,
        b"| a | " * 170_000,
        b"-" * 1_000_000,
        b"\b" * 1_000_000,
        b"train: " * 140_000,
        b"Epoch 1/" * 120_000,
        (b"Namespace(" + b"(" * 900 + b"\n") * 1000,
        (b"[" * 8000 + b"1" * 8000 + b"\n") * 60,
        (b"loss: [" + b"0.5, " * 3000 + b"\n") * 60,
        (b" " * 16_000 + b"5/\n") * 30,
        (b"x.py:" * 3000 + b"1\n") * 60,
        b"".join(b"step %d loss%d=0.5 k%d=1\n" % (i, i, i) for i in range(10_000)),
        b"step 10 loss 2.3 step 11 loss 2.4\n" * 9_000,
        b"copypaste: a,b\n" * 60_000,
        b"[rank1]: step 1 loss 2\n[rank0]: step 1 loss 2\n" * 7_000,
    ],
    ids=range(20),
)
def test_hostile_files(tmp_path: Path, hostile: bytes) -> None:
    chunk = read(tmp_path / "a.log", hostile)
    assert 0 <= text.sniff(tmp_path / "a.log") <= 0.5
    assert len(chunk.notices) < 250


_BITS = st.sampled_from(
    [
        *rb"step 1,Epoch 2/3, loss=,0.5,nan,45%|##| 4/9,| a | 1 |,(,',: ,val,[,],|".split(b","),
        b"\n",
        b"\r",
        b"\x08",
        b"\x1b[1m",
        b"--------\n",
        b"\x00",
        b"\xff",
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=400), st.lists(_BITS, max_size=40).map(b"".join)))
def test_any_bytes_are_read(tmp_path: Path, data: bytes) -> None:
    chunk = read(tmp_path / "a.log", data)
    assert all(len(c.step) == len(c.value) == len(c.epoch) for c in chunk.columns)
    assert 0 <= text.sniff(tmp_path / "a.log") <= 0.5


@pytest.mark.parametrize(
    "line",
    [
        "{step}/1000 val/total={a:.3f} val/mpjpe={b:.3f}",
        "{step}/1000 val/total: {a:.3f} val/mpjpe : {b:.3f}",
        "step {step} val/total {a:.3f} val/mpjpe {b:.3f}",
        "step={step} val/mpjpe={b:.3f} val/total={a:.3f}",
    ],
)
def test_a_name_with_its_split_is_no_unit_of_the_number_before(tmp_path: Path, line: str) -> None:
    points = [(100 * i, 0.25 - 0.01 * i, 60.0 - i) for i in range(1, 9)]
    log = "".join(line.format(step=step, a=a, b=b) + "\n" for step, a, b in points)
    found = {(c.name, c.unit): c for c in read(tmp_path / "a.log", log).columns}
    assert set(found) == {("val/total", ""), ("val/mpjpe", "")}
    for place, name in ((1, "val/total"), (2, "val/mpjpe")):
        column = found[name, ""]
        assert column.step.tolist() == [p[0] for p in points]
        assert column.value.tolist() == pytest.approx([p[place] for p in points])


def test_a_letter_with_a_value_is_no_unit_of_the_number_before(tmp_path: Path) -> None:
    log = "".join(f"step={i} loss={1 / i:.3f} s={i}.5 speed={i}.25 it/s\n" for i in range(1, 9))
    found = {c.name: (c.unit, c.value.tolist()) for c in read(tmp_path / "a.log", log).columns}
    assert found["s"] == ("", [i + 0.5 for i in range(1, 9)])
    assert found["speed"] == ("it/s", [i + 0.25 for i in range(1, 9)])
