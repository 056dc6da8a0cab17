"""What a metric name means: its role, its direction and its unit.

Names of many frameworks go in (``loss``, ``lr-Adam``, ``grad_norm``, ``coco/bbox_mAP``), a `Role`
comes out. Their split is the matter of `trainlens.splits`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from trainlens.compact import Compact
from trainlens.splits import SPLITS, parse_name

__all__ = ["ROLES", "SPLITS", "Role", "normalise", "parse_name", "role_of"]


@dataclass(frozen=True, slots=True)
class Role(Compact):
    """Meaning of a metric.

    Parameters
    ----------
    name : str
        One of `ROLES`.
    direction : str
        ``"min"`` (lower is better), ``"max"`` or ``""`` (no direction).
    unit : str
        Empty where the name does not tell.
    priority : int
        Among several metrics of a role, the highest tells most.
    """

    name: str
    direction: str = ""
    unit: str = ""
    priority: int = 0

    def place(self, metric: str) -> tuple[int, int, str]:
        """Sorts metrics of a role: the most telling first, a total loss before its parts."""
        return -self.priority, len(metric), metric


ROLES = {
    "loss": "a quantity that training minimises",
    "metric": "a measure of quality with a known direction",
    "learning-rate": "learning rate of the optimizer",
    "gradient-norm": "norm of the gradient before clipping",
    "batch-time": "seconds a training step takes",
    "data-time": "seconds a step waits for data",
    "throughput": "samples, tokens or steps a second",
    "gpu-memory": "GPU memory in use",
    "memory-limit": "GPU memory that there is",
    "memory-retries": "times that the allocator gave its cache back to go on",
    "out-of-memory": "times that GPU memory ran out",
    "gpu-usage": "share of the time that the GPU computes",
    "coverage": "share of inputs that are valid, 0 to 1",
    "gate": "mixing weight of a fusion gate, 0 to 1",
    "batch-classes": "number of different classes in a batch",
    "update-ratio": "size of an update relative to the weights that it changes",
    "weight-norm": "norm of the weights, of the model or of a layer",
    "weight-std": "standard deviation of the weights of a layer",
    "activation-mean": "mean of what a layer puts out",
    "activation-std": "standard deviation of what a layer puts out",
    "zero-fraction": "share of units that put out nothing but zeros, 0 to 1",
    "saturation": "share of activations in saturation, 0 to 1",
    "params-with-grad": "number of parameters that get a gradient",
    "params-without-grad": "number of parameters that get no gradient",
    "params-total": "number of parameters of a model, counted as those with a gradient are",
    "unchanged-parameters": "number or share of parameters that an update left as they were",
    "class-share": "share of a class in the data, 0 to 1",
    "class-count": "number of samples of a class",
    "majority-share": "share of the largest class, 0 to 1",
    "limit": "bound that gradients are clipped to; infinite where there is none yet",
    "dropout": "dropout rate",
    "loss-weight": "weight of a loss term",
    "epoch": "epoch counter",
    "progress": "share of training done, or a step counter",
    "anomaly": "times that the training itself reported something as odd",
    "system": "a reading of the machine",
    "other": "anything else",
}
"""Role names and what they stand for."""


# Behind "gradient norm", what still speaks of the whole model: no layer is called so.
_WHOLE = (
    r"(?:(?:total|global|all|overall|whole|full|model|sum|mean|avg|average|median|max|min|std|var"
    r"|epoch|step|iter|batch|value|pre|post|before|after|un[a-z]*|clip[a-z]*|raw|l1|l2|inf|ema"
    r"|smooth[a-z]*|log[a-z]*|scaled?|ratio|threshold|limit|rms|norm|train|val|tot|p?\d+)_)+"
)


@dataclass(frozen=True)
class _Row:
    role: Role
    words: re.Pattern[str]


def _rows(table: str) -> Iterator[_Row]:
    text = re.sub(r"^#.*$", "", table, flags=re.MULTILINE)
    for block in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        head, _, words = block.partition("\n")
        name, direction, unit, priority = head.split()
        role = Role(name, direction.strip("-"), "" if unit == "-" else unit, int(priority))
        yield _Row(role, re.compile("|".join(map(_pattern, words.split()))))


def _pattern(word: str) -> str:
    begin = "^_" if word.startswith("^") else "_"
    ends = {"$": r"(?:_?\d+)*_$", "~": ""}
    end = ends.get(word[-1], r"(?=[_@\d])")
    core = word.removeprefix("^").removesuffix("$").replace("~", r"[a-z0-9@_]*")
    core = core.replace("@WHOLE@", _WHOLE)
    return f"{begin}(?:{core}){end}"


@lru_cache(maxsize=1)
def _table() -> tuple[_Row, ...]:
    # Not at import: a command that reads no log needs none of it.
    from trainlens._role_table import TABLE

    return tuple(_rows(TABLE))


_OF_FLAGS = ("anomaly", "out-of-memory")
_FAULTY = re.compile(
    r"_(anomal(y|ies)|anomalous|diverged|diverging|nans?|na_n|inf|(is_)?non_?finite|overflow(ed)?"
    r"|explod(ed|ing)|spike|crashed|failed|error)_"
)
"""What a flag may say, and by which words it says that something went wrong."""

_OTHER = Role("other")
_LOSS, _QUALITY = Role("loss", "min", "", 3), Role("metric", "max", "", 1)

COMMON = {
    "loss": _LOSS,
    "total_loss": _LOSS,
    "accuracy": _QUALITY,
    "acc": _QUALITY,
    "lr": Role("learning-rate"),
    "learning_rate": Role("learning-rate"),
    "grad_norm": Role("gradient-norm"),
    "epoch": Role("epoch"),
}
"""What the table says of names that most logs have: working it out takes as long as such a log."""

_LONGEST = 256
_CONTEXT = re.compile(r"\{.*\}$")
_RATE = re.compile(r"/(s|sec|second)$")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_BETWEEN = re.compile(r"[^a-z0-9@]+")
_GROUPS = re.compile(r"/|\.(?!\d)")

# The last part of a name that says nothing without the part before it.
_VAGUE = frozenset(
    {"total", "all", "sum", "mean", "avg", "average", "min", "max", "value", "std", "epoch", "step"}
)


def normalise(name: str) -> str:
    """Words of a name in lower case, an underscore between, before and behind them.

    Examples
    --------
    >>> normalise("bbox/mAP@50"), normalise("valLoss (B)"), normalise("mIoU")
    ('_bbox_m_ap@50_', '_val_loss_b_', '_m_iou_')
    """
    spaced = _CAMEL.sub(r"\1_\2", name.replace("IoU", "Iou"))
    return f"_{_BETWEEN.sub('_', spaced.lower()).strip('_')}_"


def _last(name: str) -> str:
    """The part of a name behind its groups: ``loss`` of ``opt/loss``."""
    parts = [p for p in _GROUPS.split(name) if p.strip()]
    keep = 1
    while keep < len(parts) and parts[-keep].strip().lower() in _VAGUE:
        keep += 1
    return "/".join(parts[-keep:])


@lru_cache(maxsize=65536)
def role_of(metric: str, kind: str = "") -> Role:
    """Role of a metric (name without its split).

    Parameters
    ----------
    metric : str
    kind : str
        ``"loss"``, ``"system"`` or ``"flag"`` where the format itself says so (`Column.kind`).

    Examples
    --------
    >>> role_of("bbox/AP50").direction, role_of("PA-MPJPE").unit, role_of("loss_scale").name
    ('max', 'mm', 'other')
    """
    if not kind and metric in COMMON:
        return COMMON[metric]
    return _from_table(metric, kind)


def _from_table(metric: str, kind: str) -> Role:
    if kind == "system":
        return Role("system", unit=_unit(metric, Role("system")))
    plain = _RATE.sub(r"_per_\1", _CONTEXT.sub("", metric[:_LONGEST]))
    full, last = normalise(plain), normalise(_last(plain))
    found = next(
        (
            row.role
            for row in _table()
            if row.words.search(last) or (last != full and row.words.search(full))
        ),
        _OTHER,
    )
    if kind == "flag" and found.name not in _OF_FLAGS:
        found = Role("anomaly") if _FAULTY.search(full) else _OTHER
    if kind == "loss" and found.direction != "min":  # `eval_accuracy` may be a log perplexity
        found = Role("loss", "min", "", 0)
    return replace(found, unit=_unit(plain, found))


_BRACKETS = re.compile(r"[\[(]\s*(%|ms|s|sec|mm|cm|dB|[KMGT]i?B)\s*[\])]\s*$")
_SUFFIX = re.compile(r"_(ms|mm|cm|db|[kmg]i?b|percent|pct|secs?|seconds)_$")
_UNITS = {"db": "dB", "percent": "%", "pct": "%", "sec": "s", "secs": "s", "seconds": "s"}


def _unit(name: str, role: Role) -> str:
    """Unit that stands in a name, ``batch_time_ms`` or ``loading (%)``; else that of its role."""
    if found := _BRACKETS.search(name):
        return _UNITS.get(found.group(1), found.group(1))
    if role.name == "throughput" or not (found := _SUFFIX.search(normalise(name))):
        return role.unit
    unit = found.group(1)
    return _UNITS.get(unit) or (unit if unit[-1] == "m" or unit == "ms" else _bytes(unit))


def _bytes(unit: str) -> str:
    return unit[0].upper() + unit[1:-1] + "B"
