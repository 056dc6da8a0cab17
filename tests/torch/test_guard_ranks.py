"""Ranks that share their parameters skip the same updates."""

import pytest

torch = pytest.importorskip("torch")

if not torch.distributed.is_available():
    pytest.skip("torch without distributed", allow_module_level=True)

from tests.torch import guard_ranks  # noqa: E402 - after the skip
from tests.torch.ranks import both_end  # noqa: E402


def test_a_loss_that_is_not_finite_on_one_rank_is_skipped_on_both(tmp_path):
    preload = ["tests.torch.guard_ranks"]
    assert both_end(guard_ranks.main, tmp_path, preload, 60), "the ranks wait for each other"
