"""Parameter groups by component: learning rates, weight decay and layer-wise rates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, TypeAlias

from torch import Tensor, nn

from trainlens_torch.groups.depth import depths
from trainlens_torch.groups.no_decay import without_decay
from trainlens_torch.patterns import Match, Unknown, assigned, matches, parameter_names, plain

__all__ = ["FUSION_RATIOS", "REST", "parameter_groups"]

FUSION_RATIOS: Mapping[str, float] = {
    "clip_backbone": 0.1,
    "clip_heads": 0.2,
    "backbone3d": 1.0,
    "decoder": 1.0,
}
"""Ratios for a model that fuses a pretrained CLIP with a 3D backbone."""

REST = "rest"
"""Name of the group of all parameters that no component names."""

PerComponent: TypeAlias = "float | Mapping[str, float]"

_WARN = "warn"
_MOST_NAMED = 5


@dataclass(frozen=True)
class _Member:
    """One parameter, and what decides on its group.

    `layer` is its layer within the component, `below` how many layers lie above it.
    """

    parameter: nn.Parameter
    name: str
    match: Match | None
    decays: bool
    layer: int | None = None
    below: int = 0

    @property
    def component(self) -> str:
        return REST if self.match is None else self.match.pattern

    @property
    def group(self) -> str:
        layer = "" if self.layer is None else f"/layer-{self.layer}"
        return f"{self.component}{layer}{'' if self.decays else '/no-decay'}"


def parameter_groups(
    model: nn.Module,
    base_lr: float | Tensor,
    ratios: Mapping[str, float] | None = None,
    weight_decay: PerComponent = 0.0,
    *,
    no_decay: Iterable[str] | None = (),
    layer_decay: PerComponent | None = None,
    rest: float | str | None = _WARN,
) -> list[dict[str, Any]]:
    """Parameter groups by component, for any optimizer of torch.

    Every parameter of the model is in exactly one group, also where it is frozen now (it may thaw)
    or shared (once, under its first name). The same model gives the same groups in the same order,
    so that the state of an optimizer can be loaded again. Make them before the model is wrapped
    by something that replaces its parameters.

    Parameters
    ----------
    model : torch.nn.Module
        May be wrapped by `torch.compile` or `DistributedDataParallel`.
    base_lr : float or Tensor of one element
        Learning rate at ratio 1. A tensor gives every group a tensor of its own.
    ratios : mapping of str to float, optional
        Learning rate of each component as a share of `base_lr`, by pattern
        (`trainlens_torch.patterns.matches`). Of two patterns that overlap, the more specific one
        decides: it has more components and covers the other. By default `FUSION_RATIOS`, as far
        as the model has those components, and 1 for the rest.
    weight_decay : float or mapping of str to float
        For all, or by component; ``"rest"`` names the rest. What a mapping does not name has none.
    no_decay : iterable of str, optional
        Patterns of parameters without weight decay, embeddings for instance, beside those that
        never have it: normalisation layers, biases, and tensors of fewer than two dimensions.
        None: everything decays.
    layer_decay : float in (0, 1] or mapping of str to float, optional
        For all components, or for those named: rates fall towards the input, ratio x
        layer_decay ^ (last - layer). Layer 0 is what comes before the numbered modules of a
        component, the last one what comes behind them (`trainlens_torch.groups.depth.depths`).
    rest : float, "warn" or None
        Ratio of the parameters that no component names. ``"warn"``: 1, and a warning that names
        them. None: they are an error.

    Returns
    -------
    list of dict
        Each with ``name`` (``"decoder"``, ``"decoder/no-decay"``, ``"decoder/layer-3"``,
        ``"decoder/layer-3/no-decay"``), ``params``, ``lr``, ``initial_lr`` (the same, a float),
        ``lr_ratio`` (``lr`` over `base_lr`, layer-wise decay included) and ``weight_decay``.
        Groups without parameters are left out.

    Raises
    ------
    TypeError, ValueError
        A rate, ratio or decay that is negative or not finite; an unknown component; a parameter
        that belongs to two components, or to none where `rest` is None; a model without
        parameters; `layer_decay` where nothing is numbered.

    Warns
    -----
    UserWarning
        Parameters that no component names, where `rest` is ``"warn"`` and `ratios` were given.

    References
    ----------
    Bao, Dong, Piao, Wei: BEiT: BERT Pre-Training of Image Transformers. arXiv:2106.08254 (rates
    that fall by layer).

    Examples
    --------
    >>> model = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    >>> groups = parameter_groups(model, 0.5, {"backbone": 0.5, "head": 1.0}, weight_decay=0.25)
    >>> for group in groups:
    ...     print(group["name"], group["lr"], group["weight_decay"])
    backbone 0.25 0.25
    backbone/no-decay 0.25 0.0
    head 0.5 0.25
    head/no-decay 0.5 0.0
    """
    base = _amount(base_lr, "base_lr")
    things = parameter_names(model)
    wanted = _ratios(_present(things) if ratios is None else ratios)
    decay = _per_component(weight_decay, wanted, "weight_decay")
    fall = None if layer_decay is None else _per_component(layer_decay, wanted, "layer_decay", 1)
    members = _members(model, things, wanted, no_decay)
    if fall is not None:
        members = _layered(model, members, fall, every=not isinstance(layer_decay, Mapping))
    unnamed = [member.name for member in members if member.match is None]
    wanted[REST] = _rest(rest, unnamed, asked=ratios is not None)
    groups = []
    for own in _gathered(members, list(wanted)):
        first = own[0]
        ratio = wanted[first.component]
        if fall is not None:
            ratio *= fall.get(first.component, 1.0) ** first.below
        groups.append(
            {
                "name": first.group,
                "params": [member.parameter for member in own],
                "lr": base_lr * ratio if isinstance(base_lr, Tensor) else base * ratio,
                "initial_lr": base * ratio,
                "lr_ratio": ratio,
                "weight_decay": decay.get(first.component, 0.0) if first.decays else 0.0,
            }
        )
    return groups


def _present(things: Mapping[nn.Parameter, Sequence[str]]) -> dict[str, float]:
    """The default ratios of those components that are there."""
    names = [name for own in things.values() for name in own]
    return {
        component: ratio
        for component, ratio in FUSION_RATIOS.items()
        if any(matches(component, name) for name in names)
    }


def _ratios(given: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise TypeError(f'ratios map components to numbers, such as {{"decoder": 1.0}}: {given!r}')
    if REST in given:
        raise ValueError(f"{REST!r} stands for what no component names; give its ratio as rest=")
    return {name: _amount(ratio, f"the ratio of {name!r}") for name, ratio in given.items()}


def _per_component(
    given: PerComponent, components: Iterable[str], what: str, most: float = math.inf
) -> dict[str, float]:
    """A number for each component; those that a mapping does not name are left out."""
    known = [*components, REST]
    if not isinstance(given, Mapping):
        return dict.fromkeys(known, _amount(given, what, most))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise Unknown(f"{what} names {unknown[0]!r}; the components are {', '.join(known)}")
    return {name: _amount(value, f"{what} of {name!r}", most) for name, value in given.items()}


def _amount(given: object, what: str, most: float = math.inf) -> float:
    """A finite number of 0 or more; above 0 and at most `most` where that is given."""
    if isinstance(given, Tensor) and given.numel() == 1:
        given = given.item()
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{what} must be a number, not {given!r}")
    value = float(given)
    if most < math.inf and not 0 < value <= most:
        raise ValueError(f"{what} must lie in (0, {most:g}], not {given!r}")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{what} must be 0 or more and finite, not {given!r}")
    return value


def _rest(rest: object, unnamed: Sequence[str], *, asked: bool) -> float:
    """Ratio of the parameters that no component names."""
    if rest is not None and rest != _WARN:
        return _amount(rest, "rest")
    if unnamed and (rest is None or asked):
        count = "1 parameter is" if len(unnamed) == 1 else f"{len(unnamed)} parameters are"
        more = ", ..." if len(unnamed) > _MOST_NAMED else ""
        text = f"{count} in no component: {', '.join(unnamed[:_MOST_NAMED])}{more}; "
        if rest is None:
            raise ValueError(text + "name a component for them, or give rest= a ratio")
        warnings.warn(
            text + f"they are in the group {REST!r} at ratio 1; rest=1.0 says that this is meant",
            UserWarning,
            stacklevel=3,
        )
    return 1.0


def _members(
    model: nn.Module,
    things: Mapping[nn.Parameter, tuple[str, ...]],
    components: Iterable[str],
    no_decay: Iterable[str] | None,
) -> list[_Member]:
    found = assigned(list(things.values()), components)
    exempt = set() if no_decay is None else without_decay(model, things, no_decay)
    return [
        _Member(
            parameter, names[0] if match is None else match.name, match, parameter not in exempt
        )
        for (parameter, names), match in zip(things.items(), found, strict=True)
    ]


def _layered(
    model: nn.Module, members: list[_Member], fall: Mapping[str, float], *, every: bool
) -> list[_Member]:
    """The same with their layers, in the components whose rates fall by layer."""
    blocks = {
        plain(name)
        for name, module in model.named_modules(remove_duplicate=False)
        if name.rpartition(".")[2].isdecimal() and any(True for _ in module.children())
    }
    out = list(members)
    numbered = set()
    for component in fall:
        own = [i for i, member in enumerate(members) if member.component == component]
        found = depths([(members[i].name, members[i].match) for i in own], blocks)
        top = max((depth.last for depth in found if depth is not None), default=None)
        if top is None:
            continue
        numbered.add(component)
        for i, depth in zip(own, found, strict=True):
            below = 0 if depth is None else depth.below
            out[i] = replace(members[i], layer=top - below, below=below)
    missing = [name for name in fall if name not in numbered]
    if missing and (not numbered or not every):
        where = "the model" if every else repr(missing[0])
        raise ValueError(f"layer_decay: {where} has no numbered layers, such as 'blocks.3.'")
    return out


def _gathered(members: Sequence[_Member], order: Sequence[str]) -> list[list[_Member]]:
    """Members by group: components in the order given, layers upwards, what decays first."""
    groups: dict[str, list[_Member]] = {}
    for member in members:
        groups.setdefault(member.group, []).append(member)
    at = {component: i for i, component in enumerate(order)}
    return sorted(
        groups.values(),
        key=lambda own: (at[own[0].component], own[0].layer or 0, not own[0].decays),
    )
