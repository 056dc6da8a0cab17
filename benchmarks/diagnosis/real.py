"""Tier B: faults put into the noise of real, healthy logs, which are read and never copied.

The logs lie in ``../shared/real_logs`` beside the project; where they are absent the tier is
skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import trainlens
from benchmarks.diagnosis.labelled import HEALTHY, Labelled, Span
from benchmarks.diagnosis.noise import Floats, Random
from trainlens.errors import MissingExtra
from trainlens.run import Chunk, Column, Ints, Run, unknown

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "real_logs"
LOGS = (
    ("csv_misc/gradio-app__trackio", "lm_loss"),
    ("csv_lightning/0Xero7__slm_training/lightning_logs/version_0", "loss_step"),
    ("csv_lightning/0Xero7__slm_training/lightning_logs/version_12", "loss_step"),
    ("aim/locomotion2__minimalJax", "epoch_loss"),
    ("mmengine/duanbo320__openmmlab_camp/20230605_200941/vis_data", "loss"),
    ("catboost/1M50RRY__dfdc-kaggle-solution", "Logloss"),
    ("chainer/mitmul__chainer-notebooks", "loss"),
)
"""Healthy runs by their INDEX: three of language models, then others."""

LEAST = 300


@dataclass(frozen=True)
class Background:
    """The training loss of a real run.

    Parameters
    ----------
    name : str
    step : ndarray of int64, shape (n,)
    value : ndarray of shape (n,)
        Positive.
    """

    name: str
    step: Ints
    value: Floats

    def level(self, share: float = 0.05) -> Floats:
        """The curve without its noise: a rolling median over a share of it, shape (n,)."""
        from scipy.ndimage import median_filter

        wide = max(5, int(share * len(self.value) / 2) * 2 + 1)
        smooth = median_filter(np.log(self.value), wide, mode="nearest")
        return np.asarray(np.exp(smooth), np.float64)

    def part(self, rng: Random) -> Background:
        """A stretch of at least half of it."""
        n = len(self.value)
        first = int(rng.integers(0, max(1, min(n // 4, n - LEAST))))
        last = int(rng.integers(max(first + LEAST, 3 * n // 4), n + 1)) if n > LEAST else n
        kept = slice(first, min(last, n))
        return Background(self.name, self.step[kept] - self.step[first] + 1, self.value[kept])


def backgrounds(folder: Path = FOLDER) -> list[Background]:
    """The healthy runs with at least `LEAST` points; none where the folder is absent."""
    found = []
    for place, metric in LOGS if folder.is_dir() else ():
        try:
            runs = [r for r in trainlens.load(folder / place) if (metric, "train") in r.series]
        except MissingExtra:  # this format cannot be read here
            continue
        if not runs:
            continue
        series = max((r[metric] for r in runs), key=len).finite
        if len(series) >= LEAST and float(series.value.min()) > 0:
            found.append(
                Background(f"{place.split('/', 1)[1]}/{metric}", series.step, series.value)
            )
    return found


Change = Callable[[Background, Random], "tuple[Run, tuple[Span, ...], float] | None"]


def as_run(ground: Background, value: Floats, held: tuple[Ints, Floats] | None = None) -> Run:
    """A run of this training loss, and a validation loss at some points."""
    n = len(value)
    columns = [Column("loss", ground.step, value, unknown(n), unknown(n))]
    if held is not None:
        at, level = held
        m = len(at)
        columns.append(Column("val_loss", ground.step[at], level, unknown(m), unknown(m)))
    return Run(ground.name, ground.name, "real").extend(Chunk(tuple(columns)))


def _spans(ground: Background, *ends: tuple[int, int]) -> tuple[Span, ...]:
    return tuple(Span(int(ground.step[a]), int(ground.step[b])) for a, b in ends)


def _sigma(ground: Background) -> float:
    change = np.diff(np.log(ground.value))
    return float(1.4826 * np.median(np.abs(change - np.median(change))) / np.sqrt(2))


def spikes(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float]:
    """One to four rises of 3 to 12 points by 50 % and more, at least 8 widths of the noise."""
    value, n = g.value.copy(), len(g.value)
    ends: list[tuple[int, int]] = []
    high = max(rng.uniform(0.4, 1.5), rng.uniform(8, 12) * _sigma(g))
    for at in np.sort(rng.integers(60, n - 30, int(rng.integers(1, 5)))):
        if not ends or at - ends[-1][1] > 80:
            last = int(at + rng.integers(2, 12))
            value[at : last + 1] *= np.exp(high)
            ends.append((int(at), last))
    return as_run(g, value), _spans(g, *ends), high / _sigma(g)


def lost(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float]:
    """NaN at one point, or to the end."""
    value, n = g.value.copy(), len(g.value)
    at = int(rng.integers(5, n - 5))
    last = at if rng.random() < 0.5 else n - 1
    value[at : last + 1] = np.nan
    return as_run(g, value), _spans(g, (at, last)), (last - at + 1) / n


def blown_up(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float]:
    """Growth by 2.7 to 20 to the end."""
    value, n = g.value.copy(), len(g.value)
    at, high = int(rng.uniform(0.4, 0.85) * n), rng.uniform(1, 3) + 6 * _sigma(g)
    value[at:] *= np.exp(np.linspace(0, high, n - at))
    return as_run(g, value), _spans(g, (at, n - 1)), high


def stopped(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float] | None:
    """The level freezes at 35 to 55 % of the run, the noise goes on."""
    n, level = len(g.value), g.level()
    at = int(rng.uniform(0.35, 0.55) * n)
    missed = float(np.log(level[at] / level[-1]))
    strength = missed / max(_sigma(g) * float(np.sqrt(36 / (n - at))), 1e-12)
    if missed < 0.03 or strength < 6:
        return None
    value = g.value.copy()
    value[at:] *= level[at] / level[at:]
    return as_run(g, value), _spans(g, (at, n - 1)), strength


def _memory(noise: Floats) -> float:
    """How much wider than white noise a mean of five of it is, in variance, at most 5."""
    if not float(noise.std()):
        return 1.0
    rho = float(np.clip(np.corrcoef(noise[1:], noise[:-1])[0, 1], 0.0, 0.67))
    return (1 + rho) / (1 - rho)


def _validation(g: Background, rng: Random) -> tuple[Ints, Floats, Floats]:
    """Points of 20 to 60 evaluations, a clean validation loss, and real noise for it."""
    at = np.linspace(0, len(g.value) - 1, int(rng.integers(20, 60)) + 1)[1:].astype(np.int64)
    level = g.level(0.2)  # the waves of the curve are noise of the evaluations too
    noise = np.log(g.value / level)[at] * rng.uniform(0.2, 0.6)
    return at, level[at] * rng.uniform(1.0, 1.2), noise


def overfitted(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float] | None:
    """A validation loss that turns at 30 to 70 % and ends 10 to 60 % above its best."""
    at, held, noise = _validation(g, rng)
    share, turn = np.linspace(0, 1, len(at)), rng.uniform(0.3, 0.7)
    up = np.clip((share - turn) / (1 - turn), 0, None)
    held = np.interp(np.minimum(share, turn), share, held)
    held = held * np.exp(np.log1p(rng.uniform(0.1, 0.6)) * up)
    best = int(np.argmin(held))
    widened = float(noise.std()) * float(np.sqrt(2 * _memory(noise) / 5))
    strength = float(np.log(held[-1] / held[best])) / max(widened, 1e-12)
    if strength < 5 or len(at) - best < 5:
        return None
    ends = _spans(g, (int(at[best]), int(at[-1])))
    return as_run(g, g.value, (at, held * np.exp(noise))), ends, strength


def jumped(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float] | None:
    """One to three evaluations that are worse by 25 % and 10 widths of their noise."""
    at, held, noise = _validation(g, rng)
    place, width = int(rng.integers(6, len(at) - 4)), float(noise.std())
    high = max(rng.uniform(0.22, 0.6), 10 * width)
    if abs(float(np.log(held[place - 5] / held[place]))) > 0.5 * high:
        return None  # the curve itself moves as much
    last = place + int(rng.integers(0, 3))
    noise[place : last + 1] += high
    ends = _spans(g, (int(at[place]), int(at[last])))
    return as_run(g, g.value, (at, held * np.exp(noise))), ends, high / max(width, 1e-12)


def healthy(g: Background, rng: Random) -> tuple[Run, tuple[Span, ...], float]:
    """As it is, with a validation loss of the same noise."""
    at, held, noise = _validation(g, rng)
    return as_run(g, g.value, (at, held * np.exp(noise))), (), 0.0


_KINDS: dict[str, tuple[Change, tuple[str, ...], tuple[str, ...], bool]] = {
    HEALTHY: (healthy, (), (), False),
    "loss-spike": (spikes, ("loss-spike",), ("outlier",), True),
    "non-finite": (lost, ("non-finite",), ("divergence",), True),
    "divergence": (blown_up, ("divergence",), ("loss-spike", "stagnation"), False),
    "stagnation": (stopped, ("stagnation",), (), False),
    "overfitting": (overfitted, ("overfitting",), ("gap-growth", "validation-jump"), False),
    "validation-jump": (jumped, ("validation-jump",), ("overfitting",), True),
}


def cases(repeats: int, seed: int = 0, folder: Path = FOLDER) -> Iterator[Labelled]:
    """Each kind in each background, so many times; the healthy ones once.

    Parameters
    ----------
    repeats : int
        Stretches of each background for each kind of fault.
    seed : int
    folder : Path
        Where the real logs are.
    """
    for number, whole in enumerate(backgrounds(folder)):
        for order, (kind, (change, accepted, brings, point)) in enumerate(_KINDS.items()):
            for again in range(1 if kind == HEALTHY else repeats):
                rng = np.random.default_rng([seed, number, order, again])
                ground = whole if kind == HEALTHY else whole.part(rng)
                made = change(ground, rng)
                if made is None:
                    continue
                run, spans, strength = made
                reach = int(ground.step[-1] - ground.step[0])
                spacing = reach / max(1, len(ground.step) - 1)
                if point and kind == "validation-jump":
                    spacing = 0.0  # its own points lie far apart: 1 % of the run and no more
                yield Labelled(
                    run, kind, accepted, spans, brings, int(max(5 * spacing, 0.01 * reach)), point,
                    strength, families={"background": whole.name}, seed=again,
                )  # fmt: skip
