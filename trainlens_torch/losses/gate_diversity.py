"""Keeping a fusion gate from settling at one of its ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainlens_torch._tensors import scalar, shape, wide
from trainlens_torch.checks import number

__all__ = ["AlphaDiversity"]

_TINY = 1e-4
_SMOOTH = 1e-3


class AlphaDiversity(nn.Module):
    r"""Regulariser of a fusion gate alpha in (0, 1) against polarisation.

    With the mean m and the standard deviation s (that of the population) of all valid values::

        loss  = weight * (level + spread)
        level = (max(0, L(lo) - L(m)) / (L(lo) - L(low)))^2
              + (max(0, L(m) - L(hi)) / (L(high) - L(hi)))^2
        lo = low + margin,  hi = high - margin,  L(x) = log(x / (1 - x))
        spread = max(0, 1 - sqrt(s^2 + 1e-6) / min_std)^2

    Both are 0 in a diverse gate; `level` is 1 at the thresholds, `spread` 1 where all values are
    the same.

    - A gate is diverse where its mean lies within [lo, hi] and its standard deviation is at least
      `min_std`: loss and gradient are exactly 0 there, and the task alone decides.
    - The penalty begins before the thresholds by `margin`, since a penalty that began at them
      would come to rest beyond them. Measured in logits it pushes harder the further the gate has
      closed: the sigmoid of the gate, whose slope vanishes at its ends, does not weaken it.
    - Below 1e-4 and above 1 - 1e-4, L goes on as a line: finite at 0 and 1.
    - Differentiable everywhere, with a continuous gradient. Where all values are the very same
      there is no direction in which to spread: the gradient of `spread` is 0 there, and that of
      the gate's own inputs has to tell them apart.

    Parameters
    ----------
    weight : float
        Kept in the buffer `weight`, which may be filled in place.
    low, high : float
        Mean of the gate outside which it counts as polarised; the thresholds of the rule
        ``polarized-gate`` of trainlens.
    margin : float
        Distance from them, above 0, within which the penalty begins.
    min_std : float
        Standard deviation below which the gate counts as collapsed; 0 for a gate that is one
        number for all inputs. Of a single value no standard deviation is asked.
    temperature : float
        Of `gate`; kept in the buffer `temperature`, which may be filled in place.

    Attributes
    ----------
    weight, temperature : Tensor, 0-dim
    last : dict of str to Tensor
        Of the last call, detached, 0-dim, on the device: ``alpha_mean``, ``alpha_std``. NaN where
        no value is valid.

    Raises
    ------
    TypeError, ValueError
        A setting outside its range, or a margin that leaves no room between the thresholds.

    Examples
    --------
    >>> regulariser = AlphaDiversity(weight=1.0, min_std=0.05)
    >>> regulariser(torch.tensor([0.3, 0.7]))
    tensor(0.)
    >>> alpha = torch.tensor([0.01, 0.21], requires_grad=True)
    >>> regulariser(alpha).backward()
    >>> bool((alpha.grad < 0).all())  # descent opens the gate
    True
    """

    weight: Tensor
    temperature: Tensor

    def __init__(
        self,
        weight: float = 0.1,
        low: float = 0.1,
        high: float = 0.9,
        *,
        margin: float = 0.1,
        min_std: float = 0.02,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.low = number(low, "low", 0.0, 1.0, above=True)
        self.high = number(high, "high", 0.0, 1.0, above=True)
        self.margin = number(margin, "margin", 0.0, 0.5, above=True)
        first, last = self.low + self.margin, self.high - self.margin
        if not (first <= last and self.high < 1.0):
            raise ValueError(
                f"low + margin ({first:g}) must not lie above high - margin ({last:g}), and high "
                "must lie below 1"
            )
        self.min_std = number(min_std, "min_std", 0.0, 0.5)
        # Logits at which the penalty begins, and how far on it is 1, for each side.
        self._below = _logit_of(first), _logit_of(first) - _logit_of(self.low)
        self._above = _logit_of(last), _logit_of(self.high) - _logit_of(last)
        start = torch.tensor(number(weight, "weight"))
        self.register_buffer("weight", start, persistent=False)
        heat = torch.tensor(number(temperature, "temperature", above=True))
        self.register_buffer("temperature", heat, persistent=False)
        self.last: dict[str, Tensor] = {}

    def gate(self, logits: Tensor) -> Tensor:
        """``sigmoid(logits / temperature)``: a higher temperature keeps the gate nearer to 1/2."""
        return torch.sigmoid(logits / self.temperature.to(logits.dtype))

    def set_weight(self, weight: float) -> None:
        """Fill the buffer of the weight; TypeError or ValueError unless it is 0 or more."""
        self.weight.fill_(number(weight, "weight"))

    def set_temperature(self, temperature: float) -> None:
        """Fill the buffer of the temperature; TypeError or ValueError unless it is above 0."""
        self.temperature.fill_(number(temperature, "temperature", above=True))

    def forward(
        self, alpha: Tensor, valid: Tensor | None = None, weight: float | Tensor | None = None
    ) -> Tensor:
        """Penalty on the gate of a batch.

        Parameters
        ----------
        alpha : Tensor of any shape, values in [0, 1]
            Computed in float32 where it is narrower. NaN gives NaN; values outside [0, 1] are
            pushed back along the line.
        valid : Tensor of bool or integers, of a shape that expands to that of `alpha`, optional
            Values that count; nothing flows into the others.
        weight : float or 0-dim tensor, optional
            In place of the buffer, for this call. While it is 0 nothing flows at all.

        Returns
        -------
        Tensor, 0-dim, float32 or float64
            0 where no value is valid.

        Raises
        ------
        TypeError, ValueError
            Values of another kind, or a mask that does not fit.
        """
        x = wide(alpha)
        w = self.weight if weight is None else scalar(weight, "weight", x)
        counts = _counts(valid, x)
        safe = torch.where(counts & (w != 0), x, torch.full_like(x, 0.5))
        n = counts.sum()
        mean, std = _moments(safe, counts, n)
        self.last = _stats(x.detach(), counts, n)
        # Nothing valid: the mean of nothing is 0 here, which is no polarised gate.
        level = torch.where(n > 0, self._level(mean), torch.zeros_like(mean))
        spread = torch.where(n > 1, self._spread(std), torch.zeros_like(std))
        return torch.where(w == 0, torch.zeros_like(mean), w * (level + spread))

    def _level(self, mean: Tensor) -> Tensor:
        at = _logit(mean)
        (lowest, down), (highest, up) = self._below, self._above
        below = (lowest - at).clamp(min=0.0) / down
        above = (at - highest).clamp(min=0.0) / up
        return below.square() + above.square()

    def _spread(self, std: Tensor) -> Tensor:
        if not self.min_std:
            return torch.zeros_like(std)
        return (1.0 - std / self.min_std).clamp(min=0.0).square()


def _logit_of(x: float) -> float:
    return math.log(x / (1.0 - x))


def _logit(x: Tensor) -> Tensor:
    """``log(x / (1 - x))``, continued as a line near 0 and 1."""
    inside = x.clamp(_TINY, 1.0 - _TINY)
    slope = 1.0 / (inside * (1.0 - inside))
    return torch.log(inside) - torch.log1p(-inside) + (x - inside) * slope.detach()


def _counts(valid: Tensor | None, x: Tensor) -> Tensor:
    if valid is None:
        return torch.ones_like(x, dtype=torch.bool)
    if valid.is_floating_point() or valid.is_complex():
        raise TypeError(f"valid must be a mask of bool, not {valid.dtype}; write valid > 0.5")
    try:
        return valid.bool().expand(x.shape)
    except RuntimeError:
        raise ValueError(f"valid has {shape(valid)}, alpha {shape(x)}") from None


def _moments(x: Tensor, counts: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and smoothed standard deviation of what counts; both finite where nothing does."""
    many = n.clamp(min=1)
    zero = torch.zeros_like(x)
    mean = torch.where(counts, x, zero).sum() / many
    variance = torch.where(counts, (x - mean).square(), zero).sum() / many
    return mean, (variance + _SMOOTH**2).sqrt()


def _stats(x: Tensor, counts: Tensor, n: Tensor) -> dict[str, Tensor]:
    """What is logged: NaN where nothing counts."""
    zero = torch.zeros_like(x)
    mean = torch.where(counts, x, zero).sum() / n
    variance = torch.where(counts, (x - mean).square(), zero).sum() / n
    return {"alpha_mean": mean, "alpha_std": variance.sqrt()}
