"""What a comparison is written to: the ending of a name chooses the format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.chunk import Notice
    from trainlens.comparison.model import Comparison

_ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".png": "picture",
    ".svg": "picture",
    ".md": "md",
    ".tex": "latex",
    ".csv": "csv",
    ".json": "json",
    ".txt": "text",
}


@dataclass(frozen=True)
class Target:
    """A file or folder to write.

    Parameters
    ----------
    path : Path
    form : str
        ``folder``, ``html``, ``picture`` or what `page` knows.
    """

    path: Path
    form: str


def target(name: str, form: str | None) -> Target:
    """What is meant by a name.

    Parameters
    ----------
    name : str
    form : str or None
        What ``--format`` says.

    Raises
    ------
    UsageError
        An ending that stands for no format, or for another one.
    """
    path = Path(name)
    if path.is_dir() or name.endswith("/") or not path.suffix:
        found = "folder"
    elif path.suffix.lower() in _ENDINGS:
        found = _ENDINGS[path.suffix.lower()]
    else:
        known = ", ".join(_ENDINGS)
        raise UsageError(f"{name}: a comparison is written as {known}; end the name with one")
    if form is not None and form != found:
        raise UsageError(f"{name}: --format {form} and this name exclude each other; leave one out")
    return Target(path, found)


def page(
    form: str, made: Comparison, notices: Sequence[Notice], everything: bool, columns: int = 0
) -> str:
    """A comparison as text, ``md``, ``latex``, ``csv`` or ``json``, with a newline at its end.

    Parameters
    ----------
    form : str
    made : Comparison
    notices : sequence of Notice
        About files that became no run.
    everything : bool
        Whether every row is told at length.
    columns : int
        Of the text; 0 for the width of the terminal.
    """
    # Only the one that is asked for is imported.
    if form == "json":
        from trainlens.render.comparison import json

        return json.dumps(made, notices) + "\n"
    if form == "csv":
        from trainlens.render.comparison import csv

        return csv.page(made)
    if form == "md":
        from trainlens.render.comparison import markdown

        return markdown.page(made, everything=everything)
    if form == "latex":
        from trainlens.render.comparison import latex

        return latex.page(made, everything=everything)
    from trainlens.render.comparison import text

    return text.page(made, columns=columns or text.width(), everything=everything) + "\n"


def write(
    to: Target,
    made: Comparison,
    notices: Sequence[Notice],
    everything: bool,
    *,
    command: str,
    now: float,
) -> list[Path]:
    """Write a comparison whole or not at all.

    Parameters
    ----------
    to : Target
    made, notices, everything
        As of `page`.
    command : str
        Shown on the page.
    now : float
        Unix time that the page carries.

    Returns
    -------
    list of Path
        The page first.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    if to.form == "picture":
        from trainlens import plots

        plots.save(plots.comparison_sheet(made), to.path)
        return [to.path]
    if to.form in ("folder", "html"):
        from trainlens.render.comparison.page import write as write_page

        return write_page(made, to.path, command=command, now=now, notices=notices)
    from click import unstyle

    from trainlens.render import write_text

    write_text(to.path, unstyle(page(to.form, made, notices, everything, columns=100)))
    return [to.path]
