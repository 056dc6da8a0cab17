"""Which part of trainlens imports which, read off the import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ["COMPANION", "layers", "needed", "parts", "title", "uses"]

ROOT = Path(__file__).resolve().parents[2]
COMPANION = "trainlens_torch"
_HOME = "trainlens"
_HELD = "tests/test_layers.py"
Uses = Mapping[str, frozenset[str]]


@cache
def layers() -> tuple[tuple[str, ...], ...]:
    """The layers from the lowest one, as the test holds that checks them."""
    for node in ast.parse((ROOT / _HELD).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return tuple(tuple(sorted(names)) for names in ast.literal_eval(node.value))
    raise ValueError(f"{_HELD}: no LAYERS")


def parts() -> list[str]:
    """Every part, those of the lowest layer first."""
    return [part for names in layers() for part in names]


@cache
def uses() -> Uses:
    """What each part of trainlens, and the companion, imports of trainlens."""
    found = {part: frozenset(_of(part) & set(parts()) - {part}) for part in parts()}
    return {**found, COMPANION: frozenset(_imported(ROOT / COMPANION) & set(parts()))}


def needed(found: Uses) -> dict[str, frozenset[str]]:
    """The same without what follows from the rest: what a part imports through another one."""
    return {
        part: frozenset(
            other for other in used
            if not any(other in _reach(found, between) for between in used - {other})
        )
        for part, used in found.items()
    }  # fmt: skip


def title(part: str) -> str:
    """First line of the docstring of a part."""
    path = _path(part)
    path = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def _reach(found: Uses, part: str) -> set[str]:
    seen: set[str] = set()
    open_ = [part]
    while open_:
        new = found[open_.pop()] - seen
        seen |= new
        open_ += new
    return seen


def _of(part: str) -> set[str]:
    return _imported(_path(part))


def _path(part: str) -> Path:
    folder = ROOT / _HOME / part
    return folder if folder.is_dir() else folder.with_suffix(".py")


def _imported(path: Path) -> set[str]:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return {name for file in files for name in _names(file)}


def _names(file: Path) -> Iterator[str]:
    """The parts that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (n.split(".")[1] for n in dotted if n.startswith(f"{_HOME}."))
