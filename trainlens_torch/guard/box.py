"""The last steps of a training, kept on the device until someone asks."""

from __future__ import annotations

import math
import statistics
from typing import Any

import torch
from torch import Tensor, nn

from trainlens_torch.gradients.norm import joint, norms
from trainlens_torch.guard.activations import Activations
from trainlens_torch.guard.fingerprint import fingerprint

__all__ = ["CAUSES", "BlackBox"]

CAUSES = ("", "gradient", "loss", "explosion", "out_of_memory")
"""Why an update was bad, by its number on the device."""
_HEAD = ("step", "cause", "loss", "grad_norm", "batch")
_NONE = -1.0  # of a parameter without a gradient, a module that did not run, a batch not given
_NAMED = 10


class BlackBox:
    """Keeps what the last steps were, and names the first bad step and tensor when asked.

    Of each step: the loss, the norm of all gradients and of each one, a fingerprint of the batch,
    and, if wanted, the largest output of each module. All is written into one tensor on the
    device; the step path waits for nothing. The first bad step is kept whatever comes after it.

    Parameters
    ----------
    model : Module
        Gives the names. Its parameters lie on the device by now.
    steps : int
        How many are kept.
    activations : bool
        Look at the outputs of modules as well: two small kernels for each in the forward pass.

    Raises
    ------
    ValueError
        No parameters, or fewer than one step.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    >>> box = BlackBox(model, steps=10)
    >>> model(torch.tensor([[1.0, float("nan")]])).sum().backward()
    >>> box.record(step=7)
    >>> box.report()["first_bad"]["step"], box.report()["first_bad"]["tensor"]
    (7, '1.weight')
    """

    def __init__(self, model: nn.Module, steps: int = 100, *, activations: bool = False) -> None:
        named = list(model.named_parameters())
        if not named:
            raise ValueError("there is no parameter to keep a record of")
        if steps < 1:
            raise ValueError(f"a black box keeps 1 step or more, not {steps}")
        self.device = named[0][1].device
        self.names = [name for name, _ in named]
        self._parameters: list[Tensor] = [p for _, p in named]
        self._places = {p: i for i, p in enumerate(self._parameters)}
        self._activations = Activations(model, self.device) if activations else None
        outputs = len(self._activations.names) if self._activations else 0
        width = len(_HEAD) + outputs + len(named)
        self._rows = self._filled(steps, width)
        self._first = self._filled(width)
        self._at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._seen = torch.zeros((), dtype=torch.int64, device=self.device)
        self._none = self._filled()

    @torch.no_grad()
    def record(
        self,
        step: Tensor | int | None = None,
        *,
        loss: Tensor | float | None = None,
        batch: Any = None,
        cause: Tensor | None = None,
        parts: dict[Tensor, Tensor] | None = None,
    ) -> None:
        """Keep a step; call it when its gradients are there, before they are clipped.

        Parameters
        ----------
        step : Tensor or int, optional
            By default they are counted from 0.
        loss : Tensor of shape () or float, optional
        batch : Tensor, or nested mapping or sequence of them, optional
            For the fingerprint.
        cause : Tensor of shape (), optional
            Place in `CAUSES`; by default found from the gradients and the loss.
        parts : mapping of parameter to norm, optional
            Norms of the gradients where they are known.
        """
        found = self._norms(parts)
        total = joint([n for n in found if n is not self._none] or [self._none])
        lost = self._number(math.nan if loss is None else loss)
        if cause is None:
            bad_loss = ~lost.isfinite() if loss is not None else torch.zeros_like(lost).bool()
            cause = torch.where(total.isfinite(), 2 * bad_loss.to(torch.int64), 1)
        mark = fingerprint(batch) if batch is not None else None
        head = [
            self._number(self._seen if step is None else step),
            self._number(cause),
            lost,
            self._number(total),
            self._number(_NONE if mark is None else mark),
        ]
        outputs = [self._activations.take()] if self._activations else []
        row = torch.cat([torch.stack(head), *outputs, torch.stack(found)])
        self._rows.index_copy_(0, self._at, row.unsqueeze(0))
        self._first.copy_(torch.where((self._first[1] <= 0) & (row[1] > 0), row, self._first))
        self._at.add_(1).remainder_(len(self._rows))
        self._seen.add_(1)

    def report(self) -> dict[str, Any]:
        """What was kept, in plain values; here, and only here, the device is awaited.

        Returns
        -------
        dict
            ``steps``: step, cause, loss, grad_norm and batch of each kept step, oldest first.
            ``first_bad``: None, or the first bad step: the same, and ``kind`` (``activation`` or
            ``gradient``) and ``tensor``: what was not finite first, by name, or what grew most
            where all is finite; ``tensors``: up to ten of them; ``norms`` of all gradients.
        """
        seen, at = int(self._seen), int(self._at)
        rows = self._rows.tolist()
        kept = rows[at:] + rows[:at] if seen >= len(rows) else rows[:seen]
        first = self._first.tolist()
        return {
            "steps": [self._head(row) for row in kept],
            "first_bad": self._told(first, kept) if first[1] > 0 else None,
        }

    def words(self) -> str:
        """The report in one line."""
        first = self.report()["first_bad"]
        if first is None:
            return "no bad step"
        what = f"{first['kind']} of {first['tensor']}" if first["tensor"] else "no tensor"
        more = len(first["tensors"]) - 1
        also = f" and {more} more" if more > 0 else ""
        return (
            f"step {first['step']} was the first bad one ({first['cause']}): {what}{also}; "
            f"loss {first['loss']}, gradient norm {first['grad_norm']:.4g}"
        )

    def close(self) -> None:
        """Take the hooks off the model."""
        if self._activations:
            self._activations.close()

    def _filled(self, *shape: int) -> Tensor:
        return torch.full(shape, _NONE, dtype=torch.float64, device=self.device)

    def _number(self, value: Tensor | float) -> Tensor:
        if isinstance(value, Tensor):
            flat = value.detach().reshape(-1)[0]
            return flat.to(device=self.device, dtype=torch.float64, non_blocking=True)
        return torch.full((), value, dtype=torch.float64, device=self.device)

    def _norms(self, parts: dict[Tensor, Tensor] | None) -> list[Tensor]:
        """Norm of each parameter's gradient."""
        if parts is None:
            there = [p for p in self._parameters if p.grad is not None]
            grads = [p.grad for p in there if p.grad is not None]
            parts = dict(zip(there, norms(grads), strict=True))
        found = [self._none] * len(self._parameters)
        for parameter, norm in parts.items():
            if (place := self._places.get(parameter)) is not None:
                found[place] = self._number(norm)
        return found

    def _head(self, row: list[float]) -> dict[str, Any]:
        step, cause, loss, norm, batch = row[: len(_HEAD)]
        return {
            "step": int(step),
            "cause": CAUSES[int(cause)],
            "loss": loss,
            "grad_norm": norm,
            "batch": None if batch == _NONE else f"{int(batch):012x}",
        }

    def _told(self, row: list[float], kept: list[list[float]]) -> dict[str, Any]:
        split = len(row) - len(self.names)
        outputs, grads = row[len(_HEAD) : split], row[split:]
        kind, tensors = "gradient", self._broken(grads)
        if self._activations and (wrong := self._first_outputs(outputs)):
            kind, tensors = "activation", wrong
        elif not tensors:
            before = [r for r in kept if r[0] < row[0] and not r[1]]
            tensors = self._grown(grads, [r[split:] for r in before])
        return self._head(row) | {
            "kind": kind,
            "tensor": tensors[0] if tensors else None,
            "tensors": tensors[:_NAMED],
            "norms": {n: v for n, v in zip(self.names, grads, strict=True) if v != _NONE},
        }

    def _first_outputs(self, outputs: list[float]) -> list[str]:
        assert self._activations is not None
        names = self._activations.names
        return [names[i] for i in self._activations.in_order() if not math.isfinite(outputs[i])]

    def _broken(self, grads: list[float]) -> list[str]:
        """Gradients that are not finite, in the order in which a backward pass makes them."""
        found = [n for n, v in zip(self.names, grads, strict=True) if not math.isfinite(v)]
        # Weight and bias of one layer come together; the last layer comes first.
        layers: dict[str, list[str]] = {}
        for name in found:
            layers.setdefault(name.rpartition(".")[0], []).append(name)
        return [name for layer in reversed(layers.values()) for name in layer]

    def _grown(self, grads: list[float], before: list[list[float]]) -> list[str]:
        """Names by how far the gradients are above their median before, farthest first."""

        def rise(place: int) -> float:
            past = [r[place] for r in before if r[place] > 0 and math.isfinite(r[place])]
            return grads[place] / statistics.median(past) if past else grads[place]

        order = sorted((i for i, g in enumerate(grads) if g != _NONE), key=rise, reverse=True)
        return [self.names[i] for i in order]
