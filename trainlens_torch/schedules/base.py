"""What a schedule is: a frozen, pure function of progress."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, NoReturn, TypeVar

from trainlens_torch.schedules._places import (
    NEAR,
    Share,
    Where,
    is_share,
    plain_share,
    read_place,
    read_places,
    told,
    written,
)

__all__ = ["NEAR", "Schedule", "Share", "Where", "is_place", "key_of", "place_field", "real"]

Self = TypeVar("Self", bound="Schedule")
_MARK = "place"
_LARGEST = 1e300
"""Beyond, a log would not take it, and a base times it would not be finite."""


def place_field(default: Any = dataclasses.MISSING, *, many: bool = False) -> Any:
    """A field that holds a place or, with `many`, an ascending tuple of them."""
    return dataclasses.field(default=default, metadata={_MARK: "many" if many else "one"})


@dataclasses.dataclass(frozen=True)
class Schedule(abc.ABC):
    """A factor of a base value, as a pure function of the share of a training that is done.

    A subclass is a frozen dataclass of plain values: it sets `kind`, the name under which the
    header of a log knows it (`trainlens.schema`), and gives the formula in `factor`. Its fields
    have the names of the keys there. Fields made with `place_field` hold places (see
    `trainlens_torch.place`); they are shares once the schedule is `resolved`. Fields annotated
    ``float``, ``int`` and ``str`` are checked to be that, and finite; what else must hold is said
    in `_check`. What costs is worked out once, in a `functools.cached_property`.

    Two schedules that are equal give equal values; a schedule can be a key, be pickled, and be
    called, plotted or written to a log without a model.

    Raises
    ------
    TypeError, ValueError
        At construction, and where places become shares: a value that is no number, not finite, or
        outside of what the formula takes. The message names schedule and field.
    """

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            read = _reader(field)
            value = getattr(self, field.name)
            left_out = value is None and field.default is None
            if read is not None and not left_out:
                object.__setattr__(self, field.name, self._taken(read, field.name))
        self._check()

    def __call__(self, progress: float) -> float:
        """Factor at a share of the training.

        Parameters
        ----------
        progress : float in [0, 1]

        Returns
        -------
        float

        Raises
        ------
        ValueError
            `progress` is NaN or outside [0, 1], or the schedule holds places in updates or
            epochs, which only a clock can tell (`resolved`).
        """
        if not 0.0 <= progress <= 1.0:  # false for NaN, too
            raise ValueError(f"progress must lie in [0, 1], not {progress!r}")
        return self.resolved(plain_share).factor(progress)

    @abc.abstractmethod
    def factor(self, p: float) -> float:
        """The formula: factor at a progress within [0, 1], all places being shares; no checks."""

    def resolved(self: Self, share: Share) -> Self:
        """The same schedule with every place as a share of the training.

        Parameters
        ----------
        share : callable
            `Clock.share`.

        Raises
        ------
        ValueError
            A place that the clock cannot tell, or places that turn out not to ascend.
        """
        names = [n for n in self._places() if not is_share(getattr(self, n))]
        if not names:
            return self
        return dataclasses.replace(self, **{n: told(getattr(self, n), share) for n in names})

    @property
    def is_resolved(self) -> bool:
        """Whether every place is a share of the training."""
        return all(is_share(getattr(self, name)) for name in self._places())

    def stretch(self) -> tuple[Where, Schedule] | None:
        """Length of a schedule that ends by itself, and what it is as a part of that length.

        So that a `Chain` need not be told where a warmup ends. None for those that fill whatever
        they are given.
        """
        return None

    def spec(self) -> dict[str, Any]:
        """The schedule in plain values, as the header of a log holds it (`trainlens.schema`).

        Places in updates have ``_steps`` behind their name there. Raises ValueError for places in
        epochs, samples or tokens: resolve those first.
        """
        out: dict[str, Any] = {"kind": self.kind}
        for field in dataclasses.fields(self):
            value, key = getattr(self, field.name), key_of(field)
            if is_place(field):
                key, value = written(key, value)
            out[key] = list(value) if isinstance(value, tuple) else value
        return {key: value for key, value in out.items() if value is not None}

    def _check(self) -> None:  # noqa: B027 - a hook: most formulas take any finite number
        """Say what else is wrong with the fields; places may not be shares yet."""

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        """Raise the error that says what a field must be."""
        given = getattr(self, name)
        raise ValueError(f"{name} of {type(self).__name__} must be {wanted}, not {given!r}")

    def _places(self) -> tuple[str, ...]:
        return tuple(f.name for f in dataclasses.fields(self) if is_place(f))

    def _taken(self, read: Callable[[Any], Any], name: str) -> Any:
        try:
            return read(getattr(self, name))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name} of {type(self).__name__}: {error}") from None


def key_of(field: dataclasses.Field[Any]) -> str:
    """Key of a field in the header of a log: its name, where its metadata name no ``key``."""
    return str(field.metadata.get("key", field.name))


def is_place(field: dataclasses.Field[Any]) -> bool:
    """Whether a field holds a place, or places."""
    return _MARK in field.metadata


def real(value: Any) -> float:
    """A finite number as a float; TypeError or ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"a number is needed, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not -_LARGEST < number < _LARGEST:  # true for NaN, too
        raise ValueError(f"a finite number is needed, not {value!r}")
    return number


def _whole(value: Any) -> int:
    if (number := real(value)) != int(number):
        raise ValueError(f"a whole number is needed, not {value!r}")
    return int(number)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a word is needed, not {value!r}")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {"float": real, "int": _whole, "str": _word}
"""How a field is read, by its annotation."""


def _reader(field: dataclasses.Field[Any]) -> Callable[[Any], Any] | None:
    if is_place(field):
        return read_places if field.metadata[_MARK] == "many" else read_place
    name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    return _READERS.get(name)
