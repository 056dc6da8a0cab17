"""What stands in docstrings and pages as an example runs, and gives what it says."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import trainlens_torch  # noqa: E402 - after the skip

PAGES = Path(__file__).parents[2] / "docs" / "companion"
# Of the adapters those can be imported whose framework is installed.
ABSENT = {
    f"trainlens_torch.adapters.{name}"
    for name in ("ignite", "lightning", "mmengine", "transformers")
    if importlib.util.find_spec(name) is None
}
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(trainlens_torch.__path__, "trainlens_torch.")
    if found.name not in ABSENT
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    if name.endswith("averaging"):
        pytest.importorskip("schedulefree")
    torch.manual_seed(0)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_is_something_to_run():
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert sum(bool(test.examples) for tests in found for test in tests) > 30


class Criterion(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, model, batch):
        return model["decoder"](model["clip_backbone"](batch)).square().mean()


def given():
    """What the pages take for granted."""
    layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.1))
    model = torch.nn.ModuleDict({"clip_backbone": layers, "decoder": torch.nn.Linear(4, 1)})
    return {"model": model, "criterion": Criterion(), "loader": [torch.ones(2, 4)] * 8}


@pytest.mark.parametrize(
    ("page", "leaves"),
    [
        ("README", "run.jsonl"),
        ("schedules", "rate.png"),
        ("parameter-groups", ""),
        ("losses", ""),
        ("adaptive-lr", ""),
        ("data", ""),
        ("memory", ""),
        ("checkpoints", ""),
        ("metrics", ""),
    ],
)
def test_pages(page, leaves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = given()
    blocks = re.findall(r"^```python\n(.*?)^```", (PAGES / f"{page}.md").read_text(), re.S | re.M)
    assert blocks
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)
    assert not leaves or (tmp_path / leaves).stat().st_size > 100


def test_every_page_is_in_the_index():
    index = (PAGES / "README.md").read_text()
    assert [
        p.name for p in PAGES.glob("*.md") if p.name != "README.md" and p.name not in index
    ] == []
