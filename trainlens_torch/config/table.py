"""Configurations for people: a few lines, a table, a table for a page, help of a command."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from trainlens_torch.config.reading import SECTIONS, SPECS
from trainlens_torch.config.setting import Spec, shown

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

__all__ = ["briefly", "described", "helped", "in_markdown", "pictured"]

_HEAD = ("setting", "value", "range", "meaning")


def briefly(config: TrainingConfig) -> str:
    """What differs from the defaults, a section a line."""
    groups: dict[str, list[str]] = {}
    for path, value in config.differences().items():
        section, _, name = path.partition(".")
        groups.setdefault(section, []).append(f"{name}={shown(value)}")
    told = [f"{section}: {', '.join(own)}" for section, own in groups.items()]
    return "\n".join(["TrainingConfig", *(told or ["all settings at their defaults"])])


def described(config: TrainingConfig) -> str:
    """Every setting with its value, range and meaning; ``*`` marks what is no default."""
    rows = [_HEAD, *_rows(config)]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = []
    for path, value, taken, meaning in rows:
        lines.append(f"{path:<{widths[0]}}  {value:<{widths[1]}}  {meaning} ({taken})")
    return "\n".join(lines)


def _rows(config: TrainingConfig) -> list[tuple[str, str, str, str]]:
    changed = config.differences()
    return [
        (path, shown(config[path]) + " *" * (path in changed), spec.range, _meaning(spec))
        for path, (spec, _) in SPECS.items()
    ]


def _meaning(spec: Spec) -> str:
    return f"{spec.help}, in {spec.unit}" if spec.unit else spec.help


def pictured(config: TrainingConfig) -> Any:
    """The same as a table of rich."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEAD, title="TrainingConfig")
    for row in _rows(config):
        style = "bold" if row[1].endswith(" *") else ""
        table.add_row(*(Text(cell, style=style) for cell in row))
    return table


def in_markdown() -> str:
    """Every setting with its default, range and meaning, as tables of a page."""
    blocks = []
    for title, section in SECTIONS.items():
        said = " ".join((section.__doc__ or "").split("\n\n")[0].split())
        lines = [f"### {title}", "", said, "", "| setting | default | takes | meaning |"]
        lines.append("|---|---|---|---|")
        for name, spec, default in section.specs():
            cells = (f"`{name}`", f"`{shown(default)}`", spec.range, _meaning(spec))
            lines.append("| " + " | ".join(cells) + " |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def helped(width: int | None = None) -> str:
    """Every setting with its default, range and meaning, for the help of a command."""
    columns = width or min(shutil.get_terminal_size().columns, 100)
    lines = []
    for path, (spec, default) in SPECS.items():
        lines.append(f"{path} = {shown(default)}")
        said = f"{_meaning(spec)} ({spec.range})"
        lines += textwrap.wrap(said, columns, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
