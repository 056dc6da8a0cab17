"""The words of a comparison, the same in every output: its verdict, numbers and sentences.

Why a metric got its verdict stands in ``Row.because``; here is what is said around it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from trainlens import words
from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import Comparison, Contrast, Interval, Row, Summary
from trainlens.words import shortened

SHOWN = {
    "better": "better",
    "worse": "worse",
    "indistinguishable": "indistinguishable",
    "cannot-judge": "cannot judge",
}
"""Verdicts as a cell of a table shows them."""
STATES = {"met": "met", "missed": "missed", "cannot-judge": "cannot judge"}
"""The same of expectations."""
_TOLD = ("better", "worse")
"""Verdicts that say which it is."""
_COUNTED = {
    "better": "better",
    "worse": "worse",
    "indistinguishable": "not to be told apart",
    "cannot-judge": "not to be judged",
}
_DIRECTIONS = {"min": "lower is better", "max": "higher is better", "": "no known direction"}
NOTHING = "–"
_NAMED = 3
"""Metrics that are named in a sentence."""


def headline(comparison: Comparison) -> str:
    """What a comparison has shown, in one or a few short sentences.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        The metric that tells most, how the others stand, and how many expectations are met.
    """
    return " ".join((verdict(comparison), *standing(comparison)))


def verdict(comparison: Comparison) -> str:
    """The sentence that a comparison comes to, of the metric that tells most."""
    if not comparison.rows:
        return "There is nothing to compare."
    if len(comparison.candidates) == 1:
        said = _verdict(leading(comparison), not comparison.of_groups)
        return f"{said[:-1]}, {_OTHER_DATA}." if _other_data(comparison) else said
    return _several(comparison)


def standing(comparison: Comparison) -> list[str]:
    """How the other metrics stand, and how many expectations are met: a sentence each."""
    told = []
    if len(comparison.candidates) == 1 and len(comparison.rows) > 1:
        lead = leading(comparison)
        told.append(_others([row for row in comparison.rows if row is not lead]))
    if len(comparison.candidates) > 1 and _seeds_matter(comparison):
        told.append("One run each: what a change of seed does is not known.")
    met = expected(comparison)
    return [*told, met] if met else told


_OTHER_DATA = "but they may have validated on different data"


def _other_data(comparison: Comparison) -> bool:
    """Whether the verdict is of validation data that the settings say are not the same."""
    lead = leading(comparison)
    doubt = any(caution.kind == "validation-data" for caution in comparison.cautions)
    return doubt and lead.verdict in _TOLD and lead.split == "val"


def _seeds_matter(comparison: Comparison) -> bool:
    """Whether single runs differ, which says little of their configurations."""
    return not comparison.of_groups and any(
        row.verdict in ("better", "worse") for row in comparison.rows
    )


def _others(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return f"The other metric, {called(rows[0])}, is {_COUNTED[rows[0].verdict]}."
    counts = Counter(row.verdict for row in rows)
    if len(counts) == 1:
        verdict = rows[0].verdict
        shown = f" ({_few([called(row) for row in rows])})" if verdict in _TOLD else ""
        return f"{capitalised(_all(len(rows), 'other metrics', verdict), ())}{shown}."
    told = []
    for verdict in _TOLD:
        held = [called(row) for row in rows if row.verdict == verdict]
        if held:
            said = _counts(Counter({verdict: counts.pop(verdict)}))
            told.append(f"{said} ({_few(held)})")
    told += [_counts(Counter({v: n})) for v, n in counts.items()]
    return f"Of {words.step(len(rows))} other metrics {listed(told)}."


def _few(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return listed([*names[:_NAMED], *more])


def _all(count: int, nouns: str, verdict: str) -> str:
    """What all of several are, or none of them."""
    if verdict in _TOLD:
        return f"{'both' if count == 2 else f'all {words.step(count)}'} {nouns} are {verdict}"
    can = {"indistinguishable": "told apart", "cannot-judge": "judged"}[verdict]
    return f"{'neither' if count == 2 else 'none'} of the {words.step(count)} {nouns} can be {can}"


def _verdict(row: Row, single: bool) -> str:
    a, b = shortened(row.baseline), shortened(row.candidate)
    if row.verdict == "indistinguishable":
        return f"{b} and {a} cannot be told apart in {called(row)}."
    if row.verdict == "cannot-judge":
        return f"{b} cannot be judged against {a} in {called(row)}."
    # One run each tells of these two runs, not of what they were configured to do.
    return f"{'These two runs differ: ' * single}{b} is {row.verdict} than {a} in {called(row)}."


def _several(comparison: Comparison) -> str:
    lead = leading(comparison)
    held = ranked(comparison, lead)
    counts = Counter(row.verdict for row in held)
    total = words.plural(len(comparison.candidates), "candidate")
    rest = len(comparison.candidates) - len(held)
    have = [f"{words.step(rest)} {'has' if rest == 1 else 'have'} no such metric"] if rest else []
    told = f"of {total} {listed([*_states(counts), *have])}"
    if len(counts) == 1 and not rest:
        told = _all(len(held), "candidates", held[0].verdict)
    said = f"{called(lead)} against {shortened(comparison.baseline)}: {told}."
    best = held[0]
    if not counts["better"] or failed(best):  # then its finite points do not say how far ahead
        return said
    size = f"{signed(mean(best))}{words.THIN}{best.unit}".rstrip(words.THIN)
    return f"{said} Farthest ahead: {shortened(best.candidate)} ({size})."


def _counts(counts: Counter[str]) -> str:
    return listed(_states(counts))


def _states(counts: Counter[str]) -> list[str]:
    return [
        f"{words.step(n)} {'is' if n == 1 else 'are'} {text}"
        for verdict, text in _COUNTED.items()
        if (n := counts[verdict])
    ]


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and an "and".

    Examples
    --------
    >>> listed(["1 is better"]), listed(["a", "b", "c"])
    ('1 is better', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def expected(comparison: Comparison) -> str:
    """How many expectations are met, missed and cannot be judged; empty without any."""
    return counted(comparison.expectations)


def counted(judged: Sequence[Judged]) -> str:
    """The same of some expectations."""
    counts = Counter(one.status for one in judged)
    if not counts:
        return ""
    total = words.plural(sum(counts.values()), "expectation")
    told = {"met": "met", "missed": "missed", "cannot-judge": "not to be judged"}
    return f"Of {total}: {', '.join(f'{counts[s]} {t}' for s, t in told.items() if counts[s])}."


# --- which rows -----------------------------------------------------------------------------


def leading(comparison: Comparison) -> Row:
    """The row that tells most: the first one of which it is known what is better."""
    return next((r for r in comparison.rows if r.direction), comparison.rows[0])


def metrics(comparison: Comparison) -> list[tuple[str, str]]:
    """Metric and split of all rows, the leading one first, then in their order."""
    lead = [leading(comparison).key] if comparison.rows else []
    return list(dict.fromkeys([*lead, *(row.key for row in comparison.rows)]))


def ranked(comparison: Comparison, lead: Row) -> list[Row]:
    """The rows of all candidates in the metric of `lead`, the best first."""
    order = ("better", "indistinguishable", "worse", "cannot-judge")
    sign = -1 if lead.direction == "max" else 1

    def rank(row: Row) -> tuple[int, bool, float]:
        size = sign * mean(row)
        return order.index(row.verdict), math.isnan(size), size

    return sorted((row for row in comparison.rows if row.key == lead.key), key=rank)


def failed(row: Row) -> bool:
    """Whether runs failed, so that the difference of the others is not what decides."""
    many = row.replicates
    return any(row.failed) or (many is not None and any(many.failed))


def mean(row: Row) -> float:
    """Mean difference of a row, NaN where there is none."""
    return row.difference.mean if row.difference else math.nan


def share(row: Row) -> float:
    """Mean difference as a share of what the baseline has, NaN where that means nothing."""
    base = abs(row.summaries[0].mean)
    return mean(row) / base if base > 0 and math.isfinite(base) else math.nan


# --- numbers --------------------------------------------------------------------------------


def called(row: Row) -> str:
    """A metric with its split: ``val/mpjpe``."""
    return f"{row.split}/{shortened(row.metric, 40)}"


def with_unit(name: str, unit: str) -> str:
    """A name with the unit of its numbers behind it."""
    return f"{name} ({unit})" if unit else name


def direction(row: Row) -> str:
    """Which way is better, in words."""
    return _DIRECTIONS[row.direction]


def value(number: float) -> str:
    """A number of a table; a dash where there is none."""
    return NOTHING if math.isnan(number) else words.number(number)


def signed(number: float, digits: int = 4) -> str:
    """A difference of a table; a dash where there is none."""
    return NOTHING if math.isnan(number) else words.signed(number, digits)


def percent(part: float) -> str:
    """A share as percent with its sign; a dash where there is none."""
    return NOTHING if math.isnan(part) else words.percent(part, signed=True)


def between(found: Interval | None) -> str:
    """An interval of a table: ``[−1.2, +8.1]``; empty where there is none."""
    return f"[{signed(found.low, 3)}, {signed(found.high, 3)}]" if found else ""


def difference(found: Contrast | None) -> str:
    """A difference of a table with its interval, and no digits that this makes meaningless.

    A dash where there is none, as where all runs of a side failed.
    """
    if found is None or math.isnan(found.mean):
        return NOTHING
    half = (found.interval.high - found.interval.low) / 2
    known = math.isfinite(half) and half > 0
    mean = round(found.mean, 2 - math.floor(math.log10(half))) if known else found.mean
    return f"{signed(mean)} {between(found.interval)}"


def number_at(number: float, step: int) -> str:
    """A number and where it was reached."""
    return NOTHING if math.isnan(number) else f"{value(number)} at {words.step(step)}"


def reached(summary: Summary, threshold: float, by: str) -> str:
    """When a threshold was reached, or how far the log tells that it was not."""
    found = summary.reached.get(threshold)
    if found is not None:
        return words.place(found, by)
    return f"not up to {words.place(summary.last_at, by)}"


def fixed(number: float) -> str:
    """A ratio or probability with two decimals."""
    return f"{number:.2f}" if abs(number) < 100 else words.number(number)


def p_value(p: float) -> str:
    """A p-value with at most two digits that count.

    Examples
    --------
    >>> p_value(0.5712), p_value(0.0049), p_value(1e-9)
    ('0.57', '0.0049', '0.0001 or less')
    """
    if p <= 1e-4:
        return "0.0001 or less"
    return f"{p:.2f}" if p >= 0.01 else words.number(p, 2)


def setting(found: object, length: int = 40) -> str:
    """The value of a setting; a dash where it is absent."""
    return NOTHING if found is None else shortened(str(found), length)


def different(values: Iterable[object], most: int = 4) -> str:
    """Values of many arms: the different ones and how often each is there."""
    counts = Counter(setting(v, 20) for v in values)
    told = [text if n == 1 else f"{text} ({n} times)" for text, n in counts.most_common(most)]
    rest = len(counts) - most
    return ", ".join(told) + (f" and {rest} more" if rest > 0 else "")


def ended(text: str) -> str:
    """A sentence with its full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def capitalised(text: str, names: tuple[str, ...]) -> str:
    """A sentence with a capital letter, where it does not begin with a name."""
    return text if text.startswith(names) else text[:1].upper() + text[1:]


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names of many as words, and how many more there are."""
    rest = len(names) - most
    return listed([*names[:most], f"{rest} more"] if rest > 0 else names)
