"""The short story of a test file, lived through once."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def ended(request, tmp_path_factory):
    """How the command ended, and the folder of its report."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    out = tmp_path_factory.mktemp("reports")
    done = subprocess.run(
        [sys.executable, "-m", "examples.run", name, "--short", "-o", str(out)],
        cwd=Path(__file__).parents[2], text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done, out / name


@pytest.fixture(scope="module")
def told(ended):
    """What a story that ended well said, and the folder of its report."""
    done, folder = ended
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stderr == ""
    return done.stdout, folder
