"""One thread a process: the tests run in several, and small tensors gain nothing by more."""

import sys


def pytest_runtest_setup(item):
    """Also where a test itself was the first to import torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
