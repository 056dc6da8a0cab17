"""``--stop-on``: findings that end the watch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from trainlens.errors import UsageError
from trainlens.monitor.model import Update
from trainlens.monitor.reactions.told import FOR_THE_WORSE, line
from trainlens.rules import meant
from trainlens.rules.base import Finding, Severity
from trainlens.verdict import headline

_SEVERITIES = tuple(s.value for s in Severity)


@dataclass(frozen=True)
class Criteria:
    """Which findings an option speaks of.

    Parameters
    ----------
    said : str
        The option as the user wrote it: ``--stop-on error``.
    least : Severity or None
        Any finding that is this severe.
    rules : frozenset of str
        Any finding of these rules.
    """

    said: str
    least: Severity | None
    rules: frozenset[str]

    def meet(self, finding: Finding) -> bool:
        """Whether a finding is one of them."""
        severe = self.least is not None and finding.severity.rank >= self.least.rank
        return severe or finding.rule in self.rules


def criteria(option: str, given: Iterable[str], known: Collection[str]) -> Criteria:
    """What the values of an option mean.

    Parameters
    ----------
    option : str
        Its name, for messages.
    given : iterable of str
        Severities and names of rules, also several with commas between.
    known : collection of str
        Names of rules.

    Raises
    ------
    UsageError
        Neither a severity nor a rule, or nothing at all.
    """
    names = [name.strip() for value in given for name in value.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} needs a severity or the name of a rule")
    for name in names:
        if name not in _SEVERITIES and name not in known:
            hint = meant(name, [*_SEVERITIES, *known])
            raise UsageError(f"{option}: no severity or rule {name!r}; {hint}")
    severities = [Severity(name) for name in names if name in _SEVERITIES]
    rules = frozenset(names) - {s.value for s in severities}
    least = min(severities, key=lambda s: s.rank, default=None)
    return Criteria(f"{option} {','.join(names)}", least, rules)


def named(finding: Finding, run: str) -> str:
    """A finding in a sentence: ``error 'Divergence at step 12 000' of run gpt``."""
    return f"{finding.severity.value} '{line(headline(finding))}' of run {line(run, 60)}"


class Stop:
    """Tells when the watch is to end.

    Every open finding counts, at the first look too, whoever was told of it before; so does one
    that opened and closed between two rounds.

    Parameters
    ----------
    wanted : Criteria

    Attributes
    ----------
    reason : str
        Why the watch ends, as one line; empty as long as it goes on.
    """

    def __init__(self, wanted: Criteria) -> None:
        self._wanted = wanted
        self.reason = ""

    def look(self, update: Update) -> None:
        """Take note of a round."""
        if self.reason:
            return
        opened = ((c.finding, c.run) for c in update.changes if c.kind in FOR_THE_WORSE)
        held = ((f, run.name) for run in update.runs for _, f in run.findings)
        for finding, run in (*opened, *held):
            if self._wanted.meet(finding):
                self.reason = f"stopped because of {named(finding, run)} ({self._wanted.said})"
                return
