"""``trainlens monitor``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _complete, _options
from trainlens.cli._live import PlainView, closing_line
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.asked import Asked
    from trainlens.monitor.loop import Monitor
    from trainlens.monitor.outlook import Target
    from trainlens.monitor.page import LivePage
    from trainlens.monitor.reactions import Reactions
    from trainlens.monitor.session import View

_SEVERITIES = click.Choice(["info", "warning", "error"])
_GRACE = 2.0
"""Seconds that a hook under way is given where the user does not want to wait."""


@click.command("monitor", short_help="Watch runs that are being written.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...",
                shell_complete=_complete.files)  # fmt: skip
@click.option("--mode", type=click.Choice(["monitor", "all", "plot"]), default="monitor",
              show_default=True,
              help="monitor: watch; all: a report with PNGs of what is there, and end; plot: "
              "the PNGs alone, and end.")  # fmt: skip
@click.option("-o", "--output", default="reports", show_default=True, metavar="DIR",
              shell_complete=_complete.folders,
              help="Folder for --mode all and plot.")  # fmt: skip
@click.option("--interval", type=click.FloatRange(min=0.1), default=30.0, show_default=True,
              metavar="SECONDS", help="From one round to the next; a file that grows is read "
              "earlier where the system tells of it.")  # fmt: skip
@click.option("--once", is_flag=True, help="One round, for cron: tells what is new since the last.")
@click.option("--until-end", is_flag=True, help="End when every run has ended.")
@click.option("--plain", is_flag=True,
              help="Lines instead of a screen; so where the output is no terminal.")  # fmt: skip
@click.option("--html", metavar="FILE", help="Keep the report page in this file up to date.")
@click.option("--serve", is_flag=True, help="Show that page live in a browser, from this machine.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Address of --serve; another one shows the page to the network.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="PORT",
              help="Port of --serve.  [default: a free one]")  # fmt: skip
@click.option("--known-as", multiple=True, metavar="NAME",
              help="Name of this machine by which browsers ask for it, repeatable.")  # fmt: skip
@click.option("--on-finding", metavar="CMD",
              help="Shell command for each finding, which is JSON on its input.")  # fmt: skip
@click.option("--hook-timeout", type=float, default=30.0, show_default=True, metavar="SECONDS",
              help="That it may take.")  # fmt: skip
@click.option("--webhook", metavar="URL", help="Post findings there.")
@click.option("--webhook-form", type=click.Choice(["auto", "json", "slack"]), default="auto",
              show_default=True, help="Form of the message.")  # fmt: skip
@click.option("--notify", is_flag=True, help="Show findings on the desktop.")
@click.option("--react-on", type=_SEVERITIES, default="warning", show_default=True,
              help="Least severity that the command, webhook and desktop hear of.")  # fmt: skip
@click.option("--stop-on", multiple=True, metavar="SEVERITY|RULE,...",
              help="End with exit code 1 as soon as such a finding is open.")  # fmt: skip
@click.option("--pid", type=click.IntRange(min=1), metavar="PID",
              help="Training process that gets a signal at a new finding.")  # fmt: skip
@click.option("--signal", default="TERM", show_default=True, metavar="NAME",
              help="That signal.")  # fmt: skip
@click.option("--signal-on", multiple=True, metavar="SEVERITY|RULE,...",
              help="Findings that send it.  [default: as --stop-on, else error]")  # fmt: skip
@click.option("--target", metavar="EXPRESSION",
              help='Say how likely it is still reached, e.g. "val/mpjpe < 80".')  # fmt: skip
@click.option("--baseline", metavar="PATH", help="Run whose best is the target.")
@click.option("--state", metavar="FILE",
              help="Where is kept what was told.  [default: in your state folder]")  # fmt: skip
@click.option("--no-state", is_flag=True, help="Keep nothing, and tell everything.")
@_options.judging
def command(paths: tuple[str, ...], mode: str, **options: Any) -> int:
    """Watch runs that are being written, and say what matters when it happens.

    PATH need not exist yet. q ends the screen, ? shows its keys.
    """
    asked = _options.asked(options)
    if mode != "monitor":
        return _written(paths, mode, options, asked)
    from trainlens.monitor.session import Terminated

    try:
        return _watched(paths, options, asked)
    except Terminated:
        return 143


def _watched(paths: tuple[str, ...], options: dict[str, Any], asked: Asked) -> int:
    from trainlens.monitor.events import Events
    from trainlens.monitor.session import Rhythm, terminable, watch
    from trainlens.remote.url import is_url

    for notice in asked.notices:
        click.echo(str(notice), err=True)
    rhythm = Rhythm(options["interval"], options["once"], options["until_end"])
    with ExitStack() as on:
        on.enter_context(terminable())
        monitor = _monitor(paths, options, asked)
        on.callback(monitor.close)
        reactions = _reactions(options, asked, on)
        page = _page(options, on)
        events = None
        local = [p for p in paths if not is_url(p)]
        if local and not rhythm.once:
            events = Events(local, growth=rhythm.interval > 1)
            events.start()
            on.callback(events.close)
        with _view(options) as view:
            stopped = watch(
                monitor, view, rhythm, page=page, reactions=reactions, events=events
            )  # fmt: skip
    if stopped:
        click.echo(stopped, err=True)
    if page is not None and page.failure is not None:
        raise page.failure
    if rhythm.once and monitor.missing:
        return 2
    return int(bool(stopped) or (options["strict"] and monitor.lost))


def _monitor(paths: tuple[str, ...], options: dict[str, Any], asked: Asked) -> Monitor:
    from trainlens.monitor import state
    from trainlens.monitor.loop import Monitor

    if options["state"] and options["no_state"]:
        raise UsageError("--state and --no-state exclude each other; leave one out")
    file = Path(options["state"]) if options["state"] else state.state_file(paths)
    file = None if options["no_state"] else file
    return Monitor(
        paths,
        asked.judge,
        ledger=state.load(file),
        file=file,
        pages=bool(options["html"] or options["serve"]),
        target=_target(options),
        patient=not options["once"],
    )


def _target(options: dict[str, Any]) -> Target | None:
    if options["target"] and options["baseline"]:
        raise UsageError("--target and --baseline exclude each other; leave one out")
    if options["target"]:
        from trainlens.monitor.outlook import parse

        return parse(options["target"])
    if options["baseline"]:
        from trainlens.monitor.outlook import of_run
        from trainlens.readers import load_one

        return of_run(load_one(options["baseline"]))
    return None


def _reactions(options: dict[str, Any], asked: Asked, on: ExitStack) -> Reactions | None:
    used = ("on_finding", "webhook", "notify", "stop_on", "pid", "signal_on")
    if not any(options[name] for name in used):
        return None
    from trainlens import rules
    from trainlens.monitor.reactions import Reactions, Wanted

    wanted = Wanted(
        on_finding=options["on_finding"] or "",
        hook_timeout=options["hook_timeout"],
        webhook=options["webhook"] or "",
        webhook_form=options["webhook_form"],
        notify=options["notify"],
        react_on=options["react_on"],
        stop_on=options["stop_on"],
        pid=options["pid"],
        signal=options["signal"],
        signal_on=options["signal_on"],
        once=options["once"],
    )
    known = rules.all_rules(asked.judge.profile, asked.judge.own)
    reactions = Reactions(wanted, known=tuple(known))

    def close(kind: type[BaseException] | None, *_: object) -> None:
        for notice in reactions.close(wanted.patience if kind is None else _GRACE):
            click.echo(notice, err=True)

    on.push(close)
    return reactions


def _page(options: dict[str, Any], on: ExitStack) -> LivePage | None:
    if not (options["html"] or options["serve"]):
        return None
    from trainlens.cli.report import command_line
    from trainlens.monitor.page import LivePage

    server = None
    if options["serve"]:
        import secrets

        from trainlens.monitor.serving.server import Server

        server = Server(
            host=options["host"],
            port=options["port"],
            token=secrets.token_urlsafe(32),
            known_as=options["known_as"],
        )
        server.start()
        on.callback(server.close)
        click.echo(f"Live page: {server.url}", err=True)
    file = Path(options["html"]) if options["html"] else None
    again = not options["once"]
    return LivePage(file=file, server=server, title="", command=command_line(), again=again)


@contextmanager
def _view(options: dict[str, Any]) -> Iterator[View]:
    if options["plain"] or options["once"] or not sys.stdout.isatty():
        yield PlainView()
        return
    import time

    from trainlens.cli._live import Opening, console, spelling
    from trainlens.monitor.screen.keys import keys_of
    from trainlens.monitor.screen.screen import Screen

    screen = Screen(
        console=console(), keys=keys_of(sys.stdin), clock=time.monotonic, spell=spelling()
    )
    click.echo("Reading what is there already.", err=True)
    with ExitStack() as on:
        yield Opening(screen, on)
    click.echo(closing_line(screen.latest))


def _written(paths: tuple[str, ...], mode: str, options: dict[str, Any], asked: Asked) -> int:
    """The modes that look once at what is there: a report with its pictures, or these alone."""
    import time

    from trainlens import jobs
    from trainlens.cli._say import echo_notices, lost
    from trainlens.cli.report import closing, command_line
    from trainlens.readers import Survey

    survey, folder = Survey(*paths, cache=True), Path(options["output"])
    survey.notices += asked.notices
    if mode == "all":
        built: list[Any] = []
        page = jobs.Page(folder, command=command_line(), told=built.append)
        told, written = jobs.report(survey, page, asked.judge, now=time.time())
        click.echo(closing(built[0]))
    else:
        told, written = jobs.pictures(survey, folder, asked.judge)
    echo_notices(survey.notices)
    click.echo("\n".join(map(str, written)) if mode == "plot" else f"Report: {written[0]}")
    noticed = [*survey.notices, *(notice for one in told for notice in one.notices)]
    return int(options["strict"] and lost(noticed))
