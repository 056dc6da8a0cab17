"""A small training that logs each step: it has a spike, and later its loss becomes NaN.

``python training.py FOLDER FORM[,FORM...]`` trains a network of a few hundred weights on the
processor. At step SPIKE a few batches come in a scale that they should not have; at step BREAK
the learning rate is multiplied by 1e30. It goes on until somebody ends it.

Its first line of output is ``ready``; then it waits for a line on its input. Each further line is
``STEP UNIX``, said once the record of that step stands in all logs.
"""

import csv
import importlib
import json
import os
import sys
import time
from pathlib import Path

SPIKE, LASTS, BREAK = 160, 8, 300
"""Step of the first batch that is too large, how many there are, and the last step that is
finite."""
PAUSE = 0.01
"""Seconds after each step."""
LOGS = {"jsonl": "run.jsonl", "tensorboard": "events", "csv": "run.csv", "aim": "."}
"""Where each form logs, below the folder."""
NEEDED = {"jsonl": "json", "tensorboard": "torch.utils.tensorboard", "csv": "csv", "aim": "aim"}
"""Modules that write them; slow to import."""


def losses(torch):
    """Loss, gradient norm and learning rate of one step after the other, without end."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    teacher = torch.randn(8, 1)
    descent = torch.optim.SGD(net.parameters(), lr=0.05)
    step = 0
    while True:
        inputs = torch.randn(256, 8)
        targets = torch.sin(inputs @ teacher) + 0.5 * torch.randn(256, 1)
        if SPIKE <= step < SPIKE + LASTS:
            targets = 4 * targets
        loss = torch.nn.functional.mse_loss(net(inputs), targets)
        descent.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        descent.step()
        yield loss.item(), norm.item(), descent.param_groups[0]["lr"]
        if step == BREAK:
            descent.param_groups[0]["lr"] *= 1e30
        step += 1


def jsonl(folder):
    """One line a step, in two writes: whoever kills this process may find half a line."""
    log = os.open(folder / LOGS["jsonl"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(step, loss, norm, rate):
        record = {"step": step, "timestamp": time.time(), "losses": {"total": loss}}
        record |= {"stats": {"grad_norm": norm, "lr": rate}, "anomalies": []}
        line = json.dumps(record).encode() + b"\n"
        half = len(line) // 2
        os.write(log, line[:half])
        time.sleep(0.002)
        os.write(log, line[half:])

    return write


def table(folder):
    """One row a step below a header."""
    log = (folder / LOGS["csv"]).open("w", newline="")
    rows = csv.writer(log)
    rows.writerow(["step", "loss", "grad_norm", "lr"])

    def write(step, loss, norm, rate):
        rows.writerow([step, loss, norm, rate])
        log.flush()

    return write


def tensorboard(folder):
    """Three scalars a step."""
    from torch.utils.tensorboard import SummaryWriter

    log = SummaryWriter(str(folder / LOGS["tensorboard"]))

    def write(step, loss, norm, rate):
        for name, value in (("train/loss", loss), ("train/grad_norm", norm), ("lr", rate)):
            log.add_scalar(name, value, step)
        log.flush()

    return write


def aim(folder):
    """Three metrics of one run in a repository of its own."""
    from aim import Run

    log = Run(repo=str(folder), log_system_params=False, system_tracking_interval=None)

    def write(step, loss, norm, rate):
        for name, value in (("loss", loss), ("grad_norm", norm), ("lr", rate)):
            log.track(value, name=name, step=step, context={"subset": "train"})

    return write


WRITERS = {"jsonl": jsonl, "tensorboard": tensorboard, "csv": table, "aim": aim}


def main():
    """Train, log and say so."""
    folder, forms = Path(sys.argv[1]), sys.argv[2].split(",")
    import torch

    for form in forms:
        importlib.import_module(NEEDED[form])
    print("ready", flush=True)
    sys.stdin.readline()  # whoever watches may want to begin first
    folder.mkdir(parents=True)
    writers = [WRITERS[form](folder) for form in forms]
    for step, measured in enumerate(losses(torch)):
        for write in writers:
            write(step, *measured)
        print(step, time.time(), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
