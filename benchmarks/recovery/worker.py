"""A process that reads what it is told to; and the side that tells it, with a time-out.

``python -m benchmarks.recovery.worker FORMAT NUMBER`` takes a JSON list of paths a line and
answers with a JSON list a line: the points of each path, or the name of an error.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.recovery.peers import PEERS, Peer

PATIENCE = 30.0
"""Seconds without an answer after which a reader counts as hung."""

CRASH, HANG = "the process died", "no answer"


class Worker:
    """A reader in a process of its own.

    Parameters
    ----------
    name : str
        Format.
    number : int
        Which of its `PEERS`.
    """

    def __init__(self, name: str, number: int) -> None:
        self._command = [sys.executable, "-m", "benchmarks.recovery.worker", name, str(number)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def read(self, paths: Sequence[Path]) -> list[Any]:
        """Points of each path, or a text for what went wrong."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([str(p) for p in paths]) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._stop()
            return [CRASH] * len(paths)
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            if not ready.select(PATIENCE * len(paths) ** 0.5):
                self._stop()
                return [HANG] * len(paths)
        line = process.stdout.readline()
        if not line:
            self._stop()
            return [CRASH] * len(paths)
        answer: list[Any] = json.loads(line)
        return answer

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _answer(peer: Peer, paths: list[Path]) -> list[Any]:
    # A peer may raise anything: that is what is counted here.
    try:
        if peer.batch and len(paths) > 1:
            return list(peer.batch(paths))
        return [peer.read(path) for path in paths]
    except Exception as error:
        return [f"{type(error).__name__}"] * len(paths)


def main() -> None:
    """Answer until there are no more questions."""
    warnings.simplefilter("ignore")
    peer = PEERS[sys.argv[1]][int(sys.argv[2])]
    # What a library prints must not stand among the answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_answer(peer, [Path(p) for p in json.loads(line)])), file=out, flush=True)


if __name__ == "__main__":
    main()
