"""Clipping of gradients where their norm leaves what it was lately."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from trainlens_torch.checks import whole
from trainlens_torch.gradients.clip import coefficient
from trainlens_torch.gradients.norm import Parameters, above_zero, gradients, scale, total
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["AdaptiveClip"]

_VERSION = 1
_FLOATS = ("mean", "variance", "weight", "norm", "limit", "coefficient")
_COUNTS = ("seen", "clipped")

# While the statistics are young they follow the fast fall at the start of a training, and a bad
# batch among them still counts only as a norm of exp(z / 2), 4.5 times the usual one at z = 3.
_BROAD = 0.5


class AdaptiveClip:
    """Scales gradients down to what is usual for this training, as it learns it on the way.

    The logarithm of the gradient norm has a moving average m and a moving spread s (exponential,
    both without the bias of their start). Gradients are clipped at the norm
    ``exp(m + z max(s, least))``. A norm enters the statistics only as far as
    ``m -+ z max(s, least)``, so that a spike raises the next limit hardly at all, while a level
    that has truly changed is followed within some tens of updates. A norm of 0, NaN or infinity
    enters nothing, and gradients that are not finite stay as they are.

    All state are tensors on the device, changed in place: nothing waits for the device, and a call
    may stand within `torch.compile` or a CUDA graph. Every rank that holds the same gradients
    comes to the same limit.

    Parameters
    ----------
    z : float
        Spreads above the average at which a norm is clipped.
    decay : float in (0, 1)
        Of the averages, for one update: 0.99 forgets half in 69 updates.
    warmup : int
        Finite norms before the first limit; until then only `max_norm` acts.
    max_norm : float, optional
        A limit that always holds.
    least : float
        Smallest spread of the logarithm that counts: at 0.1 and z = 3 no norm below 1.35 times
        the usual one is clipped.
    norm_type : float
        Order of the norm.
    device : torch.device or str, optional
        Of the state. Without it the state moves to the gradients at the first call; within
        `torch.compile` or a CUDA graph it has to be there before.

    Raises
    ------
    TypeError, ValueError
        A number outside its range.

    References
    ----------
    Kumar, Owen, Chowdhury and Güra 2025, ZClip, arXiv:2504.02507, from which this differs by the
    logarithm, the least spread, and spikes that are not counted in full at the start.

    Examples
    --------
    >>> clip, weight = AdaptiveClip(warmup=2), torch.nn.Parameter(torch.zeros(2))
    >>> for size in (1.0, 1.0, 1.0, 100.0):
    ...     weight.grad = torch.tensor([size, 0.0])
    ...     norm = clip(weight)
    >>> norm, clip.limit, weight.grad
    (tensor(100.), tensor(1.3499), tensor([1.3499, 0.0000]))
    """

    def __init__(
        self,
        *,
        z: float = 3.0,
        decay: float = 0.99,
        warmup: int = 100,
        max_norm: float | None = None,
        least: float = 0.1,
        norm_type: float = 2.0,
        device: torch.device | str | None = None,
    ) -> None:
        self.z = above_zero(z, "z")
        self.decay = _share(decay)
        self.warmup = whole(warmup, "warmup")
        self.max_norm = None if max_norm is None else above_zero(max_norm, "max_norm")
        self.least = above_zero(least, "least")
        self.norm_type = above_zero(norm_type, "norm_type")
        self._state = {name: torch.zeros((), device=device) for name in _FLOATS}
        for name in _COUNTS:
            self._state[name] = torch.zeros((), dtype=torch.int64, device=device)
        self.limit.fill_(math.inf)
        self.coefficient.fill_(1.0)

    @property
    def norm(self) -> Tensor:
        """Norm of the gradients of the last call, before clipping; shape (), float32."""
        return self._state["norm"]

    @property
    def limit(self) -> Tensor:
        """Norm that the last call let through, infinite where there was no limit."""
        return self._state["limit"]

    @property
    def coefficient(self) -> Tensor:
        """What the last call multiplied the gradients by."""
        return self._state["coefficient"]

    @property
    def clipped(self) -> Tensor:
        """Calls so far that scaled the gradients; shape (), int64."""
        return self._state["clipped"]

    @torch.no_grad()
    def __call__(self, parameters: Parameters, norm: Tensor | None = None) -> Tensor:
        """Clip gradients in place, and return the norm that they had.

        Parameters
        ----------
        parameters : Module, Tensor, iterable of Tensor, or parameter groups
            Those without a gradient (None) are left out; without any, nothing happens.
        norm : Tensor of shape (), optional
            Norm of the gradients where it is known already, or only other ranks know all of it.

        Returns
        -------
        Tensor of shape (), float32
            A copy, which the next call leaves alone.
        """
        grads = gradients(parameters)
        if not grads:
            return torch.zeros_like(self.norm)
        found = total(grads, self.norm_type) if norm is None else norm.detach()
        self.observe(found)
        self.coefficient.copy_(coefficient(self.limit, self.norm))
        self.clipped.add_(self.coefficient < 1.0)
        scale(grads, self.coefficient)
        return self.norm.clone()

    @torch.no_grad()
    def observe(self, norm: Tensor) -> Tensor:
        """Take a norm into the statistics without clipping anything.

        Returns
        -------
        Tensor of shape ()
            The limit that this norm had to keep to, which it did not change.
        """
        self._follow(norm.device)
        self.norm.copy_(norm.detach())
        self.limit.copy_(self._learn(self.norm))
        return self.limit

    def stats(self) -> dict[str, Tensor]:
        """Copies for the log, on the device: norm, limit, coefficient and count of the clipped."""
        return {
            "grad_norm": self.norm.clone(),
            "grad_clip_limit": self.limit.clone(),
            "grad_clip_coefficient": self.coefficient.clone(),
            "grad_clip_count": self.clipped.clone(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes; here, and only here, the device is awaited."""
        values = {name: value.item() for name, value in self._state.items()}
        return packed("AdaptiveClip", _VERSION, self.config(), **values)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, with the same bits.

        Raises
        ------
        StateMismatch
            Another configuration or version, or no number; nothing was changed.
        """
        names = (*_FLOATS, *_COUNTS)
        values = unpacked(state, "AdaptiveClip", _VERSION, self.config(), *names)
        for name, value in zip(names, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, Real):
                raise StateMismatch(f"{name} in the state of the AdaptiveClip is {value!r}")
        for name, value in zip(names, values, strict=True):
            self._state[name].fill_(value)

    def config(self) -> dict[str, Any]:
        """What the clipping was made with, in plain values."""
        return {
            "z": self.z,
            "decay": self.decay,
            "warmup": self.warmup,
            "max_norm": self.max_norm,
            "least": self.least,
            "norm_type": self.norm_type,
        }

    def __repr__(self) -> str:
        return f"AdaptiveClip({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"

    def _learn(self, norm: Tensor) -> Tensor:
        """Largest norm that this call lets through; then its own norm enters the statistics."""
        names = ("mean", "variance", "weight", "seen")
        mean, variance, weight, seen = (self._state[name] for name in names)
        young = seen < self.warmup
        spread = variance.sqrt()
        width = self.z * spread.clamp(min=self.least)
        limit = torch.where(young, math.inf, (mean + width).exp())

        value = norm.log()
        usable = value.isfinite()
        width = torch.where(young, self.z * spread.clamp(min=max(self.least, _BROAD)), width)
        width = torch.where(seen > 0, width, math.inf)  # the first norm is the average
        away = torch.clamp(value - mean, -width, width)
        grown = self.decay * weight + (1.0 - self.decay)
        gain = (1.0 - self.decay) / grown
        spread_out = (1.0 - gain) * torch.addcmul(variance, gain * away, away)
        mean.copy_(torch.where(usable, torch.addcmul(mean, gain, away), mean))
        variance.copy_(torch.where(usable, spread_out, variance))
        weight.copy_(torch.where(usable, grown, weight))
        seen.add_(usable)
        return limit if self.max_norm is None else limit.clamp(max=self.max_norm)

    def _follow(self, device: torch.device) -> None:
        if self.norm.device != device:
            self._state = {name: value.to(device) for name, value in self._state.items()}


def _share(decay: float) -> float:
    if isinstance(decay, bool) or not isinstance(decay, Real):
        raise TypeError(f"decay must be a number, not {decay!r}")
    if not 0.0 < decay < 1.0:
        raise ValueError(f"decay must lie between 0 and 1, not {decay}")
    return float(decay)
