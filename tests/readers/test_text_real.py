"""Real text logs, each compared with a plain regular expression of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainlens.readers import text
from trainlens.readers._text.reader import TextLog

REAL = Path(__file__).resolve().parents[3] / "shared" / "real_logs"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not here")

Points = dict[str, list[tuple[int, float]]]


def points(path: Path) -> Points:
    return {
        f"{c.split}:{c.name}" if c.split else c.name: list(
            zip(c.step.tolist(), c.value.tolist(), strict=True)
        )
        for c in TextLog(path).poll(final=True).columns
    }


@pytest.mark.parametrize("name", ["log.txt", "v_e0a3020/log.txt"])
def test_boxes_of_baselines(name: str) -> None:
    path = REAL / "csv_rl" / "BoogaQ__PPO-exploration" / "logs" / name
    content = path.read_text()
    steps = [int(s) for s in re.findall(r"total timesteps +\| (\d+)", content)]
    assert len(steps) == 47
    found = points(path)
    for label, key in (
        ("ep_rew_mean", "rollout/ep_rew_mean"),
        ("total_loss", "train/total_loss"),
        ("Progress", "Progress"),
    ):
        shown = [float(v) for v in re.findall(rf"\b{label} +\| ([-\d.e+]+)", content)]
        assert found[key] == list(zip(steps, shown, strict=True))
    (chunk,) = [TextLog(path).poll(final=True)]
    assert {c.name: c.unit for c in chunk.columns}["Progress"] == "%"
    assert any("conflict" in n.message for n in chunk.notices) == (name == "log.txt")


def test_bars_and_averages_of_regiongrasp() -> None:
    folder = REAL / "text" / "10cat__RegionGrasp" / "wandb"
    read = 0
    for path in sorted(folder.rglob("output.log")):
        content = path.read_bytes().decode("utf-8", "replace")
        shown = re.findall(r"Average loss for epoch (\d+): (\w+):([\d.e-]+);", content)
        assert (text.sniff(path) > 0) == bool(shown or "Traceback" in content)
        if shown:
            read += 1
            found = points(path)
            for key in {key for _, key, _ in shown}:
                assert [v for _, v in found[key]] == [float(v) for _, k, v in shown if k == key]
    assert read == 7


def test_tables_of_egopose() -> None:
    files = sorted((REAL / "pose").rglob("epoch_losses_*.txt"))
    assert len(files) == 2
    for path in files:
        rows = re.findall(
            r"^ +(\d+) \| +([\dna.]+) \| +([\dna.]+) \| +([\d.]+)", path.read_text(), re.M
        )
        assert len(rows) == 25
        chunk = TextLog(path).poll(final=True)
        assert chunk.config["backbone"] == "resnet18"
        assert chunk.config["batch_size"] == 8
        found = points(path)
        for i, key in enumerate(("Train Loss", "Confidence", "LR"), 1):
            assert repr(found[key]) == repr([(int(r[0]), float(r[i])) for r in rows])


def test_results_of_egopose_are_no_losses() -> None:
    path = next((REAL / "pose").rglob("validation_result.txt"))
    rows = [line.split() for line in path.read_text().splitlines()]
    assert points(path) == {"val:result": [(int(s), float(v)) for s, v in rows]}


def test_mmengine() -> None:
    path = next((REAL / "mmengine").rglob("*.log"))
    content = path.read_text()
    found = points(path)
    for pattern, key in (
        (r"Epoch\(train\).* loss: ([\d.]+)", "train:loss"),
        (r"Epoch\(train\).* acc_pose: ([\d.]+)", "train:acc_pose"),
        (r"Epoch\(val\).* coco/AP: ([-\d.]+)", "val:coco/AP"),
        (r"Epoch\(val\).* coco/AP \.75: ([-\d.]+)", "val:coco/AP .75"),
        (r"Epoch\(val\).* coco/AR \(M\): ([-\d.]+)", "val:coco/AR (M)"),
        (r"Epoch\(val\).* NME: ([-\d.]+)", "val:NME"),
    ):
        shown = [float(v) for v in re.findall(pattern, content)]
        assert len(shown) >= 13
        assert [v for _, v in found[key]] == shown
    places = re.findall(r"Epoch\(train\) +\[(\d+)\]\[(\d+)/6\]", content)
    assert [s for s, _ in found["train:loss"]] == [6 * (int(e) - 1) + int(i) for e, i in places]


def test_settings_of_slm_training() -> None:
    path = sorted((REAL / "text" / "0Xero7__slm_training").rglob("*.log"))[0]
    config = TextLog(path).poll(final=True).config
    shown = path.read_text().split("Epoch:")[0]
    for key in ("max_seq_len", "d_model", "lr", "num_epochs", "batch_size", "weight_decay"):
        assert config[key] == float(re.findall(rf"^{key}: (\S+)$", shown, re.M)[0])
    assert config["planned_epochs"] == 30


# Of wandb what a training printed before it broke off; its run is read of the file beside it.
CLAIMED = {"csv_rl", "jsonl", "mmengine", "pose", "text", "chainer", "mlperf_mllog", "wandb"}


def test_no_other_file_is_taken_for_a_text_log() -> None:
    files = [p for p in REAL.rglob("*") if p.is_file() and p.parts[len(REAL.parts)] != "aim"]
    claimed = {p for p in files if text.sniff(p) > 0}
    assert {p.parts[len(REAL.parts)] for p in claimed} <= CLAIMED
    assert not [p for p in claimed if p.name.startswith(("loss_log", "test_results"))]
    assert {p.name for p in claimed if "wandb" in p.parts[-5:-2]} <= {"output.log"}
