"""The command line: parsing and printing only, every import of weight inside its command.

A command is a file of this folder with a click command called ``command``; it is imported when it
is asked for.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import sys

import click

from trainlens.cli._plain import adapted
from trainlens.errors import TrainlensError

__all__ = ["cli", "main"]

# Of a stream: the disk below it is full or broken.
_FULL = frozenset({errno.ENOSPC, errno.EIO})


class _Folder(click.Group):
    """The commands that lie in this folder, by the names of their files."""

    def list_commands(self, context: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name for name in names if not name.startswith("_"))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(context)
        # An option that does not exist is click's to name.
        if args[0] not in known and not args[0].startswith("-"):
            from trainlens.words import nearest

            context.fail(f"No such command {args[0]!r}; {nearest(args[0], known, 0.5)}")
        return super().resolve_command(context, args)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        found: click.Command = importlib.import_module(f"{__name__}.{name}").command
        return found


_CODES = (
    "Exit codes: 0 done and nothing to say; 1 findings at or above --fail-on, a missed target, or "
    "with --strict a lost record; 2 wrong usage, or nothing could be read, judged or written; "
    "130 interrupted."
)


@click.group(cls=_Folder, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_CODES)
@click.version_option(package_name="trainlens")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto",
              help="When to colour; NO_COLOR is respected.")  # fmt: skip
@click.pass_context
def cli(context: click.Context, color: str) -> None:
    """Read the logs of training runs and say what is wrong with them.

    PATH is a log file, a folder that is searched for runs, a glob pattern, or a URL.
    """
    chosen = {"always": True, "never": False, "auto": None}[color]
    context.color = False if chosen is None and os.environ.get("NO_COLOR") else chosen


def main() -> None:
    """Entry point: one line and exit code 2 for an error, 130 for Ctrl-C."""
    sys.stdout, sys.stderr = adapted(sys.stdout), adapted(sys.stderr)
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except TrainlensError as error:
        click.echo(f"trainlens: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        click.echo(f"trainlens: the output cannot be written: {error.strerror}; "
                   "free space where it goes", err=True)  # fmt: skip
        # What is left in the buffer would fail once more at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(2)
