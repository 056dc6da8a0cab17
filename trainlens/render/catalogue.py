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
from trainlens.catalogue import Entry, Setting
from trainlens.render.text import clean, table
from trainlens.rules._measured import Measured
from trainlens.rules.base import SUBJECTS, Rule

SCHEMA = "trainlens.rules/1"
_UNKNOWN = "–"
GENERATED = "trainlens rules --md --no-plugins > docs/rules.md"


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
        clean_lines(rule.advice),
        "",
    ]
    lines += [_setting_line(rule, s) for s in entry.settings] or ["  no settings"]
    lines += ["", *_facts(entry)]
    return "\n".join(lines)


def clean_lines(text: str) -> str:
    """Text of a package without anything that steers a terminal."""
    return "\n".join(map(clean, text.splitlines()))


def _setting_line(rule: Rule, setting: Setting) -> str:
    unit = f"   {setting.unit}" if setting.unit else ""
    return f"  --set {rule.name}.{setting.name}={setting.default}{unit}"


def _facts(entry: Entry) -> Iterator[str]:
    rule = entry.rule
    if rule.requires:
        yield f"Judged after: {', '.join(rule.requires)}"
    for profile, held in entry.variants:
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
    parts = [
        f"# The rules{about}",
        f"Made by `{GENERATED}`; `trainlens rules RULE` says the same of one rule. Precision is "
        "the share of findings that are right, recall the share of clear faults that are found, "
        f"on the labelled benchmark; “{_UNKNOWN}”: not measured. Every setting is changed by "
        "`--set RULE.SETTING=VALUE` or in [`trainlens.toml`](settings.md).",
        _overview(entries),
    ]
    subject = None
    for entry in entries:
        if entry.rule.about != subject:
            subject = entry.rule.about
            parts.append(f"## {SUBJECTS[subject]}")
        parts += _section(entry)
    return "\n\n".join(parts) + "\n"


def _overview(entries: Sequence[Entry]) -> str:
    rows = [
        f"| [`{e.rule.name}`](#{e.rule.name}) | {e.rule.severity.value} | "
        f"{' | '.join(figures(e.measured))} | {e.rule.title} |"
        for e in entries
    ]
    heads = "| rule | severity | precision | recall | looks for |\n|---|---|--:|--:|---|"
    return "\n".join([heads, *rows])


def _section(entry: Entry) -> Iterator[str]:
    rule = entry.rule
    yield f"### {rule.name}"
    yield f"*{rule.severity.value}* · {rule.title}."
    body = "\n".join(rule.advice.splitlines()[1:]).strip()
    if body:
        yield body
    if entry.settings:
        rows = [f"| `{s.name}` | {s.default} | {s.unit} |" for s in entry.settings]
        yield "\n".join(["| setting | default | unit |", "|---|---|---|", *rows])
    facts = [f"- {_escaped(fact)}" for fact in _facts(entry)]
    yield "\n".join(facts)


def _escaped(text: str) -> str:
    return text.replace("<", "\\<").replace("|", "\\|")
