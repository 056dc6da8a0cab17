"""Disks with real faults, below every sink that writes files; see `disks` and `shim.c`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorboard")

import trainlens
from tests.torch.record import disks
from tests.torch.record.logs import anomalies, steps

ALL = list(range(disks.STEPS + 1))
_WAIT = 300
_SHIM = Path(__file__).with_name("shim.c")


def run(command, folder, **more):
    """What `disks` tells of the runs that it made below a folder."""
    environment = {**os.environ, "FAULTY": str(folder), **more}
    done = subprocess.run(command, env=environment, timeout=_WAIT, check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the runs, and by name what came of each."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the faults need a C compiler, and Linux")
    folder = tmp_path_factory.mktemp("disks")
    shim, faulty = folder / "shim.so", folder / "faulty"
    faulty.mkdir()
    build = [compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(_SHIM), "-ldl"]
    subprocess.run(build, check=True, timeout=_WAIT)
    told = run([sys.executable, "-m", disks.__name__], faulty, LD_PRELOAD=str(shim))
    return faulty, {one["name"]: one for one in told}


def logged(folder):
    """Steps that trainlens reads of each sink; of the text those of every hundredth."""
    files = {"jsonl": "log.jsonl", "csv": "metrics.csv", "tensorboard": "tb"}
    found = {
        name: trainlens.load_one(folder / file)["total", "train"].step.tolist()
        for name, file in files.items()
    }
    lines = [line.split()[0] for line in (folder / "log.txt").read_text().splitlines()[1:]]
    shown = [int(word.removeprefix("step=")) for word in lines]
    return found, [step for step in dict.fromkeys(shown) if step % 100 == 0]


@pytest.mark.parametrize("name", disks.CASES)
def test_the_training_never_meets_the_disk(made, name):
    told = made[1][name]
    assert told["entered"] == 0
    assert told["dropped"] == (0 if name != "hanging" else disks.STEPS - 1)


@pytest.mark.parametrize("name", [name for name in disks.CASES if name != "hanging"])
def test_every_sink_has_everything_once_the_disk_is_well(made, name):
    want = ALL[1:] if name == "deleted" else ALL
    found, shown = logged(made[0] / name)
    assert found == dict.fromkeys(found, want)
    assert shown == [0, 100, 200, 300][name == "deleted" :]
    assert steps(made[0] / name / "log.jsonl") == want


@pytest.mark.parametrize("name", ["full", "full-soon", "broken", "unsynced", "unopened", "deleted"])
def test_each_sink_tells_its_fault_once(made, name):
    told = made[1][name]
    assert told["errors"] >= len(disks.SINKS)
    assert told["durable"] == (name == "deleted")
    assert told["opened"] == (name != "unopened")
    (fault,) = anomalies(made[0] / name / "log.jsonl", "log_fault")
    assert fault["value"] == 0


def test_a_slow_disk_is_no_fault(made):
    assert made[1]["slow"]["errors"] == 0
    assert made[1]["slow"]["durable"]


def test_close_does_not_wait_for_a_disk_that_hangs(made):
    told = made[1]["hanging"]
    assert told["closed"]
    assert told["inside"] == 1  # the thread that writes was still in the disk
    assert told["errors"] == 1


def test_a_file_system_that_is_really_full(tmp_path):
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=96k none {disk}"
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*own, mount], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    work = f"{sys.executable} -m {disks.__name__} full"
    (told,) = run([*own, f"{mount} && {work} && cp -r {disk}/run {out}"], disk)
    assert (told["durable"], told["dropped"]) == (False, 0)
    assert told["errors"] >= 1
    found, shown = logged(out)
    assert found == dict.fromkeys(found, ALL)
    assert shown == [0, 100, 200, 300]
