"""Kills writers at random moments: ``python -m tests.torch.record.killed FORMAT FOLDER N SEED``.

For each kill, a child of its own writes entries one by one and says which of them `write` has
taken; it is killed with signal 9. Prints a line of JSON a kill: folder, run and the acknowledged
steps.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from trainlens_torch.record import aim, tensorboard
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.sinks import Target


def sink_of(form, folder, name):
    target = Target(folder / name, name, time.time, {"name": name})
    target.folder.mkdir()
    return tensorboard.make(target) if form == "tensorboard" else aim.make(target, folder)


def write_forever(sink, acknowledged):
    for step in range(1, 1_000_000):
        stats = {"lr": 1.0 / step} | ({f"late{step // 20}": 1.0} if step % 20 == 0 else {})
        sink.write([Entry(step, float(step), {"total": step * 0.5}, stats)])
        if step % 7 == 0:
            sink.flush()
        os.write(acknowledged, b"%d\n" % step)


def kill_one(form, folder, name, delay):
    """Step that was acknowledged last, by a child that lived `delay` seconds behind its first."""
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        os.close(heard)
        try:
            write_forever(sink_of(form, folder, name), said)
        finally:
            os._exit(1)
    os.close(said)
    select.select([heard], [], [], 300)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(heard, "rb") as file:
        return [int(line) for line in file.read().splitlines()]


def main():
    form, folder, count, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    sink_of(form, folder, "imports")
    if form == "aim":
        # In a process of its own: a fork does not take the threads of an open store along.
        make = "import sys, aim; aim.Repo.from_path(sys.argv[1], init=True)"
        subprocess.run([sys.executable, "-c", make, str(folder)], check=True, timeout=300)
    assert threading.active_count() == 1, "a fork would take a part of the threads only"
    for i in range(count):
        steps = kill_one(form, folder, f"run{i}", rng.random() * 0.15)
        assert steps == list(range(1, len(steps) + 1))
        print(json.dumps({"name": f"run{i}", "last": len(steps)}), flush=True)


if __name__ == "__main__":
    main()
