"""Signal 9 at random moments: what was acknowledged, the stock readers give back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import trainlens

KILLS = int(os.environ.get("TRAINLENS_KILLS", "3"))
ROOT = Path(__file__).resolve().parents[3]
LOOK = """
import json, sys
from aim import Repo
found = {}
for run in Repo.from_path(sys.argv[1]).iter_runs():
    data = {m.name: m.data.numpy() for m in run.metrics()}
    rows = {name: [s.tolist(), values.tolist()] for name, (s, (values, _, _)) in data.items()}
    found[run.name] = {"rows": rows, "hparams": run.get("hparams"), "active": run.active}
print(json.dumps(found))
"""


def run_python(*words):
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300 + 3 * KILLS
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def killed(form, folder):
    return run_python("-m", "tests.torch.record.killed", form, str(folder), str(KILLS), "17")


def wanted(last):
    steps = list(range(1, last + 1))
    found = {"total": (steps, [s * 0.5 for s in steps]), "lr": (steps, [1.0 / s for s in steps])}
    return found | {f"late{s // 20}": ([s], [1.0]) for s in steps if s % 20 == 0}


def check(rows, last, single=False):
    """All that was acknowledged, and at most the one entry that was under way."""
    for name, (steps, values) in wanted(last).items():
        got = sorted(zip(*rows[name], strict=True))
        assert [s for s, _ in got][: len(steps)] == steps
        assert len(got) <= len(steps) + 1
        values = np.float32(values) if single else values
        assert [v for _, v in got][: len(steps)] == [float(v) for v in values]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_tensorboard_loses_no_acknowledged_event(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for kill in killed("tensorboard", tmp_path):
        folder = tmp_path / kill["name"] / "tb"
        stock = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        rows = {}
        for tag in stock.Tags()["scalars"]:
            events = stock.Scalars(tag)
            rows[tag] = [e.step for e in events], [e.value for e in events]
        assert kill["last"] > 0
        check(rows, kill["last"], single=True)
        own = trainlens.load_one(folder).series
        check({n: (s.step, s.value) for (n, _), s in own.items()}, kill["last"], single=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_aim_loses_no_acknowledged_value(tmp_path):
    pytest.importorskip("aim")
    kills = killed("aim", tmp_path)
    # trainlens first: the stock SDK repairs what it reads.
    own = {run.config["aim"]["name"]: run.series for run in trainlens.load(tmp_path / ".aim")}
    (stock,) = run_python("-c", LOOK, str(tmp_path))
    for kill in kills:
        name, last = kill["name"], kill["last"]
        assert last > 0
        check({n: (s.step, s.value) for (n, _), s in own[name].items()}, last)
        check(stock[name]["rows"], last)
        assert stock[name]["hparams"] == {"name": name}
        assert stock[name]["active"]
