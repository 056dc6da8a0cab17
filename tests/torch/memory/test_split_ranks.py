"""Memory runs out on one of two ranks, and both go on together."""

import pytest

torch = pytest.importorskip("torch")

if not torch.distributed.is_available():
    pytest.skip("torch without distributed", allow_module_level=True)

from tests.torch.memory import two_ranks  # noqa: E402 - after the skip
from tests.torch.ranks import both_end  # noqa: E402


def test_one_rank_runs_out_of_memory(tmp_path):
    preload = ["tests.torch.memory.two_ranks", "torch._dynamo"]
    assert both_end(two_ranks.main, tmp_path, preload, 120), "the ranks wait for each other"
