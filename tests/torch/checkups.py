"""A small model, and a training of it that is looked at."""

import torch
from torch import nn


def model(*, seed=0, activation=nn.ReLU):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 16), activation(), nn.Linear(16, 16), activation(), nn.Linear(16, 1)
    )


def train(net, health, steps, *, optimizer=None, rows=64, spoil=None, first=0):
    """Reports of a few steps."""
    rng = torch.Generator().manual_seed(3)
    reports = []
    for step in range(first, first + steps):
        x = torch.randn(rows, 4, generator=rng)
        health.begin(step)
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        if spoil is not None:
            loss = spoil(step, loss)
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        reports.append(health.end(loss))
        net.zero_grad()
    return reports


def sgd(net, lr=0.01):
    return torch.optim.SGD(net.parameters(), lr=lr)


def kinds(report):
    return {r["type"] for r in report["remarks"]}
