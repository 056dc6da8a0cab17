"""Keys of other configuration files, as settings of this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainlens.errors import UsageError
from trainlens_torch.config.reading import nearest

__all__ = ["Translated", "translated"]

_TRAINING = {"lr_first": "optimizer.lr", "batch_size": "batch.size"}
_LOSS = {
    "channel_weights": "loss.channel_weights",
    "pos_weight": "loss.pos_weight",
    "reduction": "loss.reduction",
}
_ADAPTIVE = {
    "adaptive_threshold": "adaptive_lr.threshold",
    "loss_window_size": "adaptive_lr.window",
    "lr_boost_factor": "adaptive_lr.boost",
    "lr_decay_factor": "adaptive_lr.decay",
    "plateau_patience": "adaptive_lr.patience",
    "plateau_factor": "adaptive_lr.factor",
    "plateau_min_lr": "adaptive_lr.min_lr",
}
_MODES = {"adaptive_plateau": "seed", "adaptive_robust": "robust"}
_WARMUP = ("enable_warmup", "warmup_epochs", "warmup_start_lr")
_LR = 3e-4


@dataclass
class Translated:
    """A document in this project's own words.

    Parameters
    ----------
    document : dict
        What was in own words already.
    values : dict of dotted name to value
        What the other keys mean.
    told : list of str
        A line for each key: what it became.
    """

    document: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def put(self, key: str, path: str, value: Any) -> None:
        """A key as a setting."""
        self.values[path] = value
        self.told.append(f"{key} is read as {path}={value}")


def translated(document: Mapping[str, Any]) -> Translated:
    """Take over ``training``, ``adaptive_lr_config`` and ``unified_loss_config``.

    These are the keys of DECODE's configuration. ``adaptive_lr_config`` may stand at the top or in
    ``training``.

    Raises
    ------
    UsageError
        An unknown key within them, a value of the wrong type, or a section given twice.
    """
    out = Translated(dict(document))
    training = _section(out.document, "training")
    inner = "adaptive_lr_config" in training
    if inner and "adaptive_lr_config" in out.document:
        raise UsageError("adaptive_lr_config is given twice, at the top and in training")
    where = "training.adaptive_lr_config" if inner else "adaptive_lr_config"
    adaptive = _section(training if inner else out.document, "adaptive_lr_config", where)
    _renamed(out, training, _TRAINING, "training")
    loss = _section(out.document, "unified_loss_config")
    _renamed(out, loss, _LOSS, "unified_loss_config")
    if loss.get("pos_weight", 1.0) != 1.0:
        # Only cross entropy has a positive part; a weight of 1 says nothing.
        out.put("unified_loss_config.pos_weight", "loss.channel_loss", "bce")
    _adaptive(out, adaptive, where)
    return out


def _section(document: dict[str, Any], key: str, where: str = "") -> dict[str, Any]:
    given = document.pop(key, {})
    if not isinstance(given, Mapping):
        raise UsageError(f"{where or key} is a section of settings, not {given!r}")
    return dict(given)


def _renamed(
    out: Translated, given: Mapping[str, Any], table: Mapping[str, str], where: str
) -> None:
    for key, value in given.items():
        if key not in table:
            raise UsageError(f"{where} has no setting {key!r}; {nearest(str(key), table)}")
        out.put(f"{where}.{key}", table[key], value)


def _adaptive(out: Translated, given: dict[str, Any], where: str) -> None:
    if not given:
        return
    warm = {key: given.pop(key) for key in _WARMUP if key in given}
    kind = given.pop("scheduler_type", "adaptive_plateau")
    if kind not in _MODES:
        raise UsageError(f"{where}.scheduler_type must be one of {', '.join(_MODES)}, not {kind!r}")
    known = (*_ADAPTIVE, *_WARMUP, "scheduler_type")
    for key in given:
        if key not in _ADAPTIVE:
            raise UsageError(f"{where} has no setting {key!r}; {nearest(str(key), known)}")
    out.put(f"{where}.scheduler_type", "adaptive_lr.mode", _MODES[kind])
    # It lowers the rate by what the loss does, and by nothing else.
    out.put(f"{where}.scheduler_type", "schedule.kind", "constant")
    _renamed(out, given, _ADAPTIVE, where)
    _warmup(out, warm, where)


def _warmup(out: Translated, given: Mapping[str, Any], where: str) -> None:
    enabled, epochs, start = (given.get(key) for key in _WARMUP)
    if not isinstance(enabled, bool | None):
        raise UsageError(f"{where}.enable_warmup must be true or false, not {enabled!r}")
    if enabled is False:
        out.put(f"{where}.enable_warmup", "schedule.warmup", 0)
        return
    if epochs is not None:
        count = _checked(epochs, f"{where}.warmup_epochs", lambda v: isinstance(v, int) and v >= 0)
        out.put(f"{where}.warmup_epochs", "schedule.warmup", f"{count}ep")
        out.put(f"{where}.warmup_epochs", "adaptive_lr.warmup", count)
    if start is not None:
        lr = out.values.get("optimizer.lr", out.document.get("lr", _LR))
        rates = [_checked(one, f"{where}.warmup_start_lr", _positive) for one in (start, lr)]
        out.put(f"{where}.warmup_start_lr", "schedule.warmup_start", rates[0] / rates[1])


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _checked(value: Any, path: str, right: Callable[[Any], bool]) -> Any:
    if isinstance(value, bool) or not right(value):
        raise UsageError(f"{path} must be a number above 0, not {value!r}")
    return value
