"""What the rules about layers, gradients and parameters ask of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.leaves import leaves
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.chance import guessing_among, stuck_at_chance
from trainlens.stats.layers import in_depth, joint_norm, layer_name
from trainlens.stats.noise import median

_HOW = "freezing.norms"
"""A setting that says how what is frozen behaves, not that anything is."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A quantity of one layer over a run.

    Parameters
    ----------
    name : str
        Empty for the whole model.
    series : Series
        As logged.
    """

    name: str
    series: Series

    @property
    def said(self) -> str:
        """How a message calls it."""
        return self.name or self.series.metric

    def level(self, share: float = 0.5) -> float:
        """Median of the last `share` of the points, NaN without any."""
        value = self.series.finite.value
        return median(value[min(int((1 - share) * len(value)), max(len(value) - 3, 0)) :])


def layers(run: Run, role: str, *, whole: bool = False) -> list[Layer]:
    """Layers of which a quantity is logged while training, from input to output.

    Parameters
    ----------
    run : Run
    role : str
        A name of `trainlens.roles.ROLES`.
    whole : bool
        Whether what the log has of the whole model counts as well, where it has no layers.
    """
    found = [
        Layer(layer_name(s.metric), s)
        for s in run.series.values()
        if s.role.name == role and s.split == "train" and len(s.finite)
    ]
    single = [x for x in found if x.name and (role != "gradient-norm" or x.series.role.priority)]
    if not single:
        return found if whole else []
    return [single[i] for i in in_depth([x.name for x in single])]


def in_layers(some: Sequence[Layer], count: int) -> str:
    """In which layers something is so: ``in 2 of 8 layers (a, b)``.

    Parameters
    ----------
    some : sequence of Layer
        At least one.
    count : int
        Layers that were looked at.
    """
    if count == 1 and not some[0].name:
        return "in the model as a whole"
    names = ", ".join(x.said for x in some[:5]) + (", …" if len(some) > 5 else "")
    return f"in {words.step(len(some))} of {words.plural(count, 'layer')} ({names})"


def gradient_norm(run: Run) -> Series | None:
    """The norm of the whole gradient: as logged, or put together from the norms of the layers."""
    main = run.main("gradient-norm", "train") or run.main("gradient-norm")
    if main is None or main.role.priority >= 0:
        return main
    parts = [x.series.finite for x in layers(run, "gradient-norm")] or [main]
    longest = max(parts, key=len)
    parts = [s for s in parts if np.array_equal(s.step, longest.step)]
    if len(parts) < 2:
        return main
    return replace(
        longest,
        metric=f"grad_norm of {len(parts)} layers",
        value=joint_norm([s.value for s in parts]),
        name="",
    )


def fate_of_loss(run: Run) -> str:
    """``fell`` where training moved the loss, ``flat`` where it did not, empty if unknown."""
    series = run.main("loss", "train") or run.main("loss")
    if series is None or rewarded(run):
        return ""
    curve = series.finite
    known = curve_of(curve)
    found = known.learning
    if found is None or len(curve) < 10:
        return ""
    if stuck_at_chance(known.place, known.level, curve.value):
        return "flat"
    if found.learned or found.total.lower(2.33) > 0.02:
        return "fell"
    allowed = 0.12 if guessing_among(median(curve.value)) else 0.05
    return "flat" if found.reach <= allowed else ""


def only_guesses(run: Run) -> bool:
    """Whether the training loss never left what guessing among some classes gives."""
    if fate_of_loss(run) != "flat":
        return False
    series = run.main("loss", "train") or run.main("loss")
    return series is not None and guessing_among(median(series.finite.value), 0.004) > 0


def rewarded(run: Run) -> bool:
    """Whether a log has rewards: its losses do not measure what is learned."""
    return any(re.search("rew|return|episode", s.metric, re.I) for s in run.with_role("metric"))


def learning_rate_at(run: Run, series: Series) -> Floats:
    """Learning rate at each point of a series as share of its peak; 1 where it is not logged.

    Returns
    -------
    ndarray of shape (n,)
    """
    logged = run.main("learning-rate", "train") or run.main("learning-rate")
    known = logged.finite if logged is not None else None
    if known is None or not len(known):
        return np.ones(len(series))
    peak = float(known.value.max())
    if peak <= 0:
        return np.zeros(len(series))
    share = known.value / peak
    return np.interp(series.step.astype(np.float64), known.step.astype(np.float64), share)


def warming_up(run: Run) -> bool:
    """Whether the learning rate still rises at the end of the log."""
    logged = run.main("learning-rate", "train") or run.main("learning-rate")
    if logged is None or len(logged.finite) < 3:
        return False
    value = logged.finite.value
    return bool((value[1:] >= value[:-1]).all()) and value[-1] > 1.02 * value[int(0.8 * len(value))]


def plans_freezing(run: Run) -> bool:
    """Whether the settings of a run speak of freezing parts of the model."""
    return any(
        "freez" in key.lower() and not key.lower().endswith(_HOW) and _means_yes(value)
        for key, value in leaves(run.config)
    )


def one_class_batches(run: Run) -> bool:
    """Whether most batches hold one class: shares of classes within a batch then say nothing."""
    held = run.main("batch-classes", "train")
    return held is not None and len(held.finite) > 0 and median(held.finite.value) <= 1


def setting(run: Run, pattern: str) -> float | None:
    """The first number among the settings whose name matches a pattern, None without one."""
    for key, value in leaves(run.config):
        number = not isinstance(value, bool) and isinstance(value, int | float)
        if number and re.fullmatch(pattern, key.rpartition(".")[2], re.IGNORECASE):
            return float(value)
    return None


def _means_yes(value: object) -> bool:
    return bool(value) and str(value).lower() not in ("false", "0", "none", "no", "off", "[]")
