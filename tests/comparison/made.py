"""Comparisons made by hand, without the code that makes them of runs.

`seed_case` has the figures of the comparison of the hand-pose system: MPJPE at matched steps, the
gap at 3,000 and 6,000, a jump at 12,000, and what was predicted of the next run.
"""

import math

import numpy as np

from trainlens.chunk import Notice
from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import (
    Alignment,
    Arm,
    At,
    Caution,
    Comparison,
    Contrast,
    Gap,
    GapTable,
    Interval,
    Replicates,
    Row,
    Setting,
    Summary,
    Variances,
)
from trainlens.expectation import parse
from trainlens.run import Run, Series

BEFORE, AFTER = "28-01-2026", "29-01-2026"
STEPS = np.arange(1, 21) * 3000
KNOWN = (
    {3: 82.61, 4: 73.9},
    {3: 105.23, 4: 71.07},
)
NAN = float("nan")


def curve(mean, std, known, seed, n=20):
    """A falling, noisy curve of an exact mean and standard deviation through known points."""
    rng = np.random.default_rng(seed)
    free = np.array([i for i in range(n) if i not in known])
    shape = 60 / (1 + free) ** 0.7 + rng.normal(0, 4, len(free))
    shape -= shape.mean()
    held = np.array(list(known.values()))
    level = (n * mean - held.sum()) / len(free)
    rest = (n - 1) * std**2 - ((held - mean) ** 2).sum() - len(free) * (level - mean) ** 2
    value = np.empty(n)
    value[free] = level + shape * math.sqrt(rest / (shape**2).sum())
    value[list(known)] = held
    return value


def series(metric, split, value, step=STEPS, unit=""):
    blank = np.full(len(value), NAN)
    return Series(metric, split, np.asarray(step, np.int64), np.asarray(value, float), blank,
                  blank, f"{split}/{metric}", "", unit)  # fmt: skip


def run(name, *held, config=None, folder="runs"):
    return Run(name, f"{folder}/{name}.jsonl", "jsonl", {(s.metric, s.split): s for s in held},
               config or {})  # fmt: skip


def summary(held, direction="min", reached=None):
    v, s = held.value, held.step
    low, high = int(v.argmin()), int(v.argmax())
    best = low if direction == "min" else high
    has = direction != ""
    smooth = np.convolve(v, np.ones(3) / 3, "valid")
    around = int(smooth.argmin() if direction == "min" else smooth.argmax())
    return Summary(
        n=len(v), mean=float(v.mean()), std=float(v.std(ddof=1)),
        min=float(v[low]), min_step=int(s[low]), max=float(v[high]), max_step=int(s[high]),
        last=float(v[-1]), last_step=int(s[-1]),
        best=float(v[best]) if has else NAN, best_step=int(s[best]) if has else -1,
        best_windowed=float(smooth[around]) if has else NAN,
        best_windowed_step=int(s[around + 1]) if has else -1,
        window=3, area=float(np.diff(s) @ (v[1:] + v[:-1]) / 2 / (s[-1] - s[0])),
        last_at=float(s[-1]), reached=reached or {},
    )  # fmt: skip


def at(left, right, steps, half=None):
    for step in steps:
        i = int(np.searchsorted(left.step, step))
        a, b = float(left.value[i]), float(right.value[i])
        around = None if half is None else Interval(b - a - half, b - a + half)
        yield At(float(step), a, b, b - a, (b - a) / a, around)


def aligned(n, exact=None, of=None):
    index = np.arange(n)
    of = of or (n, n)
    return Alignment(STEPS[:n].astype(float), index, index, n if exact is None else exact,
                     (n / of[0], n / of[1]), of)  # fmt: skip


def pair_row(left, right, direction="min", **given):
    d = float((right.value - left.value).mean())
    known = {
        "alignment": aligned(len(left)),
        "difference": Contrast(d, Interval(d - 9.6, d + 9.6), 20, 13.9, 0.18, 0.44, 140,
                               "AR(1)-corrected t interval"),
        **given,
    }  # fmt: skip
    return Row(left.metric, left.split, left.unit, direction, BEFORE, AFTER,
               (summary(left, direction, known.pop("reached_left", None)),
                summary(right, direction, known.pop("reached_right", None))), **known)  # fmt: skip


def seed_case():
    """The comparison of the hand-pose system, two single runs."""
    mpjpe = [
        series("mpjpe", "val", curve(80.98, 19.62, KNOWN[0], 1), unit="mm"),
        series("mpjpe", "val", curve(84.47, 22.41, KNOWN[1], 2), unit="mm"),
    ]
    loss = [
        series("total", "train", curve(1.143, 0.21, {}, 3)),
        series("total", "train", curve(1.230, 0.22, {}, 3)),
    ]
    rate = [series("dropout_rate", "train", np.full(20, p)) for p in (0.0, 0.1)]
    rows = (
        pair_row(
            *mpjpe, reached_left={70.0: 30000.0}, reached_right={70.0: None},
            at=tuple(at(*mpjpe, (3000, 6000, 12000, 15000), 59.4)),
            late=Contrast(1.2, Interval(-11.9, 14.3), 10, 6.1, 0.2, 0.8, 1900, ""),
            variance=Variances((19.62, 22.41), 1.30, 0.57, 220),
            verdict="indistinguishable",
            because="29-01-2026 is higher by 3.49 mm (4.3 %), 95 % interval −6.1 to +13.1: "
            "indistinguishable; 120 more evaluations would settle a difference of this size.",
            q=0.44,
        ),
        pair_row(
            *loss, difference=Contrast(0.087, Interval(0.071, 0.103), 20, 15.0, 0.1, 1e-7),
            verdict="worse", q=2e-7,
            because="29-01-2026 is higher by 0.087 (7.6 %), 95 % interval +0.071 to +0.103: worse.",
        ),
        pair_row(
            *rate, direction="", difference=Contrast(0.1, Interval(0.1, 0.1), 20, 20, 0.0, 0.0),
            because="nothing says whether a lower or a higher dropout_rate is better.",
        ),
    )  # fmt: skip
    configs = ({"MODEL": {"handec": {"dropout": 0.0}}}, {"MODEL": {"handec": {"dropout": 0.1}}})
    arms = tuple(
        Arm(name, (run(name, mpjpe[i], loss[i], rate[i], config=configs[i]),))
        for i, name in enumerate((BEFORE, AFTER))
    )
    return Comparison(
        arms, "step", rows,
        gaps=(GapTable("mpjpe", "mm", BEFORE, AFTER,
                       (Gap(3000, 48.1, 57.5), Gap(6000, 27.9, 33.3), Gap(9000, 21.0, NAN))),),
        config_diff=(
            Setting("MODEL.handec.dropout", {BEFORE: 0.0, AFTER: 0.1}),
            Setting("GENERAL.val_seed", {BEFORE: None, AFTER: 42}),
        ),
        cautions=(
            Caution("seed", AFTER, "One run each: a change of seed alone may do as much."),
        ),
        expectations=predicted(),
        notices=(
            Notice("torn-tail", "28-01-2026.jsonl, line 21", "unfinished record left out", 1),
        ),
    )  # fmt: skip


def predicted():
    """What was predicted of the next run, held against one."""
    return (
        judged("mean(val/mpjpe) < 80 mm", "met", 78.2, 84.47, label="whole run"),
        judged("std(val/mpjpe) < 18 mm", "missed", 19.1, 22.41, label="whole run",
               because="19.1 mm is above 18 mm."),
        judged("end(train/total) about 1.10", "met", 1.12, 1.23, label="whole run"),
        judged("gap/mpjpe at 3000 about 45 mm", "met", 46.3, 57.5, label="early"),
        judged("val/mpjpe at 90000 about 68 mm", "cannot-judge", NAN, NAN, label="late",
               because="the log ends at step 60 000."),
    )  # fmt: skip


def judged(text, status, actual, before, label="", because=""):
    from dataclasses import replace

    asked = replace(parse(text), label=label)
    low, high = asked.limits()
    return Judged(asked, AFTER, BEFORE, status, actual, before, low, high, asked.unit, because)


def many(candidates=7, metrics=3, seed=0):
    """A baseline and many candidates, single runs, of which every third is better."""
    rng = np.random.default_rng(seed)
    names = [f"sweep/run-{i:03d}" for i in range(candidates + 1)]
    measures = ["loss", "mpjpe", "accuracy", *(f"part_{i}" for i in range(metrics))][:metrics]
    directions = {"accuracy": "max"}
    held = {
        (name, m): series(m, "val", 1 + rng.normal(0, 0.01, 20) - 0.1 * (i % 3 == 1))
        for i, name in enumerate(names)
        for m in measures
    }
    rows = []
    for m in measures:
        direction = directions.get(m, "min")
        for i, name in enumerate(names[1:], 1):
            a, b = held[names[0], m], held[name, m]
            d = float((b.value - a.value).mean())
            good = "better" if direction == "min" else "worse"
            verdict = good if i % 3 == 1 else "indistinguishable"
            rows.append(
                Row(m, "val", "", direction, names[0], name,
                    (summary(a, direction), summary(b, direction)), alignment=aligned(20),
                    difference=Contrast(d, Interval(d - 0.01, d + 0.01), 20, 18.0, 0.02, 0.2),
                    verdict=verdict, because=f"{name} differs by {d:.2f}.")
            )  # fmt: skip
    arms = tuple(Arm(n, (run(n, *(held[n, m] for m in measures), config={"lr": i}),))
                 for i, n in enumerate(names))  # fmt: skip
    diff = Setting("lr", {n: i for i, n in enumerate(names)})
    return Comparison(arms, "step", tuple(rows), config_diff=(diff,))


def groups(runs=5):
    """Two configurations with several seeds each."""
    rng = np.random.default_rng(4)
    curves = [
        [series("accuracy", "val", level + rng.normal(0, 0.01, 20)) for _ in range(runs)]
        for level in (0.80, 0.85)
    ]
    scores = tuple(tuple(float(c.value[-2:].mean()) for c in side) for side in curves)
    flat = [series("accuracy", "val", s, np.arange(len(s))) for s in scores]
    d = float(np.mean(scores[1]) - np.mean(scores[0]))
    row = Row(
        "accuracy", "val", "", "max", "small", "large",
        (summary(flat[0], "max"), summary(flat[1], "max")),
        difference=Contrast(d, Interval(d - 0.012, d + 0.012), runs, runs, 0.0, 2e-5, None,
                            "paired t"),
        replicates=Replicates(scores, runs, (0.80, 0.85),
                              (Interval(0.79, 0.81), Interval(0.84, 0.86)), 1.0,
                              Interval(0.9, 1.0)),
        verdict="better", q=2e-5,
        because="large is higher by 0.05 (6.2 %), 95 % interval +0.038 to +0.062: better.",
    )  # fmt: skip
    arms = tuple(
        Arm(name, tuple(run(f"{name}/seed{i}", c, config={"seed": i}) for i, c in enumerate(side)),
            tuple(map(str, range(runs))))
        for name, side in zip(("small", "large"), curves, strict=True)
    )  # fmt: skip
    return Comparison(arms, "step", (row,))
