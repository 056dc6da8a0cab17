"""Lines of text logs by which a training says that something went wrong."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from trainlens.chunk import Notice
from trainlens.readers import text
from trainlens.readers._text.faults import OVERFLOW, Faults
from trainlens.readers._text.reader import TextLog
from trainlens.run import Run

TRACE = """Traceback (most recent call last):
  File "train.py", line 60, in <module>
    train(step 7 loss 0.5)

  File "model.py", line 3, in forward
    x = x.view(n)
{last}
"""
SCALE = "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to {}\n"


def steps(n: int) -> list[str]:
    return [f"step {i} loss {3 / (1 + i):.4f}\n" for i in range(n)]


def read(tmp_path: Path, content: str) -> Run:
    path = tmp_path / "train.log"
    path.write_text(content)
    return Run("x", "x", "text").extend(TextLog(path).poll(final=True))


def events(run: Run) -> list[Notice]:
    return [n for n in run.notices if n.kind == "event"]


@pytest.mark.parametrize(
    "last",
    ["RuntimeError: shape '[16, 3000]' is invalid", "KeyboardInterrupt",
     "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "[rank3]: ", "2024-01-02 03:04:05 ERROR "])
def test_a_traceback_is_told_by_its_last_line(tmp_path: Path, last: str, before: str) -> None:
    trace = "".join(f"{before}{line}\n" for line in TRACE.format(last=last).splitlines())
    run = read(tmp_path, "".join(steps(9)) + trace)
    (event,) = events(run)
    assert event == Notice("event", "train.log, line 16, step 8", last)
    assert event.step == 8
    assert run["loss"].step.tolist() == list(range(9))


def test_chained_torn_and_ignored_tracebacks(tmp_path: Path) -> None:
    first = TRACE.format(last="KeyError: 'a'")
    again = "\nDuring handling of the above exception, another exception occurred:\n\n"
    run = read(tmp_path, "".join(steps(4)) + first + again + TRACE.format(last="OSError: b"))
    assert [n.message for n in events(run)] == ["KeyError: 'a'", "OSError: b"]
    run = read(tmp_path, "".join(steps(4)) + TRACE.format(last="OSError: no end").rstrip("\n"))
    assert [n.message for n in events(run)] == ["OSError: no end"]
    run = read(tmp_path, "".join(steps(4)) + TRACE.split("\n\n")[0])
    assert [n.message for n in events(run)] == [
        "Traceback (most recent call last), without its last line"
    ]
    ignored = "Exception ignored in: <function _exit>\n" + first
    assert events(read(tmp_path, "".join(steps(4)) + ignored)) == []


@pytest.mark.parametrize(
    "line",
    ["Loss is nan, stopping training", "Killed", "./run.sh: line 4:  3128 Killed  python a.py",
     "RuntimeError: NCCL error in: ../torch/lib/c10d/ProcessGroupNCCL.cpp:784, unhandled",
     "| WARNING: ran out of memory, retrying batch", "Segmentation fault (core dumped)",
     "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.0",
     "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT 2024-01-02T03:04:05 DUE TO TIME LIMIT ***"],
)  # fmt: skip
def test_a_line_that_tells_a_fault(tmp_path: Path, line: str) -> None:
    run = read(tmp_path, "".join(steps(5)) + line + "\n" + "".join(steps(9)[5:]) + line + "\n")
    (event,) = events(run)
    assert event.where == "train.log, line 6, step 4"
    assert event.message == " ".join(line.split()) + " (2 times, the last at step 8)"


@pytest.mark.parametrize(
    "line",
    ["error: 0.25 mAP: 0.5", "memory: 12 GB", "information about 3 steps", "early stopping at 5",
     "loss nan 3", "val error 0.2", "skilled workers", "nccl version 2.18", "no overflow so far"],
)  # fmt: skip
def test_a_line_that_tells_none(line: str) -> None:
    assert Faults().read(line) == ""


def test_skipped_steps_are_points(tmp_path: Path) -> None:
    lines = steps(100)
    for i in range(3, 100, 20):
        lines[i] += SCALE.format(65536 / (1 + i))
    run = read(tmp_path, "".join(lines))
    assert run[OVERFLOW].step.tolist() == [3, 23, 43, 63, 83]
    assert run[OVERFLOW].role.name == "anomaly"
    (event,) = events(run)
    assert event.message.endswith("(5 times, the last at step 83)")
    assert run["loss"].value.tolist() == [float(f"{3 / (1 + i):.4f}") for i in range(100)]


def test_any_growth_gives_the_same(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = steps(60)
    lines[7] += SCALE.format(1024)
    lines[20] += "Loss is nan, stopping training\n"
    lines[30] += TRACE.format(last="ValueError: x")
    lines[50] += TRACE.format(last="ValueError: y 1")
    data = "".join(lines).encode()
    whole = tmp_path / "whole" / "train.log"
    whole.parent.mkdir()
    whole.write_bytes(data)
    cold = Run("x", "x", "text").extend(TextLog(whole).poll(final=True))
    for _ in range(20):
        path = tmp_path / "train.log"
        path.write_bytes(b"")
        reader, run = TextLog(path), Run("x", "x", "text")
        cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(9)))
        for begin, end in pairwise([0, *cuts, len(data)]):
            with open(path, "ab") as file:
                file.write(data[begin:end])
            run = run.extend(reader.poll())
        run = run.extend(reader.poll(final=True))
        assert {n.where for n in events(run)} == {n.where for n in events(cold)}
        for key, series in cold.series.items():
            assert run.series[key].step.tolist() == series.step.tolist()
            assert run.series[key].value.tolist() == series.value.tolist()


def test_only_a_training_that_broke_off_is_a_log(tmp_path: Path) -> None:
    trace = TRACE.format(last="RuntimeError: x")
    bar = "{}: 100%|#######| 17/17 [00:01<00:00, 9.0it/s]\n"
    for content, claimed in (
        ("train epoch:1: 0%|  | 0/20227 [00:00<?, ?it/s]\n" + trace, True),
        (trace, False),
        (bar.format("Downloading") + trace, False),
        ("train epoch:1: 0%|  | 0/20227 [00:00<?, ?it/s]\n", False),
    ):
        path = tmp_path / "output.log"
        path.write_text(content)
        assert (text.sniff(path) > 0) == claimed, content


def test_a_run_without_points_names_its_error(tmp_path: Path) -> None:
    run = read(tmp_path, "train epoch:1: 0%|  | 0/20227 [00:00<?, ?it/s]\nOutOfMemoryError: x\n")
    assert not run.points
    assert [n.message for n in events(run)] == ["OutOfMemoryError: x"]


def test_code_in_a_traceback_holds_no_points_and_other_lines_do(tmp_path: Path) -> None:
    trace = [f"[rank1]: {line}\n" for line in TRACE.format(last="OSError: x").splitlines()]
    mixed = "".join(a + b for a, b in zip(trace, steps(9)[2:], strict=True))
    run = read(tmp_path, "".join(steps(2)) + mixed)
    assert run["loss"].step.tolist() == list(range(9))
    assert [n.message for n in events(run)] == ["OSError: x"]
