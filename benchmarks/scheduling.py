"""What a scheduler costs in each update, against those of torch.

Run with ``python -m benchmarks scheduling``. Four parameter groups, a warmup and a cosine, for
torch as ``LambdaLR`` with one function a group; then three fields at once; then learning rates
that are tensors, which torch fills as well. Both are called in turns, in blocks of 2,000 updates;
the median of the ratios of neighbouring blocks counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from benchmarks.table import Row
from benchmarks.turns import in_turns

_UPDATES, _BLOCKS = 2000, 31
_TOTAL = 10_000_000


def results(quick: bool = False) -> list[Row]:
    """A row for each way of use."""
    updates, blocks = (50, 3) if quick else (_UPDATES, _BLOCKS)
    return [
        _row("`scheduler.apply`, 4 groups, lr", _lr, False, updates, blocks, ">= 1x"),
        _row("`scheduler.step`, 4 groups, lr", _step, False, updates, blocks, ">= 1x"),
        _row("`scheduler.apply`, 4 groups, tensor lr", _lr, True, updates, blocks, ">= 1x"),
        _row(
            "`scheduler.apply`, 4 groups, lr, weight decay and beta",
            _three, False, updates, blocks, "", "LambdaLR changes the lr alone",
        ),
    ]  # fmt: skip


def _row(
    work: str,
    make: Callable[[bool], Callable[[], Any]],
    tensor: bool,
    updates: int,
    blocks: int,
    goal: str,
    note: str = "",
) -> Row:
    seconds, own = in_turns(_lambda_lr(tensor), make(tensor), blocks, updates)
    return Row(
        work, "torch LambdaLR.step", seconds * 1e3, own * 1e3, goal,
        note or "per update", unit="ms",
    )  # fmt: skip


def _optimizer(tensor: bool) -> Any:
    import torch

    groups = [
        {
            "params": [torch.nn.Parameter(torch.zeros(2))],
            "name": name,
            "lr": torch.tensor(rate) if tensor else rate,
        }
        for name, rate in (("a", 1e-5), ("b", 2e-5), ("c", 1e-4), ("d", 1e-4))
    ]
    return torch.optim.AdamW(groups, foreach=False)


def _lambda_lr(tensor: bool) -> Callable[[], Any]:
    import torch

    def factor(k: int) -> float:
        p = k / _TOTAL
        return p / 0.1 if p < 0.1 else 0.5 + 0.5 * math.cos(math.pi * (p - 0.1) / 0.9)

    optimizer = _optimizer(tensor)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [factor] * 4)
    optimizer.step()
    return scheduler.step


def _scheduler(tensor: bool, **more: Any) -> Any:
    from trainlens_torch import Chain, Clock, Cosine, LinearWarmup, Scheduler

    warm = Chain(LinearWarmup(0.1), Cosine())
    return Scheduler(_optimizer(tensor), Clock(_TOTAL), lr=warm, **more)


def _lr(tensor: bool) -> Callable[[], Any]:
    scheduler = _scheduler(tensor)

    def update() -> None:
        scheduler.apply()
        scheduler.clock.tick()

    return update


def _step(tensor: bool) -> Callable[[], Any]:
    step: Callable[[], Any] = _scheduler(tensor).step
    return step


def _three(tensor: bool) -> Callable[[], Any]:
    from trainlens_torch import Linear

    more = {"weight_decay": Linear(1.0, 0.1), "momentum": Linear(1.0, 0.9)}
    scheduler = _scheduler(tensor, **more)

    def update() -> None:
        scheduler.apply()
        scheduler.clock.tick()

    return update
