"""A folder in memory where the system has one: thousands of small files are written there."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def scratch(tmp_path):
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="trainlens-growth-", dir=memory) as folder:
        yield Path(folder)
