"""The command line of the companion: parsing and printing only, torch inside its commands.

A command is a file of this folder with a click command called ``command``; it is imported when it
is asked for. Its name is that of the file, with dashes.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
from typing import Any

import click

from trainlens.errors import TrainlensError

__all__ = ["cli", "main"]


class _Folder(click.Group):
    """The commands that lie in this folder, by the names of their files."""

    def list_commands(self, context: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(context)
        # An option that does not exist is click's to name.
        if args[0] not in known and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            context.fail(f"No such command {args[0]!r}; {hint}")
        return super().resolve_command(context, args)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
        found: click.Command = module.command
        return found


@click.group(
    "trainlens-torch",
    cls=_Folder,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="trainlens")
def cli() -> None:
    """Check what a training needs before it starts."""


def main() -> None:
    """Entry point: one line and exit code 2 for an error, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        _bearing(stream)
    try:
        sys.exit(cli.main(prog_name="trainlens-torch", standalone_mode=False) or 0)
    except TrainlensError as error:
        click.echo(f"trainlens-torch: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)


def _bearing(stream: Any) -> None:
    """Have a terminal that lacks a sign show its number instead of failing."""
    with contextlib.suppress(AttributeError, ValueError):
        stream.reconfigure(errors="backslashreplace")
