"""Schedules drawn without a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainlens_torch._picture import COLOURS, FONT, SOFT, legend, new_axes, style
from trainlens_torch.clock import Clock
from trainlens_torch.place import Place, PlaceLike
from trainlens_torch.schedules._places import plain_share
from trainlens_torch.schedules._table import Points, TooWild, tabulated
from trainlens_torch.schedules.base import Schedule, is_place
from trainlens_torch.schedules.chain import Chain
from trainlens_torch.schedules.custom import Custom

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot"]

_DASHES: tuple[Any, ...] = ("-", (0, (6, 2.5)), (0, (2, 2)), (0, (6, 2, 2, 2)))
# Inches: of the axes, around them, of a line of the legend and of a letter in it.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 7.0, 2.8, 0.74, 0.26, 0.12, 0.55
_ROW, _LETTER, _HANDLE = 0.185, 0.071, 0.6
_FEW, _LONG = 4, 80
_FINE, _GRID, _MOST = 2e-4, 4000, 20_000
_AXIS = {"ba": "optimizer updates", "ep": "epochs", "sp": "samples", "tok": "tokens"}


def plot(
    *schedules: Schedule,
    total: Clock | PlaceLike | None = None,
    base: float = 1.0,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw schedules over a whole training; no model, no optimizer.

    Parameters
    ----------
    *schedules : Schedule
    total : Clock, int or str, optional
        Length of the training, for schedules with places in updates or epochs, and for the axis:
        ``10_000``, ``"30ep"``, or the clock of the training. Without it, the axis is its share.
    base : float
        Value at a factor of 1.
    labels : sequence of str, optional
        One for each schedule; by default what the schedule was made with.
    ax : Axes, optional
        None makes a new figure, which nothing global knows about: ``plot(...).figure.savefig``.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        No schedule, another number of labels, or places that only a clock can tell and no `total`.

    Examples
    --------
    >>> from trainlens_torch.schedules import Chain, Cosine, LinearWarmup
    >>> chain = Chain(LinearWarmup("500ba"), Cosine(end=0.01))
    >>> plot(chain, total=10_000, base=1e-4).get_xlabel()
    'optimizer updates'
    """
    if not schedules:
        raise ValueError("there is no schedule to plot")
    longest = _LONG if len(schedules) <= _FEW else _LONG // 2
    names = [_label(one, longest) for one in schedules] if labels is None else list(labels)
    if len(names) != len(schedules):
        raise ValueError(f"{len(names)} labels were given for {len(schedules)} schedules")
    clock = total if total is None or isinstance(total, Clock) else Clock(total)
    share, length = (plain_share, 1.0) if clock is None else (clock.share, clock.total.value)
    curves = [_curve(one.resolved(share)) for one in schedules]
    ax, columns = _prepared(ax, names)
    for i, (curve, name) in enumerate(zip(curves, names, strict=True)):
        ax.plot(
            [length * p for p, _ in curve], [base * factor for _, factor in curve],
            label=name, color=COLOURS[i % 8], linestyle=_DASHES[i // 8 % 4], linewidth=1.6,
            solid_joinstyle="round", clip_on=False, zorder=2 + 0.01 * (len(names) - i),
        )  # fmt: skip
    _finish(ax, [base * factor for curve in curves for _, factor in curve], length, columns)
    ax.set_xlabel(_AXIS[clock.total.unit] if clock else "share of the training", color=SOFT,
                  fontsize=FONT)  # fmt: skip
    ax.set_ylabel("factor" if base == 1.0 else "value", color=SOFT, fontsize=FONT)
    return ax


def _curve(schedule: Schedule) -> Points:
    try:
        return tabulated(schedule.factor, _FINE, _MOST)
    except TooWild:
        return tuple((i / _GRID, schedule.factor(i / _GRID)) for i in range(_GRID + 1))


def _prepared(ax: Axes | None, names: Sequence[str]) -> tuple[Axes, int]:
    """Axes in the house style, and how many columns the legend above them has."""
    widest = _HANDLE + _LETTER * max(len(name) for name in names)
    if ax is not None:
        style(ax)
        inches = ax.get_window_extent().width / ax.figure.dpi
        return ax, max(1, min(len(names), int(inches / widest)))
    columns = max(1, min(len(names), int(_WIDTH / widest)))
    top = _TOP + _ROW * -(-len(names) // columns)
    wide, high = _LEFT + _WIDTH + _RIGHT, _BOTTOM + _HEIGHT + top
    made = new_axes(wide, high, (_LEFT / wide, _BOTTOM / high, _WIDTH / wide, _HEIGHT / high))
    style(made)
    return made, columns


def _finish(ax: Axes, values: Sequence[float], length: float, columns: int) -> None:
    """Limits with 0 in sight, ticks in full, and the legend above."""
    from matplotlib.ticker import FuncFormatter

    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.04 * (high - low) or 1.0
    ax.set_xlim(0.0, length)
    ax.set_ylim(low - room * (low < 0), high + room)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    if length == 1.0:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    else:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    legend(ax, columns)


def _tick(value: float) -> str:
    """``2.5e-4`` rather than 0.00025."""
    if value == 0.0 or abs(value) >= 1e-3:
        return f"{value:.4g}"
    digits, power = f"{value:.3e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def _label(schedule: Schedule, longest: int) -> str:
    text = _told(schedule)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _told(schedule: Schedule) -> str:
    """What differs from the defaults, as it would be written."""
    name = type(schedule).__name__
    if isinstance(schedule, Chain):
        return ", then ".join(_of_part(p.schedule, p.until or p.length) for p in schedule.parts)
    if isinstance(schedule, Custom):
        return schedule.name
    keys = []
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        if value is not None and (is_place(field) or value != field.default):
            keys.append(f"{field.name}={_short(value)}")
    return f"{name}({', '.join(keys)})" if keys else name


def _of_part(schedule: Schedule, until: Place | float | None) -> str:
    text = type(schedule).__name__ if schedule.stretch() else _told(schedule)
    return text if until is None else f"{text} to {_short(until)}"


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_short(one) for one in value[:4])}{', …' if len(value) > 4 else ''}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
