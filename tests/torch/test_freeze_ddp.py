"""Freezing under DistributedDataParallel: two ranks on this machine against one process.

The file is also what each rank runs: ``python test_freeze_ddp.py RANK FOLDER``.
"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402 - after the skip
from torch import nn  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

from trainlens_torch.freeze import ProgressiveFreezing  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo"
)

RANKS, STEPS, SECONDS = 2, 12, 180

# The statistics of a batch differ between a rank and the whole: that layer is held all the time.
STAGES = {"backbone": [(0.0, 0.3), (0.6, 0.8)], "backbone.norm": 1.0, "neck": (0.4, 0.7)}

VARIANTS = {
    "plain": {},
    "bucket-views": {"gradient_as_bucket_view": True},
    "unused": {"find_unused_parameters": True},
    "static": {"static_graph": True},
    # What is given is the model inside; it cannot see its wrapper.
    "inside": {"gradient_as_bucket_view": True},
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.ModuleDict({"linear": nn.Linear(3, 4), "norm": nn.BatchNorm1d(4)})
        self.neck = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.head = nn.Linear(4, 1)
        with torch.no_grad():
            self.backbone["norm"].running_mean.normal_()

    def forward(self, x):
        return self.head(self.neck(self.backbone["norm"](self.backbone["linear"](x)).relu()))


def batch(k: int, rank: int, ranks: int):
    generator = torch.Generator().manual_seed(k)
    whole = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    return whole.chunk(ranks)[rank]


def train(rank: int = 0, ranks: int = 1, variant: str = "") -> list[dict]:
    """Weights and statistics before each step, and at the end."""
    inner = Net().double()
    model = DistributedDataParallel(inner, **VARIANTS[variant]) if variant else inner
    optimizer = torch.optim.AdamW(inner.parameters(), lr=0.02, weight_decay=0.1)
    given = inner if variant == "inside" else model
    freezing = ProgressiveFreezing(given, STAGES, optimizer=optimizer)
    found = []
    for k in range(STEPS):
        freezing.apply(k / STEPS)
        model.train()
        found.append({name: value.clone() for name, value in inner.state_dict().items()})
        x = batch(k, rank, ranks)
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        freezing.drop_gradients()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    found.append({name: value.clone() for name, value in inner.state_dict().items()})
    return found


def run_rank(rank: int, folder: Path) -> None:
    dist.init_process_group(
        "gloo",
        store=dist.FileStore(str(folder / "store"), RANKS),
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=SECONDS / 3),
    )
    torch.save({name: train(rank, RANKS, name) for name in VARIANTS}, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each rank found, by variant."""
    folder = tmp_path_factory.mktemp("ranks")
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, __file__]
    running = [
        subprocess.Popen(
            [*command, str(rank), str(folder)], env=env, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(RANKS)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=SECONDS)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0] * RANKS, "\n".join(said)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.fixture(scope="module")
def alone():
    return train()


def frozen_at(k: int) -> frozenset[str]:
    return ProgressiveFreezing(Net(), STAGES).frozen(k / STEPS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_ranks_stay_the_same_to_the_bit(ranks, variant):
    for first, second in zip(ranks[0][variant], ranks[1][variant], strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("variant", VARIANTS)
def test_ranks_train_as_one_process_does(ranks, alone, variant):
    for found, expected in zip(ranks[0][variant], alone, strict=True):
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_frozen_weights_do_not_move_and_others_do(ranks, variant):
    found = ranks[1][variant]
    names = {name for name, _ in Net().named_parameters()}
    for k in range(STEPS):
        still = {name for name in found[k] if torch.equal(found[k][name], found[k + 1][name])}
        assert still & names == frozen_at(k)
        assert still - names == {
            "backbone.norm.running_mean",
            "backbone.norm.running_var",
            "backbone.norm.num_batches_tracked",
        }


def test_several_ranks_without_an_optimizer_are_told(monkeypatch):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    freezing = ProgressiveFreezing(model := Net(), {"neck": 0.5})
    with pytest.warns(UserWarning, match="give ProgressiveFreezing the optimizer"):
        freezing.apply(0.0)
    freezing.apply(0.1)
    assert model.neck[0].weight.requires_grad  # kept for the reducer
    assert not freezing.frozen(0.9)


if __name__ == "__main__":
    run_rank(int(sys.argv[1]), Path(sys.argv[2]))
