"""Commands as a reader would type them, run in the folder of a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

__all__ = ["CommandFailed", "Shell", "Told"]

_MODULES = {"trainlens": "trainlens", "trainlens-torch": "trainlens_torch"}
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """What a command said.

    Parameters
    ----------
    command : str
        As it would be typed.
    text : str
        Both of its streams.
    code : int
    """

    command: str
    text: str
    code: int


class CommandFailed(click.ClickException):
    """A command of a story could not do its work; its last line says why."""

    exit_code = 2

    def __init__(self, told: Told) -> None:
        last = told.text.rpartition("\n")[2]
        super().__init__(f"`{told.command}` ended with {told.code}: {last}")


@dataclass(frozen=True)
class Shell:
    """Runs the project's own commands in one folder, with this interpreter."""

    folder: Path

    def run(self, *command: str) -> Told:
        """A command with its output; the streams are put together."""
        done = subprocess.run(
            self._argv(command), stderr=subprocess.STDOUT, check=False, **self._streams()
        )
        return Told(" ".join(command), done.stdout.rstrip(), done.returncode)

    def document(self, *command: str) -> Any:
        """The JSON that a command prints."""
        done = subprocess.run(
            self._argv(command), stderr=subprocess.PIPE, check=False, **self._streams()
        )
        # 1 is an answer ("something is wrong") only where there is a document.
        if done.returncode > 1 or not done.stdout:
            raise CommandFailed(Told(" ".join(command), done.stderr.strip(), done.returncode))
        return json.loads(done.stdout)

    @contextmanager
    def beside(self, *command: str) -> Iterator[list[str]]:
        """A command that goes on while something else is done; its lines, once it has ended."""
        lines: list[str] = []
        with subprocess.Popen(
            self._argv(command), stderr=subprocess.STDOUT, **self._streams()
        ) as running:
            try:
                yield lines
            finally:
                running.terminate()
                lines.extend(running.communicate()[0].splitlines())

    def _streams(self) -> dict[str, Any]:
        """Where a command runs, and that its output is text that is kept."""
        return {
            "cwd": self.folder,
            "env": _environment(),
            "text": True,
            "stdout": subprocess.PIPE,
        }

    def _argv(self, command: Sequence[str]) -> list[str]:
        if command[0] == "python":
            return [sys.executable, *command[1:]]
        return [sys.executable, "-m", _MODULES[command[0]], *command[1:]]


def _environment() -> dict[str, str]:
    # The commands run elsewhere and must find this folder's modules; a pipe has no width.
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100"}
