"""The dropout layers of torch with a rate that can change inside a compiled graph."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from trainlens_torch.dropout.tensors import TensorRate

__all__ = [
    "SCHEDULED",
    "ScheduledAlphaDropout",
    "ScheduledDropout",
    "ScheduledDropout1d",
    "ScheduledDropout2d",
    "ScheduledDropout3d",
    "ScheduledFeatureAlphaDropout",
]

_SATURATION = -1.7580993408473766
"""Where SELU saturates: what alpha dropout puts in place of a dropped element."""


class _Scheduled(TensorRate, _DropoutNd):
    """What the layers share: `p` sets the tensors, and evaluation changes nothing."""

    @property
    def p(self) -> float:
        """The rate, as a plain number."""
        return self._rate

    @p.setter
    def p(self, rate: float) -> None:
        self.take_rate(rate)

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements in training; in evaluation the input itself."""
        if not self.training:
            return input
        noise = self.noise(input, self._shape(input))
        # The factors are float32: a low-precision input is scaled exactly and rounded once.
        return input.mul_(noise) if self.inplace else (input * noise).to(input.dtype)

    def _shape(self, x: Tensor) -> tuple[int, ...] | None:
        """Shape of the factors; None for that of the input."""
        return None


class ScheduledDropout(_Scheduled, nn.Dropout):
    """`torch.nn.Dropout` whose rate can change inside a compiled or captured graph.

    ``x * m / (1 - p)``, m being 0 with probability p and 1 otherwise, in float32. Setting `p`
    fills a tensor in place: no compilation, no graph break, no host sync. In training every call
    draws as many random numbers as there are elements, also at a rate of 0 (where the layer of
    torch draws none); so the random stream, and with it a run that resumes, is the same whatever
    the rates were. A rate of 0 changes no bit of outputs and gradients, a rate of 1 gives zeros.
    In evaluation the input itself is returned.

    Change the rate between updates. Between a forward pass and its backward pass a new rate leaves
    the gradients as they were, or, in a compiled graph, is an error of torch; a forward pass that
    is checkpointed and computed again would see it.

    Parameters
    ----------
    p : float in [0, 1]
        Probability with which an element is set to zero.
    inplace : bool
        Writes the result into the input.

    Raises
    ------
    TypeError, ValueError
        `p` is no number, or NaN, or outside [0, 1].

    References
    ----------
    Srivastava et al. 2014, JMLR 15, 1929.

    Examples
    --------
    >>> import torch
    >>> layer, x = ScheduledDropout(0.0), torch.ones(4)
    >>> torch.equal(layer(x), x)
    True
    >>> layer.p = 1.0
    >>> layer(x)
    tensor([0., 0., 0., 0.])
    """


class ScheduledDropout1d(_Scheduled, nn.Dropout1d):
    """`torch.nn.Dropout1d` like `ScheduledDropout`: drops channels of (N, C, L) or (C, L)."""

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        _expect(x, 2, 3, type(self).__name__)
        return _channels(x, batched=x.dim() == 3)


class ScheduledDropout2d(_Scheduled, nn.Dropout2d):
    """`torch.nn.Dropout2d` like `ScheduledDropout`: drops channels of (N, C, H, W).

    Three dimensions are (N, C, L), as they still are in torch.
    """

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        _expect(x, 3, 4, type(self).__name__)
        return _channels(x, batched=True)


class ScheduledDropout3d(_Scheduled, nn.Dropout3d):
    """`torch.nn.Dropout3d` like `ScheduledDropout`: drops channels of (N, C, D, H, W), (C, ...)."""

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        _expect(x, 4, 5, type(self).__name__)
        return _channels(x, batched=x.dim() == 5)


class ScheduledAlphaDropout(_Scheduled, nn.AlphaDropout):
    """`torch.nn.AlphaDropout` like `ScheduledDropout`: keeps mean 0 and variance 1.

    ``a (x m + s (1 - m)) - a s p`` with s = -1.758 and ``a = ((1 - p)(1 + p s^2))^-1/2``.

    References
    ----------
    Klambauer et al. 2017, arXiv:1706.02515.
    """

    floor: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements in training; in evaluation the input itself."""
        if not self.training:
            return input
        noise = self.noise(input, self._shape(input))
        # `floor` where an element was dropped; exactly 0 for all at a rate of 0.
        offset = self.floor - _SATURATION * noise
        if self.inplace:
            return input.mul_(noise).add_(offset)
        return (input * noise + offset).to(input.dtype)

    def _filling(self, rate: float) -> Mapping[str, float]:
        if rate == 1.0:
            return {"keep_from": 1.0, "scale": 0.0, "floor": 0.0}
        scale = 1.0 / math.sqrt((1.0 - rate) * (1.0 + rate * _SATURATION**2))
        # Of a dropped element: a s, shifted by -a s p.
        return {"keep_from": rate, "scale": scale, "floor": scale * _SATURATION * (1.0 - rate)}


class ScheduledFeatureAlphaDropout(ScheduledAlphaDropout, nn.FeatureAlphaDropout):
    """`torch.nn.FeatureAlphaDropout` like `ScheduledAlphaDropout`: drops channels, (N, C, ...)."""

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        if x.dim() < 2:
            raise ValueError(f"{type(self).__name__} takes (N, C, ...), not {tuple(x.shape)}")
        return _channels(x, batched=True)


def _channels(x: Tensor, *, batched: bool) -> tuple[int, ...]:
    leading = 2 if batched else 1
    return (*x.shape[:leading], *[1] * (x.dim() - leading))


def _expect(x: Tensor, fewest: int, most: int, name: str) -> None:
    if not fewest <= x.dim() <= most:
        raise ValueError(
            f"{name} takes {fewest} or {most} dimensions, not an input of shape {tuple(x.shape)}"
        )


SCHEDULED: Mapping[type[nn.Module], type[_Scheduled]] = {
    nn.Dropout: ScheduledDropout,
    nn.Dropout1d: ScheduledDropout1d,
    nn.Dropout2d: ScheduledDropout2d,
    nn.Dropout3d: ScheduledDropout3d,
    nn.AlphaDropout: ScheduledAlphaDropout,
    nn.FeatureAlphaDropout: ScheduledFeatureAlphaDropout,
}
"""What takes the place of each dropout layer of torch."""
