"""Clipping of gradients: what a call costs, and what it does about bad batches.

``python -m benchmarks clipping`` times a call against `torch.nn.utils.clip_grad_norm_`, in turns,
on the gradients of a transformer encoder; the median of the ratios of neighbours counts.

``python -m benchmarks.clipping`` trains a small network on real text (the source of a module of
the standard library): which character comes after eight others. Five times a batch comes with
inputs that are 50 times too large and with labels of other rows. Each way of clipping is trained
with the same seeds, the same initial weights and the same batches.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.table import Row
from benchmarks.turns import in_turns

_CONTEXT, _LETTERS = 8, 96
_UPDATES, _BAD = 700, (250, 330, 410, 490, 570)
_AFTER = 40


def results(quick: bool = False) -> list[Row]:
    """A row for each function and size."""
    sizes = [(32, 1)] if quick else [(64, 2), (384, 6)]
    return [_row(name, *size, 10 if quick else 200) for size in sizes for name in _OURS]


def _row(name: str, width: int, layers: int, calls: int) -> Row:
    import torch

    layer = torch.nn.TransformerEncoderLayer(width, 4, 4 * width)
    model = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    held = list(model.parameters())
    for parameter in held:
        parameter.grad = torch.randn_like(parameter)
    ours = _OURS[name]()
    theirs = _always(1.0)
    seconds, own = in_turns(lambda: theirs(held), lambda: ours(held), calls)
    return Row(
        f"`{name}`, {sum(p.numel() for p in held):,} gradients in {len(held)} tensors",
        "torch clip_grad_norm_", seconds * 1e3, own * 1e3,
        note=f"per call, {torch.get_num_threads()} threads", unit="ms",
    )  # fmt: skip


def _always(limit: float) -> Callable[[Any], Any]:
    from torch.nn.utils import clip_grad_norm_

    return lambda held: clip_grad_norm_(held, limit)


def _ours(limit: float | None) -> Callable[[Any], Any]:
    from trainlens_torch import clip_gradients

    return lambda held: clip_gradients(held, limit)


def _adaptive(**options: Any) -> Callable[[Any], Any]:
    from trainlens_torch import AdaptiveClip

    clip: Callable[[Any], Any] = AdaptiveClip(**options)
    return clip


_OURS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "clip_gradients": lambda: _ours(1.0),
    "AdaptiveClip": _adaptive,
}
_WAYS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "none": lambda: _ours(None),
    "fixed, 10": lambda: _ours(10.0),
    "fixed, 1.0": lambda: _ours(1.0),
    "fixed, 0.1": lambda: _ours(0.1),
    "adaptive": _adaptive,
}


def text() -> Any:
    """Windows of the text: their characters, as numbers; Tensor of shape (n, 9)."""
    import torch

    codes = [min(max(ord(c), 32), 127) - 32 for c in inspect.getsource(argparse)]
    return torch.tensor(codes).unfold(0, _CONTEXT + 1, 1)


def train(way: str, seed: int, learning_rate: float) -> tuple[list[float], int]:
    """Loss on held-out text after each update, and how many good batches were clipped."""
    import torch
    from torch.nn.functional import cross_entropy

    windows = text()
    held_out, windows = windows[-2000::4], windows[:-2000]
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(_CONTEXT * _LETTERS, 64), torch.nn.ReLU(), torch.nn.Linear(64, _LETTERS)
    )
    optimizer = torch.optim.SGD(model.parameters(), learning_rate, momentum=0.9)
    draw = torch.Generator().manual_seed(seed)
    clip, losses, clipped = _WAYS[way](), [], 0
    for k in range(_UPDATES):
        batch = windows[torch.randint(len(windows), (64,), generator=draw)]
        x, y = _inputs(batch), batch[:, -1]
        if k in _BAD:
            x, y = 50 * x, y.roll(1)
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(model(x), y))
        before = _norm(model)
        clip(list(model.parameters()))
        clipped += k not in _BAD and _norm(model) < 0.999 * before
        optimizer.step()
        with torch.no_grad():
            losses.append(float(cross_entropy(model(_inputs(held_out)), held_out[:, -1])))
    return losses, clipped


def _inputs(batch: Any) -> Any:
    import torch

    shown = torch.nn.functional.one_hot(batch[:, :-1], _LETTERS)
    return shown.flatten(1).float()


def _norm(model: Any) -> float:
    import torch

    return float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]))


def rises(losses: list[float]) -> Iterator[float]:
    """After each bad batch: the largest loss, less the level before it."""
    for at in _BAD:
        level = statistics.median(losses[at - 10 : at])
        yield max(losses[at : at + _AFTER]) - level


def trained(seeds: int, learning_rate: float) -> Iterator[str]:
    """Lines of a table, one for each way of clipping."""
    yield f"| clipping | rise after a bad batch, median (largest) | rises > 0.1 of {5 * seeds} " + (
        "| final loss, median (largest) | good batches clipped |"
    )
    yield "|---|---|---|---|---|"
    for way in _WAYS:
        runs = [train(way, seed, learning_rate) for seed in range(seeds)]
        up = [rise for losses, _ in runs for rise in rises(losses)]
        last = [statistics.mean(losses[-20:]) for losses, _ in runs]
        share = statistics.mean(n / (_UPDATES - len(_BAD)) for _, n in runs)
        yield (
            f"| {way} | {statistics.median(up):.2f} ({max(up):.2f}) | {sum(r > 0.1 for r in up)} "
            f"| {statistics.median(last):.3f} ({max(last):.3f}) | {share:.1%} |"
        )


def main() -> None:
    """Print the table of trainings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clipping")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.1)
    asked = parser.parse_args()
    for line in trained(asked.seeds, asked.lr):
        print(line, flush=True)


if __name__ == "__main__":
    main()
