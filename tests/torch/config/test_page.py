"""The page about configurations says what is, and its loop trains."""

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from trainlens_torch.config import PRESETS, TrainingConfig  # noqa: E402 - after the skip
from trainlens_torch.config.making_runs import MakingRuns  # noqa: E402
from trainlens_torch.config.making_updates import MakingUpdates  # noqa: E402
from trainlens_torch.config.table import in_markdown  # noqa: E402

TEXT = (Path(__file__).parents[3] / "docs" / "companion" / "configuration.md").read_text()


def test_it_has_every_setting_as_it_is():
    assert in_markdown() in TEXT


def test_it_names_every_preset_and_every_part():
    before = TEXT.split("## Every setting")[0]
    made = [n for c in (MakingUpdates, MakingRuns) for n in vars(c) if not n.startswith("_")]
    assert [name for name in (*PRESETS, *made) if f"`{name}" not in before] == [
        "resume_step",
        "restored",
    ]


def test_its_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.1))
    model = torch.nn.ModuleDict({"clip_backbone": layers, "decoder": torch.nn.Linear(4, 1)})
    before = model["decoder"].weight.clone()
    names = {"torch": torch, "model": model}
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
    for block in blocks:
        exec(compile(block, "configuration.md", "exec"), names)
    assert not torch.equal(model["decoder"].weight, before)
    assert names["clock"].updates == 8
    head, *_ = (tmp_path / "runs" / "a" / "log.jsonl").read_text().splitlines()
    assert json.loads(head)["config"]["optimizer"]["lr"] == 3e-4
    assert isinstance(names["config"], TrainingConfig)
    said = [line for line in capsys.readouterr().out.splitlines() if "->" in line or "left" in line]
    assert said == [line[2:] for line in blocks[-1].splitlines() if line.startswith("# ")]
