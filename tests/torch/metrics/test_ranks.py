"""Metrics of several ranks are those of all their samples."""

import pytest

torch = pytest.importorskip("torch")

if not torch.distributed.is_available():
    pytest.skip("torch without distributed", allow_module_level=True)

from tests.torch.metrics import metric_ranks  # noqa: E402 - after the skip
from tests.torch.ranks import both_end  # noqa: E402


def test_two_ranks_find_what_one_process_finds(tmp_path):
    preload = ["tests.torch.metrics.metric_ranks"]
    assert both_end(metric_ranks.main, tmp_path, preload, 120), "the ranks wait for each other"
