r"""A comparison as LaTeX: sections and tables of the package booktabs, to be put into a paper.

The text is a fragment for ``\input``: it needs ``\usepackage{booktabs}`` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlens.comparison.model import Comparison
from trainlens.render._cells import Table
from trainlens.render._visible import visible
from trainlens.render.comparison._blocks import Block, blocks

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "--": "-{}-",
    "\u2212": "$-$",
    "\u202f": r"\,",
    "\u2013": "--",
    "\u2026": r"\ldots{}",
    "\u221e": r"$\infty$",
    "\u00d7": r"$\times$",
    "\u2248": r"$\approx$",
    "\u2264": r"$\leq$",
    "\u2265": r"$\geq$",
}
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPES)))
_BREAKS = re.compile(r"[ \t\r\n]+")
_SECTIONS = {1: "section*", 2: "subsection*", 3: "paragraph"}


def page(comparison: Comparison, *, everything: bool = False) -> str:
    """The whole comparison as a LaTeX fragment.

    Parameters
    ----------
    comparison : Comparison
    everything : bool
        As of `blocks`.

    Returns
    -------
    str
        Ends with a newline. Names from logs are escaped.
    """
    parts = (part for block in blocks(comparison, everything) for part in _block(block))
    return "\n\n".join(["% needs \\usepackage{booktabs}", *parts]) + "\n"


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it stands.

    Examples
    --------
    >>> escaped("val_loss 5 %")
    'val\\_loss 5 \\%'
    """
    return _SPECIAL.sub(lambda hit: _ESCAPES[hit[0]], visible(_BREAKS.sub(" ", text)))


def _block(block: Block) -> Iterator[str]:
    if block.title:
        yield f"\\{_SECTIONS[block.level]}{{{escaped(block.title)}}}"
    yield from map(escaped, block.sentences)
    if block.table is not None:
        yield _table(block.table)
    yield from map(escaped, block.notes)


def _table(told: Table) -> str:
    columns = "".join("l" if i in told.left else "r" for i in range(len(told.heads)))
    head, *rows = [
        f"{_guarded(' & '.join(escaped(cell) for cell in row))} \\\\"
        for row in (told.heads, *told.rows)
    ]
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", head, "\\midrule", *rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _guarded(row: str) -> str:
    # Behind the end of a row a bracket or a star would be read as its option.
    return f"{{}}{row}" if row.startswith(("[", "*")) else row
