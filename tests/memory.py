"""A folder in memory where the system has one: for tests that write thousands of small files."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def scratch(tmp_path):
    """See above; a conftest imports it."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="trainlens-", dir=memory) as folder:
        yield Path(folder)
