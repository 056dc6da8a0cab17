"""A comparison as one self-contained page, or as a folder with pictures and JSON beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trainlens
from trainlens import words
from trainlens.comparison.model import Comparison
from trainlens.render import write_text
from trainlens.render.comparison import _words
from trainlens.render.comparison._blocks import PARTS, Block
from trainlens.render.comparison._curves import Curves, Look, curves
from trainlens.reporting import package_versions
from trainlens.reporting.inputs import Input, inspect
from trainlens.run import Notice
from trainlens.words import shortened

if TYPE_CHECKING:
    from markupsafe import Markup

_PAGES = (".html", ".htm")
_WHOLE, _CELLS, _OPEN, _CHARTS = 60, 6000, 3, 12
"""Rows told at length, cells of tables, rows and charts that stand open."""
_INPUTS = 60


@dataclass(frozen=True, eq=False)
class Told:
    """A comparison as the templates show it.

    Parameters
    ----------
    comparison : Comparison
    curves : Curves
    parts : mapping of part to its blocks
        See `trainlens.render.comparison._blocks.PARTS`.
    inputs : tuple of Input
    left_out : int
        Blocks that would have made the page too long.
    """

    comparison: Comparison
    curves: Curves
    parts: Mapping[str, tuple[Block, ...]]
    inputs: tuple[Input, ...]
    left_out: int = 0

    @property
    def lost(self) -> bool:
        """Whether a record was lost, counted or not."""
        return any(n.lost is None or n.lost for n in self.comparison.notices)

    def look(self, name: str) -> Look | None:
        """How an arm is drawn, whether its whole name is given or a shortened one."""
        for look in self.curves.looks:
            if name in (look.name, shortened(look.name), shortened(look.name, 24)):
                return look
        return None


def write(
    comparison: Comparison,
    out: Path,
    *,
    title: str = "",
    command: str = "",
    now: float,
    notices: Sequence[Notice] = (),
    plots: bool = True,
) -> list[Path]:
    """Write a comparison as one HTML file, or as a folder.

    Parameters
    ----------
    comparison : Comparison
    out : Path
        A name that ends with ``.html``, or a folder, made where it is missing: ``index.html``,
        ``comparison.json`` and the PNGs.
    title, command : str
    now : float
        Unix time that the page carries.
    notices : sequence of Notice
        About files that became no run.
    plots : bool
        Whether PNGs are drawn.

    Returns
    -------
    list of Path
        The page first.

    Raises
    ------
    OutputError
        It cannot be written there.
    """
    text = page(comparison, title=title, command=command, now=now, notices=notices)
    if out.suffix.lower() in _PAGES:
        write_text(out, text)
        return [out]
    from trainlens.plots import comparison_pictures, draw_report
    from trainlens.render.comparison import json
    from trainlens.render.folder import make_folder

    make_folder(out)
    written = [out / "index.html", out / json.FILE]
    write_text(written[0], text)
    write_text(written[1], json.dumps(comparison, notices), "\n")
    return written + (draw_report(comparison_pictures(comparison), out) if plots else [])


def page(
    comparison: Comparison,
    *,
    title: str = "",
    command: str = "",
    now: float,
    notices: Sequence[Notice] = (),
) -> str:
    """The whole page as HTML of one file.

    Parameters
    ----------
    comparison : Comparison
    title, command : str
    now : float
    notices : sequence of Notice
    """
    from markupsafe import Markup

    from trainlens.render import _said, html
    from trainlens.render._payload import dumps, lean
    from trainlens.render.comparison import _charts

    told = tell(comparison, notices)
    style, script = html.bundle(("page.css", "comparison.css"), html.SCRIPTS)
    return html.environment().get_template("comparison_page.html").render(
        told=told,
        c=comparison,
        title=title or _title(comparison),
        command=command,
        created=_said.date(now),
        notices=notices,
        versions=package_versions(trainlens.__version__),
        policy=html.policy(style, first := html.first_script(), script),
        first=Markup(first),
        style=Markup(style),
        script=Markup(script),
        data_json=Markup(dumps(lean(_charts.payload(told.curves, comparison.by)))),
        **helpers(told),
    )  # fmt: skip


def helpers(told: Told) -> dict[str, Any]:
    """What the template of the parts needs besides the parts."""
    from trainlens.render.comparison import _charts

    return {
        "draw_panel": lambda panel: _charts.drawn(panel, told.curves),
        "panel_groups": _grouped(told),
        "cell": lambda head, text: _cell(told, head, text),
        "facts": list(_facts(told.comparison)),
        "open_details": _OPEN,
        "difference_words": _difference_words(told.comparison),
    }


def _difference_words(comparison: Comparison) -> str:
    if comparison.of_groups:
        return "the means over the runs, with the 95 % interval of their difference at each place."
    said = "a running mean with its 95 % interval at each place"
    if len(comparison.candidates) == 1:
        said += "; the shaded last half tells how training ended"
    return f"{said}."


def tell(comparison: Comparison, notices: Sequence[Notice] = ()) -> Told:
    """Gather what a page shows of a comparison."""
    sources = dict.fromkeys(run.source for arm in comparison.arms for run in arm.runs)
    parts: dict[str, tuple[Block, ...]] = {}
    left = 0
    for name, part in PARTS.items():
        whole = name != "detail" or len(comparison.rows) <= _WHOLE
        blocks = tuple(part(comparison, whole))
        parts[name] = tuple(_fitting(blocks))
        left += len(blocks) - len(parts[name])
    shown = tuple(inspect(source) for source in list(sources)[:_INPUTS] if source)
    return Told(comparison, curves(comparison), parts, shown, left)


def _fitting(blocks: Sequence[Block]) -> Iterator[Block]:
    """The first blocks, until their tables hold too much for a page that opens at once."""
    cells = 0
    for number, block in enumerate(blocks):
        table = block.table
        cells += len(table.heads) * len(table.rows) if table else 0
        if cells > _CELLS and number:
            return
        yield block


def _title(comparison: Comparison) -> str:
    names = comparison.candidates
    told = shortened(names[0], 40) if len(names) == 1 else words.plural(len(names), "candidate")
    return f"{told} against {shortened(comparison.baseline, 40)}"


def _facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    names = comparison.candidates
    yield "Baseline", _arm(comparison, comparison.baseline)
    told = ", ".join(_arm(comparison, name) for name in names[:3])
    yield "Candidate" + "s" * (len(names) > 1), told + _rest(len(names) - 3)
    yield "Matched by", comparison.by
    yield "Metrics", words.step(len(_words.metrics(comparison)))


def _rest(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _arm(comparison: Comparison, name: str) -> str:
    runs = next(len(arm.runs) for arm in comparison.arms if arm.name == name)
    return shortened(name, 40) + (f" ({words.plural(runs, 'run')})" if runs > 1 else "")


def _grouped(told: Told) -> list[tuple[str, list[Any]]]:
    """The first charts openly, the rest folded; the two of a metric stay together."""
    panels = list(told.curves.panels)
    cut = _CHARTS
    while 0 < cut < len(panels) and panels[cut].difference:
        cut += 1
    rest = panels[cut:]
    return [("", panels[:cut])] + ([("More metrics", rest)] if rest else [])


_STATES = {
    "better": ("good-word", "healthy"),
    "worse": ("error-word", "error"),
    "indistinguishable": ("soft", "inconclusive"),
    "cannot judge": ("soft", "info"),
    "met": ("good-word", "healthy"),
    "missed": ("error-word", "error"),
}


def _cell(told: Told, head: str, text: str) -> Markup | str:
    """A cell of a table: verdicts with their icon, arms with their colour."""
    from markupsafe import Markup

    from trainlens.render._visible import visible

    if head in ("verdict", "result") and text in _STATES:
        name, icon = _STATES[text]
        return Markup(
            '<span class="{}"><svg class="icon" width="13" height="13" aria-hidden="true">'
            '<use href="#i-{}"/></svg>{}</span>'
        ).format(name, icon, text)
    look = told.look(text) if head in ("candidate", "") else None
    if look is None:
        return text
    colour = "rg" if look.colour is None else f"r{look.colour}"
    dash = f" d{look.dash % 4}" if look.dash % 4 else ""
    name = visible(shortened(text, 40))
    return Markup('<i class="key {}"></i>{}').format(colour + dash, name)
