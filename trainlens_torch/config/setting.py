"""What a setting is: its kind, its range, its unit, and the line that explains it.

Everything that is said about a setting stands in the metadata of its field, made by the functions
below. Validation, tables, the page and the help of the command line read it there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trainlens.errors import UsageError
from trainlens_torch.checks import number as checked_number
from trainlens_torch.checks import whole as checked_whole
from trainlens_torch.place import place as checked_place

__all__ = [
    "Section",
    "Spec",
    "names",
    "number",
    "numbers",
    "place",
    "places",
    "ratios",
    "shown",
    "span",
    "spec_of",
    "stages",
    "switch",
    "text",
    "whole",
    "word",
]

_KEY = "setting"
_NOTHING = ("none", "null")
_LARGEST = 2**53


@dataclass(frozen=True)
class Spec:
    """What a setting may be.

    Parameters
    ----------
    kind : str
        ``number``, ``whole``, ``switch``, ``word``, ``text``, ``place``, ``places``, ``numbers``,
        ``names``, ``ratios``, ``stages`` or ``span``.
    help : str
        One line.
    unit : str
    low, high : float
        Bounds of numbers, both included.
    above : bool
        Whether `low` itself is refused.
    choices : tuple of str
        Of a word.
    optional : bool
        Whether None is taken.
    logged : str
        Name at the head of a log, where it is not section and name: what people and trainlens
        call it.
    """

    kind: str
    help: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False
    logged: str = ""

    def take(self, value: Any, path: str) -> Any:
        """The value as it is kept.

        Raises
        ------
        UsageError
            One line: the path, what the setting takes, and what was given.
        """
        if self.optional and (value is None or value in _NOTHING):
            return None
        try:
            return _READ[self.kind](self, value, path)
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from None

    @property
    def range(self) -> str:
        """What is taken, in a few words.

        Examples
        --------
        >>> Spec("number", "", low=0.0, high=1.0).range, Spec("whole", "", low=1).range
        ('0 to 1', '1 or more')
        """
        out = ", ".join(self.choices) or self._bounds() or _TAKEN[self.kind]
        return f"{out}, or none" if self.optional else out

    def _bounds(self) -> str:
        if self.low == -math.inf:
            return ""
        least = f"above {self.low:g}" if self.above else f"{self.low:g}"
        if self.high == math.inf:
            return least if self.above else f"{least} or more"
        return f"{least} to {self.high:g}"


@dataclass(frozen=True)
class Section:
    """Settings that belong together; a subclass has a `title` and fields made by this module.

    Raises
    ------
    UsageError
        A value out of its range, with its path.
    """

    title: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            path = f"{self.title}.{one.name}"
            taken = spec_of(one).take(getattr(self, one.name), path)
            object.__setattr__(self, one.name, taken)

    @classmethod
    def specs(cls) -> Iterator[tuple[str, Spec, Any]]:
        """Name, spec and default of each setting."""
        for one in dataclasses.fields(cls):
            factory = one.default_factory
            default = one.default if factory is dataclasses.MISSING else factory()
            yield one.name, spec_of(one), default


def spec_of(given: dataclasses.Field[Any]) -> Spec:
    """The spec of a field."""
    found: Spec = given.metadata[_KEY]
    return found


def shown(value: Any) -> str:
    """A value as a table, an error or ``--set`` has it.

    Examples
    --------
    >>> shown(3e-4), shown(None), shown(True), shown(("a", 2)), shown({"head": 0.5})
    ('0.0003', 'none', 'true', '[a, 2]', '{head: 0.5}')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(one)}" for key, one in value.items()) + "}"
    return str(value)


def number(
    default: float | None,
    help: str,
    *,
    low: float = 0.0,
    high: float = math.inf,
    above: bool = False,
    **more: Any,
) -> Any:
    """A field that holds a finite number."""
    more.setdefault("optional", default is None)
    return _field(default, Spec("number", help, low=low, high=high, above=above, **more))


def whole(
    default: int | None, help: str, *, low: int = 1, high: int = _LARGEST, **more: Any
) -> Any:
    """A field that holds an integer."""
    top = math.inf if high == _LARGEST else high
    more.setdefault("optional", default is None)
    return _field(default, Spec("whole", help, low=low, high=top, **more))


def switch(default: bool, help: str) -> Any:
    """A field that is on or off."""
    return _field(default, Spec("switch", help))


def word(default: str, help: str, *choices: str) -> Any:
    """A field that holds one of some words."""
    return _field(default, Spec("word", help, choices=choices))


def text(default: str, help: str) -> Any:
    """A field that holds any text but an empty one."""
    return _field(default, Spec("text", help))


def place(default: float | int | str | None, help: str, **more: Any) -> Any:
    """A field that holds a place in the training, or a length of it."""
    return _field(default, Spec("place", help, optional=default is None, **more))


def places(default: tuple[Any, ...], help: str) -> Any:
    """A field that holds places in the training."""
    return _field(default, Spec("places", help))


def numbers(default: tuple[float, ...], help: str) -> Any:
    """A field that holds numbers of 0 or more."""
    return _field(default, Spec("numbers", help))


def names(default: tuple[str, ...], help: str) -> Any:
    """A field that holds texts."""
    return _field(default, Spec("names", help))


def ratios(help: str) -> Any:
    """A field that maps patterns to numbers of 0 or more; none by default."""
    return field(default_factory=dict, metadata={_KEY: Spec("ratios", help)})


def stages(help: str) -> Any:
    """A field that maps patterns to places, or to windows between two; none by default."""
    return field(default_factory=dict, metadata={_KEY: Spec("stages", help)})


def span(help: str, **more: Any) -> Any:
    """A field that holds a first and a last step; none by default."""
    return _field(None, Spec("span", help, optional=True, **more))


def _field(default: Any, spec: Spec) -> Any:
    return field(default=default, metadata={_KEY: spec})


def _number(spec: Spec, value: Any, path: str) -> float:
    return checked_number(value, path, spec.low, spec.high, above=spec.above)


def _whole(spec: Spec, value: Any, path: str) -> int:
    found = checked_whole(value, path, int(spec.low))
    top = min(spec.high, _LARGEST)
    if found > top:
        raise ValueError(f"{path} must be {top:.0f} or less, not {found}")
    return found


def _switch(spec: Spec, value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{path} must be true or false, not {value!r}")
    return value


def _word(spec: Spec, value: Any, path: str) -> str:
    if value not in spec.choices:
        raise ValueError(f"{path} must be one of {', '.join(spec.choices)}, not {value!r}")
    return str(value)


def _text(spec: Spec, value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{path} must be a text, not {value!r}")
    return value


def _place(spec: Spec, value: Any, path: str) -> Any:
    try:
        checked_place(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    return value


def _list(value: Any, path: str, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{path} must be a list of {what}, not {value!r}")
    return list(value)


def _places(spec: Spec, value: Any, path: str) -> tuple[Any, ...]:
    given = _list(value, path, "places")
    return tuple(_place(spec, one, f"{path}[{i}]") for i, one in enumerate(given))


def _numbers(spec: Spec, value: Any, path: str) -> tuple[float, ...]:
    given = _list(value, path, "numbers")
    return tuple(checked_number(one, f"{path}[{i}]") for i, one in enumerate(given))


def _names(spec: Spec, value: Any, path: str) -> tuple[str, ...]:
    given = _list(value, path, "texts")
    return tuple(_text(spec, one, f"{path}[{i}]") for i, one in enumerate(given))


def _mapping(value: Any, path: str, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{path} must map components to {what}, not {value!r}")
    return {str(key): one for key, one in value.items()}


def _ratios(spec: Spec, value: Any, path: str) -> dict[str, float]:
    given = _mapping(value, path, "numbers")
    return {key: checked_number(one, f"{path}.{key}") for key, one in given.items()}


def _stages(spec: Spec, value: Any, path: str) -> dict[str, Any]:
    given = _mapping(value, path, "places")
    return {key: _stage(spec, one, f"{path}.{key}") for key, one in given.items()}


def _stage(spec: Spec, value: Any, path: str) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_stage(spec, one, f"{path}[{i}]") for i, one in enumerate(value))
    return _place(spec, value, path)


def _span(spec: Spec, value: Any, path: str) -> tuple[int, int]:
    given = _list(value, path, "a first and a last step")
    if len(given) != 2:
        raise ValueError(f"{path} must be a first and a last step, not {value!r}")
    first, last = (checked_whole(one, f"{path}[{i}]", 0) for i, one in enumerate(given))
    if last < first:
        raise ValueError(f"{path} ends at {last}, before it begins at {first}")
    return first, last


_READ: dict[str, Callable[[Spec, Any, str], Any]] = {
    "number": _number,
    "whole": _whole,
    "switch": _switch,
    "word": _word,
    "text": _text,
    "place": _place,
    "places": _places,
    "numbers": _numbers,
    "names": _names,
    "ratios": _ratios,
    "stages": _stages,
    "span": _span,
}
_TAKEN = {
    "number": "a number",
    "whole": "a whole number",
    "switch": "true, false",
    "word": "a word",
    "text": "a text",
    "place": 'a place: 0.1, 500, "3ep"',
    "places": "places",
    "numbers": "numbers",
    "names": "texts",
    "ratios": "component: number",
    "stages": "component: place",
    "span": "[first, last]",
}
