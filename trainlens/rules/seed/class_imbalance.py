"""``class-imbalance`` of the seed profile: a fixed share, of any class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import Layer, layers
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "class-imbalance",
    profile="seed",
    severity="warning",
    about="data",
    source="quad-modal seed (a class above 90 % of the samples; it had 95 %)",
)
def class_imbalance(run: Run, *, majority: float = 0.9) -> Iterator[Finding]:
    """A class makes up more than 90 % of the data.

    Reads the count or the share of each class, averaged over the log, or the share of the largest
    (majority_share). Above `majority` any class is a fault, also a background, which the default
    profile spares. A share, so no unit matters.

    Settings
    --------
    majority : share of the data
        That one class may have.
    """
    for role in ("class-count", "class-share"):
        found = layers(run, role)
        known = _shares(found, role)
        if known:
            name = max(known, key=lambda k: known[k])
            series = found[0].series.finite
            yield _judge(series, f"Class {name}", known[name], majority, len(known))
            return
    held = [s for s in run.with_role("majority-share") if len(s.finite)]
    for series in held:
        value = series.finite.value
        if not 0 <= float(value.min()) <= float(value.max()) <= 100:
            yield skip(f"{series.metric} is no share", series)
            continue
        share = float(value.mean()) / (100.0 if float(value.max()) > 1 else 1.0)
        yield _judge(series, "The largest class", share, majority, 1)
    if not held:
        yield skip("shares of the classes are not in this log")


def _shares(found: list[Layer], role: str) -> dict[str, float]:
    """Share of each class over the log, empty where it cannot be told."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = {x.name: float(x.series.finite.value.mean()) for x in found}
    total = sum(size.values())
    if role == "class-share":  # classes that are not logged have the rest
        total = max(total, 100.0 if total > 1.5 else 1.0)
    elif len(size) < 2:
        return {}
    if not 0 < total < np.inf or min(size.values(), default=-1.0) < 0:
        return {}
    return {name: v / total for name, v in size.items()}


def _judge(series: Series, name: str, share: float, majority: float, classes: int) -> Finding:
    evidence = {"largest": share, "threshold": majority, "classes": classes}
    said = f"{name} makes up {words.percent(share)} of the data"
    if share <= majority:
        return passed(f"{said}.", series, evidence=evidence)
    return fail(f"{said}, above {words.percent(majority)}.", series, evidence=evidence)
