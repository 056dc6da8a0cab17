"""A story from its baseline to the verdict, told as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from examples.story.commands import CommandFailed, Shell, Told
from examples.story.outcome import Outcome, faults_of
from examples.story.plan import Check, Story
from examples.story.seeds import Trainings
from trainlens_torch.config import TrainingConfig, apply_prescription

__all__ = ["Teller", "pair", "tell"]

BASELINE, TREATED, PATCH = "runs/baseline", "runs/treated", "patch.json"
_ROUND = 2.5
"""Seconds in which a monitor that is told of growth makes a round, and so sees the end."""


@dataclass(frozen=True)
class Teller:
    """Where a story is told.

    Parameters
    ----------
    say : callable
        Gets Markdown, a paragraph or a block at a time.
    folder : Path
        Of the report.
    train : Trainings
    seeds : sequence of int
    short : bool
    """

    say: Callable[[str], None]
    folder: Path
    train: Trainings
    seeds: Sequence[int]
    short: bool

    @property
    def shell(self) -> Shell:
        """Commands in the folder of the report."""
        return Shell(self.folder)

    def show(self, told: Told) -> None:
        """A command and what it said, as a block."""
        self.say(f"```console\n$ {told.command}\n{told.text}\n```")

    def command(self, *command: str, code: int | None = None) -> Told:
        """Run a command and show it; one that could not do its work ends the story."""
        return self.done(self.shell.run(*command), code)

    def done(self, told: Told, code: int | None = None) -> Told:
        """Show what a command said; one that could not do its work ends the story."""
        self.show(told)
        if told.code > 1 and told.code != code:
            raise CommandFailed(told)
        return told


def tell(story: Story, teller: Teller) -> Outcome:
    """Baseline, diagnosis, prescription, treated runs, comparison, report."""
    teller.say(f"# {story.title}\n\n{story.told}")
    config = story.baseline(teller.short)
    config.save(teller.folder / "baseline.toml", everything=False)
    _heading(teller, 1, "The training as it was")
    first, *_ = _trained(story, teller, config, BASELINE)
    _heading(teller, 2, "What is wrong with it")
    teller.command("trainlens", "diagnose", first)
    found = faults_of(teller.shell, BASELINE, story.notes)
    surprises = [_checked(check, teller) for check in story.before]
    _heading(teller, 3, "What to change")
    treated = _prescribed(story, teller, config, first)
    _heading(teller, 4, "The training as prescribed")
    _followed(story, teller, treated)
    surprises += [_checked(check, teller) for check in story.after]
    _heading(teller, 5, "Did it work?")
    report = ("trainlens", "report", "runs", "--baseline", BASELINE, "-o", ".", *story.report)
    # They need nothing of one another, and each is mostly one core.
    with ThreadPoolExecutor() as pool:
        reported = pool.submit(teller.shell.run, *report)
        left = pool.submit(faults_of, teller.shell, TREATED, story.notes)
        comparison = _compared(story, teller, config)
    teller.done(reported.result())
    return Outcome(
        story,
        teller.seeds,
        found,
        left.result(),
        comparison,
        tuple(filter(None, surprises)),
        teller.folder,
    )


def pair(story: Story, teller: Teller) -> list[Path]:
    """The logs of the first seed: of the training as it was, and of the one as prescribed."""
    config = story.baseline(teller.short)
    first, *_ = _trained(story, teller, config, BASELINE)
    treated = _prescribed(story, teller, config, first)
    second, *_ = _trained(story, teller, treated, TREATED)
    return [teller.folder / first, teller.folder / second]


def _heading(teller: Teller, number: int, text: str) -> None:
    teller.say(f"## {number}. {text}")


def _trained(story: Story, teller: Teller, config: TrainingConfig, where: str) -> list[str]:
    logs = teller.train(story.training, config, teller.seeds, teller.folder / where)
    seeds = ", ".join(map(str, teller.seeds))
    teller.say(f"{len(logs)} trainings with the seeds {seeds}: `{where}`.")
    return [log.relative_to(teller.folder).as_posix() for log in logs]


def _checked(check: Check, teller: Teller) -> str:
    """Runs a further command; what is said if it ends otherwise than the story has it."""
    teller.say(check.why)
    told = teller.command(*check.command, code=check.code)
    return "" if told.code == check.code else f"`{told.command}` ended with {told.code}"


def _prescribed(story: Story, teller: Teller, config: TrainingConfig, run: str) -> TrainingConfig:
    rules = (*story.faults, *story.notes) if story.notes else ()
    asked = (word for rule in rules for word in ("--rule", rule))
    teller.command("trainlens", "prescribe", run, *asked, "-o", PATCH)
    applied = apply_prescription(config, teller.folder / PATCH)
    teller.say("`apply_prescription(config, 'patch.json')` says:\n\n" + _listed(str(applied)))
    treated = applied.config
    if story.besides:
        treated = treated.changed(story.besides)
        teller.say(f"{story.besides_because}\n\n" + _listed(_settings(story.besides)))
    treated.save(teller.folder / "treated.toml", everything=False)
    return treated


def _listed(lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines.splitlines())


def _settings(values: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in values.items())


def _followed(story: Story, teller: Teller, treated: TrainingConfig) -> None:
    """The treated training, with a monitor beside it where the story wants one."""
    if not story.watched:
        _trained(story, teller, treated, TREATED)
        return
    command = ("trainlens", "monitor", TREATED, "--plain", *story.watched)
    with teller.shell.beside(*command) as lines:
        _trained(story, teller, treated, TREATED)
        time.sleep(_ROUND)
    teller.show(Told(" ".join(command), "\n".join(lines), 0))


def _compared(story: Story, teller: Teller, config: TrainingConfig) -> dict[str, object]:
    targets = teller.folder / "targets.toml"
    targets.write_text(story.targets.read_text(encoding="utf-8"), encoding="utf-8")
    sides = ("trainlens", "compare", BASELINE, TREATED)
    places = _places(story, config)
    if places:
        teller.command(*sides, "--metric", story.metric, *places)
    expect = ("--expect", targets.name, "--expect", PATCH)
    teller.command(*sides, *places, *expect, "-o", "comparison")
    # Not beside the report, which puts a comparison of its own there.
    document: dict[str, object] = json.loads(
        (teller.folder / "comparison" / "comparison.json").read_text(encoding="utf-8")
    )
    return document


def _places(story: Story, config: TrainingConfig) -> tuple[str, ...]:
    """The option that shows both sides at some steps."""
    total = config.schedule.total
    if not (story.at and isinstance(total, int)):
        return ()
    return "--at", ",".join(str(round(share * total)) for share in story.at)
