"""Accumulation over two processes, each of which has its own micro-batches."""

import pytest

torch = pytest.importorskip("torch")

if not torch.distributed.is_available():
    pytest.skip("torch without distributed", allow_module_level=True)

from tests.torch.gradients import two_ranks  # noqa: E402 - after the skip
from tests.torch.ranks import both_end  # noqa: E402


def test_two_ranks_with_different_numbers_of_rows(tmp_path):
    # The parallel wrapper asks for the compiler: imported once, for both.
    preload = ["tests.torch.gradients.two_ranks", "torch._dynamo"]
    assert both_end(two_ranks.main, tmp_path, preload, 120), "the ranks wait for each other"
