"""Tier A: synthetic runs by kind and seed.

A run is given by its kind, its seed and whether it is sealed; nothing else goes into it. Sealed
runs have seeds of their own and draw from families that development runs never do.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

from benchmarks.diagnosis import faults, sides
from benchmarks.diagnosis.labelled import HEALTHY, Labelled
from benchmarks.diagnosis.sketch import LONGEST, Sketch, Wish, draw
from benchmarks.diagnosis.written import written
from trainlens.run import Run

_TRIES = 400


def make(kind: str, seed: int, *, sealed: bool = False, longest: int = LONGEST) -> Labelled:
    """One run.

    Parameters
    ----------
    kind : str
        `HEALTHY` or a kind of `faults.kinds()`.
    seed : int
    sealed : bool
    longest : int
        Bound of its points; another bound gives another run.

    Raises
    ------
    ValueError
        If no sketch lets the fault stand out.
    """
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), int(sealed)])
    if kind == HEALTHY:
        return _healthy(rng, seed, sealed, longest)
    held = faults.kinds()[kind]
    for _ in range(_TRIES):
        s = draw(rng, held.wish, sealed, longest)
        mark = held.inject(s)
        if mark is None or not mark.spans:
            continue
        sides.add(s)
        run = written(s, f"{kind}-{seed}")
        reach = run.steps or (0, 0)
        return Labelled(
            run, kind, held.accepts, mark.spans, (*held.brings, *mark.also, *_always(s)),
            int(max(5 * mark.spacing, 0.01 * (reach[1] - reach[0]))), held.point, mark.strength,
            held.least, s.families, seed,
        )  # fmt: skip
    raise ValueError(f"{kind}: no clear case in {_TRIES} sketches of seed {seed}")


def _always(s: Sketch) -> tuple[str, ...]:
    return ("step-rewind",) if s.resumes is not None else ()


_ANY = Wish(crossing=True)
_LONG = Wish(least=20_000, longest=1_000_000, crossing=True)


def _healthy(rng: np.random.Generator, seed: int, sealed: bool, longest: int) -> Labelled:
    wish = _LONG if longest >= LONGEST and rng.random() < 0.02 else _ANY
    if rng.random() < 0.07:
        run, families = _rewarded(rng, f"{HEALTHY}-{seed}", min(longest, LONGEST))
        return Labelled(run, HEALTHY, families=families, seed=seed)
    s = draw(rng, wish, sealed, 1_000_000 if wish is _LONG else longest)
    sides.add(s)
    if rng.random() < 0.08:
        cut = s.within(0.3, 0.9, 3)
        s.resumes = cut, max(0, cut - int(0.05 * len(s)) - 1)
        s.families["log"] = "resumed"
    run = written(s, f"{HEALTHY}-{seed}")
    return Labelled(run, HEALTHY, consequences=_always(s), families=s.families, seed=seed)


def _rewarded(rng: np.random.Generator, name: str, longest: int) -> tuple[Run, dict[str, str]]:
    """Reinforcement learning: returns that rise, losses that say little."""
    s = draw(rng, Wish(("power law", "logarithmic", "exponential")), longest=longest)
    n, drift = len(s), 1 - s.shape.level
    spread = rng.uniform(0.05, 0.4)
    s.sides["rollout/ep_rew_mean"] = (
        s.everywhere(), s.scale * (drift + spread * s.wobble / max(s.sigma, 1e-12)),
    )  # fmt: skip
    s.sides["train/policy_gradient_loss"] = s.everywhere(), 0.02 * rng.standard_normal(n)
    level = 1.0 + 0.5 * np.cumsum(rng.standard_normal(n)) / np.sqrt(n)
    s.sides["train/value_loss"] = (
        s.everywhere(),
        np.abs(level) * np.exp(0.4 * rng.standard_normal(n)),
    )
    s.evaluations, s.held, s.flutter = s.evaluations[:0], s.held[:0], s.flutter[:0]
    s.shape.level, s.wobble = np.ones(n), rng.uniform(0.1, 0.5) * rng.standard_normal(n)
    s.logs_rate = False
    return written(s, name), {**s.families, "curve": "rewards"}


@lru_cache(maxsize=1)
def kinds() -> tuple[str, ...]:
    """Healthy, then all kinds of faults."""
    return (HEALTHY, *faults.kinds())
