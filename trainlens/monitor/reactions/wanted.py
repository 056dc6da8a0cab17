"""Which reactions are wanted: the options of the command line, checked before the watch begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlens.errors import UsageError
from trainlens.rules.base import Severity
from trainlens.words import nearest

FORMS = ("auto", "json", "slack")


@dataclass(frozen=True)
class Wanted:
    """What is to happen when something happens to a finding.

    Parameters
    ----------
    on_finding : str
        Command line for the shell, run once for each change with the finding as JSON on its
        standard input; empty for none.
    hook_timeout : float
        Seconds that the command may take.
    webhook : str
        http or https URL to which changes are posted; empty for none.
    webhook_form : str
        ``json``, ``slack`` or ``auto``: Slack's form for its own hosts and for paths that end in
        ``/slack``, as those of Discord do.
    notify : bool
        Whether changes are shown on the desktop.
    react_on : str
        Least severity of the changes that reach the command, the webhook and the desktop.
    most : int
        Messages that each of these gets at most within `period`; a fifth of them, two at most,
        is kept for errors.
    period : float
        Seconds.
    stop_on : tuple of str
        Severities and names of rules, also several with commas between. The watch ends with exit
        code 1 as soon as such a finding is open, at the first look too, whoever was told of it
        before: a job that looks once is to fail as long as the run is faulty.
    pid : int or None
        Process of the training that gets a signal.
    signal : str
        Name or number of that signal.
    signal_on : tuple of str
        As `stop_on`, and what that says where this is empty, else ``error``. The signal is sent
        once, and only for what opened or got worse after the watch had begun: never for what was
        there at the first look, and never for what an earlier watch told already.
    once : bool
        Whether the watch ends after its first look. Nothing can open after that, so that `pid`
        is refused.

    Raises
    ------
    UsageError
        A value that an option cannot have.
    """

    on_finding: str = ""
    hook_timeout: float = 30.0
    webhook: str = ""
    webhook_form: str = "auto"
    notify: bool = False
    react_on: str = "warning"
    most: int = 10
    period: float = 600.0
    stop_on: tuple[str, ...] = ()
    pid: int | None = None
    signal: str = "TERM"
    signal_on: tuple[str, ...] = ()
    once: bool = False

    def __post_init__(self) -> None:
        _one_of("--webhook-form", self.webhook_form, FORMS)
        _one_of("--react-on", self.react_on, tuple(s.value for s in Severity))
        _positive("--hook-timeout", self.hook_timeout)
        if self.most < 1:
            raise UsageError("at least one message must be allowed")
        _positive("the time in which messages are counted", self.period)
        if self.pid is not None and self.once:
            raise UsageError(
                "--pid goes with a watch that lasts: its signal is sent for what happens after "
                "the first look; leave --once out"
            )
        if self.signal_on and self.pid is None:
            raise UsageError("--signal-on needs --pid, the process that gets the signal")

    @property
    def least(self) -> Severity:
        """`react_on` as a severity."""
        return Severity(self.react_on)

    @property
    def patience(self) -> float:
        """Seconds worth waiting at the end of a watch that nobody interrupts."""
        waits = ((self.on_finding, self.hook_timeout), (self.webhook, 30.0), (self.notify, 10.0))
        return max(seconds if asked else 0.0 for asked, seconds in waits)


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise UsageError(f"{option} {given!r} is unknown; {nearest(given, known)}")


def _positive(what: str, seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{what} must be a number of seconds above 0, not {seconds:g}")
