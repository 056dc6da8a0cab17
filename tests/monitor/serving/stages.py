"""A training as a monitor sees it: the same runs, read up to later and later steps."""

from __future__ import annotations

import functools
from dataclasses import replace

import report_demo as demo

from trainlens.monitor.model import Update
from trainlens.render.html import page
from trainlens.reporting import build
from trainlens.reporting.digest import digest
from trainlens.rules import Diagnosis
from trainlens.run import Chunk, Column, Run

TOTAL = 400
STRIDE = 25


@functools.cache
def _whole(name, seed, overfit):
    return demo.training(name, seed, TOTAL, STRIDE, overfit=overfit)


def until(name, step, seed=1, overfit=0.0):
    """A run of 400 records, one each 25 steps, as it stands after this step."""
    held = _whole(name, seed, overfit)
    columns = []
    for (metric, split), s in held.series.items():
        n = int((s.step <= step).sum())
        if n:
            columns.append(Column(metric, s.step[:n], s.value[:n], s.wall_time[:n], s.epoch[:n],
                                  split, s.kind, s.unit))  # fmt: skip
    return Run(name, f"logs/{name}", "jsonl").extend(Chunk(tuple(columns), dict(held.config), ()))


def digests(step, runs=("base", "wide", "deep"), found=(), metrics=None):
    """What was found by this step; `found` are (place of a run, finding)."""
    out = []
    for k, name in enumerate(runs):
        run = until(name, step, seed=k + 1)
        if metrics:
            kept = {key: s for key, s in run.series.items() if key[0] in metrics}
            run = replace(run, series=kept)
        results = tuple(f for at, f in found if at == k)
        out.append(digest(Diagnosis(run, (*results, *demo.passes())), runs=len(runs), now=demo.NOW))
    return out


def spike(step=3000, metric="loss"):
    return demo.finding("loss-spike", "warning", metric, "train", step, step + 100)


def overfitting(step=5000):
    return demo.finding("overfitting", "error", "loss", "val", step, step + 2000,
                        message=f"Validation loss has risen since step {step}.")  # fmt: skip


def live(held, now=demo.NOW, title="night"):
    """The page that is served of these digests."""
    return page(build(held, title=title, command="trainlens monitor runs", now=now, version="0"),
                live=True)  # fmt: skip


def update(round_=1, at=demo.NOW, **more):
    return Update(round_, at, "runs", **more)
