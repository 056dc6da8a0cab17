"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _complete
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.asked import Asked
    from trainlens.place import Place
    from trainlens.settings import Meaning
    from trainlens.work import Judging

SEVERITIES = ("info", "warning", "error")


cache = click.option("--cache/--no-cache", default=True,
                     help="Keep what was read in your cache folder.  [default: cache]")  # fmt: skip


def paths(command: Any) -> Any:
    """What every command that reads runs takes."""
    command = cache(command)
    return click.argument("paths", nargs=-1, required=True, metavar="PATH...",
                          shell_complete=_complete.files)(command)  # fmt: skip


_ROLE = click.option("--role", "roles", multiple=True, metavar="NAME=ROLE[:DIRECTION[:UNIT]]",
                     help="What a metric is, e.g. my/score=metric:max.")  # fmt: skip
_CONFIG = click.option("--config", type=click.Path(), metavar="FILE",
                       help="Settings.  [default: the nearest trainlens.toml or "
                       "[tool.trainlens] in pyproject.toml, from here upward]")  # fmt: skip
_NO_CONFIG = click.option("--no-config", is_flag=True, help="No settings.")


strict = click.option("--strict", is_flag=True, help="Exit with 1 if any record was lost.")


def judging(command: Any) -> Any:
    """Options of every command that runs the rules."""
    for option in reversed(
        (
            click.option("--profile", metavar="NAME", shell_complete=_complete.profiles,
                         help="Thresholds: default (scale-free), seed or sagemaker (fixed).  "
                         "[default: default]"),
            click.option("--select", multiple=True, metavar="RULE", help="Only this rule.",
                         shell_complete=_complete.rules),
            click.option("--ignore", multiple=True, metavar="RULE", help="All but this rule.",
                         shell_complete=_complete.rules),
            click.option("--set", "settings", multiple=True, metavar="RULE.SETTING=VALUE",
                         shell_complete=_complete.settings,
                         help="A threshold in place of its default."),
            _ROLE,
            _CONFIG,
            _NO_CONFIG,
            click.option("--no-plugins", is_flag=True, help="No rules of other packages."),
            strict,
        )
    ):  # fmt: skip
        command = option(command)
    return command


def meaning(command: Any) -> Any:
    """Options of commands that must know what metrics mean, and run no rules."""
    for option in reversed((_ROLE, _CONFIG, _NO_CONFIG)):
        command = option(command)
    return command


def meanings(options: dict[str, Any]) -> tuple[Meaning, ...]:
    """What metrics mean, of the options of `meaning` and the settings found."""
    from trainlens.settings import load

    return (*load(_config(options)).roles, *map(_role, options["roles"]))


def running(command: Any) -> Any:
    """Options of every command that may have many runs to read."""
    for option in reversed(
        (
            click.option("--workers", type=click.IntRange(min=1), metavar="N",
                         help="Processes that read.  [default: one a core where it pays]"),
            click.option("--engine", type=click.Choice(["local", "dask"]), default="local",
                         show_default=True, help="Read on this machine or on a Dask cluster."),
            click.option("--scheduler", metavar="ADDRESS",
                         help="Of the Dask cluster; without it one is started here."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def fail_on(default: str) -> Callable[[Any], Any]:
    """From which severity on a command exits with 1; None where it is not given."""
    return click.option("--fail-on", type=click.Choice([*SEVERITIES, "never"]),
                        help="Exit with 1 at findings of this severity.  "
                        f"[default: {default}]")  # fmt: skip


def asked(options: dict[str, Any], fail_on: str | None = None) -> Asked:
    """How to judge, of the options of `judging`, the settings found, and the defaults."""
    from datetime import date

    from trainlens.asked import Given, ask
    from trainlens.settings import load

    given = Given(
        options["profile"],
        options["select"],
        options["ignore"],
        _settings(options["settings"]),
        tuple(map(_role, options["roles"])),
        fail_on,
        not options["no_plugins"],
    )
    return ask(given, load(_config(options)), date.today())


def judge(options: dict[str, Any]) -> Judging:
    """How to judge, of the options of `judging`, where nothing else is to be told of it."""
    return asked(options).judge


def _config(options: dict[str, Any]) -> str | None:
    """The file with the settings, None without any."""
    from pathlib import Path

    from trainlens.settings import find

    if options["config"] and options["no_config"]:
        raise UsageError("--config and --no-config exclude each other; leave one out")
    if options["config"] or options["no_config"]:
        return options["config"] or None
    try:
        found = find(Path.cwd())
    except OSError:  # the current folder is gone
        return None
    if found is None:
        return None
    # Settings can silence findings: nobody shall be surprised by them.
    click.echo(f"Settings: {found}", err=True)
    return str(found)


def _role(text: str) -> Meaning:
    from trainlens.settings.meaning import meaning

    name, _, role = text.rpartition("=")
    try:
        return meaning(name, role)
    except ValueError as error:
        raise UsageError(f"--role {text}: {error}") from None


def place(options: dict[str, Any]) -> Place:
    """Where to read, of the options of `running`."""
    from trainlens.place import Place

    return Place(options["workers"], options["engine"], options["scheduler"])


def places(given: str) -> tuple[float, ...]:
    """The numbers of ``--at``, without those that are there twice; empty where it is not given."""
    found = []
    for text in given.split(",") if given else ():
        try:
            found.append(float(text))
        except ValueError:
            found.append(float("nan"))
        if not abs(found[-1]) < float("inf"):
            raise UsageError(f"--at {given}: {text.strip()!r} is no number; write e.g. 3000,6000")
    return tuple(dict.fromkeys(found))


def _settings(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    import ast

    settings: dict[str, dict[str, Any]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        rule, dot, setting = name.partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {text}: write RULE.SETTING=VALUE, e.g. loss-spike.window=201")
        try:
            settings.setdefault(rule, {})[setting] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings.setdefault(rule, {})[setting] = value
    return settings
