"""What the companion offers: loaded on demand, and the same for people and type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import trainlens_torch


def test_every_name_is_there_and_unknown_ones_say_so():
    assert set(trainlens_torch.__all__) <= set(dir(trainlens_torch))
    for name in trainlens_torch.__all__:
        assert getattr(trainlens_torch, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = trainlens_torch.Nonsense


def test_the_stub_names_the_same_things_of_the_same_modules():
    stub = ast.parse(Path(trainlens_torch.__file__).with_suffix(".pyi").read_text())
    named = {(node.module, alias.asname) for node in stub.body for alias in node.names}
    homes = {(home, name) for name, home in trainlens_torch._HOME.items()}
    packages = {("trainlens_torch", name) for name in trainlens_torch._PACKAGES}
    assert named == homes | packages


def test_the_import_brings_no_torch():
    code = "import sys, trainlens_torch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
