"""How components of a model are named: ``clip_backbone``, ``decoder.norm``, ``blocks.[0-3]``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "WRAPPERS",
    "Match",
    "Overlap",
    "Unknown",
    "assigned",
    "find",
    "matches",
    "parameter_names",
    "plain",
]

WRAPPERS = frozenset(
    {
        "module",  # DataParallel, DistributedDataParallel, AveragedModel
        "_orig_mod",  # torch.compile
        "_fsdp_wrapped_module",
        "_forward_module",  # Lightning's strategies
        "_checkpoint_wrapped_module",
    }
)
"""Components that wrappers put into names; they are ignored wherever they stand."""

_MOST_NAMED = 5
_CLOSE = 0.5


class Unknown(ValueError):
    """A pattern that names nothing; the message has names that are close."""


class Overlap(ValueError):
    """Something that two patterns claim; the message names it and both."""


@dataclass(frozen=True)
class Match:
    """Where a pattern was found.

    Parameters
    ----------
    pattern : str
        As it was given.
    name : str
        Dotted name without wrappers.
    start, stop : int
        The components of the name that the pattern covers.
    """

    pattern: str
    name: str
    start: int
    stop: int

    def within(self, other: Match) -> bool:
        """Whether this covers all that another covers, and more: it is the more specific one."""
        longer = self.stop - self.start > other.stop - other.start
        return longer and self.start <= other.start and other.stop <= self.stop


def plain(name: str) -> str:
    """A dotted name without the components of wrappers.

    Examples
    --------
    >>> plain("module._orig_mod.blocks.0.weight")
    'blocks.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern names a parameter or module, or something that it lies in.

    A pattern matches where its dotted components occur as a contiguous run of whole components
    of the name, at any depth. Within a component the wildcards ``*``, ``?``, ``[0-3]`` and
    ``[!0-3]`` stand for characters, as in file names; none of them crosses a dot. Upper and lower
    case differ. Components of wrappers (`WRAPPERS`) are ignored on both sides.

    Parameters
    ----------
    pattern, name : str

    Raises
    ------
    TypeError, ValueError
        `pattern` is no text, empty, has an empty component, or names nothing but a wrapper.

    Examples
    --------
    >>> matches("clip_backbone", "module.clip_backbone.conv.weight")
    True
    >>> matches("clip_backbone", "clip_backbone2.conv.weight")
    False
    >>> matches("blocks.[0-3]", "encoder.blocks.2.attn.qkv.weight")
    True
    """
    return bool(find(pattern, name))


def find(pattern: str, name: str) -> list[Match]:
    """Every place at which a pattern occurs in a name; see `matches`."""
    return _found(pattern, _parts(pattern), plain(name))


def parameter_names(model: nn.Module) -> dict[nn.Parameter, tuple[str, ...]]:
    """Every parameter of a model, once, in its order, with all names that it has.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    dict of Parameter to tuple of str
        Names without wrappers; in full where two parameters would have the same.

    Raises
    ------
    TypeError, ValueError
        No module; one without parameters, or with some that have no shape yet.
    """
    if not hasattr(model, "named_parameters"):
        raise TypeError(f"a model must be a module of torch, not {type(model).__name__}")
    found: dict[nn.Parameter, list[str]] = {}
    taken: set[str] = set()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if hasattr(parameter, "materialize"):
            raise ValueError(f"{name} has no shape yet; run the model on one batch first")
        short = plain(name) if plain(name) not in taken else name
        taken.add(short)
        found.setdefault(parameter, []).append(short)
    if not found:
        raise ValueError(f"{type(model).__name__} has no parameters")
    return {parameter: tuple(names) for parameter, names in found.items()}


def assigned(things: Sequence[Sequence[str]], patterns: Iterable[str]) -> list[Match | None]:
    """Which of several patterns each thing belongs to.

    Where patterns overlap the more specific one decides: the one that has more components and
    covers the place where the other matches (``clip.head`` against ``clip`` or ``head``).

    Parameters
    ----------
    things : sequence of sequence of str
        Names of each parameter or module; several where it is shared.
    patterns : iterable of str

    Returns
    -------
    list of Match or None
        Of each thing; None where no pattern names it.

    Raises
    ------
    TypeError, ValueError
        Something that is no pattern.
    Unknown
        A pattern that matches nothing.
    Overlap
        A thing that belongs to two patterns, of which neither is more specific; or a shared one
        whose names belong to different patterns.
    """
    split = {pattern: _parts(pattern) for pattern in patterns}
    known = [[plain(name) for name in names] for names in things]
    seen: set[str] = set()
    out: list[Match | None] = []
    for names in known:
        claims = [_claims(split, name) for name in names]
        seen.update(match.pattern for found in claims for match in found)
        out.append(_agreed([_decided(found) for found in claims if found]))
    for pattern, parts in split.items():
        if pattern not in seen:
            raise Unknown(_unknown(pattern, len(parts), [n for names in known for n in names]))
    return out


def _parts(pattern: str) -> tuple[str, ...]:
    if not isinstance(pattern, str):
        raise TypeError(f'a component is named by a text such as "decoder", not {pattern!r}')
    given = pattern.split(".")
    if not all(given):
        raise ValueError(f"{pattern!r} names no component: a part of it is empty")
    parts = tuple(part for part in given if part not in WRAPPERS)
    if not parts:
        raise ValueError(f"{pattern!r} names a wrapper; name what is in it")
    return parts


def _found(pattern: str, parts: tuple[str, ...], name: str) -> list[Match]:
    own, n = name.split("."), len(parts)
    return [
        Match(pattern, name, at, at + n)
        for at in range(len(own) - n + 1)
        if all(fnmatchcase(own[at + i], part) for i, part in enumerate(parts))
    ]


def _claims(split: Mapping[str, tuple[str, ...]], name: str) -> list[Match]:
    return [match for pattern, parts in split.items() for match in _found(pattern, parts, name)]


def _decided(found: Sequence[Match]) -> Match:
    """The most specific of the matches of one name."""
    beaten: dict[str, list[Match]] = {}
    for match in found:
        beaten.setdefault(match.pattern, []).append(match)
    for match in found:
        # A pattern may occur twice in a name; one occurrence that is covered is enough.
        others = [own for pattern, own in beaten.items() if pattern != match.pattern]
        if all(any(match.within(one) for one in own) for own in others):
            return match
    first, second = _rivals(found)
    raise Overlap(
        f"{first.name} is in two components, {first.pattern!r} and {second.pattern!r}; "
        + _way_out(first, second)
    )


def _rivals(found: Sequence[Match]) -> tuple[Match, Match]:
    """Two matches of different patterns of which neither is more specific."""
    return next(
        (first, second)
        for first, second in combinations(found, 2)
        if first.pattern != second.pattern and not (first.within(second) or second.within(first))
    )


def _way_out(first: Match, second: Match) -> str:
    start, stop = min(first.start, second.start), max(first.stop, second.stop)
    # Numbers are left open: what holds for one block is nearly always meant for all.
    parts = ["*" if part.isdecimal() else part for part in first.name.split(".")[start:stop]]
    whole = ".".join(parts)
    if whole in (first.pattern, second.pattern):
        return "name components that do not overlap"
    return f"write {whole!r} for what is in both"


def _agreed(found: Sequence[Match]) -> Match | None:
    """The match of a thing that has several names."""
    for match in found[1:]:
        if match.pattern != found[0].pattern:
            raise Overlap(
                f"{found[0].name} and {match.name} are one shared parameter in two components, "
                f"{found[0].pattern!r} and {match.pattern!r}; name it in a component of its own "
                "or share it no longer"
            )
    return found[0] if found else None


def _unknown(pattern: str, length: int, names: Sequence[str]) -> str:
    """Message for a pattern that matches nothing, with the names that it may have meant."""
    candidates: dict[str, None] = {}
    for name in names:
        own = name.split(".")
        for at in range(max(len(own) - length + 1, 1)):
            candidates[".".join(own[at : at + length])] = None
    close = difflib.get_close_matches(plain(pattern), candidates, n=3, cutoff=_CLOSE)
    if close:
        return f"{pattern!r} matches nothing in the model; did you mean {_listed(close)}?"
    top = list(dict.fromkeys(name.partition(".")[0] for name in names))
    more = ", ..." if len(top) > _MOST_NAMED else ""
    return f"{pattern!r} matches nothing in the model, which has {_listed(top[:_MOST_NAMED])}{more}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) if names else "no parameters"
