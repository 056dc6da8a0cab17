"""Makes the repository of test_aim.py with the stock SDK: run as a process of its own."""

import os
import signal
import sys

from aim import Distribution, Run, Text
from aim.sdk.index_manager import RepoIndexManager


def new(name):
    run = Run(
        repo=sys.argv[1],
        experiment="straße",
        log_system_params=False,
        capture_terminal_logs=False,
        system_tracking_interval=None,
    )
    if name:
        run.name = name
    return run


run = new("Lauf ünï 学習")
run["hparams"] = {"lr": 1e-3, "layers": [1, 2, {"a": None}], "deep": {"x": {"y": True}}, "e": {}}
run["ключ"] = "значение"
run.add_tag("blue")
for i in range(120):
    run.track(1.0 / (i + 1), name="loss", step=i * 10, epoch=i // 10, context={"subset": "train"})
    run.track(2.0 / (i + 1), name="loss", step=i * 10, context={"subset": "val", "model": "a"})
    run.track(i, name="Größe 学", context={"model": "b", "fold": {"k": 3}})
    run.track({"d1": i * 0.5, "d2": -i}, step=i)
run.track(7.25, name="loss", step=50, epoch=99, context={"subset": "train"})
for i, value in enumerate([float("nan"), float("inf"), float("-inf"), 2**53 + 2, -0.0, 5e-324]):
    run.track(value, name="odd", step=i)
run.track(0.5, name="loss", step=1, context={"subset": "training"})
run.track(0.25, name="val_acc", step=1, context={"subset": "val"})
run.track(41.5, name="__system__gpu", step=0, context={"gpu": 0})
for i in range(5):
    run.track(Text("no number"), name="text", step=i)
    run.track(Distribution([1, 2, 3]), name="dist", step=i)
run.close()
RepoIndexManager.get_index_manager(run.repo).index(run.hash)
print(run.hash, flush=True)

run = new("")
for i in range(1200):
    run.track(i * 0.5, name="m", step=i)
run.close()
print(run.hash, flush=True)

run = new("nothing")
run["only"] = "params"
run.close()
print(run.hash, flush=True)

run = new("killed")
run["lr"] = 0.1
for i in range(700):
    run.track(float(i), name="loss", step=i, context={"subset": "train"})
print(run.hash, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
