"""A check-up of a training every N steps, with one transfer from the device."""

from __future__ import annotations

import math
from statistics import geometric_mean, pvariance
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from trainlens.stats.layers import is_weight
from trainlens_torch.checks import whole
from trainlens_torch.gradients.norm import joint, norms
from trainlens_torch.health.activations import Activations, spread_out
from trainlens_torch.health.judge import Look, judge, of_layers
from trainlens_torch.health.limits import Limits
from trainlens_torch.health.losses import Losses
from trainlens_torch.health.readings import Readings
from trainlens_torch.health.report import HealthReport
from trainlens_torch.health.weights import Weights

__all__ = ["HealthCheck"]


class HealthCheck:
    """Looks at loss, gradients, updates, activations and learning rates every `every` steps.

    Between these steps it keeps the loss where it lies: no hook is on, and nothing waits for the
    device. A step that is looked at copies a part of the weights, and brings all numbers to the
    host in one transfer. They have names that trainlens reads (``grad_norm/LAYER``,
    ``update_ratio/LAYER``, ``zero_fraction/LAYER``, ...), so that `trainlens diagnose` judges the
    whole log by rules that know more than a single look::

        health = HealthCheck(model, optimizer, every=100)
        for step, batch in enumerate(loader):
            health.begin(step)
            loss = criterion(model(batch), target)
            loss.backward()
            optimizer.step()
            report = health.end(loss)
            optimizer.zero_grad()
            logger.log(step, {"loss": loss}, stats=report.stats if report else None)

    Gradients are looked at as the optimizer gets them, after clipping and unscaling; call
    `gradients` before the clipping for those that the loss gave.

    Parameters
    ----------
    model : Module
        May be wrapped by DistributedDataParallel. Of a compiled model the activations are not
        seen: hooks would compile it anew.
    optimizer : Optimizer, optional
        Without it there are no sizes of updates, unchanged parameters and learning rates.
    every : int
        Steps between two looks; a look is taken at each multiple.
    window : int
        Losses that are kept.
    limits : Limits, optional
        From which values on the report warns.
    layers : int
        Layers that are told apart, spread over the depth of the model.
    elements : int
        Numbers that are compared of each weight tensor; smaller tensors are compared whole.

    Raises
    ------
    TypeError, ValueError
        A model that is no module, a count below 1.

    Examples
    --------
    >>> model = torch.nn.Linear(2, 1)
    >>> _ = model.weight.data.fill_(0.5)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    >>> health = HealthCheck(model, optimizer, every=1)
    >>> _ = health.begin(0)
    >>> loss = model(torch.ones(4, 2)).square().mean()
    >>> loss.backward()
    >>> _ = optimizer.step()
    >>> health.end(loss)["overall_status"]
    'healthy'
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        every: int = 100,
        *,
        window: int = 100,
        limits: Limits | None = None,
        layers: int = 64,
        elements: int = 2**16,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"{type(model).__name__} is not a model")
        self.every, self.window = whole(every, "every"), whole(window, "window")
        self.limits = limits or Limits()
        self.report: HealthReport | None = None
        self._layers = whole(layers, "layers")
        self._model, compiled = _unwrapped(model)
        self._activations = None if compiled else Activations(self._model, self._layers)
        self._weights = Weights(whole(elements, "elements"))
        self._losses = Losses(self.window)
        self._optimizer = optimizer
        self._handles = self._follow(optimizer)
        self._small = {"updates": 0, "rates": 0}
        self._step = 0
        self._readings: Readings | None = None
        self._looked = self._compared = False

    @property
    def sampling(self) -> bool:
        """Whether the present step is looked at."""
        return self._readings is not None

    def begin(self, step: int, sample: bool | None = None) -> bool:
        """Begin a step, before its forward pass; whether it is looked at.

        Parameters
        ----------
        step : int
        sample : bool, optional
            Look at this step, or do not, whatever its number is.
        """
        self._stop()
        self._step = step
        if not (step % self.every == 0 if sample is None else sample):
            return False
        self._readings = Readings()
        if self._activations is not None:
            self._activations.arm()
        return True

    @torch.no_grad()
    def gradients(self) -> None:
        """Look at the gradients as they are now; what comes later in this step is not looked at."""
        if self._readings is None or self._looked:
            return
        self._looked = True
        named = _parameters(self._model)
        # A frozen parameter may keep the gradient of an earlier step.
        active = [(name, p) for name, p in named if p.requires_grad and p.grad is not None]
        found = norms([p.grad for _, p in active if p.grad is not None])
        if found:
            self._readings.add("grad_norm", joint(found))
        told = self._told(named)
        for (name, _), norm in zip(active, found, strict=True):
            if name in told:
                self._readings.add(f"grad_norm/{name}", norm)
        self._readings.add("params_with_grad", len(active))
        self._readings.add("params_without_grad", len(named) - len(active))
        self._readings.add("params_total", len(named))

    def end(self, loss: float | Tensor | None = None) -> HealthReport | None:
        """End a step, before the gradients are cleared; the report where it was looked at.

        Parameters
        ----------
        loss : float or Tensor, optional
            Of this step; the host does not wait for it unless the step is looked at.
        """
        if loss is not None:
            self._losses.add(self._step, loss)
        readings = self._readings
        if readings is None:
            return None
        self.gradients()
        if self._activations is not None:
            self._activations.disarm()
            self._activations.into(readings)
        for name, rate in self._rates():
            readings.add(f"rate/{name}", rate)
        self._losses.into(readings)
        self.report = self._judged(readings.read())
        self._stop()
        return self.report

    def close(self) -> None:
        """Take all hooks away. Repeating it does nothing."""
        self._stop()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _stop(self) -> None:
        """Leave a step, whether it came to its end or not."""
        if self._readings is not None and self._activations is not None:
            self._activations.disarm()
        self._weights.forget()
        self._readings = None
        self._looked = self._compared = False

    def _follow(self, optimizer: Optimizer | None) -> list[RemovableHandle]:
        # Wrappers such as that of accelerate hold the optimizer that steps.
        while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
            optimizer = inner
        if optimizer is None:
            return []
        return [
            optimizer.register_step_pre_hook(self._before),
            optimizer.register_step_post_hook(self._after),
        ]

    @torch.no_grad()
    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._readings is not None and not self._compared:
            self.gradients()
            named = _parameters(self._model)
            self._weights.keep(named, self._told(named))

    @torch.no_grad()
    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._readings is not None and not self._compared:
            self._compared = True
            self._weights.compare(self._readings)

    def _told(self, named: list[tuple[str, nn.Parameter]]) -> frozenset[str]:
        """Weights whose layers are told apart: no biases, no normalisations."""
        names = [n for n, p in named if p.dim() >= 2 and is_weight(n)] or [n for n, _ in named]
        return frozenset(spread_out(names, self._layers))

    def _rates(self) -> list[tuple[str, float | Tensor]]:
        groups = [] if self._optimizer is None else self._optimizer.param_groups
        return [
            (str(g.get("name", i if len(groups) > 1 else "")), g["lr"])
            for i, g in enumerate(groups)
            if "lr" in g
        ]

    def _judged(self, values: dict[str, float]) -> HealthReport:
        losses = self._losses.settle(values)
        rates = of_layers(values, "rate")
        stats = _stats(values)
        finite = [loss for _, loss in losses if math.isfinite(loss)]
        if len(finite) >= 2:
            stats["loss_variance"] = pvariance(finite)
        self._count_small(stats, rates)
        look = Look(losses, self.window, stats, rates, self._small, self.limits)
        return HealthReport(self._step, stats, judge(look))

    def _count_small(self, stats: dict[str, float], rates: dict[str, float]) -> None:
        updates = of_layers(stats, "update_ratio")
        below = [v for v in updates.values() if v < self.limits.update_least]
        small = {
            "updates": bool(updates) and 2 * len(below) >= len(updates),
            "rates": bool(rates) and max(rates.values()) < self.limits.lr_least,
        }
        self._small = {k: self._small[k] + 1 if now else 0 for k, now in small.items()}


def _stats(values: dict[str, float]) -> dict[str, float]:
    """The numbers as they are logged."""
    update, weight = of_layers(values, "|update|"), of_layers(values, "|weight|")
    out = {k: v for k, v in values.items() if not k.startswith(("rate/", "|"))}
    for name, size in weight.items():
        if size > 0:  # of weights that begin at 0 there is no share
            out[f"update_ratio/{name}"] = update[name] / size
    norm = [v for v in of_layers(values, "grad_norm").values() if 0 < v < math.inf]
    if len(norm) >= 3:
        part = max(1, len(norm) // 8)
        last = geometric_mean(norm[-part:])
        out["grad_first_last_ratio"] = geometric_mean(norm[:part]) / last
    return out


def _parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    lazy = torch.nn.parameter.is_lazy
    return [(name, p) for name, p in model.named_parameters() if not lazy(p)]


def _unwrapped(model: nn.Module) -> tuple[nn.Module, bool]:
    """The model within its wrappers, and whether it is compiled."""
    compiled = False
    while True:
        compiled |= getattr(model, "_compiled_call_impl", None) is not None
        inner = getattr(model, "_orig_mod", None)
        if inner is not None:
            model, compiled = inner, True
        elif isinstance(model, (DistributedDataParallel, DataParallel)):
            model = model.module
        else:
            return model, compiled
