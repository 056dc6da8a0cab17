"""What the names in a header say: axes, metrics, and the exports that are known by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from trainlens.readers._csv.cells import is_missing, is_number
from trainlens.readers._csv.split import cells_of, separator_of
from trainlens.readers._values import (
    CLOCK_KEYS,
    COUNTERS,
    DATE_KEYS,
    EPOCH_KEYS,
    SPLIT_KEYS,
    STEP_KEYS,
)
from trainlens.roles import parse_name, role_of

_MORE_STEPS = (
    "steps",
    "iterations",
    "training_step",
    "train_step",
    "timestep",
    "env_steps",
    "num_env_steps",
    "total_env_steps",
    "totalenvsteps",
    "totalenvinteracts",
    "total_env_interacts",
)
_IN_EPOCH = ("batch", "batch_idx", "batch_id")
_STEPS = (*(k for k in STEP_KEYS if k not in _IN_EPOCH), *_MORE_STEPS, *_IN_EPOCH)
_EPOCHS = (*EPOCH_KEYS, "epochs")
_ELSE = ("episode", "episodes", "round", "generation", "trial", "")
_BEFORE = frozenset({"time", "train", "trainer", "perf", "counters", "charts", "progress"})
_TIMES = (*CLOCK_KEYS, "created_at", "logged_at", *DATE_KEYS)

_METRIC = ("metric", "metric_name", "metric_key", "key", "tag", "variable", "name")
_VALUES = ("value", "metric_value")
_RUNS = ("run", "run_name", "run_id", "run_uuid", "run_hash", "dir_name")
_WANDB_AXES = frozenset(
    {"step", "_step", "global_step", "epoch", "wall_time", "relative_time_(wall)"}
    | {"relative_time_(process)", "_runtime", "_timestamp"}
)
_TELLING = frozenset({"loss", "metric", "learning-rate", "gradient-norm"})
_TAG = re.compile(r"(?:^|[-_,. ])tag[-_=](.+)$")
_MARKS = re.compile(r"(?<=[a-zA-Z])\s*(?:#|\(#\)|\(of \d+\)|\bno\.?)$", re.IGNORECASE)
_MOST_JUDGED = 2000


class Field(NamedTuple):
    """A column of metric values."""

    at: int
    name: str
    kind: str = ""


@dataclass(frozen=True)
class Layout:
    """Meaning of the columns of a table; columns are told by their numbers.

    Parameters
    ----------
    names : tuple of str
        The header.
    form : str
        ``"wide"``: a column a metric; ``"long"``: a row a value; ``"monitor"``: episodes of
        Stable-Baselines3.
    steps, epochs, times, splits, fallbacks : tuple of int
        Candidates for the axes, the best first; `fallbacks` count something where there is
        neither a step nor an epoch.
    metrics : tuple of Field
        Columns of values, without the axes that are only that.
    runs : tuple of str
        Runs that stand side by side in a chart export.
    left_out : int
        Columns that repeat others.
    known : str
        The export that the header belongs to, empty for none.
    run_at, metric_at, value_at : int
        Columns of the long form, -1 for none.
    grown_from : tuple of str
        The names before rows with more cells than names were met; empty for a plain header.
    """

    names: tuple[str, ...]
    form: str = "wide"
    steps: tuple[int, ...] = ()
    epochs: tuple[int, ...] = ()
    times: tuple[int, ...] = ()
    splits: tuple[int, ...] = ()
    fallbacks: tuple[int, ...] = ()
    metrics: tuple[Field, ...] = ()
    runs: tuple[str, ...] = ()
    left_out: int = 0
    known: str = ""
    run_at: int = -1
    metric_at: int = -1
    value_at: int = -1
    grown_from: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)

    @property
    def in_epoch(self) -> bool:
        """Whether the steps may count within an epoch."""
        return bool(self.steps and self.epochs) and normal(self.names[self.steps[0]]) in _IN_EPOCH

    @property
    def by_epoch(self) -> bool:
        """Whether a row without any axis is an epoch: Keras writes no other tables."""
        return not (self.steps or self.epochs or self.fallbacks) and any(
            parse_name(f.name)[1] == "val" for f in self.metrics
        )

    @property
    def telling(self) -> tuple[Field, ...]:
        """Metrics whose names say that this is about training."""
        return tuple(f for f in self.metrics[:_MOST_JUDGED] if is_telling(f.name))

    def wider(self, width: int) -> Layout:
        """The layout of rows that have more cells than the header has names."""
        names = tuple(f"column {j + 1}" for j in range(self.width, width))
        fields = tuple(Field(self.width + i, name) for i, name in enumerate(names))
        return replace(
            self,
            names=self.names + names,
            metrics=self.metrics + fields,
            grown_from=self.names,
        )

    def of_run(self, run: str) -> Layout:
        """The layout of one of the runs side by side; all of them for an empty name."""
        if len(self.runs) > 1 and not run:
            return self
        kept = [(f, *_run_and_metric(f.name)) for f in self.metrics]
        return replace(
            self, metrics=tuple(Field(f.at, metric) for f, r, metric in kept if r in (run, "")
                                or not run)
        )  # fmt: skip


def normal(name: str) -> str:
    """A name for comparing: lower case, one underscore for blanks and hyphens."""
    return re.sub(r"[\s\-_]+", "_", name.strip().lower())


def is_telling(name: str) -> bool:
    """Whether a metric of this name is logged by trainings rather than by anything else."""
    return role_of(parse_name(name)[0]).name in _TELLING


def is_header(cells: Sequence[str]) -> bool:
    """Whether cells are names: none is a number, most are filled, each is short."""
    filled = [c for c in cells if c.strip()]
    return (
        bool(filled)
        and 2 * len(filled) > len(cells) - (not cells[0].strip())
        and not any(is_number(c) or is_missing(c) or len(c) > 300 for c in filled)
        and any(ch.isalpha() for c in filled for ch in c)
    )


def layout_of(cells: Sequence[str], stem: str = "") -> Layout:
    """The layout that a header describes; see `_layout_of`."""
    return _layout_of(tuple(cells), stem)


@lru_cache(maxsize=256)
def _layout_of(cells: tuple[str, ...], stem: str) -> Layout:
    """The layout that a header describes.

    Parameters
    ----------
    cells : sequence of str
    stem : str
        Name of the file, which holds the metric in exports of TensorBoard.
    """
    names = _unique([c.strip() for c in cells])
    plain = [normal(_MARKS.sub("", n)) for n in names]
    for known in (_tensorboard, _long, _wandb):
        if found := known(names, plain, stem):
            return found
    layout = _wide(names, plain)
    if {"r", "l", "t"} <= set(plain):
        return replace(layout, form="monitor", known="monitor")
    return layout


def _unique(names: list[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    result = []
    for j, name in enumerate(names):
        if name and name in seen:
            name = f"{name} (column {j + 1})"
        seen.add(name)
        result.append(name)
    return tuple(result)


def _ranked(plain: Sequence[str], keys: Sequence[str]) -> tuple[int, ...]:
    """Columns whose names are among `keys`, in the order of the keys."""
    rank = {key: i for i, key in enumerate(keys)}
    found = []
    for j, name in enumerate(plain):
        before, slash, last = name.partition("/")
        if name in rank:
            found.append((rank[name], j))
        elif slash and before in _BEFORE and last in rank and last:
            found.append((len(keys) + rank[last], j))
    return tuple(j for _, j in sorted(found))


def _wide(names: tuple[str, ...], plain: list[str]) -> Layout:
    steps = _ranked(plain, _STEPS)
    if not {"episode", "episodes"}.isdisjoint(plain):
        # The steps of an episode are its length.
        steps = tuple(j for j in steps if plain[j] != "steps")
    epochs = _ranked(plain, _EPOCHS)
    # An index that pandas wrote has no name.
    index = [0] if plain[0] in ("", "unnamed:_0") else []
    fallbacks = (*(j for j in _ranked(plain, _ELSE) if names[j]), *index)
    yolo = any(n.startswith("metrics/") for n in plain)
    no_metric = {*epochs, *index, *(j for j in steps if plain[j] in COUNTERS)}
    fields = tuple(
        Field(j, name or f"column {j + 1}", "system" if yolo and plain[j] == "time" else "")
        for j, name in enumerate(names)
        if j not in no_metric
    )
    return Layout(
        names,
        steps=steps,
        epochs=epochs,
        times=_ranked(plain, _TIMES),
        splits=_ranked(plain, SPLIT_KEYS),
        fallbacks=fallbacks,
        metrics=fields,
    )


def _tensorboard(names: tuple[str, ...], plain: list[str], stem: str) -> Layout | None:
    if not {"step", "value"} <= set(plain) <= {"step", "value", "wall_time", "relative_time"}:
        return None
    tag = _TAG.search(stem)
    at = plain.index("value")
    name = tag.group(1) if tag else stem or "value"
    layout = _wide(names, plain)
    return replace(layout, known="tensorboard", metrics=(Field(at, name),))


def _long(names: tuple[str, ...], plain: list[str], stem: str) -> Layout | None:
    metric, value, run = (_first(plain, keys) for keys in (_METRIC, _VALUES, _RUNS))
    axes = _wide(names, plain)
    named = {metric, value, run, *axes.steps, *axes.epochs, *axes.times, *axes.splits}
    if metric < 0 or value < 0 or not (axes.steps or axes.epochs) or len(names) - len(named) > 3:
        return None
    return replace(
        axes,
        form="long",
        known="long",
        metrics=(Field(value, names[value]),),
        run_at=run,
        metric_at=metric,
        value_at=value,
    )


def _first(plain: Sequence[str], keys: Sequence[str]) -> int:
    return next((plain.index(key) for key in keys if key in plain), -1)


def _run_and_metric(name: str) -> tuple[str, str]:
    run, dash, metric = name.rpartition(" - ")
    return (run, metric) if dash else ("", name)


def _wandb(names: tuple[str, ...], plain: list[str], stem: str) -> Layout | None:
    if len(names) < 2 or plain[0].rpartition("/")[2] not in _WANDB_AXES:
        return None
    if not all(" - " in name for name in names[1:] if name):
        return None
    kept, runs = [], dict[str, None]()
    for j, name in enumerate(names[1:], 1):
        run, metric = _run_and_metric(name)
        bare = re.sub(r"__(MIN|MAX)$", "", metric)
        if not name or (bare != metric and f"{run} - {bare}" in names) or bare in COUNTERS:
            continue
        kept.append(Field(j, name))
        runs[run] = None
    left_out = len([n for n in names[1:] if n]) - len(kept)
    first = _wide(names[:1], plain[:1])
    return replace(
        first, names=names, metrics=tuple(kept), runs=tuple(runs), left_out=left_out,
        known="wandb", fallbacks=(),
    )  # fmt: skip


def two_levels(above: Sequence[str], cells: Sequence[str]) -> list[str] | None:
    """Names out of a header of two lines, as pandas writes it; None where there is no second.

    Below ``,train,train,val,val`` stands ``,loss,acc,loss,acc``, and then, maybe, the name of
    the index by itself.
    """
    names = [name.strip() for name in above]
    if len(cells) != len(names) or names[0]:
        return None
    filled = [i for i, c in enumerate(cells) if c.strip()]
    if filled == [0] and len(names) > 1 and is_header(["", cells[0]]):
        return [cells[0].strip(), *above[1:]]
    told = [name for name in names if name]
    if len(set(told)) == len(told) or not is_header(cells):
        return None
    return [
        f"{a}/{c.strip()}" if a and c.strip() else a or c for a, c in zip(names, cells, strict=True)
    ]


def is_header_behind(text: str) -> bool:
    """Whether a line is the header, so that the one before it was a title."""
    cells = cells_of(text, separator_of(text)) or []
    return len(cells) > 1 and is_header(cells)
