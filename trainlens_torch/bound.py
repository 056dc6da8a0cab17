"""Schedules bound to the parameter groups of an optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainlens_torch.fields import Group, field_of, read_field, write_field
from trainlens_torch.schedules.base import Schedule, Share

__all__ = ["REST", "Bound", "BoundFields", "by_group", "finite", "names_of"]

REST = "*"
"""Stands for all parameter groups that have no schedule of their own."""


@dataclass
class Bound:
    """One field under one schedule, in all parameter groups that follow it.

    Parameters
    ----------
    field, key : str
        Name of the field, and the key of a group that holds it.
    schedule : Schedule
        Resolved.
    bases : tuple of (int, float)
        Number and initial value of each group.
    now : float
        Factor that was applied last.
    """

    field: str
    key: str
    schedule: Schedule
    bases: tuple[tuple[int, float], ...]
    now: float = math.nan

    def write(self, groups: list[Group]) -> None:
        """Set the field of each group to its initial value times the factor."""
        key, now = self.key, self.now
        for at, base in self.bases:
            group = groups[at]
            # Nearly always a plain float: the short way for it.
            if type(group.get(key)) is float:
                group[key] = base * now
            else:
                write_field(group, key, base * now)


class BoundFields:
    """All scheduled fields of an optimizer.

    Parameters
    ----------
    fields : mapping of str to mapping of str to Schedule
        By field, then by name of the parameter group or `REST`.
    groups : list of dict
        Parameter groups; their ``initial_<field>`` is the base, where there is none yet the
        present value.
    share : callable
        `Clock.share`.

    Raises
    ------
    TypeError, ValueError
        An unknown field or group, or a value that is no finite number.
    """

    def __init__(
        self, fields: Mapping[str, Mapping[str, Schedule]], groups: list[Group], share: Share
    ) -> None:
        self.fields = {
            field: {name: schedule.resolved(share) for name, schedule in own.items()}
            for field, own in fields.items()
        }
        self.initial = [self._read(group) for group in groups]
        self.rows = self._arranged(groups)

    def remember(self, groups: list[Group]) -> None:
        """Leave the initial values in the groups, where checkpoints take them along."""
        for group, initial in zip(groups, self.initial, strict=True):
            for field, value in initial.items():
                group.setdefault(f"initial_{field}", value)

    def adopt(self, groups: list[Group]) -> None:
        """Take in parameter groups that were added since.

        Raises
        ------
        ValueError
            Groups went away.
        """
        if len(groups) < len(self.initial):
            raise ValueError(
                f"the optimizer had {len(self.initial)} parameter groups, now {len(groups)}; "
                "make a new scheduler where groups go away"
            )
        self.initial += [self._read(group) for group in groups[len(self.initial) :]]
        self.remember(groups)
        self.rows = self._arranged(groups)

    def last(self, field: str) -> dict[int, float]:
        """Values of a field that were written last, by number of the group."""
        return {at: base * row.now for row in self._of(field) for at, base in row.bases}

    def logged(self, field: str, groups: Sequence[Group]) -> dict[str, float]:
        """Values of a field that were written last, by the names under which they are logged."""
        last, main = self.last(field), self.main(field, groups)
        out = {} if main is None else {field: last[main[0]] / main[1]}
        if len(last) > 1 or main is None:
            names = names_of(groups)
            out |= {f"{field}/{names[at]}": value for at, value in last.items()}
        return out

    def main(self, field: str, groups: Sequence[Group]) -> tuple[int, float] | None:
        """A group whose field stands for all, and its ratio to the base value.

        None where groups follow different schedules.
        """
        if set(self.fields[field]) != {REST} or not self.initial:
            return None
        if field == "lr":
            return 0, float(groups[0].get("lr_ratio", 1.0)) or 1.0
        sizes = [abs(initial[field]) for initial in self.initial]
        return sizes.index(max(sizes)), 1.0

    def plan(self, field: str, groups: Sequence[Group]) -> dict[str, Any]:
        """The plan of a field as the header of a log holds it; of each group where they differ."""
        names, main = names_of(groups), self.main(field, groups)
        if main is None:
            return {
                f"{field}/{names[at]}": {**row.schedule.spec(), "base": base}
                for row in self._of(field)
                for at, base in row.bases
            }
        at, ratio = main
        base = self.initial[at][field] / ratio
        plan: dict[str, Any] = {**self.fields[field][REST].spec(), "base": base}
        if len(names) > 1 and base:
            own = [initial[field] / base for initial in self.initial]
            plan["ratios"] = dict(zip(names, own, strict=True))
        return {field: plan}

    def config(self, groups: Sequence[Group]) -> dict[str, Any]:
        """Schedules and initial values in plain values."""
        return {
            "groups": dict(zip(names_of(groups), self.initial, strict=True)),
            "fields": {
                field: {name: schedule.spec() for name, schedule in own.items()}
                for field, own in self.fields.items()
            },
        }

    def _of(self, field: str) -> Iterator[Bound]:
        return (row for row in self.rows if row.field == field)

    def _read(self, group: Group) -> dict[str, float]:
        found = {}
        for field in self.fields:
            key, remembered = field_of(group, field), f"initial_{field}"
            found[field] = read_field(group, remembered if remembered in group else key)
        return found

    def _arranged(self, groups: list[Group]) -> list[Bound]:
        names, rows = names_of(groups), []
        for field, own in self.fields.items():
            _refuse_unknown(field, own, names)
            for name, schedule in own.items():
                takes = [n == name or (name == REST and n not in own) for n in names]
                mine = [i for i, taken in enumerate(takes) if taken]
                bases = tuple((i, self.initial[i][field]) for i in mine)
                if bases:
                    rows.append(Bound(field, field_of(groups[mine[0]], field), schedule, bases))
        return rows


def by_group(field: str, given: object) -> dict[str, Schedule]:
    """What a field was given, by group.

    Raises
    ------
    TypeError
        Something in it is no schedule.
    """
    own: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {REST: given}
    for name, schedule in own.items():
        if not isinstance(schedule, Schedule):
            whose = "" if name == REST else f" for {name!r}"
            raise TypeError(f"{field} needs a schedule{whose}, not {schedule!r}")
    return own


def names_of(groups: Sequence[Group]) -> list[str]:
    """Names of parameter groups; their number where they have none."""
    return [str(group.get("name", i)) for i, group in enumerate(groups)]


def finite(value: float, name: str) -> float:
    """A value of a schedule, if it is finite; ValueError else."""
    if not math.isfinite(value):
        raise ValueError(f"the schedule of {name} gives {value!r}")
    return value


def _refuse_unknown(field: str, own: Mapping[str, Schedule], names: Sequence[str]) -> None:
    unknown = [name for name in own if name != REST and name not in names]
    if unknown:
        raise ValueError(
            f"{field}: the optimizer has no parameter group {unknown[0]!r}; it has "
            + ", ".join(names)
        )
