"""A small model with parts to freeze, and what is looked at in tests of freezing."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = nn.Sequential(nn.Conv1d(1, 4, 1), nn.BatchNorm1d(4), nn.ReLU())
        self.neck = nn.Sequential(nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4, affine=False))
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.neck(self.backbone(x)).mean(-1))


def batch(k: int):
    generator = torch.Generator().manual_seed(k)
    return torch.randn(8, 1, 5, generator=generator)


def loss_of(model, k: int):
    x = batch(k)
    return (model(x) - x.mean((1, 2)).unsqueeze(1)).square().mean()


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trainable(model) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad}


BACKBONE = {"backbone.0.weight", "backbone.0.bias", "backbone.1.weight", "backbone.1.bias"}


def outside(model):
    """All that freezing changes."""
    return (
        {name: (p.requires_grad, p.grad is None) for name, p in model.named_parameters()},
        {name: (m.training, "train" in vars(m)) for name, m in model.named_modules()},
    )
