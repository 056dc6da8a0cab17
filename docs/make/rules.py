"""The index of the rules and a page for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import click

from docs.make.examples import best, diagnosed
from docs.make.marks import MADE
from trainlens.catalogue import Entry, catalogue
from trainlens.plots import available, figure_of
from trainlens.plots.base import axes_or_new
from trainlens.prescribe import Case, advise, prescribe
from trainlens.render import catalogue as shown
from trainlens.render import terminal
from trainlens.reporting import build
from trainlens.reporting.digest import glance
from trainlens.rules import PROFILES, Diagnosis, diagnose
from trainlens.rules.base import Rule, Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = shown.FOLDER
_MOST = 6
"""Messages, causes and prescriptions that are listed."""
_WIDTH, _DAY = 100, 86400.0
_TITLES = {
    Status.FAIL: "A fault",
    Status.PASS: "Passed",
    Status.INCONCLUSIVE: "Cannot tell",
    Status.SKIP: "Not applicable",
}
_NOT_TOLD = ("Passed (", "Not applicable (", "Cannot tell (")


def pages() -> dict[str, str]:
    """The index, and a page for each rule."""
    found = {f"{FOLDER}/{entry.rule.name}.md": _page(entry) for entry in _entries()}
    return {"rules.md": _index(), **found}


def pictures() -> dict[str, Callable[[], Figure]]:
    """The example of each rule."""
    return {
        f"{FOLDER}/pictures/{entry.rule.name}.png": partial(_draw, entry.rule)
        for entry in _entries()
    }


@cache
def _entries() -> tuple[Entry, ...]:
    """Rules of the default profile, then those whose name is only in others."""
    return tuple(entry for group in _by_profile().values() for entry in group)


@cache
def _by_profile() -> dict[str, list[Entry]]:
    known: set[str] = set()
    found: dict[str, list[Entry]] = {}
    for profile in PROFILES:
        found[profile] = [e for e in catalogue(profile) if e.rule.name not in known]
        known |= {entry.rule.name for entry in found[profile]}
    return found


def _index() -> str:
    default, *others = _by_profile().items()
    parts = [
        "# The rules", MADE,
        f"{shown.explained()} `trainlens rules RULE` says the same of one rule in a terminal, "
        "`trainlens rules RULE --md` as a page, `trainlens rules --md` of all of them. Whatever a "
        "rule finds is only told; what it may come from and what to change stands on its page, "
        "too. Rules of your own: [own-rules.md](own-rules.md).",
        shown.index(default[1]),
    ]  # fmt: skip
    for profile, entries in others:
        parts += [
            f"## Only in the profile {profile}",
            f"See [profiles.md](profiles.md); `--profile {profile}` asks them.",
            shown.index(entries),
        ]
    return "\n\n".join(parts) + "\n"


def _page(entry: Entry) -> str:
    rule = entry.rule
    parts = [shown.rule_page(entry).replace("\n\n", f"\n\n{MADE}\n\n", 1).rstrip()]
    parts += [*_outcomes(rule), *_advice(rule), *_example(rule)]
    parts.append("All rules: [rules.md](../rules.md)")
    return "\n\n".join(parts) + "\n"


# --- what it says ---------------------------------------------------------------------------


def _outcomes(rule: Rule) -> Iterator[str]:
    yield "## What it says"
    yield "Said of the synthetic runs of `docs/make/examples.py`; the numbers are theirs."
    for status, title in _TITLES.items():
        told = _telling(
            f.message
            for found in diagnosed(rule.profile)
            for f in found.results
            if f.rule == rule.name and f.status is status
        )
        if told:
            yield f"{title}:"
            yield "\n".join(f"- {_escaped(text)}" for text in told)


def _telling(texts: Iterable[str]) -> list[str]:
    """Texts that differ by more than their numbers, the most frequent first."""
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for text in texts:
        shape = re.sub(r"[\d.,\u202f−]+", "#", re.sub(r"e[−-]?\d+", "", text))
        shape = " ".join(shape.split()[:5])
        first.setdefault(shape, text)
        count[shape] += 1
    return [first[shape] for shape, _ in count.most_common(_MOST)]


def _escaped(text: str) -> str:
    return text.replace("<", "\\<").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


# --- what it may come from ------------------------------------------------------------------


def _advice(rule: Rule) -> Iterator[str]:
    causes, changes = [], []
    for found in diagnosed(rule.profile):
        case = Case(found.run, found.results)
        for finding in (f for f in found.findings if f.rule == rule.name):
            advice = advise(case, finding)
            if advice is not None:
                causes += [h.text for h in advice.ranked if h.weight >= 0.2]
                changes += [_change(text, patch.keys()) for text, patch in advice.remedies]
    if causes:
        yield "## What it may come from"
        yield "In these runs, the most frequent first; `trainlens diagnose` ranks them by the log."
        yield "\n".join(f"- {text}" for text in _telling(map(_escaped, causes)))
    if changes:
        yield "## What to change"
        yield "With the settings of a [prescription](../prescriptions.md), where it names some."
        yield "\n".join(f"- {text}" for text in _telling(changes))


def _change(text: str, settings: Iterable[str]) -> str:
    named = ", ".join(f"`{name}`" for name in settings)
    return _escaped(text) + (f" ({named})" if named else "")


# --- an example -----------------------------------------------------------------------------


def _example(rule: Rule) -> Iterator[str]:
    example, found = best(rule)
    asked = ""
    if rule.profile != "default":
        # The fixed limits of other systems say much of every run.
        asked = f" --profile {rule.profile} --select {rule.name}"
        found = prescribe(diagnose(example.run, profile=rule.profile, select=[rule.name]))
    yield "## Example"
    yield f"![{rule.name} in a synthetic run](pictures/{rule.name}.png)"
    yield f"The run is made by `{example.made}`. `trainlens diagnose{asked}` says of it:"
    yield f"```text\n{_told(found)}\n```"


def _told(found: Diagnosis) -> str:
    """What a terminal shows of a run a day later, without the rules that had nothing to say."""
    times = found.run.wall_times
    now = (times[1] if times else 0.0) + _DAY
    report = build([glance(found, now=now)], title="", command="", now=now, version="")
    text = terminal.page(replace(report, inputs=()), columns=_WIDTH, plain=True)
    parts = [p for p in click.unstyle(text).split("\n\n") if not p.startswith(_NOT_TOLD)]
    return "\n\n".join("\n".join(map(str.rstrip, p.splitlines())) for p in parts)


def _draw(rule: Rule) -> Figure:
    _, found = best(rule)
    own = [f for f in found.findings if f.rule == rule.name]
    ax = available()["findings-annotated"].draw(found.run, axes_or_new(None, 7.0, 2.6), own)
    return figure_of(ax)
