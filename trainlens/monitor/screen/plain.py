"""Updates as lines of text, for a log file, a pipe or a cron mail: each line stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import tzinfo

from trainlens import words
from trainlens.monitor.model import (
    AGAIN,
    CLOSED,
    MILDER,
    OPENED,
    WORSE,
    Change,
    Standing,
    Update,
)
from trainlens.monitor.screen import told
from trainlens.monitor.screen.memory import key
from trainlens.render._said import SEVERITY
from trainlens.render.text import clean, graded, standing, todo
from trainlens.verdict import first_sentence, headline

_WORDS = {OPENED: "NEW", WORSE: "WORSE", MILDER: "BETTER", CLOSED: "ENDED", AGAIN: "AGAIN"}
_QUIET = 10
"""Every so many rounds it is said that nothing is new."""


def lines(
    update: Update,
    *,
    before: Update | None,
    zone: tzinfo | None = None,
    colour: bool = False,
) -> list[str]:
    """What there is to say of an update.

    Parameters
    ----------
    update : Update
    before : Update or None
        The one before it; None for the first.
    zone : tzinfo, optional
        Time zone of the times; the local one where it is left out.
    colour : bool
        Whether words of gravity are coloured.

    Returns
    -------
    list of str
        Of one run: how it stands, where it grew or anything is new. Of several: how many stand
        how and how far they are, and a line for each of which there is news (its verdict, its
        state, its planned end). Then a line for each notice and each change of a finding, with
        what to do about it below it. Every line but the last kind begins with the time; the date
        is told at the first and whenever it changes. Where nothing is new there is no line, but
        at every 10th round one that says so.
    """
    at = told.time_of(update.at, zone)
    head = [f"{at}  {text}" for text in _dates(update, before, zone)]
    body = list(_runs(update, before, colour))
    fresh = [n for n in update.notices if before is None or n not in before.notices]
    body += [f"notice: {_brief(text)}" for text in fresh]
    changes = [line for change in update.changes for line in _change(change, at, colour)]
    if not body and not changes and update.round % _QUIET == 0:
        body = [_nothing(update)]
    return [*head, *(f"{at}  {line}" for line in body), *changes]


def _dates(update: Update, before: Update | None, zone: tzinfo | None) -> Iterator[str]:
    now = told.moment(update.at, zone)
    day = now.strftime("%Y-%m-%d") if now else "at an unknown date"
    if before is None:
        yield f"watching {_brief(update.path)} · {day}"
        return
    then = told.moment(before.at, zone)
    if now and then and now.date() != then.date():
        yield f"watching {_brief(update.path)} · {day}"


def _runs(update: Update, before: Update | None, colour: bool) -> Iterator[str]:
    held = {key(run): run for run in before.runs} if before else {}
    changed = {(c.source, c.run) for c in update.changes}
    known = [(run, held.get(key(run))) for run in update.runs]
    news = [run for run, old in known if key(run) in changed or _new(run, old)]
    grown = any(old is None or run.points != old.points for run, old in known)
    if len(update.runs) > 1 and (news or grown):
        yield _sum(update.runs)
    shown = news if len(update.runs) > 1 or not grown else update.runs
    for run in shown:
        yield _standing(run, colour)
    for run, old in known:
        yield from _chance(run, old)
    for run in update.runs:
        yield from (f"{told.name(run)}: notice: {_brief(text)}" for text in run.notices)


def _new(run: Standing, old: Standing | None) -> bool:
    """Whether there is something to say of a run besides that it grew."""
    if old is None or (run.progress == 1.0 and old.progress != 1.0):
        return True
    return (run.state, run.reason, run.verdict, run.attempts) != (
        old.state, old.reason, old.verdict, old.attempts,
    )  # fmt: skip


def _sum(runs: tuple[Standing, ...]) -> str:
    states = Counter(run.state for run in runs)
    verdicts = Counter(run.verdict or "not judged yet" for run in runs)
    return " · ".join(
        [words.plural(len(runs), "run")]
        + [f"{words.step(n)} {clean(state)}" for state, n in states.items()]
        + [f"{words.step(n)} {clean(verdict)}" for verdict, n in verdicts.items()]
        + [*_far(runs)]
    )


def _far(runs: tuple[Standing, ...]) -> Iterator[str]:
    """How far the runs are, where that is known of all of them."""
    shares = [run.progress for run in runs if run.progress is not None]
    if shares and len(shares) == len(runs):
        low, high = (words.percent(share, 2) for share in (min(shares), max(shares)))
        yield f"{high} done" if low == high else f"{low} to {high} done"


def _standing(run: Standing, colour: bool) -> str:
    items = [
        *told.progress(run),
        *(_value(t.ema, t.last, told.called(t)) for t in told.telling(run)),
    ]
    if run.throughput is not None:
        items.append(told.valued(*run.throughput))
    if run.chance is not None and run.chance.probability is not None:
        share = words.percent(run.chance.probability, 2)
        items.append(f"chance {share}, {clean(run.chance.advice) or 'at its end'}")
    items.append(told.state(run))
    verdict = clean(run.verdict) or "not judged yet"
    items.append(standing(verdict, run.verdict) if colour else verdict)
    return f"{told.name(run)}: {' · '.join(items)}"


def _chance(run: Standing, old: Standing | None) -> Iterator[str]:
    """What is behind an advice, where that is new; why there is none, once."""
    held, before = run.chance, old.chance if old is not None else None
    if held is None or (before is not None and before.advice == held.advice):
        return
    what = f"{held.split}/{words.shortened(held.metric, 40)} {words.number(held.target)}"
    yield f"{told.name(run)}: target {clean(what)}: {_brief(held.because)}"


def _value(ema: float, last: float, what: str) -> str:
    # A mean would hide that the newest value is none.
    return f"{what} {words.number(ema if last - last == 0 and ema == ema else last)}"


def _change(change: Change, at: str, colour: bool) -> Iterator[str]:
    f = change.finding
    severity = SEVERITY[f.severity.value]
    painted = graded(severity, f.severity.value) if colour else severity
    was = f" (was {SEVERITY[change.before.value]})" if change.before else ""
    run = clean(words.shortened(change.run))
    title = clean(headline(f))
    yield (
        f"{at}  {run}: {_WORDS.get(change.kind, clean(change.kind).upper())} {painted}{was}: "
        f"{title}: {_brief(first_sentence(f.message))}"
    )
    if change.kind not in (CLOSED, MILDER) and f.prescriptions:
        yield f"{' ' * len(at)}  what to do: {_brief(todo(f.prescriptions[0]), 500)}"


def _nothing(update: Update) -> str:
    if not update.runs:
        return f"no run yet at {_brief(update.path)}"
    if len(update.runs) > 1:
        return f"nothing new · {_sum(update.runs)}"
    run = update.runs[0]
    return (
        f"nothing new · {told.name(run)}: {' · '.join([*told.progress(run)[:1], told.state(run)])}"
    )


def _brief(text: str, length: int = 300) -> str:
    return clean(words.shortened(text, length))
