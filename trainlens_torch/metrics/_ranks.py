"""What the ranks of a process group measured together."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from trainlens_torch.gradients.ranks import world_size

__all__ = ["gathered", "summed"]


def summed(own: Tensor) -> Tensor:
    """Sum over the ranks; `own` stays as it is."""
    if world_size() == 1:
        return own
    shared = own.to(_device()).clone()
    dist.all_reduce(shared)
    return shared


def gathered(own: Tensor) -> list[Tensor]:
    """Tensors of all ranks, in their order, which differ in the length of the last axis alone.

    Parameters
    ----------
    own : Tensor of shape (k, n)

    Returns
    -------
    list of Tensor, each of shape (k, n of that rank)
    """
    ranks = world_size()
    if ranks == 1:
        return [own]
    lengths = torch.zeros(ranks, dtype=torch.int64, device=_device())
    lengths[dist.get_rank()] = own.shape[-1]
    dist.all_reduce(lengths)
    most = int(lengths.max())
    padded = torch.zeros(own.shape[0], most, dtype=own.dtype, device=lengths.device)
    padded[:, : own.shape[-1]] = own
    found = [torch.empty_like(padded) for _ in range(ranks)]
    dist.all_gather(found, padded)
    return [one[:, :n].to(own.device) for one, n in zip(found, lengths.tolist(), strict=True)]


def _device() -> torch.device:
    """Where the process group exchanges tensors; a rank without data has no tensor that says."""
    if "nccl" in str(dist.get_backend()):
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
