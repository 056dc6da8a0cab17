"""Consistency of features with CLIP's, weighted by progress and by coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainlens_torch._tensors import scalar, shape, wide
from trainlens_torch.checks import number
from trainlens_torch.losses._directions import direction
from trainlens_torch.losses.gradient_scale import scale_gradient
from trainlens_torch.place import PlaceLike
from trainlens_torch.schedules.base import Share
from trainlens_torch.schedules.ramp import Ramp

__all__ = ["CLIPConsistencyLoss", "ProgressPart"]

LOW_COVERAGE = 0.3
"""Coverage below which the rule ``low-coverage`` of trainlens gives alarm."""

_SIDES = {
    "fusion": (True, False),
    "backbone": (True, False),  # the same side, by what lies behind it
    "clip": (False, True),
    "both": (True, True),
}


class CLIPConsistencyLoss(nn.Module):
    r"""One minus the cosine of features and CLIP features, where both are valid.

    With samples b of B, the valid points V_b of a sample, its coverage c_b (share of its points
    that are valid) and progress p::

        loss = weight * ramp(p) * 1/B * sum_b gate(c_b) * 1/|V_b| * sum_{i in V_b} (1 - cos_bi)

    - ``ramp``: 0 until `warmup_end_progress`, then a line to 1 for `ramp_duration_progress`.
    - ``gate``, hard: 1 where c is at least `coverage_threshold`, else 0. Soft: ``t^2 (3 - 2t)``
      with ``t = (c - low) / (threshold - low)`` held in [0, 1]: exactly 0 up to `coverage_low`,
      exactly 1 from the threshold on, and with a continuous slope.
    - A closed gate leaves its sample out of the sum, not out of B: few covered samples give a
      small loss, not a small mean with a full weight.

    No gradient at all (exact zeros, even where features are NaN) goes into points that are not
    valid, into samples whose gate is closed, and anywhere while the weight is 0. A vector no
    longer than `eps` has no direction: it counts as 1 and gets no gradient.

    Parameters
    ----------
    weight : float
        Full weight of the loss; kept in the buffer `weight`, which may be filled in place.
    warmup_end_progress, ramp_duration_progress : float, int or str
        Places (`trainlens_torch.place`): shares of the training, or updates and epochs if `share`
        is given. With 0 and 0 the weight is full from the beginning and needs no progress.
    coverage_threshold : float in [0, 1]
        Coverage from which a sample counts in full.
    use_soft_coverage_gate : bool
        Whether samples fade in between `coverage_low` and the threshold.
    coverage_low : float, optional
        Lower end of the soft gate. By default 0.3, the alarm of low coverage; for a threshold of
        0.3 or less, half of it.
    gradient_flow_ratio : float in [0, 1]
        Share of the gradient that flows back into the protected side. The value of the loss is
        the same, to the bit, for every ratio.
    protected : str
        Which side that is: ``"fusion"``, or ``"backbone"`` for the same (`features`, and with
        them the shared backbone that they come from); ``"clip"`` (`clip_features`); ``"both"``.
    eps : float
        Length below which a vector has no direction; no gradient exceeds ``weight / eps``.
    share : callable, optional
        `Clock.share`.

    Attributes
    ----------
    weight, factor : Tensor, 0-dim
        The weight, and what `set_progress` made of the progress.
    last : dict of str to Tensor
        Of the last call, detached, 0-dim, on the device, under the names that trainlens reads:
        ``valid_ratio`` (mean coverage), ``coverage_weight`` (mean gate), ``w_clip`` (weight times
        ramp). The first two are NaN for an empty batch.

    Raises
    ------
    TypeError, ValueError
        A setting outside its range, or a place that only a clock can tell.

    References
    ----------
    Radford et al. 2021, arXiv:2103.00020 (the features); Peng et al. 2023, arXiv:2211.15654
    (cosine distillation of them into 3D points).

    Examples
    --------
    >>> loss = CLIPConsistencyLoss(weight=0.05)
    >>> a, b = torch.eye(4)[None], torch.eye(4).flip(0)[None]
    >>> loss(a, b, progress=0.15)
    tensor(0.0250)
    >>> {name: round(value.item(), 3) for name, value in loss.last.items()}
    {'valid_ratio': 1.0, 'coverage_weight': 1.0, 'w_clip': 0.025}
    """

    weight: Tensor
    factor: Tensor

    def __init__(
        self,
        weight: float = 0.05,
        warmup_end_progress: PlaceLike = 0.10,
        ramp_duration_progress: PlaceLike = 0.10,
        coverage_threshold: float = 0.6,
        use_soft_coverage_gate: bool = True,
        *,
        coverage_low: float | None = None,
        gradient_flow_ratio: float = 0.1,
        protected: str = "fusion",
        eps: float = 1e-4,
        share: Share | None = None,
    ) -> None:
        super().__init__()
        threshold = number(coverage_threshold, "coverage_threshold", 0.0, 1.0)
        if coverage_low is None:
            coverage_low = LOW_COVERAGE if threshold > LOW_COVERAGE else threshold / 2
        if protected not in _SIDES:
            raise ValueError(f"protected must be one of {', '.join(_SIDES)}, not {protected!r}")
        self.schedule = _ramp(warmup_end_progress, ramp_duration_progress, share)
        self.coverage_threshold = threshold
        self.use_soft_coverage_gate = bool(use_soft_coverage_gate)
        self.coverage_low = number(coverage_low, "coverage_low", 0.0, 1.0)
        if use_soft_coverage_gate and threshold and self.coverage_low >= threshold:
            raise ValueError(
                f"coverage_low ({self.coverage_low:g}) must lie below coverage_threshold "
                f"({threshold:g}); for a step there, use_soft_coverage_gate=False"
            )
        self.gradient_flow_ratio = number(gradient_flow_ratio, "gradient_flow_ratio", 0.0, 1.0)
        self.protected = protected
        self.eps = number(eps, "eps", above=True)
        # Not saved with the model: both follow from the configuration and the clock.
        first = torch.tensor(number(weight, "weight"))
        self.register_buffer("weight", first, persistent=False)
        self.register_buffer("factor", torch.tensor(1.0), persistent=False)
        self._initial_weight = float(weight)
        self._needs_progress = self.schedule.factor(0.0) != 1.0
        self.last: dict[str, Tensor] = {}

    def set_progress(self, progress: float) -> float:
        """Weight as at a share of the training; returns the factor of the ramp.

        Fills a buffer in place: compiled code is not compiled again, and nothing waits for the
        device. ValueError outside [0, 1].
        """
        factor = self.schedule(progress)
        self.factor.fill_(factor)
        self._needs_progress = False
        return factor

    def set_weight(self, weight: float) -> None:
        """Fill the buffer of the weight; TypeError or ValueError unless it is 0 or more."""
        self.weight.fill_(number(weight, "weight"))

    def part(self) -> ProgressPart:
        """The progress of this loss as a part of a `Scheduler`: ``parts=[loss.part()]``."""
        return ProgressPart(self)

    def config(self) -> dict[str, Any]:
        """What the loss was made with, in plain values."""
        return {
            "weight": self._initial_weight,
            "ramp": self.schedule.spec(),
            "coverage_threshold": self.coverage_threshold,
            "use_soft_coverage_gate": self.use_soft_coverage_gate,
            "coverage_low": self.coverage_low,
            "gradient_flow_ratio": self.gradient_flow_ratio,
            "protected": self.protected,
        }

    def forward(
        self,
        features: Tensor,
        clip_features: Tensor,
        valid: Tensor | None = None,
        progress: float | Tensor | None = None,
        *,
        present: Tensor | None = None,
    ) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        features, clip_features : Tensor of shape (batch, points, dim) or (points, dim)
            Computed in float32 where they are narrower. NaN at points that count gives NaN.
        valid : Tensor of bool or integers, shape (batch, points) or (points,), optional
            Points with a CLIP feature; (points,) holds for every sample. All where not given.
        progress : float or 0-dim tensor, optional
            Share of the training; a tensor is held to [0, 1], and one that is filled in place
            keeps compiled code (a float makes it compile twice). Where not given, that of the
            last `set_progress`.
        present : Tensor like `valid`, optional
            Points that exist; the others are padding and count neither as valid nor as missing.

        Returns
        -------
        Tensor, 0-dim, float32 or float64
            0 for an empty batch, or where no point is valid.

        Raises
        ------
        TypeError, ValueError
            Shapes that do not fit, masks that are no masks, or a progress that was never told.
        """
        a, b = _batched(features), _batched(clip_features)
        if a.shape != b.shape:
            raise ValueError(
                f"features have {shape(features)}, clip_features {shape(clip_features)}"
            )
        there = _mask(present, "present", a)
        seen = _mask(valid, "valid", a) & there
        counted = seen.sum(-1).to(a.dtype)
        coverage = counted / there.sum(-1).clamp(min=1)
        gate, weight = self.gate(coverage), self._weight(progress, a)
        keep = seen & (gate > 0).unsqueeze(-1) & (weight != 0)
        ratios = [
            self.gradient_flow_ratio if guarded else 1.0 for guarded in _SIDES[self.protected]
        ]
        distance = _distance(
            scale_gradient(a, ratios[0]), scale_gradient(b, ratios[1]), keep, self.eps
        )
        per_sample = gate * (distance.sum(-1) / counted.clamp(min=1))
        self.last = {
            "valid_ratio": coverage.mean(),
            "coverage_weight": gate.mean(),
            "w_clip": weight.clone(),
        }
        return weight * (per_sample.sum() / max(a.shape[0], 1))

    def gate(self, coverage: Tensor) -> Tensor:
        """Factor of samples by their coverage, both of any shape; see the formula of the class."""
        threshold, low = self.coverage_threshold, self.coverage_low
        full = torch.ones_like(coverage)
        if not self.use_soft_coverage_gate or threshold == 0.0:
            return torch.where(coverage >= threshold, full, torch.zeros_like(coverage))
        t = ((coverage - low) / (threshold - low)).clamp(0.0, 1.0)
        faded = torch.where(coverage > low, t * t * (3.0 - 2.0 * t), torch.zeros_like(t))
        return torch.where(coverage >= threshold, full, faded)

    def _weight(self, progress: float | Tensor | None, like: Tensor) -> Tensor:
        weight = self.weight.to(like.dtype)
        if progress is None:
            if self._needs_progress:
                raise ValueError(
                    "the weight of this loss follows the progress of the training, which it was "
                    "not told: give progress=, or call set_progress at each step"
                )
            return weight * self.factor
        if not isinstance(progress, Tensor) and torch.compiler.is_compiling():
            # A number is symbolic there, and cannot be checked.
            progress = torch.full((), progress, dtype=torch.float32, device=like.device)
        if isinstance(progress, Tensor):
            return weight * _ramp_of(scalar(progress, "progress", like), self.schedule)
        return weight * self.schedule(number(progress, "progress", 0.0, 1.0))


@dataclass(frozen=True)
class ProgressPart:
    """Lets a `Scheduler` tell a loss how far the training has come."""

    loss: CLIPConsistencyLoss

    def apply(self, progress: float) -> float:
        """`CLIPConsistencyLoss.set_progress`."""
        return self.loss.set_progress(progress)

    def config(self) -> dict[str, Any]:
        """`CLIPConsistencyLoss.config`."""
        return self.loss.config()


def _ramp(first: PlaceLike, duration: PlaceLike, share: Share | None) -> Ramp:
    ramp = Ramp(warmup_end_progress=first, ramp_duration_progress=duration)
    if share is not None:
        ramp = ramp.resolved(share)
    ramp(0.0)  # refuses places that are still in updates or epochs
    return ramp


def _ramp_of(progress: Tensor, ramp: Ramp) -> Tensor:
    """The ramp at a progress that is a tensor; the same formula, held to [0, 1]."""
    first, duration = float(ramp.warmup_end_progress), float(ramp.ramp_duration_progress)
    share = ((progress - first) / (duration or 1.0)).clamp(0.0, 1.0)
    # Rounding within the quotient would leave 1 - 6e-8 at the very end.
    return torch.where(progress >= first + duration, torch.ones_like(share), share)


def _distance(a: Tensor, b: Tensor, keep: Tensor, eps: float) -> Tensor:
    """``1 - cos`` of each point, as half the squared distance of the directions; 0 elsewhere.

    The same number, never below 0, and without the cancellation of ``1 - cos`` near 0.
    """
    # Replaced before anything is computed: what is left out cannot turn a gradient into NaN.
    of_points = keep.unsqueeze(-1)
    (u, has_u), (v, has_v) = (
        direction(torch.where(of_points, x, torch.ones_like(x)), eps) for x in (a, b)
    )
    apart = 0.5 * (u - v).square().sum(-1)
    whole = torch.where(has_u & has_v, apart, torch.ones_like(apart))
    return torch.where(keep, whole, torch.zeros_like(whole))


def _batched(x: Tensor) -> Tensor:
    if x.dim() not in (2, 3):
        raise ValueError(f"features are (batch, points, dim) or (points, dim), not {shape(x)}")
    return wide(x if x.dim() == 3 else x.unsqueeze(0))


def _mask(mask: Tensor | None, name: str, features: Tensor) -> Tensor:
    """A mask of shape (batch, points)."""
    wanted = features.shape[:2]
    if mask is None:
        return torch.ones(wanted, dtype=torch.bool, device=features.device)
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"{name} must be a mask of bool, not {mask.dtype}; write {name} > 0.5")
    if mask.shape not in (wanted, wanted[1:]):
        raise ValueError(f"{name} has {shape(mask)}, the points {tuple(wanted)}")
    return mask.bool().expand(wanted)
