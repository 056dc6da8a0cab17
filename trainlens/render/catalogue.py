"""The rules as a list for a terminal, as JSON (``trainlens.rules/1``), and as a page.

Version history of the JSON
---------------------------
1 : first version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from trainlens import words
from trainlens.catalogue import Entry, Setting, body, settings_of
from trainlens.render.text import clean, table
from trainlens.rules._measured import Measured
from trainlens.rules.base import SUBJECTS, Rule

SCHEMA = "trainlens.rules/1"
_UNKNOWN = "–"
FOLDER = "rules"
"""Where the pages of single rules lie, beside the index of them."""


# --- terminal -------------------------------------------------------------------------------


def listing(entries: Sequence[Entry], *, columns: int) -> str:
    """All rules by subject, one a line."""
    heads = ("rule", "severity", "precision", "recall", "looks for")
    # Aligned as one table, then cut where the subject changes.
    rows = [
        (e.rule.name, e.rule.severity.value, *figures(e.measured), e.rule.title) for e in entries
    ]
    head, *lines = table(rows, heads, columns=columns).splitlines()
    parts = [head]
    subject = None
    for entry, line in zip(entries, lines, strict=True):
        if entry.rule.about != subject:
            subject = entry.rule.about
            parts += ["", click.style(SUBJECTS[subject], bold=True)]
        parts.append(line)
    return "\n".join(parts)


def figures(measured: Measured | None) -> tuple[str, str]:
    """Precision and recall as text."""
    if measured is None:
        return _UNKNOWN, _UNKNOWN
    return _share(measured.precision), _share(measured.recall)


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.3f}"


def advice(entry: Entry) -> str:
    """All that is known of one rule."""
    rule = entry.rule
    lines = [
        f"{click.style(rule.name, bold=True)}  {rule.severity.value} · {SUBJECTS[rule.about]}",
        "",
        clean(rule.title) + ".",
        "",
        *([clean_lines(text), ""] if (text := body(rule)) else []),
    ]
    lines += [line for s in entry.settings for line in _setting_lines(rule, s)] or ["  no settings"]
    lines += ["", *_facts(entry)]
    return "\n".join(lines)


def clean_lines(text: str) -> str:
    """Text of a package without anything that steers a terminal."""
    return "\n".join(map(clean, text.splitlines()))


def _setting_lines(rule: Rule, setting: Setting) -> Iterator[str]:
    unit = f"   {clean(setting.unit)}" if setting.unit else ""
    yield f"  --set {rule.name}.{setting.name}={setting.default}{unit}"
    if setting.meaning:
        yield f"      {clean(setting.meaning)}"


def _facts(entry: Entry, alone: bool = False) -> Iterator[str]:
    """What is known of a rule; `alone` leaves out what has a heading of its own."""
    rule = entry.rule
    if rule.requires:
        yield f"Judged after: {', '.join(rule.requires)}"
    for profile, held in () if alone else entry.variants:
        yield f"In profile {profile}: {_variant(held)}"
    yield f"Measured: {measured_on(entry.measured)}"
    if entry.package:
        yield f"Package: {clean(entry.package)}"
    if rule.source:
        yield f"Source: {clean(rule.source)}"


def _variant(held: Rule) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in held.defaults.items())
    return f"{held.title}" + (f" ({settings})" if settings else "")


def measured_on(measured: Measured | None) -> str:
    """Precision and recall, with what they were measured on."""
    if measured is None:
        return "not yet"
    precision, recall = figures(measured)
    runs = f" on {words.plural(measured.runs, 'run')}" if measured.runs is not None else ""
    how = f" by `{measured.command}`" if measured.command else ""
    when = f", {measured.date}" if measured.date else ""
    return f"precision {precision}, recall {recall}{runs}{how}{when}"


# --- JSON -----------------------------------------------------------------------------------


def document(entries: Sequence[Entry], profile: str) -> dict[str, Any]:
    """Rules as plain JSON values."""
    return {"schema": SCHEMA, "profile": profile, "rules": [_plain(e) for e in entries]}


def _plain(entry: Entry) -> dict[str, Any]:
    rule, held = entry.rule, entry.measured
    return {
        "name": rule.name,
        "about": rule.about,
        "severity": rule.severity.value,
        "title": rule.title,
        "advice": rule.advice,
        "settings": [
            {"name": s.name, "default": s.default, "unit": s.unit, "meaning": s.meaning}
            for s in entry.settings
        ],
        "requires": list(rule.requires),
        "source": rule.source,
        "package": entry.package,
        "variants": {profile: dict(r.defaults) for profile, r in entry.variants},
        "measured": held
        and {
            "precision": held.precision,
            "recall": held.recall,
            "runs": held.runs,
            "command": held.command,
            "date": held.date,
        },
    }


# --- page -----------------------------------------------------------------------------------


def page(entries: Sequence[Entry], profile: str) -> str:
    """All rules as Markdown."""
    about = "" if profile == "default" else f" of the profile {profile}"
    say = "Made by `trainlens rules --md`; `trainlens rules RULE` says the same of one rule."
    where = "in `trainlens.toml`"
    parts = [f"# The rules{about}", f"{say} {_figures_mean(where)}", _overview(entries)]
    subject = None
    for entry in entries:
        if entry.rule.about != subject:
            subject = entry.rule.about
            parts.append(f"## {SUBJECTS[subject]}")
        parts += _section(entry)
    return "\n\n".join(parts) + "\n"


def index(entries: Sequence[Entry]) -> str:
    """A table of rules for a folder of documentation, each with a link to its page in `FOLDER`."""
    return _overview(entries, f"{FOLDER}/{{}}.md")


def explained() -> str:
    """What the figures of an index mean, and how settings are changed."""
    return _figures_mean("in [`trainlens.toml`](settings.md)")


def rule_page(entry: Entry) -> str:
    """One rule as a page of Markdown: advice, settings, facts, and what other profiles do."""
    rule = entry.rule
    parts = [f"# {rule.name}", f"*{rule.severity.value}* · {SUBJECTS[rule.about]}"]
    parts += [f"**{_escaped(rule.title)}.**", *_body(rule)]
    facts = [
        f"- Profile: {rule.profile}", *(f"- {_escaped(fact)}" for fact in _facts(entry, True)),
    ]  # fmt: skip
    parts += ["## Settings", *_settings(rule, entry.settings), "\n".join(facts)]
    for profile, held in entry.variants:
        parts += [f"## In the profile {profile}", f"**{_escaped(held.title)}.**", *_body(held)]
        parts += [*_settings(held, settings_of(held)), f"- Source: {_escaped(clean(held.source))}"]
    return "\n\n".join(parts) + "\n"


def _body(rule: Rule) -> list[str]:
    """The advice without its title and its settings, where there is more."""
    text = body(rule)
    return [text] if text else []


def _settings(rule: Rule, settings: Sequence[Setting]) -> list[str]:
    """Table of the settings, and how one is changed."""
    if not settings:
        return ["No settings."]
    first = settings[0]
    profile = "" if rule.profile == "default" else f" --profile {rule.profile}"
    change = f"trainlens diagnose PATH{profile} --set {rule.name}.{first.name}={first.default}"
    return [_table(settings), f"```console\n$ {change}\n```"]


def _table(settings: Sequence[Setting]) -> str:
    rows = [f"| `{s.name}` | {s.default} | {s.unit} | {_cell(s.meaning)} |" for s in settings]
    return "\n".join(["| setting | default | unit | meaning |", "|---|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _figures_mean(where: str) -> str:
    return (
        "Precision is the share of findings that are right, recall the share of clear faults that "
        f"are found, on the labelled benchmark; “{_UNKNOWN}”: not measured. Every setting is "
        f"changed by `--set RULE.SETTING=VALUE` or {where}."
    )


def _overview(entries: Sequence[Entry], link: str = "#{}") -> str:
    rows = [
        f"| [`{e.rule.name}`]({link.format(e.rule.name)}) | {e.rule.severity.value} | "
        f"{' | '.join(figures(e.measured))} | {e.rule.title} |"
        for e in entries
    ]
    heads = "| rule | severity | precision | recall | looks for |\n|---|---|--:|--:|---|"
    return "\n".join([heads, *rows])


def _section(entry: Entry) -> Iterator[str]:
    rule = entry.rule
    yield f"### {rule.name}"
    yield f"*{rule.severity.value}* · {rule.title}."
    yield from _body(rule)
    if entry.settings:
        yield _table(entry.settings)
    facts = [f"- {_escaped(fact)}" for fact in _facts(entry)]
    yield "\n".join(facts)


def _escaped(text: str) -> str:
    return text.replace("<", "\\<").replace("|", "\\|")
