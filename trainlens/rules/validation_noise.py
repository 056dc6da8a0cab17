"""Rule ``validation-noise``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.leaves import leaves
from trainlens.roles import normalise
from trainlens.rules._evaluations import each_judged
from trainlens.rules.base import Finding, fail, passed, rule
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.counting import counting_noise, samples_behind
from trainlens.stats.noise import second_difference_noise
from trainlens.stats.spread import Spread, brown_forsythe
from trainlens.stats.trend import as_share, scale_free

_SEEDS = ("val_seed", "eval_seed", "validation_seed")


@rule(
    "validation-noise",
    severity="info",
    about="validation",
    source="hand-pose seed (standard deviation of 19.6 to 22.4 mm between evaluations); noise from "
    "second differences; growth by Brown and Forsythe (1974), doi:10.1080/01621459.1974.10482955",
)
def validation_noise(
    run: Run, *, large: float = 0.05, growth: float = 2.0, t: float = 3.5, least_points: int = 8
) -> Iterator[Finding]:
    """Evaluations scatter so much that single ones, and the best of them, are luck.

    The noise from one evaluation to the next (second differences, so that no trend counts) is
    `large` of the level or more; or it has grown, its second half scattering `growth` times as
    much as the first, by `t` standard errors. A fact to know, not a fault of the model: two
    checkpoints that differ by less than twice this noise cannot be told apart. A warning where the
    settings have a seed for the validation data and it is none: then each evaluation draws other
    samples, and the noise can be taken away.

    What to do: evaluate on more samples (four times as many halve the noise), on the same samples
    in the same order each time, or compare means over several evaluations.

    Settings
    --------
    large : share of the level
        Noise from which on it is told.
    growth : times
        By which the noise must have grown in the second half.
    t : standard errors
        What that growth must exceed as well.
    least_points : evaluations
        Fewer are not judged.
    """
    held = [s for s in (run.main("loss", "val"), run.main("metric", "val")) if s is not None]
    anew = _drawn_anew(run)
    yield from each_judged(
        held,
        least_points,
        "no validation loss or metric in this log",
        lambda series, good: [_judge(series, good, large, growth, t, anew)],
    )


def _drawn_anew(run: Run) -> str:
    """The setting that would seed the validation data and is none; empty where there is none."""
    for name, value in leaves(run.config):
        if value is None and normalise(name).strip("_").endswith(_SEEDS):
            return name
    return ""


def _judge(
    series: Series, good: Series, large: float, growth: float, t: float, anew: str
) -> Finding:
    level = scale_free(good.value, series.role.direction or "min")
    noise = second_difference_noise(level)
    share = as_share(noise, good.value, "min")
    unit_noise = min(second_difference_noise(good.value), 1e308)
    spread = _growth(level)
    evidence = {"noise": unit_noise, "share": share, "evaluations": len(good)}
    grown = spread is not None and spread.ratio > growth and spread.t > t
    if spread is not None:
        evidence["growth"] = min(spread.ratio, 1e9)
    size = f"{words.with_unit(unit_noise, series.unit, 3)}, {words.percent(share, 2)} of its level"
    if not (share >= large or (grown and share >= 0.01)):
        return passed(
            f"{series.metric} scatters by {size}, from one evaluation to the next.",
            series,
            evidence=evidence,
        )
    if samples := samples_behind(good.value):
        evidence |= {"samples": samples, "counting_noise": counting_noise(good.value)}
    said = f"{series.metric} scatters by {size}, from one evaluation to the next: differences "
    said += f"below {words.with_unit(2 * unit_noise, series.unit, 2)} between two are noise."
    if grown and spread is not None:
        times = words.number(min(spread.ratio, 1e9), 2)
        said += f" In the second half of the run it scatters {times} times as much as in the first."
    if anew:
        said += f" Each evaluation draws other samples: {anew} is none."
    said += _advice(samples, share, large)
    return fail(
        said,
        series,
        first_step=int(good.step[len(good) // 2 if share < large else 0]),
        last_step=int(good.step[-1]),
        evidence=evidence,
        severity="warning" if anew and share >= large else None,
        confidence=0.9,
    )


def _growth(level: Floats) -> Spread | None:
    """Scatter of the second half against the first, by what each evaluation adds to the last two.

    Second differences: neither a trend nor the bend of a falling curve passes for noise.
    """
    bend = np.diff(level, 2)
    # The steep beginning of a curve is no noise.
    bend = bend[len(bend) // 10 :]
    half = len(bend) // 2
    # Neighbours share two of three evaluations: every third stands for itself.
    return brown_forsythe(bend[:half:3], bend[half::3])


def _advice(samples: int, share: float, large: float) -> str:
    if share < large:
        return ""
    times = max(2, int(np.ceil(min((share / (large / 2)) ** 2, 1e6))))
    more = f"{words.step(times)} times as many samples"
    if samples:
        more += f" as the {words.step(samples)} that its values are counts of"
    return f" To bring it below {words.percent(large / 2)} takes {more}, if they are drawn anew."
