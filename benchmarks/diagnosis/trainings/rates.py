"""Learning rates that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import constant, cosine, jump, steps_down

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.bench import Bench

Facts = dict[str, bool]


def _collapsed(sick: Curves, well: Curves) -> Facts:
    return {
        "validation is at chance": sick.end("accuracy", "val") < 0.45,
        "the loss ends far above that of the twin": not sick.end() < 5 * well.end(),
    }


@training("lr-too-high", accepts=("divergence", "non-finite", "never-learned", "stagnation"),
          facts=_collapsed,
          brings=("loss-spike", "gradient-explosion", "missing-warmup", "validation-jump",
                  "overfitting"))  # fmt: skip
def lr_too_high(b: Bench, sick: bool) -> None:
    """The learning rate is 30 times what works: a classifier of spirals falls back to chance."""
    model = b.nets.Mlp(2, 48, 48, 3)
    b.fit(model, b.data.spirals(b.seed), lr=0.03 * (30 if sick else 1), steps=2000,
          decay=1e-3).go()  # fmt: skip


def _diverged(sick: Curves, well: Curves) -> Facts:
    return {
        "the loss falls at first": sick.best() < 0.5 * sick.start(),
        "and ends above twice its best": not sick.end() < 2 * sick.best(),
    }


@training("lr-grows", accepts=("divergence", "non-finite"), facts=_diverged, first=500, seed=8,
          brings=("loss-spike", "gradient-explosion", "lr-jump", "validation-jump",
                  "overfitting"))  # fmt: skip
def lr_grows(b: Bench, sick: bool) -> None:
    """A warmup that never ends: the learning rate grows until an autoencoder falls apart."""
    b.fit(b.nets.Mlp(64, 32, 16, 32, 64), b.data.pictures(b.seed), lr=0.02, steps=1500,
          decay=1e-4, rate=(lambda step: 1.005**step) if sick else constant).go()  # fmt: skip


def _broken(sick: Curves, well: Curves) -> Facts:
    return {"the loss is NaN or infinite at the end": not sick.end() < float("inf")}


@training("lr-to-nan", accepts=("non-finite",), facts=_broken, seed=1,
          brings=("divergence", "gradient-explosion", "missing-warmup", "loss-spike"))  # fmt: skip
def lr_to_nan(b: Bench, sick: bool) -> None:
    """The learning rate is 30 times what works: a linear regression overflows."""
    model = b.nets.Mlp(20, 1)
    b.fit(model, b.data.linear(b.seed), lr=0.2 * (30 if sick else 1), steps=1000).go()


def _unmoved(sick: Curves, well: Curves) -> Facts:
    return {"the loss falls by less than 1 %": sick.end() > 0.99 * sick.best()}


@training("lr-too-low", accepts=("never-learned",), facts=_unmoved,
          brings=("update-ratio",), seed=2)  # fmt: skip
def lr_too_low(b: Bench, sick: bool) -> None:
    """The learning rate is a millionth of what works."""
    task = b.data.glyphs(b.seed)
    b.fit(b.nets.conv(), task, lr=2e-3 * (1e-6 if sick else 1), optimizer="adam",
          steps=900, every=3, evaluate=45).go()  # fmt: skip


def _left_off(sick: Curves, well: Curves) -> Facts:
    late = sick.end() / sick.at(500)
    return {
        "hardly any progress after step 500": late > 0.9,
        "the twin ends far lower": well.end() < 0.7 * sick.end(),
    }


@training("early-decay", accepts=("premature-lr-decay", "stagnation"), first=300,
          facts=_left_off, seed=3)  # fmt: skip
def early_decay(b: Bench, sick: bool) -> None:
    """The learning rate drops to a hundredth, and again, after a tenth of the run."""
    rate = steps_down((300, 500), 0.01) if sick else steps_down((2000, 2600))
    b.fit(b.nets.Mlp(1, 64, 64, 1, act="tanh"), b.data.sinusoid(b.seed), lr=0.003, steps=3000,
          optimizer="adam", every=10, evaluate=100, rate=rate).go()  # fmt: skip


def _short(sick: Curves, well: Curves) -> Facts:
    return {
        "the rate is 0 for most of the run": float(sick.values("lr")[-1]) == 0,
        "the twin ends far lower": well.end() < 0.8 * sick.end(),
    }


@training("short-schedule", accepts=("premature-lr-decay", "stagnation"), first=200,
          facts=_short, brings=("unchanged-parameters",), seed=4)  # fmt: skip
def short_schedule(b: Bench, sick: bool) -> None:
    """A cosine was given a fifth of the steps that are trained."""
    b.headed({"total_steps": 1000, "lr": 3e-3})
    rate = cosine(200 if sick else 1000, warmup=50)
    b.fit(b.nets.Gru(), b.data.sentences(b.seed), lr=3e-3, optimizer="adam", steps=1000,
          rate=rate).go()  # fmt: skip


def _unwarmed(sick: Curves, well: Curves) -> Facts:
    return {
        "the loss falls at first": sick.best() < 0.7 * sick.start(),
        "and ends at twice that of the twin": not sick.end() < 2 * well.end(),
    }


@training("no-warmup", accepts=("missing-warmup", "divergence"), facts=_unwarmed,
          brings=("never-learned", "stagnation", "loss-spike", "validation-jump", "overfitting",
                  "gradient-explosion", "gradient-vanishing"), seed=5)  # fmt: skip
def no_warmup(b: Bench, sick: bool) -> None:
    """A transformer with Adam begins at its full learning rate and breaks within 100 steps."""
    rate = cosine(600, warmup=0 if sick else 150)
    b.fit(b.nets.Transformer(depth=3), b.data.sentences(b.seed), lr=0.04, optimizer="adam",
          steps=600, every=3, evaluate=30, rate=rate).go()  # fmt: skip


def _jumped(sick: Curves, well: Curves) -> Facts:
    after = float(sick.values()[200:260].max())
    return {
        "the loss doubles at the jump": after > 2 * sick.at(990),
        "the rate is 25 times as high": bool(sick.most("lr") > 24 * sick.start("lr")),
    }


@training("lr-jump", accepts=("lr-jump",), first=1000, last=1010, facts=_jumped,
          point=True, seed=6,
          brings=("loss-spike", "divergence", "gradient-explosion", "validation-jump",
                  "overfitting", "stagnation", "outlier"))  # fmt: skip
def lr_jump(b: Bench, sick: bool) -> None:
    """The learning rate is 25 times as high from the middle on."""
    b.fit(b.nets.Mlp(12, 48, 6), b.data.blobs(b.seed, 5000, spread=1.2), lr=0.01, steps=2000,
          decay=3e-3, rate=jump(1000, 25) if sick else constant).go()  # fmt: skip


def _unplanned(sick: Curves, well: Curves) -> Facts:
    return {"the rate is off the plan": bool(sick.at(600, "lr") < 0.7 * well.at(600, "lr"))}


@training("stepped-twice", accepts=("plan-deviation",), facts=_unplanned, seed=7,
          brings=("premature-lr-decay", "stagnation"))  # fmt: skip
def stepped_twice(b: Bench, sick: bool) -> None:
    """The scheduler is stepped twice an update, so the learning rate leaves its plan."""
    plan = {"total_steps": 1200, "lr": {"kind": "cosine", "base": 0.05}}
    b.headed({"total_steps": 1200}, plan)
    right = cosine(1200)

    def rate(step: int) -> float:
        return right(min(1200, 2 * step)) if sick else right(step)

    b.fit(b.nets.Mlp(64, 48, 10), b.data.glyphs(b.seed), lr=0.05, steps=1200, every=4,
          decay=2e-3, rate=rate).go()  # fmt: skip
