"""What a user says a metric means, in place of what its name tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from trainlens.roles import ROLES, Role, role_of
from trainlens.run import Run, Series
from trainlens.words import nearest

_DIRECTIONS = ("min", "max")
_FORM = "ROLE[:DIRECTION[:UNIT]], e.g. metric:max:mm"
_LONGEST = 16
_MAIN = 4
"""Above every priority that a name gives."""


@dataclass(frozen=True)
class Meaning:
    """A role for all metrics of a name.

    Parameters
    ----------
    name : str
        As it stands in the log, or as ``metric`` or ``split/metric`` of the outputs; ``*`` and
        ``?`` stand for anything.
    role : str
        One of `trainlens.roles.ROLES`.
    direction : {"min", "max", ""}
    unit : str
    main : bool
        Whether it tells more than any other metric of its role.
    """

    name: str
    role: str
    direction: str = ""
    unit: str = ""
    main: bool = False

    def applies(self, series: Series) -> bool:
        """Whether a series is meant."""
        return self.exactly(series) or any(fnmatchcase(n, self.name) for n in _names(series))

    def exactly(self, series: Series) -> bool:
        """Whether a series is meant by its very name."""
        return self.name in _names(series)

    def of(self, series: Series) -> Role:
        """The role that a series has by this."""
        own = role_of(series.metric, series.kind)
        priority = own.priority if own.name == self.role else 1
        return Role(
            self.role, self.direction, self.unit or own.unit, _MAIN if self.main else priority
        )


def _names(series: Series) -> tuple[str, str, str]:
    return series.name, series.metric, f"{series.split}/{series.metric}"


def meaning(name: str, given: Any) -> Meaning:
    """What stands behind a name in ``[roles]`` or ``--role``.

    Parameters
    ----------
    name : str
    given : str or mapping
        ``role:direction:unit``, or the same by name.

    Raises
    ------
    ValueError
        What is wrong with it, and what would be right.
    """
    if not name:
        raise ValueError(f"it has no name; write NAME={_FORM}")
    parts = _parts(given)
    role, direction, unit = parts["role"], parts["direction"], parts["unit"]
    if role not in ROLES:
        raise ValueError(f"there is no role {role!r}; {nearest(role, ROLES)}")
    if direction not in ("", *_DIRECTIONS):
        raise ValueError(f"the direction is min (lower is better) or max, not {direction!r}")
    if role == "metric" and not direction:
        raise ValueError("say whether lower or higher is better: metric:min or metric:max")
    if len(unit) > _LONGEST:
        raise ValueError(f"a unit has at most {_LONGEST} characters, not {len(unit)}")
    if role == "loss":
        direction = direction or "min"
    return Meaning(name, role, direction, unit, parts["main"])


def _parts(given: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {"role": "", "direction": "", "unit": "", "main": False}
    if isinstance(given, str):
        held = given.split(":", 2)
        parts.update(zip(("role", "direction", "unit"), map(str.strip, held), strict=False))
        return parts
    if not isinstance(given, Mapping):
        raise ValueError(f'expected "{_FORM}" or a table {{role, direction, unit, main}}')
    for key, value in given.items():
        if key not in parts:
            raise ValueError(f"there is no key {key!r}; {nearest(str(key), parts)}")
        kind = bool if key == "main" else str
        if not isinstance(value, kind):
            raise ValueError(f"{key} is a {'true or false' if kind is bool else 'text'}")
        parts[key] = value
    return parts


def with_meanings(run: Run, meanings: tuple[Meaning, ...]) -> tuple[Run, tuple[str, ...]]:
    """A run whose series mean what a user says, and which of the meanings were of use.

    A meaning with the very name of a series counts more than one with ``*``; among equals the
    last.
    """
    if not meanings:
        return run, ()
    series, used = dict(run.series), []
    for key, one in run.series.items():
        held = [m for m in meanings if m.applies(one)]
        used += [m.name for m in held]
        if held:
            chosen = max(enumerate(held), key=lambda pair: (pair[1].exactly(one), pair[0]))[1]
            series[key] = replace(one, meaning=chosen.of(one))
    return (replace(run, series=series) if used else run), tuple(dict.fromkeys(used))
