"""``trainlens prescribe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _complete, _options
from trainlens.cli._say import echo_notices, lost, ticking
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.prescribe.plan import Plan, Prepared
    from trainlens.work import Judging


@click.command("prescribe", short_help="Say what to change about a run, also as a patch.")
@_options.paths
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Patch for trainlens_torch, trainlens.patch/1.",
    shell_complete=_complete.files,
)
@click.option(
    "--rule",
    "rules",
    metavar="RULE",
    multiple=True,
    help="Only what this rule found, notes included; repeatable.",
    shell_complete=_complete.rules,
)
@_options.judging
@_options.running
def command(
    paths: tuple[str, ...], output: str | None, rules: tuple[str, ...], **options: Any
) -> int:
    """Say what to change about a run, and write it as a patch of its configuration."""
    from trainlens.prescribe.plan import plan
    from trainlens.readers import Survey
    from trainlens.render import text
    from trainlens.render.prescription import prescription

    asked = _options.asked(options)
    _known(rules, asked.judge)
    survey = Survey(*paths, cache=options["cache"])
    survey.notices += asked.notices
    if output and len(survey) > 1:
        raise UsageError(
            f"{', '.join(paths)}: {len(survey)} runs, and a patch is of one; name one of them"
        )
    held = _ready(survey, asked.judge, options)
    made = [plan(ready, *rules) for ready in held]
    columns = text.width()
    for i, one in enumerate(made):
        click.echo("\n" * bool(i) + prescription(one, *rules, columns=columns))
    if output and made:
        _write(made[0], output)
    echo_notices([*survey.notices, *asked.use().see_all([ready.told for ready in held])])
    if {one.told.verdict for one in made} <= {"inconclusive"}:
        return 2
    told = [n for one in made for n in one.told.notices]
    return int(options["strict"] and lost([*survey.notices, *told]))


def _known(rules: tuple[str, ...], judge: Judging) -> None:
    from trainlens.rules import choose

    if rules:
        choose(judge.profile, select=rules, own=judge.own)


def _ready(survey: Any, judge: Any, options: dict[str, Any]) -> list[Prepared]:
    """Every run with its prescriptions, and with what the others tell about it."""
    from functools import partial

    from trainlens.across import compared
    from trainlens.place import engine_for
    from trainlens.prescribe.plan import with_told
    from trainlens.work import prepare

    with engine_for(survey, _options.place(options)) as engine:
        held = list(ticking(survey.each(partial(prepare, judge), engine), len(survey)))
    told = compared([ready.told for ready in held])
    return [with_told(ready, one) for ready, one in zip(held, told, strict=True)]


def _write(made: Plan, output: str) -> None:
    import json

    from trainlens.prescribe.plan import document
    from trainlens.render import write_text
    from trainlens.render.json import plain
    from trainlens.render.prescription import written

    if made.patch:
        write_text(Path(output), json.dumps(plain(document(made)), indent=2) + "\n")
    click.echo(written(made, output), err=True)
