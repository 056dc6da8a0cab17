"""A comparison as GitHub-flavoured Markdown, for a pull request or a chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainlens.comparison.model import Comparison
from trainlens.render._cells import Table
from trainlens.render._escape import escaped
from trainlens.render.comparison._blocks import Block, blocks


def page(
    comparison: Comparison,
    *,
    everything: bool = False,
    below: int = 0,
    parts: Sequence[str] = (),
) -> str:
    """The whole comparison as Markdown.

    Parameters
    ----------
    comparison : Comparison
    everything : bool
        As of `blocks`.
    below : int
        Levels that its headings lie below those of a page of its own.
    parts : sequence of str
        As of `blocks`.

    Returns
    -------
    str
        Ends with a newline. Names from logs are escaped: they show as they stand.
    """
    held = blocks(comparison, everything, parts)
    return "\n\n".join(part for block in held for part in _block(block, below)) + "\n"


def _block(block: Block, below: int) -> Iterator[str]:
    if block.title:
        yield f"{'#' * (block.level + below)} {escaped(block.title)}"
    yield from _sentences(block.sentences)
    if block.table is not None:
        yield _table(block.table)
    yield from _sentences(block.notes)


def _sentences(told: tuple[str, ...]) -> Iterator[str]:
    if len(told) == 1:
        yield escaped(told[0])
    elif told:
        yield "\n".join(f"- {escaped(sentence)}" for sentence in told)


def _table(told: Table) -> str:
    ruler = ["---" if i in told.left else "---:" for i in range(len(told.heads))]
    rows = ([escaped(cell) for cell in row] for row in (told.heads, *told.rows))
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, f"| {' | '.join(ruler)} |", *rest])
