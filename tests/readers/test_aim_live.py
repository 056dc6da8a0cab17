"""AIM runs that are being written: each point once, and no store opened without need."""

import importlib.util
import subprocess
from itertools import chain

import pytest

from tests.readers.aim_process import aim_process
from trainlens.readers._aim import reader as aim_reader
from trainlens.readers._aim.reader import AimReader
from trainlens.run import Run

pytest.importorskip("aimrocks", reason="the aim extra is not installed")
if importlib.util.find_spec("aim") is None:
    pytest.skip("the AIM SDK, which writes the repositories, is missing", allow_module_level=True)

LIVE = r"""
import sys
from aim import Run
run = Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
          system_tracking_interval=None)
run["lr"] = 0.5
print(run.hash, flush=True)
step = 0
for line in sys.stdin:
    for _ in range(int(line)):
        run.track(step * 2.0, name="loss", step=step, context={"subset": "train"})
        step += 1
    print(step, flush=True)
run.close()
print("closed", flush=True)
"""


def test_a_live_run_gives_each_point_once(tmp_path):
    command, options = aim_process(LIVE, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **options) as writer:
        run = writer.stdout.readline().strip()
        reader = AimReader(tmp_path / ".aim", run)
        kept = Run("live", "", "aim")
        sizes = []
        for count in (0, 40, 1, 900, 0):
            print(count, file=writer.stdin, flush=True)
            writer.stdout.readline()
            chunk = reader.poll()
            sizes.append(sum(len(c.step) for c in chunk.columns))
            assert chunk.notices == ()
            kept = kept.extend(chunk)
        assert sizes == [0, 40, 1, 900, 0]
        cold = AimReader(tmp_path / ".aim", run).poll(final=True)
        assert [n.kind for n in cold.notices] == ["unfinished"]
        writer.stdin.write("300\n")
        writer.stdin.close()
        # Read on while the writer writes: whatever is there, nothing twice and nothing lost.
        while writer.poll() is None:
            kept = kept.extend(reader.poll())
    kept = kept.extend(reader.poll(final=True))
    loss = kept["loss", "train"]
    assert loss.step.tolist() == list(range(1241))
    assert loss.value.tolist() == [2.0 * s for s in range(1241)]
    assert kept.config["lr"] == 0.5
    assert kept.config["aim"]["end_time"] > 0
    assert kept.notices == ()


def test_a_growing_log_is_followed_without_opening_the_store(tmp_path, monkeypatch):
    command, options = aim_process(LIVE, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **options) as writer:
        run = writer.stdout.readline().strip()

        def grow(count):
            print(count, file=writer.stdin, flush=True)
            writer.stdout.readline()

        reader = AimReader(tmp_path / ".aim", run)
        grow(5)
        steps = [c.step.tolist() for c in reader.poll().columns]
        opened = []
        original = aim_reader.open_store
        monkeypatch.setattr(
            aim_reader, "open_store", lambda *a, **k: (opened.append(a), original(*a, **k))[1]
        )
        for count in (1, 60, 3):
            grow(count)
            steps += [c.step.tolist() for c in reader.poll().columns]
        assert opened == []
        # A flush to a table in between, and what was given before is not given again.
        grow(900)
        steps += [c.step.tolist() for c in reader.poll().columns]
        assert opened
        grow(2)
        steps += [c.step.tolist() for c in reader.poll().columns]
        steps += [c.step.tolist() for c in reader.poll(final=True).columns]
        assert [len(s) for s in steps] == [5, 1, 60, 3, 900, 2]
        assert list(chain.from_iterable(steps)) == list(range(971))
        writer.stdin.close()
