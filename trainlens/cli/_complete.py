"""What a shell offers at the Tab key, found without an import of weight.

A rule and a picture have the name of their file, so a look into the folder is enough.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_PACKAGE = Path(__file__).parents[1]
_MOST_BYTES, _MOST_FILES = 1 << 20, 100
"""For the metrics of more bytes, or in more files, nobody at a Tab key waits."""


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


def settings(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """``RULE.`` for every rule; once a rule is there, its settings."""
    rule, dot, _rest = begun.partition(".")
    if not dot:
        from click.shell_completion import CompletionItem

        # Without a space behind them: a setting has to follow.
        names = [name for name in sorted(_names("rules")) if name.startswith(begun)]
        return [CompletionItem(f"{name}.") for name in names]
    from trainlens.rules import find

    found = find("default", rule)
    return _starting(begun, (f"{rule}.{name}=" for name in found.defaults)) if found else []


def metrics(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The metrics of the paths that are given, where reading them takes no time."""
    # What click has not parsed yet it keeps apart.
    paths = [*(context.params.get("paths") or ()), *context.args]
    if not paths or not all(map(_small, paths)):
        return []
    from trainlens.errors import TrainlensError
    from trainlens.readers import load

    try:
        runs = load(*paths)
    except (TrainlensError, OSError):
        return []  # the command itself will say what is wrong
    names = {name for run in runs for m, s in run.series for name in (m, f"{s}/{m}")}
    return _starting(begun, names)


def _small(path: str) -> bool:
    """Whether nobody has to wait for what lies there."""
    if not os.path.isdir(path):
        return os.path.isfile(path) and os.path.getsize(path) <= _MOST_BYTES
    files = [Path(top) / name for top, _, names in islice(os.walk(path), _MOST_FILES)
             for name in names]  # fmt: skip
    if len(files) >= _MOST_FILES:
        return False
    return sum(os.path.getsize(file) for file in files if file.is_file()) <= _MOST_BYTES


def _names(folder: str) -> list[str]:
    files = (_PACKAGE / folder).glob("[!_]*.py")
    return [file.stem.replace("_", "-") for file in files if file.stem != "base"]


def _starting(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in sorted(names) if name.startswith(begun)]


def _looked_up(begun: str, kind: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type=kind)]
