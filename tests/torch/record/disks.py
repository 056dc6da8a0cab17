"""Logs onto disks with faults: ``LD_PRELOAD=SHIM FAULTY=FOLDER python -m`` and this module.

Each case is a run of its own below FAULTY, with every sink that writes files; a line of JSON a case
tells what happened. `shim.c` makes the faults.
"""

import ctypes
import json
import logging
import os
import shutil
import sys
import threading
from pathlib import Path

from trainlens_torch.record.logger import RunLogger

SINKS = ("jsonl", "text", "csv", "tensorboard")
SLOW, FULL, BROKEN, UNSYNCED, UNOPENED, HANGING = range(1, 7)
STEPS = 300
CASES = {
    "slow": (SLOW, 0, 300),
    "full": (FULL, 0, 0),
    "full-soon": (FULL, 700, 0),
    "broken": (BROKEN, 0, 0),
    "unsynced": (UNSYNCED, 0, 0),
    "unopened": (UNOPENED, 0, 0),
    "hanging": (HANGING, 0, 0),
    "deleted": (0, 0, 0),
}
FROM_THE_START = ("unopened",)


def values(step):
    return {"total": 1 / (step + 1)}


def until(condition):
    """Wait for another thread; the test that runs this has a limit of time."""
    tick = threading.Event()
    while not condition():
        tick.wait(0.005)


def case(shim, folder, name):
    """What came of a run on a disk that has this fault for a while, or from its start."""
    if name in FROM_THE_START:
        shim.shim_set(*CASES[name])
    log = RunLogger(folder, sinks=SINKS)
    log.log(0, values(0))
    whole = log.flush(60)
    if name == "deleted":
        shutil.rmtree(folder)
    shim.shim_set(*CASES[name])
    for step in range(1, STEPS):
        log.log(step, values(step))
    seen = {"opened": whole, "entered": shim.shim_calls(1)}
    if name == "hanging":
        until(shim.shim_inside)
        log.close(0.05)
        seen |= {"inside": shim.shim_inside(), "closed": True}
        shim.shim_set(0, 0, 0)
    else:
        seen["durable"] = log.flush(60)
        shim.shim_set(0, 0, 0)
        log.log(STEPS, values(STEPS))
        log.close(60)
    return seen | {"name": name, "errors": log.errors, "dropped": log.dropped}


def full_for_real(folder):
    """On a tiny file system that other files fill: until one of them is removed."""
    ballast = folder / "ballast"
    log = RunLogger(folder / "run", sinks=SINKS)
    log.log(0, values(0))
    assert log.flush(60)
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1024):
                pass
        except OSError:
            pass
    for step in range(1, STEPS):
        log.log(step, values(step))
    durable = log.flush(60)
    ballast.unlink()
    log.log(STEPS, values(STEPS))
    log.close(60)
    return {"durable": durable, "errors": log.errors, "dropped": log.dropped}


def main():
    logging.disable()
    folder = Path(os.environ["FAULTY"])
    if sys.argv[1:] == ["full"]:
        print(json.dumps(full_for_real(folder)))
        return
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    shim.shim_set.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
    for name in CASES:
        print(json.dumps(case(shim, folder / name, name)), flush=True)


if __name__ == "__main__":
    main()
