"""A loss of each channel, weighted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainlens_torch._tensors import shape, wide
from trainlens_torch.checks import number
from trainlens_torch.losses.gradient_scale import gate_gradient

__all__ = ["ChannelWeightedLoss"]

Elementwise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
_NAMES = ("mse", "l1", "smooth_l1", "bce")
_REDUCTIONS = ("mean", "sum", "none")
_NORMALISATIONS = ("count", "weights")


class ChannelWeightedLoss(nn.Module):
    r"""Sum of the losses of the channels, each times its weight.

    With elementwise losses l, weights w_c, channels c of C, and the elements M_c of a channel
    that the mask keeps::

        mean, by count:    1/C        * sum_c w_c * mean_{M_c} l
        mean, by weights:  1/sum(w)   * sum_c w_c * mean_{M_c} l
        sum:                            sum_c w_c * sum_{M_c} l
        none:                           w_c * l, 0 outside the mask

    By count, which is the default and what DECODE does, equals ``(w * l).mean()`` of an unmasked
    batch: a smaller weight makes the loss smaller. By weights it is an average: the same value in
    every channel gives that value, whatever the weights. A channel without an element counts as 0.

    A channel of weight 0 contributes nothing and gets a gradient of exactly 0, even where its
    target is NaN; masked elements likewise.

    Parameters
    ----------
    channel_weights : sequence of float
        One a channel, 0 or more. Kept in the buffer `channel_weights`, which may be filled in
        place.
    loss : str or callable
        ``"mse"``, ``"l1"``, ``"smooth_l1"``, ``"bce"`` (with logits), or a function of prediction
        and target that gives one value an element. Masked elements are given to it as 0.5.
    pos_weight : float or sequence of float, optional
        Factor of the positive part of ``"bce"``, one or one a channel. Other losses take 1 alone.
    reduction : str
        ``"mean"``, ``"sum"`` or ``"none"``.
    channel_dim : int
        Axis of the channels.
    normalisation : str
        ``"count"`` or ``"weights"``.

    Attributes
    ----------
    channel_weights : Tensor of shape (channels,)
    channels : Tensor of shape (channels,), or None before the first call
        Unweighted losses of the channels in the last call, detached, on the device: means, for
        ``reduction="sum"`` sums. NaN for a channel without an element.

    Raises
    ------
    TypeError, ValueError
        A setting that is none of these.

    References
    ----------
    Speiser et al. 2021, doi:10.1038/s41592-021-01236-x (DECODE).

    Examples
    --------
    >>> loss = ChannelWeightedLoss((1, 0.5))
    >>> loss(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2)), loss.channels
    (tensor(1.5000), tensor([1., 4.]))
    """

    channel_weights: Tensor
    pos_weight: Tensor | None

    def __init__(
        self,
        channel_weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5),
        loss: str | Elementwise = "mse",
        pos_weight: float | Sequence[float] | None = None,
        reduction: str = "mean",
        channel_dim: int = 1,
        *,
        normalisation: str = "count",
    ) -> None:
        super().__init__()
        weights = torch.tensor(_weights(channel_weights, "channel_weights"))
        if not callable(loss) and loss not in _NAMES:
            raise ValueError(f"loss must be a function or one of {', '.join(_NAMES)}, not {loss!r}")
        _refuse(reduction, _REDUCTIONS, "reduction")
        _refuse(normalisation, _NORMALISATIONS, "normalisation")
        if isinstance(channel_dim, bool) or not isinstance(channel_dim, int):
            raise TypeError(f"channel_dim must be an integer, not {channel_dim!r}")
        positive = _positive(pos_weight, loss, len(weights))
        self.loss, self.reduction, self.channel_dim = loss, reduction, channel_dim
        self.normalisation = normalisation
        self.register_buffer("channel_weights", weights, persistent=False)
        self.register_buffer("pos_weight", positive, persistent=False)
        self.channels: Tensor | None = None

    def set_channel_weights(self, channel_weights: Sequence[float]) -> None:
        """Fill the buffer of the weights; TypeError or ValueError for other than so many, >= 0."""
        found = _weights(channel_weights, "channel_weights")
        if len(found) != len(self.channel_weights):
            raise ValueError(f"there are {len(self.channel_weights)} channels, not {len(found)}")
        # One number at a time: a copy of all of them would wait for the device.
        for at, value in enumerate(found):
            self.channel_weights[at].fill_(value)

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        prediction, target : Tensor of equal shape, with the channels along `channel_dim`
            Computed in float32 where they are narrower. NaN where it counts gives NaN.
        mask : Tensor of bool or integers, optional
            Elements that count. Of the shape of `prediction`, without the axis of the channels,
            or of one that expands to it.

        Returns
        -------
        Tensor
            0-dim, or of the shape of `prediction` for ``reduction="none"``.

        Raises
        ------
        TypeError, ValueError
            Shapes that do not fit, another number of channels, or a mask that is none.
        """
        axis = self._axis(prediction, target)
        weights = self._along(self.channel_weights, axis, prediction.dim())
        keep = None if mask is None else _kept(mask, prediction, axis)
        each = self._elements(prediction, target, keep, weights != 0, axis)
        others = [d for d in range(each.dim()) if d != axis]
        total = each.sum(others) if others else each
        count = _count(keep, each, axis, others)
        summed = self.reduction == "sum"
        self.channels = (total if summed else total / count).detach()
        if self.reduction == "none":
            return torch.where(weights == 0, torch.zeros_like(each), weights.to(each.dtype) * each)
        of_channels = total if summed else total / count.clamp(min=1)
        w = self.channel_weights.to(of_channels.dtype)
        weighted = torch.where(w == 0, torch.zeros_like(of_channels), w * of_channels).sum()
        return weighted if summed else weighted / self._norm(w)

    def _norm(self, weights: Tensor) -> Tensor | int:
        if self.normalisation == "count":
            return len(weights)
        whole = weights.sum()
        return torch.where(whole > 0, whole, torch.ones_like(whole))

    def _elements(
        self, prediction: Tensor, target: Tensor, keep: Tensor | None, weighs: Tensor, axis: int
    ) -> Tensor:
        """Loss of each element, 0 where the mask leaves it out."""
        # The gate lets the value of a channel of weight 0 be logged, but nothing flow into it.
        p, t = (gate_gradient(wide(x), weighs) for x in (prediction, _floating(target, prediction)))
        if keep is not None:
            p, t = (torch.where(keep, x, torch.full_like(x, 0.5)) for x in (p, t))
        each = self._raw(p, t, axis)
        if each.shape != p.shape:
            raise ValueError(
                f"the loss function gives {shape(each)} for elements of {shape(p)}; it must give "
                "one value an element (reduction='none')"
            )
        return each if keep is None else torch.where(keep, each, torch.zeros_like(each))

    def _raw(self, p: Tensor, t: Tensor, axis: int) -> Tensor:
        if not isinstance(self.loss, str):
            return self.loss(p, t)
        if self.loss == "mse":
            return functional.mse_loss(p, t, reduction="none")
        if self.loss == "l1":
            return functional.l1_loss(p, t, reduction="none")
        if self.loss == "smooth_l1":
            return functional.smooth_l1_loss(p, t, reduction="none")
        positive = self.pos_weight
        if positive is not None and positive.dim():
            positive = self._along(positive, axis, p.dim())
        return functional.binary_cross_entropy_with_logits(
            p, t, reduction="none", pos_weight=None if positive is None else positive.to(p.dtype)
        )

    def _axis(self, prediction: Tensor, target: Tensor) -> int:
        if prediction.shape != target.shape:
            raise ValueError(f"prediction has {shape(prediction)}, target {shape(target)}")
        if not -prediction.dim() <= self.channel_dim < prediction.dim():
            raise ValueError(f"prediction has {shape(prediction)}, no axis {self.channel_dim}")
        axis = self.channel_dim % prediction.dim()
        if prediction.shape[axis] != len(self.channel_weights):
            raise ValueError(
                f"there are {len(self.channel_weights)} channel_weights, and "
                f"{prediction.shape[axis]} channels along axis {axis} of {shape(prediction)}"
            )
        return axis

    @staticmethod
    def _along(values: Tensor, axis: int, dims: int) -> Tensor:
        return values.view([-1 if d == axis else 1 for d in range(dims)])


def _kept(mask: Tensor, like: Tensor, axis: int) -> Tensor:
    """A mask of the shape of the prediction."""
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"mask must be of bool, not {mask.dtype}; write mask > 0.5")
    rest = like.shape[:axis] + like.shape[axis + 1 :]
    full = mask.unsqueeze(axis) if mask.shape == rest else mask
    try:
        return full.bool().expand(like.shape)
    except RuntimeError:
        raise ValueError(f"the mask has {shape(mask)}, prediction {shape(like)}") from None


def _count(keep: Tensor | None, each: Tensor, axis: int, others: list[int]) -> Tensor:
    """Elements of each channel that count."""
    if keep is None:
        in_each = math.prod(each.shape[d] for d in others)
        return torch.full((each.shape[axis],), in_each, device=each.device)
    return keep.sum(others) if others else keep.long()


def _floating(target: Tensor, prediction: Tensor) -> Tensor:
    """Targets of ``bce`` are often integers or bool."""
    return target if target.is_floating_point() else target.to(wide(prediction).dtype)


def _weights(given: Sequence[float], name: str) -> list[float]:
    found = [number(value, f"{name}[{at}]") for at, value in enumerate(given)]
    if not found:
        raise ValueError(f"{name} must name at least one channel")
    return found


def _positive(
    given: float | Sequence[float] | None, loss: str | Elementwise, channels: int
) -> Tensor | None:
    if given is None:
        return None
    several = not isinstance(given, float | int)
    found = _weights([given] if isinstance(given, float | int) else given, "pos_weight")
    if loss != "bce":
        if set(found) == {1.0}:
            return None
        raise ValueError(f'pos_weight belongs to loss="bce", not to {loss!r}')
    if several and len(found) != channels:
        raise ValueError(f"pos_weight has {len(found)} values for {channels} channels")
    return torch.tensor(found) if several else torch.tensor(found[0])


def _refuse(given: str, known: Sequence[str], name: str) -> None:
    if given not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {given!r}")
