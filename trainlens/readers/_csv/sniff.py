"""Whether the first bytes of a file look like the table of a training, not like a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from trainlens.readers._csv.axes import Flags, steps_of
from trainlens.readers._csv.cells import Clean, is_missing, is_number
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Field, Layout
from trainlens.readers._csv.lines import Batch
from trainlens.readers._csv.rows import Rows
from trainlens.readers._csv.split import SEPARATORS, is_marker, text_of
from trainlens.roles import parse_name, role_of

_LOOK_AT = 300
_ASIDE = re.compile(rb"^[ \t\r\v\f]*(?:[#<=>|\n]|\Z)", re.MULTILINE)
"""A line that may be no record: empty, a comment, a conflict marker of git."""


def confidence(path: Path, data: bytes, whole: bool) -> float:
    """Confidence in [0, 0.9] that a file is the table of a training.

    Parameters
    ----------
    path : Path
    data : bytes
        The first bytes, after the quick look of `trainlens.readers.csv`.
    whole : bool
        Whether they are all.
    """
    lines = data.split(b"\n", _LOOK_AT)
    # What is behind the last newline may be half a line.
    rest = lines.pop()
    if whole and rest.strip() and len(lines) < _LOOK_AT and lines:
        lines.append(rest)
    if not lines or not _may_begin(lines) or not _may_go_on(lines):
        return 0.0
    rows = Rows(LineDamage(path.name), path.stem)
    batches = [*rows.feed(b"\n".join(lines) + b"\n"), *rows.finish()]
    if rows.layout is None:
        return 0.0
    begun = _count(lines) - 1
    return _of_table(rows.layout, batches, begun)


def _count(lines: Sequence[bytes]) -> int:
    """Records that begin in lines; quotes may hold several lines together."""
    together = b"\n".join(lines)
    if b'"' not in together and not _ASIDE.search(together):
        return len(lines)
    count, inside = 0, False
    for line in lines:
        count += not inside and _is_record(line)
        inside ^= line.count(b'"') % 2 == 1
    return count


def _is_record(line: bytes) -> bool:
    text = line.strip()
    if not text or text[:1] == b"#":
        return False
    return text[:1] not in b"<=>|" or not is_marker(text.decode("latin-1"))


def _may_begin(lines: Sequence[bytes]) -> bool:
    """Whether the first line that is no comment holds letters: cheap for the many other files."""
    first = next((line for line in lines if line.strip() and line[:1] != b"#"), b"")
    return any(lines) and (not first or len(first) < 1 << 16)


def _may_go_on(lines: Sequence[bytes]) -> bool:
    """Whether a line below the first may be a row: several cells, or one number or gap."""
    together = b"\n".join(lines)
    if b'"' in together or any(sep.encode() in together for sep in SEPARATORS):
        return True
    # More than a number and its unit is neither.
    few = (n for n in lines[1:] if len(n.split(None, 2)) <= 2 or not n.isascii())
    below = map(text_of, few)
    return any(is_number(text) or is_missing(text) for text in below if text.strip())


def _of_table(layout: Layout, batches: list[Batch], begun: int) -> float:
    expected = _of_names(layout)
    count = sum(len(b.line) for b in batches)
    if not expected:
        return 0.0
    if not count:
        # A header alone is a run that has not logged yet.
        return min(expected, 0.6) if begun <= 0 and layout.width > 1 else 0.0
    if count < 0.5 * begun:
        return 0.0
    first = batches[0]
    if not all(_is_numeric(b) for b in batches) or not _rises(first):
        return 0.0
    return expected


def _of_names(layout: Layout) -> float:
    if layout.known:
        return 0.9
    telling = layout.telling
    roles = {role_of(parse_name(f.name)[0]).name for f in telling}
    if telling and (layout.steps or layout.epochs):
        return 0.9
    if telling and layout.fallbacks and "loss" in roles | ({"loss"} if _rewards(layout) else set()):
        return 0.7
    named = [f for f in layout.metrics if f.name]
    if layout.fallbacks and len(telling) == len(named) > 1 and _by_split(telling):
        return 0.7
    if "loss" in roles and len(telling) >= 0.8 * len(named):
        return 0.8 if len(telling) > 1 else 0.55
    return 0.0


def _by_split(fields: Sequence[Field]) -> bool:
    """Whether every metric says of which split it is, and there are two of one metric or more."""
    parsed = [parse_name(f.name) for f in fields]
    return all(split for _, split in parsed) and len({m for m, _ in parsed}) < len(parsed)


def _rewards(layout: Layout) -> bool:
    return any("reward" in f.name.lower() or "return" in f.name.lower() for f in layout.metrics)


def _is_numeric(batch: Batch) -> bool:
    """Whether most cells that are filled hold numbers: those under names that tell."""
    filled = good = 0
    # Beside them stand notes, names, lists and matrices, as many as one likes.
    for field in (batch.layout.telling or batch.layout.metrics)[:500]:
        if field.at >= len(batch.cells):
            continue
        cells = batch.cells[field.at]
        if isinstance(cells, Clean):
            return True
        if _are_numbers(cells):
            filled, good = filled + len(cells), good + len(cells)
            continue
        texts = [c for c in cells if not is_missing(c)]
        filled += len(texts)
        good += sum(map(is_number, texts))
    return good * 2 >= filled


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether all cells hold plain numbers, as most do; False leaves it to `is_number`."""
    together = "".join(cells)
    if "_" in together or not together.isascii() or max(map(len, cells), default=0) > 100:
        return False
    try:
        list(map(float, cells))
    except ValueError:
        return False
    return True


def _rises(batch: Batch) -> bool:
    """Whether the axis, where there is one, counts up most of the time."""
    layout = batch.layout
    if layout.form != "wide":
        return True
    for at in (*layout.steps[:1], *layout.epochs[:1]):
        axis = steps_of(batch.cells[at])
        if layout.steps and at == layout.steps[0] and _is_sparse(_texts(batch, at), axis.known):
            return False
        held = axis.step[np.flatnonzero(axis.known)].tolist()
        if sum(b < a for a, b in pairwise(held)) * 4 > len(held):
            return False
    return True


def _is_sparse(cells: Sequence[str], known: Flags) -> bool:
    """Whether less than half of the filled cells of an axis count."""
    count = int(known.sum()) * 2
    return count < len(cells) and count < sum(not is_missing(str(c)) for c in cells)


def _texts(batch: Batch, at: int) -> Sequence[str]:
    cells = batch.cells[at]
    return [] if isinstance(cells, Clean) else cells
