"""What a shell offers at the Tab key, found without an import of weight.

A rule and a picture have the name of their file, so a look into the folder is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_PACKAGE = Path(__file__).parents[1]


def files(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files and folders, which the shell looks up itself."""
    return _looked_up(begun, "file")


def folders(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders, which the shell looks up itself."""
    return _looked_up(begun, "dir")


def rules(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The rules of the default profile."""
    return _starting(begun, _names("rules"))


def kinds(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The pictures."""
    return _starting(begun, ["list", *_names("plots")])


def profiles(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The profiles."""
    folders = (_PACKAGE / "rules").glob("[!_]*/__init__.py")
    return _starting(begun, ["default", *(file.parent.name for file in folders)])


def _names(folder: str) -> list[str]:
    files = (_PACKAGE / folder).glob("[!_]*.py")
    return [file.stem.replace("_", "-") for file in files if file.stem != "base"]


def _starting(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in sorted(names) if name.startswith(begun)]


def _looked_up(begun: str, kind: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type=kind)]
