"""Checkpoints and early stopping of two ranks."""

import pytest

torch = pytest.importorskip("torch")

if not torch.distributed.is_available():
    pytest.skip("torch without distributed", allow_module_level=True)

from tests.torch.loop import saving  # noqa: E402 - after the skip
from tests.torch.ranks import both_end  # noqa: E402


def test_two_ranks_save_and_resume(tmp_path):
    preload = ["tests.torch.loop.saving", "torch._dynamo"]
    assert both_end(saving.ranks, tmp_path, preload, 120), "the ranks wait for each other"
