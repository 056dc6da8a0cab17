"""The index of the readers and a page for each, from their module docstrings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from docs.make.docstrings import parsed, told
from docs.make.marks import MADE
from trainlens.readers import all_readers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "readers"
_ROOT = Path(__file__).resolve().parents[2]
_ASKED = {
    "sniff": "How sure it is",
    "find": "Runs",
    "files": "What belongs to a run",
    "inputs": "What reading looks into",
}
_SECTIONS = ("Dialects", "Damage", "Limits")


def pages() -> dict[str, str]:
    """The index, and a page for each reader."""
    found = {f"{FOLDER}/{name}.md": _page(module) for name, module in _readers().items()}
    return {"readers.md": _index(), **found}


def pictures() -> dict[str, Callable[[], Figure]]:
    """There are none."""
    return {}


def _readers() -> dict[str, ModuleType]:
    return dict(sorted(all_readers().items()))


def _index() -> str:
    rows = [
        f"| [`{name}`]({FOLDER}/{name}.md) | {parsed(module.__doc__).title} | "
        f"{'files and folders' if getattr(module, 'FOLDERS', False) else 'files'} |"
        for name, module in _readers().items()
    ]
    return "\n\n".join([
        "# The readers", MADE,
        "A reader says of a file or folder how sure it is that this is its format, by what stands "
        "in it; only where that is damaged or empty by its name. The surest one reads it. "
        "`trainlens ls --all PATH` lists every file with its format, or with the reason why it is "
        "no log.",
        "\n".join(["| format | what | recognises |", "|---|---|---|", *rows]),
        *_common(),
    ]) + "\n"  # fmt: skip


def _common() -> Iterator[str]:
    yield "## What holds for all of them"
    yield (
        "- Nothing is written, locked or touched beneath the path of a run.\n"
        "- Every point has a metric, a split, a step, a value, and an epoch and a time where the "
        "log has them, else NaN. NaN and infinities are values.\n"
        "- Reading and watching are the same: each look gives what is new, every record once. A "
        "record that is not finished waits for the next look; at the end it becomes a notice.\n"
        "- What is repaired, skipped or doubted becomes a notice with file, place, reason and the "
        "number of records lost, in every output.\n"
        "- A step that goes back begins another attempt; every point is kept.\n"
        "- A single log may be compressed (gzip, xz, bzip2, zstd with the extra `zstd`), in UTF-8 "
        "or UTF-16, or rotated (`train.log`, `train.log.1`, `train.log.2.gz`)."
    )
    yield "Adding one is one file: [adding.md](adding.md)."


def _page(module: ModuleType) -> str:
    doc = parsed(module.__doc__)
    parts = [f"# {module.FORMAT}", MADE, f"**{doc.title}.**", doc.prose, *_recognised(module)]
    for title in _SECTIONS:
        if title in doc.sections:
            parts += [f"## {title}", doc.sections[title]]
    parts += ["## Example", doc.sections["Examples"], "## Tests", _tests(module)]
    parts.append("All readers: [readers.md](../readers.md)")
    return "\n\n".join(parts) + "\n"


def _recognised(module: ModuleType) -> Iterator[str]:
    yield "## How it is recognised"
    yield parsed(module.__doc__).sections["Recognition"]
    rows = [
        f"| {title} | {told(function.__doc__)} |"
        for name, title in _ASKED.items()
        if (function := getattr(module, name, None)) is not None
    ]
    rows.append(f"| Surest | {getattr(module, 'SUREST', 1)} |")
    rows.append(f"| Rotated parts are one log | {_yes(getattr(module, 'LINES', False))} |")
    rows.append(f"| Kept in the cache | {_yes(hasattr(module, 'inputs'))} |")
    yield "\n".join(["| | |", "|---|---|", *rows])


def _yes(held: bool) -> str:
    return "yes" if held else "no"


def _tests(module: ModuleType) -> str:
    """Files of tests that are named like the reader, and those that go over all readers."""
    name = module.__name__.rpartition(".")[2]
    own = [
        *(_ROOT / "tests" / "readers").glob(f"test_{name}*.py"),
        *(_ROOT / "tests" / "growth" / "formats").glob(f"{name}.py"),
        _ROOT / "tests" / "contracts" / "test_readers.py",
    ]
    paths = sorted(p.relative_to(_ROOT).as_posix() for p in own)
    return "\n".join(f"- [{path}](../../{path})" for path in paths)
