"""The table of the kinds of planned schedules on the page of the log's format."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.make.docstrings import parsed
from docs.make.marks import between
from trainlens.stats.formulas import KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "log-schema.md"


def pages() -> dict[str, str]:
    """The page of the log's format with its table of kinds."""
    held = (Path(__file__).resolve().parents[1] / PAGE).read_text(encoding="utf-8")
    return {PAGE: between(held, "kinds", _table())}


def pictures() -> dict[str, Callable[[], Figure]]:
    """There are none."""
    return {}


def _table() -> str:
    rows = [
        f"| [`{kind}`](schedules/{kind}.md) | {_keys(formula)} | {parsed(formula.__doc__).title} |"
        for kind, formula in KINDS.items()
    ]
    rows.append("| [`chain`](schedules/chain.md) | `parts` | Plans one behind the other |")
    return "\n".join(["| kind | keys (defaults) | formula |", "|---|---|---|", *rows])


def _keys(formula: Callable[..., Any]) -> str:
    held = [p for p in inspect.signature(formula).parameters.values() if p.name != "p"]
    return ", ".join(f"`{p.name}`{_default(p.default)}" for p in held)


def _default(value: Any) -> str:
    return "" if value is inspect.Parameter.empty or value is None else f" ({value})"
