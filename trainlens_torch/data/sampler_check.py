"""Whether a sampler mixes the classes: its first batches, looked at before anything is trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from trainlens_torch.checks import number, whole
from trainlens_torch.data._drawn import Drawn, draw
from trainlens_torch.data.prefetch import counting
from trainlens_torch.data.sampler_report import Remark, SamplerReport

__all__ = ["check_sampler"]

_RARE = 1e-3
"""What is less probable than this in random batches is not put down to chance."""


def check_sampler(
    source: Any,
    labels: Any = None,
    batches: int = 5,
    *,
    batch_size: int | None = None,
    labels_of: Callable[[Any], Any] | None = None,
    majority: float = 0.9,
) -> SamplerReport:
    """Count the classes in the first batches, and say whether the sampler is at fault.

    Faults: batches of one class, where random ones would hardly be; one class in more than 90 % of
    the data, or of the batches though not of the data; a class that is missing although the data
    hold enough of it; samples that come twice, where the sampler does not draw with replacement.
    What random batches of this size would show as well (with a probability above 0.001) is noted.

    Only indices are drawn where the labels are known, so it takes as long as the sampler does.
    Samplers, their generators and the global random numbers are left as they were.

    Parameters
    ----------
    source : DataLoader, batch sampler or sampler
    labels : sequence, ndarray or Tensor of shape (samples,), optional
        Class of each sample of the data set. By default those that the data set of a loader has as
        `targets` or `labels`, else those in the batches: the last of several parts, or what is
        called labels, label, targets, target or y.
    batches : int
        How many are looked at.
    batch_size : int, optional
        For a sampler that gives single indices.
    labels_of : callable, optional
        Finds the labels in a batch of the loader.
    majority : float
        Share of one class from which on data are one-sided.

    Raises
    ------
    UsageError
        Labels that are not to be found, or are not those of this data set.

    Examples
    --------
    >>> from torch.utils.data import BatchSampler, SequentialSampler
    >>> labels = [0] * 64 + [1] * 64
    >>> report = check_sampler(BatchSampler(SequentialSampler(labels), 32, False), labels)
    >>> report.verdict, report.remarks[0].kind
    ('fault', 'single-class')
    """
    count = whole(batches, "batches")
    at = number(majority, "majority", 0.0, 1.0)
    drawn = draw(source, labels, count, batch_size, labels_of)
    counts = tuple(Counter(batch) for batch in drawn.batches)
    data = None
    if drawn.data is not None:
        data = dict(zip(drawn.data.names, drawn.data.counts.tolist(), strict=True))
    twice = _duplicates(drawn)
    remarks = tuple(_remarks(counts, data, twice, source, at))
    return SamplerReport(counts, data, remarks, twice)


def _remarks(
    batches: tuple[Counter[Hashable], ...],
    data: Mapping[Hashable, int] | None,
    twice: int | None,
    source: Any,
    majority: float,
) -> Iterator[Remark]:
    held = sum(batches, Counter())
    if not held:
        yield Remark("no-batches", "unknown", "the sampler gave no batch: is the data set empty?")
        return
    shares = _shares(data or held)
    yield from _imbalance(shares, data is not None, majority)
    if len(held) == 1 and len(shares) == 1:
        only = next(iter(held))
        where = "the data hold" if data is not None else "all batches hold"
        yield Remark("same-class", "fault", f"{where} one class only, {only}: nothing to learn")
    else:
        yield from _single(batches, shares)
        yield from _skewed(held, shares, majority)
        yield from _missing(held, shares)
    if twice:
        replaced = _with_replacement(source)
        said = "as it draws with replacement" if replaced else "though it should give each once"
        level = "note" if replaced else "fault"
        yield Remark("duplicates", level, f"{twice} samples came again, {said}")
    yield from _sharded(source)


def _imbalance(shares: Mapping[Hashable, float], known: bool, majority: float) -> Iterator[Remark]:
    name = max(shares, key=lambda k: shares[k])
    if len(shares) > 1 and shares[name] > majority:
        of = "data" if known else "samples in these batches"
        yield Remark(
            "imbalance",
            "fault",
            f"class {name} makes up {100 * shares[name]:.0f} % of the {of}: resample, or weight "
            "the loss",
        )


def _single(
    batches: tuple[Counter[Hashable], ...], shares: Mapping[Hashable, float]
) -> Iterator[Remark]:
    """Batches of one class; a batch of one sample cannot mix."""
    sizes = [sum(counts.values()) for counts in batches]
    able = [counts for counts, n in zip(batches, sizes, strict=True) if n > 1]
    if not able:
        yield Remark("cannot-judge", "unknown", "batches of one sample cannot mix classes")
        return
    single = [counts for counts in able if len(counts) == 1]
    if not single:
        return
    least = min(n for n in sizes if n > 1)
    chance = sum(share**least for share in shares.values())
    named = sorted({str(next(iter(counts))) for counts in single})
    alone = len(named) == 1
    which = f"class {named[0]} only" if alone else f"one class each ({', '.join(named[:5])})"
    message = f"{len(single)} of {len(batches)} batches hold {which}"
    if _tail(len(single), len(able), chance) < _RARE:
        yield Remark("single-class", "fault", f"{message}: the sampler is broken")
    else:
        yield Remark("single-class", "note", f"{message}, as random batches of {least} may")


def _skewed(
    held: Counter[Hashable], shares: Mapping[Hashable, float], majority: float
) -> Iterator[Remark]:
    name, most = held.most_common(1)[0]
    total = held.total()
    if most > majority * total and shares.get(name, 0.0) <= majority:
        given, there = most / total, shares.get(name, 0.0)
        if _tail(most, total, there) < _RARE:
            yield Remark(
                "skewed",
                "fault",
                f"class {name} makes up {100 * given:.0f} % of these batches and "
                f"{100 * there:.0f} % of the data",
            )


def _missing(held: Counter[Hashable], shares: Mapping[Hashable, float]) -> Iterator[Remark]:
    total = held.total()
    lost = [k for k, share in shares.items() if k not in held and (1 - share) ** total < _RARE]
    if lost:
        most = max(lost, key=lambda k: shares[k])
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield Remark(
            "missing-class",
            "fault",
            f"class {most} ({100 * shares[most]:.0f} % of the data){more}: no sample among "
            f"{total} of the first batches",
        )


def _sharded(source: Any) -> Iterator[Remark]:
    sampler, among = counting(source)
    if among > 1 and getattr(sampler, "world_size", 1) > 1:
        yield Remark(
            "sharded-twice",
            "fault",
            f"the sampler gives each of {sampler.world_size} ranks its part, and these batches "
            f"are divided among {among} processes again: make it with rank=0, world_size=1",
        )


def _duplicates(drawn: Drawn) -> int | None:
    if drawn.indices is None:
        return None
    flat = [index for batch in drawn.indices for index in batch]
    return len(flat) - len(set(flat))


def _with_replacement(source: Any) -> bool:
    """Whether the sampler says that samples come again."""
    batches = getattr(source, "batch_sampler", None) or source
    inner = getattr(batches, "sampler", None)
    kinds = [one for one in (batches, inner) if one is not None]
    return any(
        getattr(one, "replacement", False) or getattr(one, "balanced", False) for one in kinds
    )


def _shares(counts: Mapping[Hashable, int]) -> dict[Hashable, float]:
    total = sum(counts.values())
    return {name: n / total for name, n in counts.items()}


def _tail(count: int, trials: int, chance: float) -> float:
    """Bound on the probability of `count` or more in so many trials (Chernoff, 1952)."""
    share = count / trials
    if share <= chance:
        return 1.0
    if chance <= 0:
        return 0.0
    apart = share * math.log(share / chance)
    if share < 1:
        apart += (1 - share) * math.log((1 - share) / (1 - chance))
    return math.exp(-trials * apart)
