"""When a component is frozen: windows between two places of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from trainlens_torch.place import Place, PlaceLike, place
from trainlens_torch.schedules.base import Share

__all__ = ["Stage", "Window", "need_clock", "read_stages", "shares_of", "within"]

Stage: TypeAlias = "PlaceLike | Sequence[PlaceLike] | Sequence[Sequence[PlaceLike]]"
"""Frozen until a place, between two places, or in several such windows."""

Window: TypeAlias = tuple[Place, Place]

_START = Place(0.0, "dur")


def read_stages(stages: Mapping[str, Stage]) -> dict[str, tuple[Window, ...]]:
    """Windows in which each component is frozen.

    Raises
    ------
    TypeError, ValueError
        No mapping, an empty one, or something that is no place, pair or list of pairs.
    """
    if not isinstance(stages, Mapping):
        raise TypeError(
            f'stages map components to places, such as {{"backbone": 0.3}}, not {stages!r}'
        )
    if not stages:
        raise ValueError('no stages; name what is frozen and until when: {"backbone": 0.3}')
    return {pattern: _windows(pattern, given) for pattern, given in stages.items()}


def shares_of(
    windows: Mapping[str, tuple[Window, ...]], share: Share | None = None
) -> dict[str, tuple[tuple[float, float], ...]]:
    """The windows as shares of the training.

    Parameters
    ----------
    windows : mapping
        From `read_stages`.
    share : callable, optional
        `Clock.share`; needed where places are told in anything but shares.

    Raises
    ------
    ValueError
        A place that only a clock can tell, or a window that ends before it begins.
    """
    out = {}
    for pattern, own in windows.items():
        told = tuple((_told(a, share), _told(b, share)) for a, b in own)
        for (start, stop), (a, b) in zip(told, own, strict=True):
            if start > stop:
                raise ValueError(f"{pattern!r} is frozen from {a} until {b}: it ends before")
        out[pattern] = told
    return out


def need_clock(windows: Mapping[str, tuple[Window, ...]]) -> bool:
    """Whether a place of the windows is told in anything but shares."""
    return not all(_plain(where) for own in windows.values() for pair in own for where in pair)


def within(windows: Sequence[tuple[float, float]], progress: float) -> bool:
    """Whether a progress lies in a window: from its start, up to but not including its end.

    A window that ends with the training, or beyond it, includes its end.
    """
    return any(start <= progress and (progress < stop or stop >= 1.0) for start, stop in windows)


def _windows(pattern: str, given: Any) -> tuple[Window, ...]:
    if not _several(given):
        return ((_START, place(given)),)
    pairs = given if given and all(_several(one) for one in given) else [given]
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(
                f"{pattern!r} is frozen until a place, or between two of them (from, until); "
                f"not {given!r}"
            )
    return tuple((place(start), place(stop)) for start, stop in pairs)


def _several(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str)


def _plain(where: Place) -> bool:
    # The beginning is the beginning in any unit: a plain 0 is no number of updates to ask about.
    return where.unit == "dur" or where.value == 0


def _told(where: Place, share: Share | None) -> float:
    if _plain(where):
        return where.value
    if share is None:
        raise ValueError(
            f"{where} can only be told by a clock: call resolve(clock), or write a share such as "
            '"0.1dur"'
        )
    return share(where)
