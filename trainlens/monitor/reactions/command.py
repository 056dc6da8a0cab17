"""``--on-finding``: a command of the user for each change, the finding on its standard input."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping

from trainlens.monitor.reactions import process
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import Told, document, safe_word


class Command:
    """Runs a command line for each change.

    The command line goes to the shell as the user wrote it. Text of the log reaches the command
    on its standard input, as JSON, and in a few environment variables, there reduced to words
    that mean nothing to a shell.

    Parameters
    ----------
    line : str
        Command line.
    timeout : float
        Seconds that it may take.
    environ : mapping of str to str
        Its environment besides what is told of the finding.
    """

    name = "hook"

    def __init__(self, line: str, timeout: float, environ: Mapping[str, str]) -> None:
        self._line = line
        self._timeout = timeout
        self._environ = environ
        self._cancelled = threading.Event()

    def send(self, message: Message) -> str:
        """Run the command for each change of a message; what went wrong."""
        problems = (self._run(one, message.held) for one in message.told)
        return "; ".join(filter(None, problems))

    def cancel(self) -> float:
        """End what runs; the seconds that this takes at most."""
        self._cancelled.set()
        return process.LONGEST_END

    def _run(self, one: Told, held: int) -> str:
        given = json.dumps(document(one, held), allow_nan=False).encode("ascii") + b"\n"
        try:
            outcome = process.run(
                self._line,
                given=given,
                environ={**self._environ, **variables(one)},
                timeout=self._timeout,
                cancelled=self._cancelled,
            )
        except OSError as error:
            return f"cannot be started: {error.strerror or type(error).__name__}"
        return problem(outcome, self._timeout)


def variables(one: Told) -> dict[str, str]:
    """What a hook can know without reading JSON.

    Returns
    -------
    dict of str to str
        ``TRAINLENS_EVENT``, ``_RULE``, ``_SEVERITY``, ``_RUN`` and ``_STEP``: the first step of
        the finding, else the newest of the run, else nothing.
    """
    f = one.change.finding
    step = f.first_step if f.first_step is not None else one.step
    return {
        "TRAINLENS_EVENT": one.change.kind,
        "TRAINLENS_RULE": safe_word(f.rule),
        "TRAINLENS_SEVERITY": f.severity.value,
        "TRAINLENS_RUN": safe_word(one.change.run),
        "TRAINLENS_STEP": "" if step is None else str(step),
    }


def problem(outcome: process.Outcome, timeout: float) -> str:
    """What went wrong with a command as part of one line; empty where nothing did."""
    last = f": {outcome.said}" if outcome.said else ""
    if outcome.code is None:
        return "cannot be ended, it hangs in the system"
    if outcome.ended == process.TIMEOUT:
        return f"no end within {timeout:g} s, so it was ended{last}"
    if outcome.ended == process.CANCELLED:
        return "ended with the watch"
    if outcome.code < 0:
        return f"killed by signal {-outcome.code}{last}"
    if outcome.code == 127:
        return f"command not found{last}"
    return f"exit code {outcome.code}{last}" if outcome.code else ""
