"""The sample runs as files: what lies there, that stock readers read it, that nothing leaks."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_runs"
FOLDERS = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir()) if SAMPLES.is_dir() else []


def files():
    return [p for p in SAMPLES.rglob("*") if p.is_file()]


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_folder_says_what_to_expect():
    assert FOLDERS == [
        "diverging_jsonl", "emitters_tensorboard", "flat_loss_text", "fusion_jsonl",
        "handpose_aim", "handpose_text", "healthy_jsonl",
        "overfitting_tensorboard", "structures_jsonl",
    ]  # fmt: skip
    for folder in FOLDERS:
        runs = json.loads((SAMPLES / folder / "expected.json").read_text())["runs"]
        assert runs
        for lists in runs.values():
            assert lists.keys() == {"must", "must_not"}
            assert not set(lists["must"]) & set(lists["must_not"])


def test_together_they_are_small_and_are_no_machines_diary():
    assert sum(p.stat().st_size for p in files()) < 4_000_000
    # RocksDB's own log and these prefixes are where paths of a machine would stand.
    assert [p.name for p in files() if p.name.startswith("LOG")] == []
    path = re.compile(rb"/(home|root|Users|work|tmp|var)/[\w.]")
    assert [str(p) for p in files() if p.suffix != ".md" and path.search(p.read_bytes())] == []
    assert (
        (SAMPLES / "overfitting_tensorboard")
        .joinpath("events.out.tfevents.1767225600.sample.0")
        .is_file()
    )


def test_git_keeps_every_file():
    ignored = (ROOT / ".gitignore").read_text().split()
    patterns = [p for p in ignored if p.startswith("*.")]
    assert not [f for f in files() for p in patterns if f.match(p)]


def test_the_healthy_run_learns():
    rows = records(SAMPLES / "healthy_jsonl" / "healthy.jsonl")
    watched = [r["losses"]["loss"] for r in rows[1:] if r.get("split") == "val"]
    assert rows[0]["schema"] == "trainlens.log/1"
    assert watched[-1] < 0.7 * watched[0]
    assert watched[-1] < 1.01 * min(watched)


def test_one_diverging_run_ends_in_nan_and_the_other_climbs():
    ends = records(SAMPLES / "diverging_jsonl" / "ends_in_nan.jsonl")[1:]
    assert math.isnan(ends[-1]["losses"]["loss"])
    assert math.isfinite(ends[len(ends) // 2]["losses"]["loss"])
    climbs = [
        r["losses"]["loss"] for r in records(SAMPLES / "diverging_jsonl" / "climbs.jsonl")[1:]
    ]
    assert all(map(math.isfinite, climbs))
    assert min(climbs[-50:]) > 5 * min(climbs)


def test_the_flat_loss_is_that_of_guessing_among_six():
    text = (SAMPLES / "flat_loss_text" / "one_class_batches_epochs.log").read_text()
    losses = [float(x) for x in re.findall(r"^Epoch +\d+: Loss ([\d.]+)", text, re.MULTILINE)]
    assert len(losses) == 60
    assert max(abs(x - math.log(6)) for x in losses) < 0.01
    steps = (SAMPLES / "flat_loss_text" / "one_class_batches.log").read_text().splitlines()
    assert all(line.endswith("batch_classes=1") for line in steps)


def test_the_text_logs_are_the_same_trainings_as_the_seed_line():
    line = re.compile(r"\d+/60000 lr=\d\.\d{4}e-\d\d dropout=\d\.\d{3} total=\S+ loss_theta=\S+$")
    rates = {}
    for name in ("fixed-dropout", "progressive-dropout"):
        lines = (SAMPLES / "handpose_text" / f"{name}.log").read_text().splitlines()
        train = [x for x in lines if "lr=" in x]
        assert all(line.match(x) for x in train)
        assert sum("val_mpjpe=" in x for x in lines) == 20
        rates[name] = {x.split("/")[0]: x.split("dropout=")[1][:5] for x in train}
    assert set(rates["fixed-dropout"].values()) == {"0.100"}
    late = rates["progressive-dropout"]
    assert (late["9900"], late["10000"], late["60000"]) == ("0.000", "0.100", "0.100")


def test_tensorboard_reads_the_overfitting_run():
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    held = module.EventAccumulator(str(SAMPLES / "overfitting_tensorboard")).Reload()
    watched = [e.value for e in held.Scalars("loss/val")]
    assert watched[-1] > 1.5 * min(watched)
    assert len(held.Scalars("loss/train")) == 300


@pytest.mark.filterwarnings("ignore")
def test_the_stock_aim_sdk_reads_both_runs_whole(tmp_path):
    pytest.importorskip("aim")
    from aim.sdk.repo import Repo

    # The SDK writes into what it opens, and git keeps no empty folder.
    copy = tmp_path / "copy"
    for source in (p for p in files() if ".aim" in p.parts):
        target = copy / source.relative_to(SAMPLES / "handpose_aim")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    runs = {run.name: run for run in Repo(str(copy)).iter_runs()}
    assert runs.keys() == {"fixed-dropout", "progressive-dropout"}
    for name, run in runs.items():
        sizes = {
            (m.name, m.context.to_dict()["subset"]): len(m.values.sparse_list()[0])
            for m in run.metrics()
        }
        assert sizes == {
            ("total", "train"): 600, ("loss_theta", "train"): 600, ("lr", "train"): 600,
            ("dropout_rate", "train"): 600, ("mpjpe", "train"): 20, ("mpjpe", "val"): 20,
        }  # fmt: skip
        assert run["hparams"]["dropout_warmup_step"] == (0 if name == "fixed-dropout" else 10_000)
        assert run.end_time is not None
