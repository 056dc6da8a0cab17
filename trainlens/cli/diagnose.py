"""``trainlens diagnose``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _options
from trainlens.cli._say import Seen, echo_notices, ticking

if TYPE_CHECKING:
    from trainlens.judged import Judged
    from trainlens.run import Notice


@click.command("diagnose")
@_options.paths
@click.option("--json", "as_json", is_flag=True, help="trainlens.diagnosis/1 on stdout.")
@_options.fail_on("warning")
@_options.judging
@_options.running
def command(paths: tuple[str, ...], as_json: bool, fail_on: str | None, **options: Any) -> int:
    """Say whether runs are healthy, and if not, why."""
    from functools import partial

    from trainlens.across import compared
    from trainlens.place import engine_for
    from trainlens.readers import Survey
    from trainlens.work import tell

    asked = _options.asked(options, fail_on)
    seen = Seen(asked, "warning", strict=options["strict"])
    survey = Survey(*paths, cache=options["cache"])
    survey.notices += asked.notices
    with engine_for(survey, _options.place(options)) as engine:
        # What the runs tell about each other can only be said when all are judged.
        every = ticking(survey.each(partial(tell, asked.judge), engine), len(survey))
        told = seen.watch(compared(every))
        if as_json:
            _echo_json(told, lambda: [*survey.notices, *seen.unused()])
        else:
            _echo_diagnoses(told)
    echo_notices(() if as_json else [*survey.notices, *seen.unused()])
    return seen.failed(survey.notices) or (2 if seen.verdicts <= {"inconclusive"} else 0)


def _echo_json(told: Iterator[Judged], notices: Callable[[], Sequence[Notice]]) -> None:
    from trainlens.render.json import pieces

    for piece in pieces(told, notices):
        click.echo(piece, nl=False)
    click.echo()


def _echo_diagnoses(told: Iterator[Judged]) -> None:
    from trainlens.render import text

    columns = text.width()
    for i, one in enumerate(told):
        click.echo("\n" * bool(i) + text.diagnosis(one, columns=columns))
