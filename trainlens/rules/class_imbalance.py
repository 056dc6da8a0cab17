"""The rule ``class-imbalance``: one class makes up nearly all of the data."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import fate_of_loss, layers, one_class_batches, setting
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median

_BACKGROUND = re.compile(
    r"(^|[_./ ])(bg|back_?ground|void|ignored?|unlabel\w*|negatives?|other|o)$"
)


@rule(
    "class-imbalance",
    severity="warning",
    about="data",
    source="quad-modal seed (a class above 90 %); for two classes SageMaker Debugger's ratio of 10",
)
def class_imbalance(
    run: Run, *, majority: float = 0.9, few: float = 0.34, min_points: int = 5
) -> Iterator[Finding]:
    """One class makes up nearly all of the training data, or batches hold few of the classes.

    Reads the share or the count of each class (class_share/NAME, class_count/NAME) or the share
    of the largest (majority_share), averaged over the run. A warning above `majority`: a model
    that always says this class is right that often, and learns nothing else. A background class
    of that size is usual and an information only. Where the number of classes and the size of a
    batch are known, batches with less than `few` of the classes that a random batch holds are
    reported too, as a warning where the loss is flat.

    What to do: count the classes of the data set; resample (a sampler that balances the classes)
    or weight the loss; judge by a measure that does not reward the largest class (macro F1,
    balanced accuracy).

    Settings
    --------
    majority : share of the data
        That one class may have.
    few : share of the expected classes
        A batch that holds fewer has few.
    min_points : points
        Fewer are not judged.
    """
    shares = _shares(run)
    found = []
    if shares:
        found.append(_by_class(*shares, majority))
    else:
        alone = one_class_batches(run)
        found += [_largest(s, majority, min_points, alone) for s in run.with_role("majority-share")]
    found += _mixing(run, shares[1] if shares else {}, few, min_points)
    if not found:
        yield skip("shares of the classes are not in this log")
    yield from found


def _shares(run: Run) -> tuple[Series, dict[str, float]] | None:
    """Share of each class over the whole run."""
    for role in ("class-share", "class-count"):
        found = [x for x in layers(run, role) if float(x.series.finite.value.min()) >= 0]
        with np.errstate(over="ignore"):
            size = {x.name: float(np.mean(x.series.finite.value)) for x in found}
        total = sum(size.values())
        if not 0 < total < float("inf"):
            continue
        if role == "class-share":
            # What is not logged belongs to the classes that are not.
            total = max(total, 100.0 if total > 1.5 * len(size) else 1.0)
        elif len(size) < 2:
            continue
        return found[0].series, {name: v / total for name, v in size.items()}
    return None


def _by_class(series: Series, shares: dict[str, float], majority: float) -> Finding:
    name = max(shares, key=lambda k: shares[k])
    top, low = shares[name], min(shares.values())
    evidence = {"largest": top, "smallest": low, "classes": len(shares), "threshold": majority}
    if top > majority:
        usual = bool(_BACKGROUND.search(name.lower()))
        return fail(
            f"Class {name} makes up {words.percent(top)} of the data"
            f"{', as a background may' if usual else ''}; always naming it is right as often.",
            series,
            evidence=evidence,
            severity="info" if usual else "warning",
        )
    return passed(
        f"The largest of {words.plural(len(shares), 'class', 'classes')}, {name}, makes up "
        f"{words.percent(top)} of the data, the smallest {words.percent(low)}.",
        series,
        evidence=evidence,
    )


def _largest(series: Series, majority: float, min_points: int, alone: bool) -> Finding:
    curve = series.finite
    if not len(curve) or not 0 <= float(curve.value.min()) <= float(curve.value.max()) <= 100:
        return skip(f"{series.metric} is no share", series)
    if 1 < len(curve) < min_points:
        return inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of {series.metric}; {min_points} "
            "are needed",
            series,
        )
    level = median(curve.value) / (100.0 if float(curve.value.max()) > 1.0 else 1.0)
    evidence = {"largest": level, "threshold": majority, "points": len(curve)}
    if alone and level == 1.0:
        return inconclusive(
            "cannot tell: each batch holds one class, so its largest class has all of it whatever "
            "the data hold",
            series,
            evidence=evidence,
        )
    if level <= majority:
        return passed(
            f"The largest class makes up {words.percent(level)}.", series, evidence=evidence
        )
    return fail(
        f"The largest class makes up {words.percent(level)} of the data; always naming it is "
        "right as often.",
        series,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence=evidence,
    )


def _mixing(run: Run, shares: dict[str, float], few: float, min_points: int) -> Iterator[Finding]:
    """Batches that hold far fewer classes than random ones would."""
    series = run.main("batch-classes", "train")
    size = setting(run, r"(train_)?batch_?size|bs")
    count = len(shares) or int(min(setting(run, r"(num|n)_?classes") or 0, 1e6))
    if series is None or not size or count < 3 or len(series.finite) < min_points:
        return
    curve = series.finite
    share = np.array(list(shares.values())) if shares else np.full(count, 1 / count)
    expected = float(np.sum(1.0 - (1.0 - np.clip(share, 0.0, 1.0)) ** size))
    held = median(curve.value)
    if not 1 < held < few * expected:
        return  # one class a batch is the matter of another rule
    flat = fate_of_loss(run) == "flat"
    yield fail(
        f"The median batch holds {words.number(held, 3)} of "
        f"{words.plural(count, 'class', 'classes')}; a random one of {words.number(size)} "
        f"would hold {words.number(expected, 3)}"
        f"{', and the loss does not move' if flat else ''}.",
        curve,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence={"classes_in_batch": held, "expected": expected, "classes": count},
        severity="warning" if flat else "info",
        confidence=0.9,
    )
