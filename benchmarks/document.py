"""The measured tables between the markers of a Markdown page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.alone import title
from benchmarks.table import Row, markdown

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def machine() -> str:
    """Processor, cores, memory, system and Python of this machine, in one sentence."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"Measured on {os.cpu_count()} cores of {_processor()}, {pages / 2**30:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def everything(found: Mapping[str, Sequence[Row]]) -> str:
    """A heading and a table a benchmark."""
    parts = [machine()]
    for name, rows in found.items():
        parts.append(f"### {title(name)}\n\n`python -m benchmarks {name}`\n\n{markdown(rows)}")
    return "\n\n".join(parts)


def summary(found: Mapping[str, Sequence[Row]]) -> str:
    """One table of the rows that have a goal."""
    rows = [row for some in found.values() for row in some if row.goal]
    return f"{markdown(rows)}\n\n{machine()}"


def replace(path: Path, text: str) -> None:
    """Put a text between the markers of a page.

    Raises
    ------
    ValueError
        If the page has no markers.
    """
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: no '{BEGIN}' with '{END}' behind it; add both where it belongs")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def refresh(path: Path, found: Mapping[str, Sequence[Row]]) -> None:
    """Put the tables of some benchmarks in place of their old ones, and leave the others.

    Raises
    ------
    ValueError
        If the page has no table of one of them.
    """
    page = path.read_text(encoding="utf-8")
    for name, rows in found.items():
        head = f"### {title(name)}\n"
        before, begin, rest = page.partition(head)
        if not begin:
            raise ValueError(f"{path}: no table of {name}; write all of them first")
        ends = [at for mark in ("\n### ", f"\n{END}") if (at := rest.find(mark)) >= 0]
        new = f"\n`python -m benchmarks {name}`\n\n{markdown(rows)}\n"
        page = before + head + new + rest[min(ends) :]
    path.write_text(page, encoding="utf-8")


def refresh_summary(path: Path, found: Mapping[str, Sequence[Row]]) -> None:
    """Put the rows of some benchmarks that have a goal in place of the same rows of a summary."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for row in (row for some in found.values() for row in some if row.goal):
        (new,) = markdown([row]).split("\n")[2:]
        known = new.split(" | ")[:2]
        lines = [new if line.split(" | ")[:2] == known else line for line in lines]
    path.write_text("\n".join(lines), encoding="utf-8")
