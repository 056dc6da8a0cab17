"""Where a model keeps its dropout rates, and how to set them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
from numbers import Real
from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = [
    "Holder",
    "checked_module",
    "checked_rate",
    "holders",
    "patterns",
    "rate_attribute",
    "set_dropout_rate",
]

_METHOD = "set_dropout_rate"
_PLAIN = (nn.MultiheadAttention, nn.RNNBase)
_RUNNING: ContextVar[frozenset[int]] = ContextVar("_RUNNING", default=frozenset())


def set_dropout_rate(module: nn.Module, rate: float, extra: str | Sequence[str] = ()) -> int:
    """Give every dropout inside a module the same rate.

    Reaches the ``Dropout*`` and ``AlphaDropout`` layers, those of `trainlens_torch.dropout`, and
    the rates that `torch.nn.MultiheadAttention` and the recurrent layers keep as a plain number;
    hence also all of a `torch.nn.Transformer` and of layers wrapped by `torch.compile` or a
    parallel wrapper. Only rates that differ are written: an unchanged rate makes no compiled graph
    compile again. A rate that changes often does, unless the model was prepared
    (`prepare_dropout`).

    A submodule that has a method ``set_dropout_rate(rate)`` of its own is asked to do it, and what
    lies below it is left to that method, which may well call this function on itself.

    Parameters
    ----------
    module : torch.nn.Module
    rate : float in [0, 1]
        Probability with which an element is set to zero.
    extra : str or sequence of str
        Names, or patterns with ``*``, of further attributes that hold a rate as a plain number:
        ``"drop_prob"`` for the DropPath of timm, ``"attention_dropout"`` for models of
        transformers. Not reached by themselves: stochastic depth mostly grows from block to block,
        and one rate for all would flatten it.

    Returns
    -------
    int
        How many places in the module hold a dropout rate, changed or not. 0 means that the
        module has no dropout that could be set. A method of a submodule counts as what it
        returns, or as 1 where that is no integer.

    Raises
    ------
    TypeError
        `rate` is not a real number, or `module` no module.
    ValueError
        `rate` is NaN or outside [0, 1], or nothing has an attribute named in `extra`. Nothing was
        set then.

    Examples
    --------
    >>> layer = nn.TransformerEncoderLayer(8, 2)
    >>> set_dropout_rate(layer, 0.0), layer.dropout.p, layer.self_attn.dropout
    (4, 0.0, 0.0)
    """
    checked = checked_rate(rate)
    found = holders(module, patterns(extra))
    return sum(holder.set(checked) for holder in found)


@dataclass(frozen=True)
class Holder:
    """One place of a model that holds a dropout rate.

    Parameters
    ----------
    owner : torch.nn.Module
    attribute : str
        What holds the rate, or the method that sets it.
    """

    owner: nn.Module
    attribute: str

    def set(self, rate: float) -> int:
        """Set it where it differs; how many rates this place stands for."""
        if self.attribute == _METHOD:
            return _asked(self.owner, rate)
        if getattr(self.owner, self.attribute) != rate:
            setattr(self.owner, self.attribute, rate)
        return 1


def holders(module: nn.Module, extra: Sequence[str] = ()) -> list[Holder]:
    """Each place of a module that holds a dropout rate, once.

    Raises
    ------
    TypeError
        `module` is none.
    ValueError
        A pattern of `extra` that nothing matches.
    """
    checked_module(module)
    found, matched = [], set()
    for child, asked in _walk(module):
        attribute = _METHOD if asked else rate_attribute(child)
        if attribute:
            found.append(Holder(child, attribute))
        if not extra or attribute == _METHOD:
            continue
        for pattern, other in _extra(child, extra):
            matched.add(pattern)
            if other != attribute:
                found.append(Holder(child, other))
    missed = [pattern for pattern in extra if pattern not in matched]
    if missed:
        raise ValueError(
            f"nothing in {type(module).__name__} holds a number named {missed[0]!r}; name the "
            "attribute under which a module keeps its rate"
        )
    return found


def checked_rate(rate: object) -> float:
    """A dropout rate as a float; TypeError for no number, ValueError outside [0, 1]."""
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise TypeError(f"a dropout rate must be a number, not {rate!r}")
    value = float(rate)
    if not 0.0 <= value <= 1.0:  # false for NaN, too
        raise ValueError(f"a dropout rate must lie in [0, 1], not {rate}")
    return value


def checked_module(module: object) -> None:
    """Raise TypeError for what is no module."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"{type(module).__name__} is no torch module")


def rate_attribute(module: nn.Module) -> str:
    """Attribute under which a layer of torch, or one of its kind, keeps its rate; or empty."""
    if isinstance(module, _DropoutNd):
        return "p"
    return "dropout" if isinstance(module, _PLAIN) else ""


def patterns(extra: str | Sequence[str]) -> tuple[str, ...]:
    """Patterns of attribute names, one or several; TypeError for anything else."""
    given = (extra,) if isinstance(extra, str) else tuple(extra)
    if not all(isinstance(pattern, str) for pattern in given):
        raise TypeError(f"extra takes names of attributes, not {extra!r}")
    return given


def _walk(module: nn.Module) -> Iterator[tuple[nn.Module, bool]]:
    """Each submodule once, and whether it sets all that lies below it by itself."""
    seen: set[int] = set()
    stack: list[nn.Module | None] = [module]
    while stack:
        child = stack.pop()
        if child is None or id(child) in seen:
            continue
        seen.add(id(child))
        asked = _method(child) is not None
        yield child, asked
        if not asked:
            stack += reversed(child._modules.values())


def _extra(module: nn.Module, extra: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Patterns and the public numbers of a module that they match, each number once."""
    for name, value in vars(module).items():
        if name.startswith("_") or isinstance(value, bool) or not isinstance(value, Real):
            continue
        hits = [pattern for pattern in extra if fnmatchcase(name, pattern)]
        yield from ((pattern, name) for pattern in hits[:1])


def _method(module: nn.Module) -> Callable[[float], Any] | None:
    """The method with which a module sets its own rates; None while it is at work."""
    # Looked up on the class: wrappers such as that of torch.compile hand on attributes of what
    # they hold, and would be asked in its place.
    own = vars(module).get(_METHOD) or getattr(type(module), _METHOD, None)
    if not callable(own) or id(module) in _RUNNING.get():
        return None
    method: Callable[[float], Any] = getattr(module, _METHOD)
    return method


def _asked(module: nn.Module, rate: float) -> int:
    method = _method(module)
    if method is None:  # another place has called it meanwhile
        return 0
    running = _RUNNING.set(_RUNNING.get() | {id(module)})
    try:
        said = method(rate)
    finally:
        _RUNNING.reset(running)
    return said if isinstance(said, int) and not isinstance(said, bool) else 1
