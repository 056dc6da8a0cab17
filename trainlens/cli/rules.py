"""``trainlens rules``."""

from __future__ import annotations

import sys

import click

from trainlens.cli import _complete
from trainlens.errors import UsageError


@click.command("rules", short_help="Explain the rules: what each looks for, and its source.")
@click.argument("rule", required=False, shell_complete=_complete.rules)
@click.option("--profile", default="default", show_default=True, metavar="NAME",
              shell_complete=_complete.profiles, help="Rules of this profile.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "md", "json"]), default=None,
              help="What is printed; md: as a page.  [default: text]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="trainlens.rules/1 on stdout.")
@click.option("--md", "as_page", is_flag=True, help="The same as --format md.")
@click.option("--no-plugins", is_flag=True, help="No rules of other packages.")
def command(
    rule: str | None,
    profile: str,
    form: str | None,
    as_json: bool,
    as_page: bool,
    no_plugins: bool,
) -> int:
    """Explain the rules: what each looks for, its defaults, its source."""
    from trainlens import rules
    from trainlens.catalogue import catalogue
    from trainlens.cli._say import echo_notices
    from trainlens.render import catalogue as shown
    from trainlens.render import text

    form = _form(form, as_json=as_json, as_page=as_page)
    entries = catalogue(profile, () if no_plugins else rules.installed())
    if not no_plugins:
        echo_notices(rules.load().faults)
    if rule is not None:
        names = [e.rule.name for e in entries]
        if rule not in names:
            raise UsageError(f"unknown rule {rule!r}; {rules.meant(rule, names)}")
        entries = [e for e in entries if e.rule.name == rule]
    if form == "json":
        click.echo(_json(shown.document(entries, profile)))
    elif form == "md":
        alone = rule is not None
        click.echo(shown.rule_page(entries[0]) if alone else shown.page(entries, profile), nl=False)
    elif rule is not None:
        click.echo(shown.advice(entries[0]))
    else:
        # What it looks for stands last: better cut by the terminal than left out.
        columns = text.width() + 60 if sys.stdout.isatty() else 10_000
        click.echo(shown.listing(entries, columns=columns))
    return 0


def _form(form: str | None, *, as_json: bool, as_page: bool) -> str:
    """The one form that is asked for by any of its options."""
    asked = [("--json", "json")] * as_json + [("--md", "md")] * as_page
    asked += [(f"--format {form}", form)] if form else []
    if len({wanted for _, wanted in asked}) > 1:
        (one, _), (other, _) = asked[0], asked[-1]
        raise UsageError(f"{one} and {other} exclude each other; leave one out")
    return asked[0][1] if asked else "text"


def _json(document: object) -> str:
    import json

    return json.dumps(document, indent=2, default=str)
