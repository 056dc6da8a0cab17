"""``trainlens diagnose``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _options
from trainlens.cli._say import Seen, echo_notices, ticking
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.engine import Engine
    from trainlens.judged import Judged
    from trainlens.readers import Survey
    from trainlens.reporting import Report
    from trainlens.run import Notice
    from trainlens.work import Judging

_FORMATS = ("text", "md", "json")


@click.command("diagnose")
@_options.paths
@click.option("--format", "form", type=click.Choice(_FORMATS), default=None,
              help="What is printed.  [default: text]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="trainlens.diagnosis/1 on stdout.")
@click.option("--full", is_flag=True,
              help="Every finding at length, and what every rule said.")  # fmt: skip
@_options.fail_on("warning")
@_options.judging
@_options.running
def command(
    paths: tuple[str, ...],
    form: str | None,
    as_json: bool,
    full: bool,
    fail_on: str | None,
    **options: Any,
) -> int:
    """Say whether runs are healthy, and if not, why."""
    from trainlens.place import engine_for
    from trainlens.readers import Survey

    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} exclude each other; leave one out")
    as_json = as_json or form == "json"
    asked = _options.asked(options, fail_on)
    seen = Seen(asked, "warning", strict=options["strict"])
    survey = Survey(*paths, cache=options["cache"])
    survey.notices += asked.notices
    with engine_for(survey, _options.place(options)) as engine:
        if as_json:
            told = seen.watch(_judged(survey, engine, asked.judge))
            _echo_json(told, lambda: [*survey.notices, *seen.unused()])
        else:
            report = _report(survey, engine, asked.judge)
            list(seen.watch(report.judged))
            click.echo(_page(report, form or "text", full=full))
    echo_notices(() if as_json else [*survey.notices, *seen.unused()])
    return seen.failed(survey.notices) or (2 if seen.verdicts <= {"inconclusive"} else 0)


def _judged(survey: Survey, engine: Engine, judge: Judging) -> Iterator[Judged]:
    from functools import partial

    from trainlens.across import compared
    from trainlens.work import tell

    # What the runs tell about each other can only be said when all are judged.
    every = ticking(survey.each(partial(tell, judge), engine), len(survey))
    yield from compared(every)


def _report(survey: Survey, engine: Engine, judge: Judging) -> Report:
    """What a report of the runs would say, without anything that only a page can show."""
    import time
    from dataclasses import replace
    from functools import partial

    import trainlens
    from trainlens.cli.report import command_line
    from trainlens.reporting import build
    from trainlens.work import glance

    now = time.time()
    digests = list(ticking(survey.each(partial(glance, judge, now), engine), len(survey)))
    told = build(digests, title="", command=command_line(), now=now, version=trainlens.__version__)
    # Nobody has looked at the files themselves.
    return replace(told, inputs=())


def _page(report: Report, form: str, *, full: bool) -> str:
    if form == "md":
        from trainlens.render import markdown

        return markdown.page(report, full=full).removesuffix("\n")
    import sys

    from trainlens.cli._plain import lacking
    from trainlens.render import terminal

    return terminal.page(report, columns=terminal.width(), full=full, plain=lacking(sys.stdout))


def _echo_json(told: Iterator[Judged], notices: Callable[[], Sequence[Notice]]) -> None:
    from trainlens.render.json import pieces

    for piece in pieces(told, notices):
        click.echo(piece, nl=False)
    click.echo()
