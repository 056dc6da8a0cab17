"""Where a row of the history stands: its step and its epoch, as `define_metric` would have it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

from trainlens.readers._values import EPOCH_KEYS
from trainlens.readers._wandb.record import Definition
from trainlens.roles import SPLITS

_WHOLE = 2.0**53


@lru_cache(maxsize=4096)
def is_epoch(name: str) -> bool:
    """Whether a name counts epochs: ``epoch``, ``train/epoch``."""
    group, _, last = name.lower().rpartition("/")
    return last in EPOCH_KEYS and (group in SPLITS or group in ("", "trainer"))


class StepAxes:
    """Steps of metrics that are drawn over another metric than ``_step``.

    W&B counts its own calls of `log` in ``_step``. Where a metric was defined to be drawn over
    another one that counts in whole numbers (``trainer/global_step``), that is the step. An
    epoch is no step: such metrics stand at the step that the others have. Depends only on the
    records before, in their order.

    Attributes
    ----------
    version : int
        Counts the definitions that changed anything.
    assumed : list of str
        What was decided about axes that cannot be steps.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._globs: dict[str, str] = {}
        self._last: dict[str, int | None] = {}
        self._broken: set[str] = set()
        self._chosen: dict[str, str] = {}
        self._common = ""
        self.version = 0
        self.assumed: list[str] = []

    def define(self, told: Definition) -> None:
        """Take in a metric definition; a later one of the same name replaces it."""
        held, key = (self._names, told.name) if told.name else (self._globs, told.glob)
        if key and told.step_metric:
            held[key] = told.step_metric
        elif key and told.name and key not in held:
            return  # only declares the metric
        self._chosen.clear()
        self.version += 1
        used = {*self._names.values(), *self._globs.values()}
        steps = {s for s in used if not is_epoch(s)}
        self._last = {s: self._last.get(s) for s in steps}
        self._common = steps.pop() if len(steps) == 1 else ""

    def follow(self, values: dict[str, float]) -> set[str]:
        """Take the step metrics out of a row; the names of those that count its step."""
        used = set()
        for name in self._last:
            value = values.get(name)
            if value is None or name in self._broken:
                continue
            if value.is_integer() and abs(value) < _WHOLE:
                self._last[name] = int(value)
                used.add(name)
            else:
                self._broken.add(name)
                what = f"{name} does not count in whole numbers; _step is the step in its place"
                self.assumed.append(what)
        return used

    def common(self, step: int) -> int:
        """The step of a row as such, given its ``_step``."""
        return self.at(self._common, step)

    def axis(self, name: str) -> str:
        """The metric over which another one is drawn, empty for W&B's own step.

        Holds as long as `version` is the same.
        """
        chosen = self._chosen.get(name)
        if chosen is None:
            chosen = self._chosen[name] = self._choose(name)
        return chosen

    def at(self, axis: str, step: int) -> int:
        """Where the last row stands on an axis, given the row's ``_step``."""
        if not axis or axis in self._broken:
            return step
        last = self._last.get(axis)
        return step if last is None else last

    def _choose(self, name: str) -> str:
        axis = self._names.get(name, "")
        for glob, over in self._globs.items():
            if not axis and fnmatchcase(name, glob):
                axis = over
        return self._common if axis and is_epoch(axis) else axis
