"""How deep in its component a parameter lies: the layers that layer-wise rates are told in."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from trainlens_torch.patterns import Match, plain

__all__ = ["Depth", "depths"]


@dataclass(frozen=True)
class Depth:
    """Where a parameter lies in its component.

    Parameters
    ----------
    layer : int
        0 for what comes before the numbered layers, 1 to n for those, n + 1 for what comes after.
    last : int
        n + 1.
    """

    layer: int
    last: int

    @property
    def below(self) -> int:
        """How many layers lie above it."""
        return self.last - self.layer


def depths(
    found: Sequence[tuple[str, Match | None]], blocks: AbstractSet[str]
) -> list[Depth | None]:
    """Depth of the parameters of one component.

    Layers are the numbered modules of the component (``blocks.3.``, the outermost number of a
    name) that hold modules of their own, in the order of the model; several lists of them follow
    each other (``layer1.0``, ``layer1.1``, ``layer2.0``). In a model without such blocks the
    longest list of numbered modules counts. What stands between two layers belongs to the first of
    them. A component that occurs at several places of the model (``image.encoder``,
    ``text.encoder``) is numbered at each place anew.

    Parameters
    ----------
    found : sequence of (str, Match or None)
        Name of each parameter without wrappers, and where the pattern of the component matches
        it, in the order of the model. None: the component is the whole model.
    blocks : set of str
        Names of the numbered modules of the model that hold modules of their own.

    Returns
    -------
    list of Depth or None
        None for all at a place without numbered modules.
    """
    spots = [_spot(name, match) for name, match in found]
    places: dict[str, list[int]] = {}
    for i, spot in enumerate(spots):
        places.setdefault(spot.place, []).append(i)
    out: list[Depth | None] = [None] * len(spots)
    for members in places.values():
        for i, depth in zip(members, _numbered([spots[i] for i in members], blocks), strict=True):
            out[i] = depth
    return out


@dataclass(frozen=True)
class _Spot:
    """One parameter: the place of its component, and its numbered module as (list, number)."""

    place: str
    numbered: tuple[str, str] | None

    @property
    def module(self) -> str:
        return "" if self.numbered is None else ".".join(filter(None, self.numbered))


def _spot(name: str, match: Match | None) -> _Spot:
    parts = name.split(".")
    start, stop = (0, 0) if match is None else (match.start, match.stop)
    own = [] if match is None else plain(match.pattern).split(".")
    for at in range(start, len(parts) - 1):
        # A number that the pattern itself names (``stages.0``) is no choice of a layer.
        named = at < stop and own[at - start] == parts[at]
        if parts[at].isdecimal() and not named:
            place = ".".join(parts[: min(stop, at)])
            return _Spot(place, (".".join(parts[:at]), parts[at]))
    return _Spot(".".join(parts[:stop]), None)


def _numbered(spots: Sequence[_Spot], blocks: AbstractSet[str]) -> list[Depth | None]:
    layers = {module: i for i, module in enumerate(_layers(spots, blocks), start=1)}
    if not layers:
        return [None] * len(spots)
    last = len(layers) + 1
    out: list[Depth | None] = []
    now, reached = 0, 0
    for spot in spots:
        now = layers.get(spot.module, now if reached < len(layers) else last)
        reached = max(reached, layers.get(spot.module, 0))
        out.append(Depth(now, last))
    return out


def _layers(spots: Sequence[_Spot], blocks: AbstractSet[str]) -> list[str]:
    """Names of the modules that are layers, in order."""
    lists: dict[str, dict[str, None]] = {}
    for spot in spots:
        if spot.numbered is not None:
            lists.setdefault(spot.numbered[0], {})[spot.module] = None
    every = [module for modules in lists.values() for module in modules]
    if blocks or not lists:
        return [module for module in every if module in blocks]
    longest = max(lists.values(), key=len)
    return list(longest)
