"""The table of stories in the documentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from examples.story.outcome import Outcome

__all__ = ["Timed", "table"]


@dataclass(frozen=True)
class Timed:
    """An outcome, and the seconds that the story took."""

    name: str
    outcome: Outcome
    seconds: float


def table(told: Sequence[Timed]) -> str:
    """A row a story: what was found, prescribed, and what came of it."""
    lines = [
        "| Story | Found in every run | Prescribed | Metric | Verdict | Targets | Seconds |",
        "|---|---|---|---|---|---|--:|",
        *(_row(one) for one in told),
    ]
    total = sum(one.seconds for one in told)
    return "\n".join([*lines, f"| all | | | | | | {total:.0f} |"])


def _row(one: Timed) -> str:
    outcome = one.outcome
    cells = (
        f"`{one.name}`: {outcome.story.title}",
        ", ".join(f"`{rule}`" for rule in outcome.everywhere),
        ", ".join(f"`{setting}`" for setting in _prescribed(outcome)),
        outcome.story.metric,
        f"{outcome.verdict}: {outcome.row['because']}",
        ", ".join(f"{n} {status}" for status, n in sorted(outcome.targets().items())),
        f"{one.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _prescribed(outcome: Outcome) -> list[str]:
    document = json.loads((outcome.folder / "patch.json").read_text(encoding="utf-8"))
    return [f"{setting} = {_value(value)}" for setting, value in document["patch"].items()]


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
