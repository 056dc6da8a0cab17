"""The curve of a learning rate sweep, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens_torch._picture import COLOURS, FONT, SOFT, legend, new_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trainlens_torch.lr_finder.sweep import LRFound

__all__ = ["draw"]

_BLUE, _ORANGE = COLOURS[:2]
_MARGIN = 0.08


def draw(found: LRFound, ax: Axes | None = None) -> Axes:
    """Losses, their average and the rates that were found, over the learning rate.

    Parameters
    ----------
    found : LRFound
    ax : Axes, optional
        None makes a new figure that nothing global knows about.

    Returns
    -------
    Axes
    """
    if ax is None:
        ax = new_axes(8.0, 3.6, (0.09, 0.16, 0.88, 0.72))
    style(ax)
    ax.plot(found.lrs, found.losses, color=_BLUE, alpha=0.35, linewidth=1.0, label="loss")
    ax.plot(found.lrs, found.smoothed, color=_BLUE, linewidth=1.8, label="average")
    if found.steepest is not None and found.suggestion is not None:
        label = f"steepest {found.steepest:.1e}"
        ax.axvline(found.steepest, color=SOFT, linewidth=1.2, linestyle=(0, (2, 2)), label=label)
        label = f"suggestion {found.suggestion:.1e}"
        ax.axvline(found.suggestion, color=_ORANGE, linewidth=1.6, label=label)
    ax.set_xscale("log")
    _limit(ax, found)
    ax.set_xlabel("learning rate", color=SOFT, fontsize=FONT)
    ax.set_ylabel("loss", color=SOFT, fontsize=FONT)
    legend(ax, 4)
    return ax


def _limit(ax: Axes, found: LRFound) -> None:
    """Leave out what shoots up at the end: it would press the valley flat."""
    if len(found.lrs) > 1:
        ax.set_xlim(found.lrs[0], found.lrs[-1])
    good = found.losses[np.isfinite(found.losses)]
    if not len(good):
        return
    early = good[: max(len(good) // 2, 1)]
    low, top = float(good.min()), float(early.max())
    room = _MARGIN * ((top - low) or abs(top) or 1.0)
    ax.set_ylim(low - room, top + 3 * room)
