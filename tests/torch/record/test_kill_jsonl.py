"""kill -9 at random moments: what was acknowledged is there, whole, and the log goes on.

TRAINLENS_KILLS sets how often (500 for the full form).
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.torch.record.logs import parsed, whole
from trainlens_torch.record.logger import RunLogger

_KILLS = int(os.environ.get("TRAINLENS_KILLS", "3"))
_ALLOWED = 0.5  # seconds of records that may be lost where the logger is not in sync mode
_CHILD = """
import os, sys, threading, time
from trainlens_torch.record.logger import RunLogger
log = RunLogger(sys.argv[1], sync=sys.argv[2] == "True")
first = int(sys.argv[3])
def beat():
    # Sleeps, writes and syncs as the thread of the logger does: how far a thread can come here.
    file = os.open(sys.argv[1] + ".beats", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in range(10**9):
        time.sleep(0.05)
        os.write(file, b"%r\\n" % time.monotonic())
        if number % 10 == 9:
            os.fdatasync(file)
threading.Thread(target=beat, daemon=True).start()
for step in range(first, first + 10**9):
    log.log(step, {"total": 1.0 / (step + 1)}, {"lr": 1e-3})
    sys.stdout.write(f"{step} {time.monotonic()}\\n")
    sys.stdout.flush()
    if sys.argv[2] != "True":
        time.sleep(0.0005)
"""
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")


def killed(folder, sync, first, moment):
    """Acknowledged steps with their times, of a process that was killed; and how far it came.

    That is the last moment at which a thread of it, which works as that of the logger does, had
    got through: on a machine that is loaded, neither may have run for a while.
    """
    acknowledged, beats = folder.with_suffix(".ack"), folder.with_suffix(".beats")
    beats.unlink(missing_ok=True)
    with acknowledged.open("wb") as out:
        arguments = [str(folder), str(sync), str(first)]
        child = subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], stdout=out)
        end = time.monotonic() + 120
        while not far_enough(acknowledged, beats, sync) and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(moment)
        child.kill()
        child.wait(120)
    pairs = [line.split() for line in whole_lines(acknowledged)]
    at = max(map(float, whole_lines(beats)), default=0.0)
    return [(int(step), float(when)) for step, when in pairs], at


def whole_lines(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


def far_enough(acknowledged, beats, sync):
    """Whether there is a record that has to survive."""
    first, last = whole_lines(acknowledged)[:1], whole_lines(beats)[-1:]
    if sync or not first:
        return bool(first)
    return bool(last) and float(last[0]) - _ALLOWED > float(first[0].split()[1])


def died(folder, sync, count, rng):
    """Pairs of step and time of each of so many deaths, and the steps that have to survive."""
    deaths, sure, first = [], set(), 0
    for _ in range(count):
        pairs, at = killed(folder, sync, first, rng.uniform(0, 0.4))
        assert pairs, "the child did not get as far as one record"
        # Where the logger is not in sync mode, only what is older than half a second counts.
        sure |= {step for step, when in pairs if sync or when < at - _ALLOWED}
        deaths.append(pairs)
        first = pairs[-1][0] + 1000
    return deaths, sure


@pytest.mark.parametrize("sync", [True, False])
def test_what_was_acknowledged_is_there(tmp_path, sync):
    rng, proven, lost = random.Random(7), 0, 0.0
    for begin in range(0, _KILLS, 10):
        folder, count = tmp_path / f"run{begin}", min(10, _KILLS - begin)
        deaths, sure = died(folder, sync, count, rng)
        proven += len(sure)
        last = deaths[-1][-1][0] + 1000
        with RunLogger(folder, sync=sync) as log:
            log.log(last, {"total": 1 / (last + 1)})
        # A kill within a write leaves a part of a line, which is closed when the log is opened.
        records = whole((folder / "log.jsonl").read_bytes().splitlines()[1:], count)
        seen = [record["step"] for record in records]
        kept = set(seen)
        assert sure <= kept
        assert len(seen) == len(kept)
        assert seen[-1] == last
        assert all(record["losses"]["total"] == 1 / (record["step"] + 1) for record in records)
        late = [p[-1][1] - when for p in deaths for step, when in p if step not in kept]
        lost = max([lost, *late])
    assert proven, "no record was old enough to be sure of"
    print(f"{_KILLS} kills, sync={sync}: {proven} records had to survive and did;", end=" ")
    print(f"the oldest that is lost came {lost:.3f} s before the last one")


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("way", ["return", "exit", "raise", "interrupt"])
def test_an_ordinary_end_loses_nothing(tmp_path, sync, way):
    ends = {
        "return": "", "exit": "sys.exit(3)", "raise": "raise RuntimeError",
        "interrupt": "import os, signal\n"
        # Where a shell began the tests in the background, it is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)",
    }  # fmt: skip
    code = (
        "import sys\nfrom trainlens_torch.record.logger import RunLogger\n"
        f"log = RunLogger(sys.argv[1], sync={sync})\n"
        "for step in range(2000):\n    log.log(step, {'a': 1.0})\n" + ends[way]
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], timeout=300, stderr=subprocess.DEVNULL
    )
    assert (done.returncode == 0) == (way == "return")
    assert [record["step"] for record in parsed(tmp_path / "log.jsonl")[1]] == list(range(2000))
