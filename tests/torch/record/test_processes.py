"""Forks, spawned processes and ranks: each writes a file of its own, whole, and ends."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest

from tests.torch.record.logs import parsed, steps
from trainlens_torch.record import ranks
from trainlens_torch.record.logger import RunLogger

BOTH = pytest.mark.parametrize("sync", [True, False])
_WAIT = 300
_RANK = """
import sys
from trainlens_torch.record.logger import RunLogger
with RunLogger(sys.argv[1]) as log:
    for step in range(300):
        log.log(step, {"a": float(step)})
"""
_FORK = """
import os, sys
from trainlens_torch.record.logger import RunLogger
log = RunLogger(sys.argv[1], sync=sys.argv[2] == "True")
for step in range(500):
    log.log(step, {"a": 1.0})
child = os.fork()
for step in range(1000, 1500):
    log.log(step + 1000 * (child == 0), {"a": 1.0})
if child == 0:
    log.close()
    assert (log.errors, log.dropped) == (0, 0)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(child)
"""


@BOTH
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_writes_its_own_file_and_nothing_twice(tmp_path, sync):
    done = subprocess.run(
        [sys.executable, "-c", _FORK, str(tmp_path), str(sync)],
        timeout=_WAIT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    child = tmp_path / f"log.pid{done.stdout.strip()}.jsonl"
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "log.jsonl", child])
    assert steps(tmp_path / "log.jsonl") == [*range(500), *range(1000, 1500)]
    assert steps(child) == list(range(2000, 2500))


def work(log, first):
    """In a process of its own; it ends without closing the log."""
    for step in range(first, first + 200):
        log.log(step, {"a": 1.0})


@BOTH
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_processes_of_multiprocessing(tmp_path, sync, way):
    if way not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {way} here")
    if way == "fork" and sys.version_info >= (3, 12):
        pytest.skip("a warning of Python 3.12: this process has threads")
    context = multiprocessing.get_context(way)
    with RunLogger(tmp_path, sync=sync) as log:
        log.log(1, {"a": 1.0})
        children = [context.Process(target=work, args=(log, n * 1000)) for n in (1, 2)]
        for child in children:
            child.start()
        for child in children:
            child.join(_WAIT)
            assert child.exitcode == 0
        log.log(2, {"a": 1.0})
    assert steps(tmp_path / "log.jsonl") == [1, 2]
    for child, first in zip(children, (1000, 2000), strict=True):
        assert steps(tmp_path / f"log.pid{child.pid}.jsonl") == list(range(first, first + 200))


def files_of(folder, world):
    return [folder / ("log.jsonl" if n == 0 else f"log.rank{n}.jsonl") for n in range(world)]


def test_eight_ranks_of_a_launcher_write_eight_files(tmp_path):
    """Nothing but the environment tells them apart."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _RANK, str(tmp_path / "run")],
            env={**os.environ, "RANK": str(n), "WORLD_SIZE": "8"},
        )
        for n in range(8)
    ]
    for child in children:
        assert child.wait(_WAIT) == 0
    files = files_of(tmp_path / "run", 8)
    notes = {tmp_path / "run" / "log.ranks.json"}
    assert {*(tmp_path / "run").iterdir()} | notes == {*files} | notes
    for file in files:
        assert steps(file) == list(range(300))
        assert parsed(file)[0]["run"] == "run"


def test_eight_ranks_of_a_process_group(tmp_path):
    dist = pytest.importorskip("torch.distributed")
    if not sys.platform.startswith("linux") or not dist.is_gloo_available():
        pytest.skip("there is no gloo, or no fork that torch survives")
    command = [sys.executable, "-m", "tests.torch.record.gloo", str(tmp_path), "8", "60"]
    subprocess.run(command, check=True, timeout=_WAIT)
    for folder in (tmp_path / "False", tmp_path / "True"):
        summary = folder / "log.ranks.json"
        assert {*folder.iterdir()} == {*files_of(folder, 8), summary}
        for rank, file in enumerate(files_of(folder, 8)):
            records = parsed(file)[1]
            assert [record["step"] for record in records] == list(range(60))
            for step, record in enumerate(records):
                assert record["losses"] == {"loss": rank + step, "sum": 28 + 8 * step}
        told = json.loads(summary.read_text())
        assert [one["last_step"] for one in told["ranks"]] == [59] * 8
        assert told["at_step"] == 59
        assert told["metrics"]["loss"] == {
            "min": 59.0, "mean": 62.5, "max": 66.0, "min_rank": 0, "max_rank": 7,
        }  # fmt: skip


def test_two_processes_of_one_rank_do_not_mix_lines(tmp_path):
    children = [
        subprocess.Popen([sys.executable, "-c", _RANK, str(tmp_path / "one.jsonl")])
        for _ in range(2)
    ]
    for child in children:
        assert child.wait(_WAIT) == 0
    lines = (tmp_path / "one.jsonl").read_text().split("\n")
    records = [json.loads(line) for line in lines if line]
    found = sorted(record["step"] for record in records if "losses" in record)
    assert found == sorted([*range(300)] * 2)


def test_the_rank_of_the_launcher(monkeypatch):
    for name in ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert ranks.of_process() == 0
    monkeypatch.setenv("SLURM_PROCID", "5")
    assert ranks.of_process() == 5
    monkeypatch.setenv("RANK", "3")
    assert ranks.of_process() == 3
    monkeypatch.setenv("RANK", "no number")
    assert ranks.of_process() == 5
