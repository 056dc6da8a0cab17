"""SDKs of trackers, each in a process of its own.

An SDK starts threads, opens databases, captures output and changes the environment; RocksDB holds
locks as long as its process lives. All of that ends with the process, and none of it meets ours.
One process serves all runs of a command: it takes one request a line and gives one answer a line,
as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import trainlens
from trainlens.errors import MissingExtra, OutputError

# Without the folder that the command was given in: a file there may be named like an SDK.
_START = (
    "import runpy, sys; sys.path[:1] = [p for p in sys.path[:1] if p]; "
    "runpy.run_module(sys.argv[1], run_name='__main__')"
)
_REMEDY = "use --attach log to put the report beside the log"


class Sdk:
    """An SDK behind a module that serves it.

    Parameters
    ----------
    module : str
        Name of a module of this package that calls `trainlens.attach.serving.serve`.
    environment : mapping of str to str
        Added to that of the process.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._said: IO[bytes] | None = None

    def ask(self, path: Path, **request: Any) -> dict[str, Any]:
        """Have something done.

        Parameters
        ----------
        path : Path
            What it is done to, for messages.
        **request
            Values that JSON has.

        Returns
        -------
        dict

        Raises
        ------
        OutputError
            The SDK refused it or ended.
        MissingExtra
            The SDK misses a package.
        """
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; what it said is read below
        line = process.stdout.readline()
        if not line:
            raise OutputError(path, self._last_words(), _REMEDY)
        reply: dict[str, Any] = json.loads(line)
        if "missing" in reply:
            raise MissingExtra(reply["missing"], reply["extra"])
        if "refused" in reply:
            raise OutputError(path, reply["refused"], reply.get("remedy") or _REMEDY)
        return reply

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()
        if self._said is not None:
            self._said.close()
            self._said = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            # A file: what an SDK says may be more than a pipe holds.
            self._said = TemporaryFile()  # noqa: SIM115 - lives as long as the process
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", _START, self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                encoding="utf-8",
                env={**os.environ, **self._environment, "PYTHONPATH": _path()},
            )
        return self._process

    def _last_words(self) -> str:
        """Why it ended, as far as it said; what it said is in no order that could be relied on."""
        assert self._process is not None
        assert self._said is not None
        self._process.communicate()
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        self.close()
        return f"its SDK gave up: {lines[-1].strip()[:300]}" if lines else "its SDK gave up"


def _path() -> str:
    """Where the process finds trainlens as this one did."""
    own = str(Path(trainlens.__file__).parent.parent)
    held = os.environ.get("PYTHONPATH")
    return os.pathsep.join([own, held] if held else [own])
