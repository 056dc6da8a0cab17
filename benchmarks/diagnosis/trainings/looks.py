"""What is logged of single layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.diagnosis.trainings.nets import Mlp

Values = dict[str, float]


def gradients(model: nn.Module) -> float:
    """Norm of the whole gradient; parameters without one count as 0."""
    parts = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(parts).norm()) if parts else 0.0


def layer_gradients(model: Mlp) -> Values:
    """Norm of the gradient of the weights of each layer."""
    held = model.linears.items()
    return {
        f"grad_norm/{n}": float(m.weight.grad.norm()) for n, m in held if m.weight.grad is not None
    }


def counted(model: nn.Module) -> Values:
    """How many parameters have a gradient, and how many there are."""
    some = list(model.parameters())
    return {
        "params_with_grad": float(sum(p.numel() for p in some if p.grad is not None)),
        "params_total": float(sum(p.numel() for p in some)),
    }


@torch.no_grad()
def weights(model: Mlp) -> Values:
    """Norm of the weights of each layer."""
    return {f"weight_norm/{n}": float(m.weight.norm()) for n, m in model.linears.items()}


@torch.no_grad()
def zeros(model: Mlp, x: Tensor) -> Values:
    """Share of the units of each hidden layer that are zero for all of `x`."""
    some = list(model.hidden(x))[:-1]
    return {f"zero_fraction/{n}": float((h <= 0).all(0).float().mean()) for n, h in some}


@torch.no_grad()
def saturated(model: Mlp, x: Tensor) -> Values:
    """Share of the activations of each hidden layer within 3 % of a limit of tanh."""
    some = list(model.hidden(x))[:-1]
    return {f"saturated_fraction/{n}": float((h.abs() > 0.97).float().mean()) for n, h in some}


@torch.no_grad()
def spreads(model: Mlp, x: Tensor) -> Values:
    """Standard deviation of what each layer puts out, and of its weights."""
    held = {f"activation_std/{n}": float(h.std()) for n, h in model.hidden(x)}
    return held | {f"weight_std/{n}": float(m.weight.std()) for n, m in model.linears.items()}
