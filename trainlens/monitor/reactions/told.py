"""A change of a finding as it is passed on: as JSON, in words for people, as safe words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from trainlens import words
from trainlens.monitor.model import AGAIN, CLOSED, MILDER, OPENED, WORSE, Change, Standing
from trainlens.render._visible import visible
from trainlens.render.json import finding_dict, plain
from trainlens.rules.base import Severity
from trainlens.verdict import headline

SCHEMA = "trainlens.finding/1"
FOR_THE_WORSE = (OPENED, WORSE, AGAIN)
"""Changes that call for somebody."""

_NAMES = {"error": "error", "warning": "warning", "info": "note"}
_LONGEST_WORD = 200
_LONGEST_LINE = 300

# Not the thin spaces of numbers.
_BREAKS = re.compile(r"[ \t\n\v\f\r]+")

# A word that stays one in any shell, even where a hook hands it to a second one unquoted.
_UNSAFE = re.compile(r"[^\w./:=+,@-]+|\.{2,}", re.ASCII)


@dataclass(frozen=True)
class Told:
    """A change, and how its run stood when it was noticed.

    Parameters
    ----------
    change : Change
    step, planned : int or None
    progress : float or None
        In [0, 1].
    verdict : str
        All as in `trainlens.monitor.model.Standing`.
    """

    change: Change
    step: int | None = None
    planned: int | None = None
    progress: float | None = None
    verdict: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells the finding from all others."""
        return self.change.run, self.change.source, self.change.number

    @property
    def rank(self) -> int:
        """How pressing it is: the severity of what opened or got worse, else -1."""
        worse = self.change.kind in FOR_THE_WORSE
        return self.change.finding.severity.rank if worse else -1


def told(change: Change, standing: Standing | None) -> Told:
    """A change with what is known of its run."""
    if standing is None:
        return Told(change)
    return Told(change, standing.step, standing.planned, standing.progress, standing.verdict)


def document(one: Told, held: int = 0) -> dict[str, Any]:
    """A change as plain JSON values, ``trainlens.finding/1``: the finding, and what happened to it.

    Parameters
    ----------
    one : Told
    held : int
        Findings that were held back since the last message.

    Returns
    -------
    dict
        Numbers that JSON cannot hold are null; texts are as the log has them.
    """
    c = one.change
    return {
        "schema": SCHEMA,
        "event": c.kind,
        "number": c.number,
        "run": c.run,
        "source": c.source,
        "at": _moment(c.at),
        "unix": plain(c.at),
        "before": c.before.value if c.before else None,
        **finding_dict(c.finding),
        "step": one.step,
        "planned": one.planned,
        "progress": plain(one.progress),
        "verdict": one.verdict,
        "held_back": held,
    }


def _moment(seconds: float) -> str | None:
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def heading(change: Change) -> str:
    """What happened, in a few words: ``Error: Divergence at step 12 000``."""
    name = _NAMES[change.finding.severity.value]
    what = line(headline(change.finding))
    begin = {
        OPENED: name.capitalize(),
        WORSE: f"Now {_article(name)}",
        MILDER: f"Only {_article(name)} now",
        AGAIN: f"{name.capitalize()} again",
        CLOSED: "Over",
    }
    return f"{begin[change.kind]}: {what}"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def summary(told: Sequence[Told]) -> str:
    """Several changes in a few words: ``1 error, 2 warnings, 1 over``."""
    counts = [
        (sum(one.rank == severity.rank for one in told), _NAMES[severity.value])
        for severity in sorted(Severity, key=lambda s: -s.rank)
    ]
    parts = [words.plural(n, name) for n, name in counts if n]
    for kind, name in ((MILDER, "milder"), (CLOSED, "over")):
        n = sum(one.change.kind == kind for one in told)
        parts += [f"{n} {name}"] if n else []
    return ", ".join(parts)


def advice(change: Change) -> str:
    """The first thing to do about it; empty where nothing is prescribed, or it is over."""
    prescribed = change.finding.prescriptions
    if change.kind == CLOSED or not prescribed:
        return ""
    return line(str(prescribed[0].get("text", "")))


def held_back(count: int) -> str:
    """``7 more findings were held back``."""
    return f"{words.plural(count, 'more finding')} {'was' if count == 1 else 'were'} held back"


def line(text: str, length: int = _LONGEST_LINE) -> str:
    """Text of a log or of a command as one line that is safe to print."""
    return words.shortened(visible(_BREAKS.sub(" ", text).strip(" ")), length)


def safe_word(text: str) -> str:
    """Text of a log as one word without any meaning to a shell.

    Whatever is no Latin letter, digit or one of ``_ . / : = + , @ -`` becomes ``_``, also a hyphen
    at the beginning, which would make an option of it, and ``..``, which would leave a folder.

    Examples
    --------
    >>> safe_word("run 7; rm -rf ~"), safe_word("--help"), safe_word("../../x")
    ('run_7_rm_-rf_', '_-help', '_/_/x')
    """
    word = _UNSAFE.sub("_", text[: 2 * _LONGEST_WORD])[:_LONGEST_WORD]
    return "_" + word[1:] if word.startswith("-") else word
