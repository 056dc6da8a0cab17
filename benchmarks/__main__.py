"""All benchmarks with one command: ``python -m benchmarks [NAME...] [--quick] [--write]``.

Each runs in a process of its own and compares trainlens with its peers in that one run. Peers
that are not installed are named; ``pip install -r benchmarks/requirements.txt`` brings them all.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import document
from benchmarks.alone import measure, title
from benchmarks.table import Row, text

BENCHMARKS = (
    "tensorboard_decode",
    "jsonl_decode",
    "csv_decode",
    "text_decode",
    "aim_decode",
    "reopening",
    "monitor_polls",
    "monitor",
    "diagnose_command",
    "report_command",
    "page",
    "startup",
    "workers",
    "memory",
    "scaling",
    "outlook",
    "adaptive",
    "scheduling",
    "clipping",
    "normalized_features",
    "recording",
    "guard",
    "prefetching",
)
_COMPANION = "companion/performance.md"
PAGES = {
    "page": "page.md",
    "monitor": "monitor.md",
    "scheduling": _COMPANION,
    "clipping": _COMPANION,
    "adaptive": _COMPANION,
    "normalized_features": _COMPANION,
    "recording": _COMPANION,
    "guard": _COMPANION,
    "prefetching": _COMPANION,
}
"""Benchmarks whose tables stand in other pages than performance.md."""
_ROOT = Path(__file__).resolve().parents[1]


def measured(name: str, quick: bool, pictures: Path | None) -> list[Row]:
    """Rows of one benchmark; if it fails, a row that says so."""
    begin = time.perf_counter()
    try:
        rows = measure(name, quick=quick, pictures=pictures)
    except RuntimeError as error:
        rows = [Row(name, "", math.nan, math.nan, note=f"fails: {error}")]
    if quick:  # the goals are those of the full sizes
        rows = [replace(row, goal="") for row in rows]
    took = time.perf_counter() - begin
    print(f"{title(name)} ({name}, {took:.0f} s)\n{text(rows)}\n", flush=True)
    return rows


def failed(row: Row) -> bool:
    """Whether trainlens itself did not do the work."""
    return math.isnan(row.our_seconds) and "fails: " in row.note


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/*.md and README; with NAME, its tables alone",
    )
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if asked.write and asked.quick:
        parser.error("--write takes the full sizes; leave --quick out")
    return asked


def write(found: Mapping[str, list[Row]], some: bool) -> None:
    """Put what was measured into the documents; `some` of the benchmarks leave the others."""
    docs = _ROOT / "docs"
    rest = {name: rows for name, rows in found.items() if name not in PAGES}
    for page in sorted({PAGES[name] for name in found.keys() - rest.keys()}):
        own = {name: found[name] for name in found if PAGES.get(name) == page}
        if all(name in own for name, where in PAGES.items() if where == page):
            document.replace(docs / page, document.everything(own))
        else:
            document.refresh(docs / page, own)
    if some:
        document.refresh(docs / "performance.md", rest)
        document.refresh_summary(_ROOT / "README.md", found)
    else:
        document.replace(docs / "performance.md", document.everything(rest))
        document.replace(_ROOT / "README.md", document.summary(found))


def main() -> int:
    """Measure, print and write; 1 if trainlens failed somewhere."""
    asked = options()
    docs = _ROOT / "docs"
    names = asked.names or BENCHMARKS
    found = {name: measured(name, asked.quick, docs if asked.write else None) for name in names}
    if asked.write:
        write(found, bool(asked.names))
    return int(any(failed(row) for rows in found.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
