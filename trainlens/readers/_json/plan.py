"""What becomes of the numbers of records with the same keys, decided once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainlens.readers._columns import Key
from trainlens.readers._json.axes import label_of
from trainlens.readers._json.duplicates import names_in
from trainlens.readers._json.records import Records
from trainlens.readers._json.reported import LISTS, tells_fault
from trainlens.readers._json.rows import SECTIONS, Name, is_native
from trainlens.readers._json.settings import holds_none
from trainlens.readers._json.shapes import stays
from trainlens.readers._values import (
    CLOCK_KEYS,
    COUNTERS,
    DATE_KEYS,
    EARLIEST,
    EPOCH_KEYS,
    SPLIT_KEYS,
    STEP_KEYS,
    TIME_KEYS,
    number,
    unix_seconds,
)

_LARGE = 1 << 31
"""Steps beyond this are left to others: products of them stay whole numbers of 64 bits."""

Object = dict[str, Any]
Places = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Where each value of a record goes; places count its values in their order.

    Parameters
    ----------
    names : int
        Keys of a record, those of inner objects as well.
    step : int
    epochs : tuple of int
    clocks, dates : tuple of int
        Times: seconds whatever their size, and seconds since 1970.
    lengths : tuple of int
        Under the keys of dates, but durations.
    by_step : bool
        Whether the key of the step is the one that may count epochs instead.
    training : bool
    metrics : tuple of (int, Key)
        In the order of the columns.
    empty, lists : tuple of int
        Lists that must be empty, and lists that tell nothing.
    nothing : tuple of int
        Null so far, and null they must be.
    """

    names: int
    step: int
    epochs: Places
    clocks: Places
    dates: Places
    lengths: Places
    by_step: bool
    training: bool
    metrics: tuple[tuple[int, Key], ...]
    empty: Places
    lists: Places
    nothing: Places

    def take(self, values: Sequence[Any], records: Records) -> bool:
        """Hand a record over; False, and nothing done, where it is no plain one."""
        step = values[self.step]
        if type(step) is not int or not -_LARGE < step < _LARGE:
            return False
        if self.by_step and records.evaluates:
            return False
        if not self._fits(values):
            return False
        points: list[tuple[Key, float]] = []
        for at, key in self.metrics:
            value = values[at]
            kind = type(value)
            if kind is float or kind is int or kind is bool:
                points.append((key, value))
            elif value is not None:
                return False
        clock = [_moment(values[at], 0.0) for at in self.clocks]
        clock += [_moment(values[at], EARLIEST) for at in self.dates]
        if None in clock:
            return False
        epoch = float(values[self.epochs[0]]) if self.epochs else None
        records.add_one(step, clock[0] if clock else None, epoch, self.training, points)
        return True

    def _fits(self, values: Sequence[Any]) -> bool:
        """Whether the values that are neither steps nor times nor metrics are what they were."""
        return (
            all(type(values[at]) in (int, float) for at in self.epochs)
            and all(_moment(values[at], EARLIEST) is None for at in self.lengths)
            and all(values[at] == [] for at in self.empty)
            and all(type(values[at]) is list for at in self.lists)
            and all(values[at] is None for at in self.nothing)
        )


def plan_of(row: Object, records: Records) -> tuple[bool, Plan | None]:
    """The plan for records like one, by what is known of its names so far.

    Parameters
    ----------
    row : dict
    records : Records

    Returns
    -------
    settled : bool
        Whether the answer will stay the same.
    plan : Plan or None
        None where such records are left to others.
    """
    maker = _Maker(row, records)
    usual = records.native or stays(row)
    if "schema" in row or not usual or not holds_none(row) or maker.is_odd:
        return True, None
    return maker.plan()


def _named(row: Object, native: bool) -> Iterator[tuple[Name, Any]]:
    """Names and values as `rows.transpose` has them, in the order of the record."""
    sections = SECTIONS if is_native(tuple(row), native) else ()

    def inside(held: Object, above: Name, depth: int) -> Iterator[tuple[Name, Any]]:
        for key, value in held.items():
            name = Name(above.section, f"{above.name}/{key}" if above.name else key)
            if isinstance(value, dict):
                of_section = depth == 0 and key in sections
                yield from inside(value, Name(key, "") if of_section else name, depth + 1)
            else:
                yield name, value

    return inside(row, Name("", ""), 0)


class _Maker:
    """Takes the leaves of a record in the order in which the batches take them."""

    def __init__(self, row: Object, records: Records) -> None:
        self._records = records
        self._leaves = list(_named(row, records.native))
        own = [(name.name.lower(), at) for at, (name, _) in enumerate(self._leaves) if not name[0]]
        self._lower = dict(own)
        self._left = dict.fromkeys(range(len(self._leaves)))
        self._names = names_in(row)
        twice = len({name for name, _ in self._leaves}) < len(self._leaves)
        self.is_odd = twice or len(self._lower) < len(own) or self._is_of_epochs()

    def _is_of_epochs(self) -> bool:
        """Whether steps may count something else, see `Evaluations` and `Fields.counts_aside`."""
        return "iter" in self._lower and ("mode" in self._lower or "step" in self._lower)

    def plan(self) -> tuple[bool, Plan | None]:
        """See `plan_of`."""
        epochs, label, step = self._take(EPOCH_KEYS), self._label(), self._step()
        clocks, dates = self._take(CLOCK_KEYS), self._take(DATE_KEYS, self._is_date)
        lengths = self._present(DATE_KEYS)
        empty = self._take_if(self._is_report)
        if step is None or any(self._value(at) for at in empty):
            return step is None, None
        lists = self._take_if(lambda at: isinstance(self._value(at), list))
        texts = self._take_if(lambda at: isinstance(self._value(at), str))
        if not all(map(self._is_mute, texts)):
            return True, None
        nothing = self._take_if(self._is_nothing)
        metrics = self._metrics(label)
        known = all(self._records.is_silent(self._leaves[at][0]) for at in (*lists, *texts))
        if not known or metrics is None:
            return False, None
        by_step, training = "step" in self._lower, label in (None, "train")
        places = epochs, clocks, dates, lengths
        rest = empty, lists, nothing
        return True, Plan(self._names, step, *places, by_step, training, metrics, *rest)

    def _value(self, at: int) -> Any:
        return self._leaves[at][1]

    def _present(self, keys: Sequence[str]) -> Places:
        places = (self._lower[key] for key in keys if key in self._lower)
        return tuple(at for at in places if at in self._left)

    def _take(self, keys: Sequence[str], wanted: Callable[[int], bool] | None = None) -> Places:
        """The places of keys, the best first, which are then no metrics."""
        places = tuple(at for at in self._present(keys) if wanted is None or wanted(at))
        for at in places:
            del self._left[at]
        return places

    def _take_if(self, wanted: Callable[[int], bool]) -> Places:
        places = tuple(filter(wanted, self._left))
        for at in places:
            del self._left[at]
        return places

    def _label(self) -> str | None:
        found = None
        for key in SPLIT_KEYS:
            at = self._lower.get(key)
            label = None if at is None else label_of(key, self._value(at))
            if at is not None and label is not None:
                found = found or label
                del self._left[at]
        return found

    def _step(self) -> int | None:
        places = self._present(STEP_KEYS)
        if not places or type(self._value(places[0])) is not int:
            return None
        if places[0] == self._lower.get("steps") and {"episode", "episodes"} & self._lower.keys():
            return None
        self._take([key for key in STEP_KEYS if key in COUNTERS])
        self._left.pop(places[0], None)
        return places[0]

    def _is_date(self, at: int) -> bool:
        return _moment(self._value(at), EARLIEST) is not None

    def _is_report(self, at: int) -> bool:
        return self._key_of(at) in LISTS and isinstance(self._value(at), list)

    def _is_nothing(self, at: int) -> bool:
        return self._value(at) is None and self._records.key(self._leaves[at][0], None) is None

    def _key_of(self, at: int) -> str:
        return self._leaves[at][0].name.rpartition("/")[2].lower()

    def _is_mute(self, at: int) -> bool:
        """Whether a text, the same in all these records, is neither a number nor a fault."""
        key, text = self._key_of(at), self._value(at)
        return key not in TIME_KEYS and number(text) is None and not tells_fault(text, key)

    def _metrics(self, label: str | None) -> tuple[tuple[int, Key], ...] | None:
        """What is left, losses first; None where some name had no number yet."""
        found: list[tuple[int, Key]] = []
        for at in sorted(self._left, key=lambda at: self._leaves[at][0].section != "losses"):
            key = self._records.key(self._leaves[at][0], label)
            if key is None:
                return None
            found.append((at, key))
        return tuple(found)


def _moment(value: Any, earliest: float) -> float | None:
    """Unix seconds of a value, None where it is no moment."""
    if type(value) is str:
        return unix_seconds(value, earliest)
    if type(value) not in (int, float) or not earliest <= value < 1e20:
        return None
    found = float(value)
    for _ in range(3):
        found = found / 1e3 if found > 1e11 else found
    return found
