"""What to mind before the numbers of a comparison are believed, as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.comparison.model import Comparison
from trainlens.render.comparison import _words
from trainlens.words import shortened

_ALIKE = 3
"""Cautions of a kind that are shown where not all are wanted."""


def cautions(c: Comparison, everything: bool) -> Iterator[str]:
    """What to mind: each once, and of a kind that most candidates share the first ones."""
    held: dict[str, dict[str, list[str]]] = {}
    for one in c.cautions:
        held.setdefault(one.kind, {}).setdefault(one.message, []).append(one.candidate)
    names = (
        *(arm.name for arm in c.arms),
        *(one.key for one in c.config_diff),
        *(_words.called(row) for row in c.rows),
    )
    several = len(c.candidates) > 1
    for found in held.values():
        shown = list(found.items())[: None if everything else _ALIKE]
        for message, whose in shown:
            known = [shortened(n) for n in whose if n]
            if several and known and not any(n in message for n in whose):
                yield _words.ended(f"{_words.some(known)}: {message}")
            else:
                yield _words.ended(_words.capitalised(message, names))
        rest = len(found) - len(shown)
        if rest:
            which = "candidate" if rest == 1 else "candidates"
            yield f"The like of {words.step(rest)} more {which}; --all shows them."
