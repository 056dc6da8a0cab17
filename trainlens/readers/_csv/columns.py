"""One column of metric values: its unit, its first values, and what is no number in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trainlens.chunk import Floats, Ints
from trainlens.readers._columns import Columns, Key
from trainlens.readers._csv.cells import Cells, Clean, Places, numbers
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Field
from trainlens.roles import parse_name, role_of

PATIENCE = 20
"""NaNs at the beginning of a training loss that may be padding."""

_Points = tuple[Ints, Floats, Floats | None, Floats | None]


@dataclass
class Metric:
    """State of a column of values.

    A column is text until it shows a number: only then are its other cells damage.

    Parameters
    ----------
    field : Field
    """

    field: Field
    unit: str | None = None
    odd: int = 0
    example: str = ""
    first_odd: int = 0
    values: int = 0

    def plain(self, cells: Cells) -> Floats | None:
        """What `read` gives of n cells that all hold plain numbers, shape (n,); else None.

        None as well where there is more to do: a unit is not known yet, or odd cells wait.
        """
        if type(cells) is not Clean or cells.empty is not None or self.unit != "" or self.odd:
            return None
        self.values += len(cells.value)
        return cells.value

    def read(
        self, cells: Cells, line: Places, damage: LineDamage, decimal_comma: bool
    ) -> tuple[Places, Floats]:
        """Places and values of the numbers among n cells on the lines `line`."""
        found = numbers(cells, decimal_comma)
        odd, at, value = found.odd, found.at, found.value
        if len(at) and self.unit is None:
            self.unit = found.units.get(int(at[0]), "")
        if found.units or self.unit:
            other = [i for i in at.tolist() if found.units.get(i, "") != self.unit]
            odd = odd | {i: "a value of another unit" for i in other}
            keep = ~np.isin(at, other)
            at, value = at[keep], value[keep]
        self._judge(odd, line, damage, len(value))
        return at, value

    def _judge(self, odd: dict[int, str], line: Places, damage: LineDamage, values: int) -> None:
        if odd and not self.odd:
            i = min(odd)
            self.first_odd, self.example = int(line[i]), odd[i]
        self.odd += len(odd)
        self.values += values
        if self.values and self.odd:
            places = [int(line[i]) for i in sorted(odd)]
            earlier = self.odd - len(odd)
            if earlier:
                damage.line("corrupt", self._what(), self.first_odd, earlier)
            for place in places:
                damage.line("corrupt", self._what(), place)
            self.odd = 0

    def _what(self) -> str:
        return f"no number in column {self.field.name!r}; that value was passed over"


@dataclass
class Leading:
    """Holds the NaNs at the beginning of a column back until its first number.

    Some loggers fill cells with ``nan`` until there is something to log. A column that never
    shows a number is data: its loss is NaN. A training loss is logged from the beginning on, so
    more than `PATIENCE` NaNs of it are data at once: a live run must not wait for its end.

    Parameters
    ----------
    columns : Columns
        Where the points go.
    """

    columns: Columns
    dropped: dict[str, int] = field(default_factory=dict)
    _held: dict[Key, list[_Points]] = field(default_factory=dict)
    _begun: set[Key] = field(default_factory=set)

    def add(
        self, key: Key, step: Ints, value: Floats, wall_time: Floats | None, epoch: Floats | None
    ) -> None:
        """Append points, arrays of shape (n,)."""
        if not len(value):
            return
        if key not in self._begun:
            first = int(np.argmax(~np.isnan(value)))
            number = not np.isnan(value[first])
            padding = (first if number else len(value)) + self._waiting(key)
            if padding > PATIENCE and _is_training_loss(key):
                self._begun.add(key)
                self._release(key)
                self.columns.add(key, step, value, wall_time, epoch)
                return
            if not number:
                self._held.setdefault(key, []).append((step, value, wall_time, epoch))
                return
            self._begun.add(key)
            self._held.pop(key, None)
            if padding:
                self.dropped[key.name] = self.dropped.get(key.name, 0) + padding
            rest = slice(first, None)
            step, value = step[rest], value[rest]
            wall_time = None if wall_time is None else wall_time[rest]
            epoch = None if epoch is None else epoch[rest]
        self.columns.add(key, step, value, wall_time, epoch)

    def has_begun(self, key: Key) -> bool:
        """Whether points of a column go on at once."""
        return key in self._begun

    def end(self) -> None:
        """Nothing more comes: what is still held is data."""
        for key in list(self._held):
            self._release(key)
        self._begun = set()

    def _waiting(self, key: Key) -> int:
        return sum(len(part[1]) for part in self._held.get(key, ()))

    def _release(self, key: Key) -> None:
        for part in self._held.pop(key, ()):
            self.columns.add(key, *part)


def _is_training_loss(key: Key) -> bool:
    metric, split = parse_name(key.name)
    return (key.split or split or "train") == "train" and role_of(metric, key.kind).name == "loss"
