"""Global distance test: the share of points within some distances, each at its best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainlens_torch.checks import number
from trainlens_torch.metrics._gdt_search import search, share_within
from trainlens_torch.metrics._points import FEWEST, Points, points, told
from trainlens_torch.metrics.sample_mean import SampleMean
from trainlens_torch.metrics.superposition import Superposition, fitted

__all__ = [
    "GDT",
    "HIGH_ACCURACY",
    "TOTAL_SCORE",
    "GDTFound",
    "gdt_ha",
    "gdt_ha_bound",
    "gdt_search",
    "gdt_ts",
    "gdt_ts_bound",
]

TOTAL_SCORE = (1.0, 2.0, 4.0, 8.0)
HIGH_ACCURACY = (0.5, 1.0, 2.0, 4.0)
_KINDS = {"ts": TOTAL_SCORE, "ha": HIGH_ACCURACY}


@dataclass(frozen=True)
class GDTFound:
    """What a search for superpositions attained.

    Parameters
    ----------
    shares : Tensor of shape (..., K), within [0, 1]
        Points within each cutoff after its motion. NaN where fewer than three points count, or
        one that counts is not finite.
    motions : Superposition
        Of shape (..., K): ``motions(pred[..., None, :, :])`` are the moved points.
    """

    shares: Tensor
    motions: Superposition


def gdt_search(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    cutoffs: Sequence[float] = TOTAL_SCORE,
) -> GDTFound:
    """The most points that superpositions bring within some distances, one search a distance.

    From 122 seeds (segments of the chain, long and short, and triples of points): fit it, take
    the points within 1 to 2 times the cutoff, fit those, five times over; in the manner of LGA,
    for all samples and seeds at once and without a read on the host. Each share is attained by
    the motion that is given with it, so it is never above the maximum; that it is the maximum no
    such search can promise.

    Parameters
    ----------
    pred, target : Tensor of shape (..., N, 3)
        In the order of the chain; C-alpha atoms, in Å for the usual cutoffs. float16 and bfloat16
        are computed in float32.
    mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
        Points that count; shares are of their number.
    cutoffs : sequence of K floats

    Returns
    -------
    GDTFound
        Without gradient.

    Raises
    ------
    TypeError, ValueError
        Points, a mask or cutoffs of another kind or shape.

    References
    ----------
    Zemla 2003, doi:10.1093/nar/gkg571 (LGA).
    """
    given = points(pred, target, mask, 3)
    with torch.no_grad():
        shares, motions = search(given, _checked(cutoffs))
        defined = given.finite & (given.count >= FEWEST)
        return GDTFound(told(shares, defined[..., None]), motions)


def gdt_ts(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Total score: mean of the shares within 1, 2, 4 and 8 Å, each at its own superposition.

    Parameters
    ----------
    pred, target, mask
        As for `gdt_search`, which finds the superpositions.

    Returns
    -------
    Tensor of shape (...), within [0, 1]
        NaN where fewer than three points count, or one that counts is not finite.

    Examples
    --------
    >>> steps = torch.arange(12.0)
    >>> target = torch.stack([steps.cos() * 9, steps.sin() * 9, steps * 2], -1)
    >>> pred = target.clone()
    >>> pred[:3] += 100.0
    >>> gdt_ts(pred, target), bool(gdt_ts_bound(pred, target) < 0.1)
    (tensor(0.7500), True)
    """
    return gdt_search(pred, target, mask, TOTAL_SCORE).shares.mean(-1)


def gdt_ha(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """High accuracy: as `gdt_ts`, within 0.5, 1, 2 and 4 Å.

    Parameters
    ----------
    pred, target, mask
        As for `gdt_search`.

    Returns
    -------
    Tensor of shape (...), within [0, 1]
        NaN as for `gdt_ts`.
    """
    return gdt_search(pred, target, mask, HIGH_ACCURACY).shares.mean(-1)


def gdt_ts_bound(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Lower bound of `gdt_ts`: all four shares at one superposition, that of least RMSD.

    Cheap, and far below `gdt_ts` where a part of the chain is wrong, which spoils the one fit:
    never report it as GDT-TS.

    Parameters
    ----------
    pred, target, mask
        As for `gdt_search`.

    Returns
    -------
    Tensor of shape (...), within [0, 1]
        NaN as for `gdt_ts`.
    """
    return told(*_bound(points(pred, target, mask, 3), TOTAL_SCORE))


def gdt_ha_bound(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Lower bound of `gdt_ha`, as `gdt_ts_bound`.

    Parameters
    ----------
    pred, target, mask
        As for `gdt_search`.

    Returns
    -------
    Tensor of shape (...), within [0, 1]
        NaN as for `gdt_ts`.
    """
    return told(*_bound(points(pred, target, mask, 3), HIGH_ACCURACY))


class GDT(SampleMean):
    """Mean of `gdt_ts` over samples, or of its relatives.

    Named ``gdt_ts`` or ``gdt_ha``, and with ``_bound`` behind it where it is one.

    Parameters
    ----------
    kind : str
        ``"ts"`` or ``"ha"``.
    bound : bool
        One superposition for all cutoffs, as `gdt_ts_bound`.

    Raises
    ------
    ValueError
        Another kind.
    """

    higher_is_better = True

    def __init__(self, kind: str = "ts", *, bound: bool = False) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}")
        self.kind, self.bound = kind, bound
        self.name = f"gdt_{kind}{'_bound' if bound else ''}"

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score of each sample, and whether it is defined."""
        return _measured(pred, target, mask, _KINDS[self.kind], self.bound, **more)

    def settings(self) -> dict[str, Any]:
        """Cutoffs, and how the points are superposed."""
        one = "one superposition" if self.bound else "each cutoff at its best"
        return {"cutoffs": list(_KINDS[self.kind]), "superposed": one}


def _measured(
    pred: Tensor, target: Tensor, mask: Tensor | None, cutoffs: Sequence[float], bound: bool
) -> tuple[Tensor, Tensor]:
    given = points(pred, target, mask, 3)
    if bound:
        return _bound(given, cutoffs)
    return _scored(search(given, cutoffs)[0], given)


def _bound(given: Points, cutoffs: Sequence[float]) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        moved = Points(fitted(given, scaled=False)(given.pred), given.target, given.keep)
        return _scored(torch.stack([share_within(moved, c) for c in cutoffs], -1), given)


def _scored(shares: Tensor, given: Points) -> tuple[Tensor, Tensor]:
    """Mean share, NaN for what is not finite; and whether enough points count."""
    return told(shares.mean(-1), given.finite), given.count >= FEWEST


def _checked(cutoffs: Sequence[float]) -> list[float]:
    found = [number(c, f"cutoffs[{at}]", above=True) for at, c in enumerate(cutoffs)]
    if not found:
        raise ValueError("cutoffs must name at least one")
    return found
