"""What remains of a run to compare it with others: where it rose, and what its values were.

Made where the run was read, and small: some hundred numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.compact import Compact
from trainlens.detect.spike import find_spikes
from trainlens.leaves import leaves
from trainlens.rules.base import Finding
from trainlens.run import Floats, Run, Series

LEAST = 10
"""Fewer points than this are the same in two runs by chance."""
SAMPLES = 16
_SHORTEST = 32
_EVENTS = 256
_SPIKING = frozenset({"loss-spike", "outlier"})
_DATA = re.compile(
    r"(?:^|[./_])(?:data_?sets?|datasets?_name|data_(?:path|dir|root)|train_(?:data|files?|path)"
    r"|corpus)(?:[./_]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rise(Compact):
    """A sudden change of a series.

    Parameters
    ----------
    rule : str
        ``loss-spike`` for every rise of the training loss, else the rule that found it.
    metric, split : str
    step : int
        Where it was first seen.
    value : float or None
        The worst value; None where it is not known or no number.
    steered : bool
        Whether the learning rate jumped right before it.
    """

    rule: str
    metric: str
    split: str
    step: int
    value: float | None
    steered: bool


@dataclass(frozen=True, slots=True)
class Print(Compact):
    """Fingerprint of a series.

    Parameters
    ----------
    metric, split : str
    points, first, last : int
        How many, and the steps of the first and the last one.
    interval : int
        Steps between points, mean.
    whole : bytes
        Hash of all values.
    heads : bytes
        Hashes of the first 32, 64, 128, ... points, 8 bytes each.
    sample : bytes
        Values at `SAMPLES` fixed places among the points, as float64.
    """

    metric: str
    split: str
    points: int
    first: int
    last: int
    interval: int
    whole: bytes
    heads: bytes
    sample: bytes

    def head(self, k: int) -> bytes:
        """Hash of the first 32 * 2^k points, empty where there are not so many."""
        return self.heads[8 * k : 8 * k + 8]


@dataclass(frozen=True, slots=True)
class Trace(Compact):
    """What can be compared of a run.

    Parameters
    ----------
    rises : tuple of Rise
    prints : tuple of Print
        Of its main training series and its main validation series.
    config : bytes
        Hash of its configuration, empty without one.
    data : bytes
        Hash of the settings that name its data, empty without any.
    """

    rises: tuple[Rise, ...] = ()
    prints: tuple[Print, ...] = ()
    config: bytes = b""
    data: bytes = b""


EMPTY = Trace()


def trace(run: Run, results: Sequence[Finding]) -> Trace:
    """The trace of a judged run.

    Parameters
    ----------
    run : Run
    results : sequence of Finding
        Every outcome of every rule.
    """
    settings = sorted((name, str(value)) for name, value in leaves(run.config))
    named = [(k, v) for k, v in settings if _DATA.search(k)]
    return Trace(
        tuple(_rises(run, results))[:_EVENTS],
        tuple(_print(s) for s in _main(run)),
        _hash(repr(settings).encode(errors="replace")) if settings else b"",
        _hash(repr(named).encode(errors="replace")) if named else b"",
    )


def _main(run: Run) -> Iterator[Series]:
    chosen = (
        run.main("loss", "train") or run.main("loss"),
        run.main("metric", "train"),
        run.main("loss", "val") or run.main("loss", "test"),
        run.main("metric", "val") or run.main("metric", "test"),
    )
    seen = set()
    for series in chosen:
        if series is not None and (series.metric, series.split) not in seen:
            seen.add((series.metric, series.split))
            yield series


def _print(series: Series) -> Print:
    value, n = np.ascontiguousarray(series.value), len(series)
    first, last = int(series.step[0]), int(series.step[-1])
    heads, whole = _hashes(value)
    # Of values that hardly ever change, the first ones are the same in many runs.
    telling = len(np.unique(value[:_SHORTEST])) > 8
    at = [round(k * (n - 1) / (SAMPLES - 1)) for k in range(SAMPLES)]
    return Print(
        series.metric,
        series.split,
        n,
        first,
        last,
        max(1, abs(last - first) // max(1, n - 1)),
        whole,
        heads if telling else b"",
        value[at].tobytes(),
    )


def _hashes(value: Floats) -> tuple[bytes, bytes]:
    """Hashes of the first 32, 64, ... values, and of all."""
    held, heads, done, size = hashlib.blake2b(digest_size=8), b"", 0, _SHORTEST
    while size <= len(value):
        held.update(value[done:size].data)
        heads += held.copy().digest()
        done, size = size, 2 * size
    held.update(value[done:].data)
    return heads, held.digest()


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _rises(run: Run, results: Sequence[Finding]) -> Iterator[Rise]:
    loss = run.main("loss", "train")
    if loss is not None and any(f.rule in _SPIKING for f in results):
        for event in find_spikes(loss).events:
            steered = _steered(run, loss, event.first_step)
            peak = _number(event.peak)
            yield Rise("loss-spike", loss.metric, "train", event.first_step, peak, steered)
    for f in results:
        if f.failed and f.first_step is not None and f.rule in OF_ONE_STEP:
            rule = "loss-spike" if f.rule in _SPIKING else f.rule
            value = _number(f.evidence.get("peak", f.evidence.get("value")))
            step = _jumped(run, f) if f.rule == "validation-jump" else f.first_step
            held = run.series.get((f.metric, f.split))
            steered = held is not None and _steered(run, held, step)
            yield Rise(rule, f.metric, f.split, step, value, steered)


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)


OF_ONE_STEP = frozenset({"loss-spike", "outlier", "validation-jump", "non-finite", "divergence"})
"""Rules whose findings begin at a step that can be the same in several runs."""


def _jumped(run: Run, finding: Finding) -> int:
    """The evaluation that jumped: findings that are not sure begin with the one before."""
    held = run.series.get((finding.metric, finding.split))
    step, value = finding.first_step or 0, finding.evidence.get("value")
    if held is None or value is None:
        return step
    base = held.effective
    a, b = np.searchsorted(base.step, [step, finding.last_step or step])
    at = np.flatnonzero(base.value[a : b + 1] == value)
    return int(base.step[a + at[0]]) if len(at) else step


def _steered(run: Run, series: Series, step: int) -> bool:
    """Whether the learning rate jumped within the last points before a step."""
    rate = run.main("learning-rate")
    if rate is None:
        return False
    base = series.effective
    at = int(np.searchsorted(base.step, step))
    since = int(base.step[max(at - 10, 0)]) if len(base) else step
    held = rate.finite
    value, place = held.value, held.step
    a, b = int(np.searchsorted(place, since)), int(np.searchsorted(place, step, "right"))
    if b - a < 1 or a < 2:
        return False
    return any(
        value[i] > 1.3 * value[i - 1] > 0 and value[i - 1] <= 1.02 * value[i - 2]
        for i in range(a, b)
    )
