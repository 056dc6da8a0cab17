"""How many mutations, from which seed, and where the damaged files lie."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mutations(request):
    return request.config.getoption("--mutations")


@pytest.fixture(scope="session")
def seed(request):
    return request.config.getoption("--seed")


@pytest.fixture
def scratch(tmp_path):
    """A folder in memory where the system has one: ten thousand files are written there."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="trainlens-robustness-", dir=memory) as folder:
        yield Path(folder)
