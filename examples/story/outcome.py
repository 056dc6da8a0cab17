"""What came of a story: faults found and left, the verdict, the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.story.commands import Shell
from examples.story.plan import Story

__all__ = ["Outcome", "faults_of"]

Faults = Mapping[str, frozenset[str]]


def faults_of(shell: Shell, path: str, notes: Sequence[str] = ()) -> Faults:
    """Rules that fail with a warning or an error, some with a note, for each run below a path."""
    document = shell.document("trainlens", "diagnose", path, "--json")
    return {
        run["path"]: frozenset(
            one["rule"]
            for one in run["results"]
            if one["status"] == "fail"
            and (one["severity"] in ("warning", "error") or one["rule"] in notes)
        )
        for run in document["runs"]
    }


@dataclass(frozen=True)
class Outcome:
    """A story that has been told.

    Parameters
    ----------
    story : Story
    seeds : sequence of int
    found, left : mapping
        Faults of each run of the baseline, and of each treated one.
    comparison : mapping
        ``trainlens.comparison/1``.
    surprises : tuple of str
        Further commands that ended otherwise than the story has it.
    folder : Path
    """

    story: Story
    seeds: Sequence[int]
    found: Faults
    left: Faults
    comparison: Mapping[str, Any]
    surprises: tuple[str, ...]
    folder: Path

    @property
    def wanted(self) -> tuple[str, ...]:
        """Faults of the story, and notes."""
        return (*self.story.faults, *self.story.notes)

    @property
    def missing(self) -> list[str]:
        """Faults of the story that a run of the baseline has without being told."""
        return [
            f"{rule} in {run}"
            for run, rules in self.found.items()
            for rule in self.wanted
            if rule not in rules
        ]

    @property
    def everywhere(self) -> list[str]:
        """Faults of the story that every run of the baseline is told of."""
        return [rule for rule in self.wanted if all(rule in r for r in self.found.values())]

    @property
    def row(self) -> Mapping[str, Any]:
        """The comparison in the metric of the story."""
        wanted = self.story.metric
        for row in self.comparison["metrics"]:
            if f"{row['split']}/{row['metric']}" == wanted:
                found: Mapping[str, Any] = row
                return found
        raise LookupError(f"the runs have no {wanted} in common")

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``indistinguishable`` or ``cannot-judge``."""
        return str(self.row["verdict"])

    def targets(self) -> dict[str, int]:
        """How many targets are met, missed, and cannot be judged."""
        counts: dict[str, int] = {}
        for one in self.comparison["expectations"]:
            counts[one["status"]] = counts.get(one["status"], 0) + 1
        return counts

    @property
    def code(self) -> int:
        """0 where faults were found, the verdict is the story's, and no target is missed."""
        kept = not self.missing and not self.surprises
        so = self.verdict == self.story.verdict
        return int(not (kept and so and not self.targets().get("missed")))

    def summary(self) -> str:
        """A few lines: found, verdict with its interval, targets, and where the report is."""
        told = [f"found in every run: {', '.join(self.wanted)}"]
        if self.missing:
            told = [f"not found: {', '.join(self.missing)}"]
        told += self.surprises
        remaining = sorted(set().union(*self.left.values()))
        told.append(f"after the treatment: {', '.join(remaining) or 'no fault'}")
        told.append(f"{self.story.metric}: {self.verdict}; {self.row['because']}")
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.targets().items()))
        told.append(f"targets: {counts}")
        told.append(f"report: {self.folder / 'index.html'}")
        return "\n".join(told)
