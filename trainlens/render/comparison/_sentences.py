"""Sentences about a single row of a comparison, the same in every output.

Each is empty where there is nothing to say.
"""

from __future__ import annotations

import math

from trainlens import words
from trainlens.comparison.model import Row, Variances
from trainlens.render.comparison._words import ended, fixed, p_value
from trainlens.words import shortened

_OUT_OF_REACH = 20_000
"""More evaluations than this are nothing to wait for."""


def matched(row: Row, by: str) -> str:
    """How much of both curves was compared; empty of several runs."""
    found = row.alignment
    if found is None:
        return ""
    if not len(found):
        return ended(f"No points were matched: {found.why or 'they share no place'}")
    first, second = (words.step(n) for n in found.of)
    n = words.step(len(found))
    apart = len(found) - found.exact
    near = f"{words.step(apart)} of them not at the same {by} but near it"
    how = near if apart else f"at the very same {by}"
    return f"{n} matched points, of {first} and {second}, {how}."


def late(row: Row) -> str:
    """What the last half of the matched points says; empty where that is said or not known."""
    c = row.late
    if c is None or " over the last " in row.because:
        return ""
    low, high = words.signed(c.interval.low, 3), words.signed(c.interval.high, 3)
    return (
        f"Over the last {words.plural(c.n, 'matched point')}: {words.signed(c.mean)}{_unit(row)}, "
        f"95 % interval {low} to {high}."
    )


def weight(row: Row) -> str:
    """How many independent points the matched ones are worth; empty where that is all of them."""
    c = row.difference
    if c is None or row.alignment is None or not c.n_effective < 0.95 * c.n:
        return ""
    return (
        "Neighbouring differences resemble each other (correlation "
        f"{words.number(c.rho, 2)}): "
        f"{words.step(c.n)} points tell as much as {words.number(c.n_effective, 2)} "
        "independent ones."
    )


def spread(row: Row) -> str:
    """Whether two sides scatter alike; empty where that was not looked at."""
    v = row.variance
    if v is None or math.isnan(v.ratio):
        return ""
    a, b = map(words.number, v.std)
    whose = "of the runs " if row.replicates is not None else ""
    said = (
        f"Spread {whose}(standard deviation): {a} against {b}{_unit(row)}, a variance ratio of "
        f"{fixed(v.ratio)}"
    )
    return said + ("." if math.isnan(v.p) else f" (p = {p_value(v.p)}): {_scatter(row, v)}.")


def _scatter(row: Row, v: Variances) -> str:
    if v.p <= 0.05:
        return f"{shortened(row.candidate)} scatters {'more' if v.ratio > 1 else 'less'}"
    if v.needed is None or v.needed > _OUT_OF_REACH:
        return "cannot be told apart"
    needed = (
        f"{words.plural(v.needed, 'run')} each"
        if row.replicates is not None
        else f"{words.plural(v.needed, 'independent evaluation')} a run"
    )
    return f"cannot be told apart; {needed} would be needed to see a ratio of this size"


def runs(row: Row) -> list[str]:
    """What several runs against several runs show; empty of single runs."""
    r = row.replicates
    if r is None:
        return []
    sizes = [words.plural(len(s), "run") for s in r.scores]
    how = f"{words.plural(r.paired, 'pair')} of the same seed" if r.paired else "not paired by seed"
    iqm = [
        f"{words.number(m)} [{words.number(i.low, 3)}, {words.number(i.high, 3)}]"
        for m, i in zip(r.iqm, r.iqm_intervals, strict=True)
    ]
    by = f"; {row.difference.method}" if row.difference is not None else ""
    said = [f"{sizes[0]} against {sizes[1]}, {how}{by}."]
    if all(map(math.isfinite, r.iqm)):
        said.append(f"Interquartile mean {iqm[0]} against {iqm[1]}.")
    if not math.isnan(r.improvement):
        said.append(
            f"A run of {shortened(row.candidate)} beats one of {shortened(row.baseline)} with "
            f"probability {fixed(r.improvement)} [{fixed(r.improvement_interval.low)}, "
            f"{fixed(r.improvement_interval.high)}]."
        )
    return said


def discovery(row: Row) -> str:
    """The false discovery rate at which a difference counts; empty where it does not."""
    if not row.q < 1 or row.verdict not in ("better", "worse"):
        return ""
    rate = p_value(row.q)
    return f"Among all metrics of this comparison it counts at a false discovery rate of {rate}."


def _unit(row: Row) -> str:
    return f" {row.unit}" if row.unit else ""
