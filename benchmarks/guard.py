"""A training that diverges on purpose, with the update guard and without, and what a step costs.

A small classifier is trained with five seeds. Some batches come with inputs a thousand times too
large and labels of other rows, some with NaN. Each arm has the same initial weights and the same
batches: ``without`` leaves the bad ones out, ``plain`` applies every update, ``clipped`` scales
gradients to a norm of 1, ``guarded`` steps through `UpdateGuard`. Their validation losses are
judged by the comparison of runs, in which a training that ends in NaN is the worst.

``python -m benchmarks.guard`` prints each seed, and what the black box of each guarded training
names as the first bad step and tensor.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.table import Row
from benchmarks.turns import in_turns

SEEDS = 5
ARMS = ("without", "plain", "clipped", "guarded")
_UPDATES, _ROWS, _EVERY = 250, 64, 5
_LARGE, _BROKEN = (60, 90, 91, 120), (180, 201)


class Result(NamedTuple):
    """Where a training ended; `weights` are all bits of its parameters."""

    loss: float
    finite: bool
    skipped: int
    first_bad: int
    named: str
    weights: bytes


def train(arm: str, seed: int, folder: Path, updates: int = _UPDATES) -> Result:
    """Train one arm with one seed; its log lands in `folder`."""
    import torch

    from trainlens_torch import JsonlSink
    from trainlens_torch.guard import BlackBox, UpdateGuard

    rng = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(8, 32), torch.nn.GELU(), torch.nn.Linear(32, 32), torch.nn.GELU(),
        torch.nn.Linear(32, 4),
    )  # fmt: skip
    truth = torch.randn(8, 4, generator=torch.Generator().manual_seed(99))
    held = _batch(truth, 512, torch.Generator().manual_seed(100 + seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    box = BlackBox(model, 20, activations=True) if arm == "guarded" else None
    guard = UpdateGuard(optimizer, z=6.0, warmup=50, box=box) if arm == "guarded" else None
    loss_of = torch.nn.functional.cross_entropy
    path = folder / f"{arm}_s{seed}.jsonl"
    with JsonlSink(path, config={"arm": arm, "seed": seed}) as log:
        for step in range(updates):
            rows, labels = _batch(truth, _ROWS, rng)
            rows, labels = _spoilt(step, rows, labels)
            loss = loss_of(model(rows), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if arm == "without" and step in (*_LARGE, *_BROKEN):
                continue
            if guard is not None:
                guard.step(loss, batch=rows, step=step)
            else:
                if arm == "clipped":
                    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
            if step % _EVERY == _EVERY - 1:
                with torch.no_grad():
                    found = loss_of(model(held[0]), held[1]).item()
                log.log(step, {"loss": found}, split="val")
    finite = all(bool(p.isfinite().all()) for p in model.parameters())
    counts = guard.report() if guard is not None else {"skipped": 0, "first_bad": -1}
    named = box.words() if box is not None else ""
    weights = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    return Result(found, finite, counts["skipped"], counts["first_bad"], named, weights)


def _batch(truth: Any, count: int, rng: Any) -> tuple[Any, Any]:
    import torch

    rows = torch.randn(count, 8, generator=rng)
    score = torch.sin(2 * rows) @ truth + 0.5 * torch.randn(count, 4, generator=rng)
    return rows, score.argmax(1)


def _spoilt(step: int, rows: Any, labels: Any) -> tuple[Any, Any]:
    if step in _BROKEN:
        rows = rows.clone()
        rows[3, 2] = math.nan
    if step in _LARGE:
        rows, labels = 1e3 * rows, labels.roll(1)
    return rows, labels


def verdicts(folder: Path, baseline: str = "without") -> dict[str, str]:
    """What the comparison of runs says of each arm, all its seeds together, against another."""
    import trainlens
    from trainlens.comparison.arms import grouped

    arms = {a.name.removeprefix("arm="): a for a in grouped(list(trainlens.load(folder)), "arm")}
    others = [arm for name, arm in arms.items() if name != baseline]
    found = trainlens.compare(arms[baseline], others, metrics=["loss"], splits=["val"])
    return {row.candidate.removeprefix("arm="): row.verdict for row in found.rows}


def trained(seeds: int, updates: int, folder: Path) -> dict[str, list[Result]]:
    """All arms with all seeds."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads cost more than they bring with tensors as small as these
    try:
        return {arm: [train(arm, seed, folder, updates) for seed in range(seeds)] for arm in ARMS}
    finally:
        torch.set_num_threads(threads)


def results(quick: bool = False) -> Iterator[Row]:
    """Rows of the benchmark."""
    seeds, updates = (3, 250) if quick else (SEEDS, _UPDATES)
    with tempfile.TemporaryDirectory() as place:
        found = trained(seeds, updates, Path(place))
        said, of_plain = verdicts(Path(place)), verdicts(Path(place), "plain")
    base = statistics.fmean(one.loss for one in found["without"])
    for arm, each in found.items():
        alive = sum(one.finite for one in each)
        note = f"{alive} of {seeds} end finite; skipped: {' '.join(str(o.skipped) for o in each)}"
        same = sum(a.weights == b.weights for a, b in zip(each, found["without"], strict=True))
        note += f"; {same} end with the bits of those without the bad batches"
        note += f"; compare: {said[arm]} against `without`" if arm in said else ""
        note += f", {of_plain[arm]} against `plain`" if arm == "guarded" else ""
        mean = statistics.fmean(one.loss for one in each)
        peer, theirs = ("", math.nan) if arm == "without" else ("without", base)
        yield Row(f"validation loss, {arm}", peer, theirs, mean, note=note, unit="")
    yield from _costs(5 if quick else 40)


def _costs(calls: int) -> Iterator[Row]:
    import torch

    from trainlens_torch.guard import UpdateGuard

    layer = torch.nn.TransformerEncoderLayer(256, 4, 1024)
    model = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    rows = torch.randn(16, 4, 256)
    for way, fused in (("branch", False), ("restore", True), ("found_inf", True)):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=fused)
        guard = UpdateGuard(optimizer, way=way)  # type: ignore[arg-type]
        model(rows).square().mean().backward()
        guard.step()
        theirs, ours = in_turns(optimizer.step, guard.step, calls)
        yield Row(
            f'`UpdateGuard.step`, way "{way}", fused={fused}',
            "optimizer.step", theirs * 1e3, ours * 1e3,
            note=f"3.2 M parameters on the CPU, {torch.get_num_threads()} threads", unit="ms",
        )  # fmt: skip


def main() -> None:
    """Train, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds an arm, 3 or more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = trained(options.seeds, _UPDATES, Path(place))
        said = verdicts(Path(place))
    for arm, each in found.items():
        print(f"{arm}: {said.get(arm, 'what the others are held against')}")
        for seed, one in enumerate(each):
            print(f"  seed {seed}: validation loss {one.loss:.4g}, skipped {one.skipped}")
            if one.named:
                print(f"    {one.named}")


if __name__ == "__main__":
    main()
