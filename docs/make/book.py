"""All chapters together: what they hold, written down or compared with what is there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens.plots import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["HOME", "check", "pages", "pictures", "write"]

HOME = Path(__file__).resolve().parents[1]
CHAPTERS = ("rules", "readers", "schedules", "layers", "kinds")
FOLDERS = ("rules", "readers", "schedules")
"""Folders in which nothing lies but what is made."""


@cache
def pages() -> Mapping[str, str]:
    """The text of every page by its path beneath `HOME`."""
    return {path: text for chapter in _chapters() for path, text in chapter.pages().items()}


@cache
def pictures() -> Mapping[str, Callable[[], Figure]]:
    """What draws every picture, by its path beneath `HOME`."""
    return {path: draw for chapter in _chapters() for path, draw in chapter.pictures().items()}


def write(home: Path = HOME) -> int:
    """Write every page and picture, remove what none of them is any more; how many there are."""
    texts, drawn = pages(), pictures()
    for path, text in texts.items():
        _put(home / path, text.encode())
    for path, draw in drawn.items():
        _put(home / path, figure_bytes(draw()))
    for path in _stray({*texts, *drawn}, home):
        (home / path).unlink()
    return len(texts) + len(drawn)


def check(home: Path = HOME) -> list[str]:
    """What is not as the code says, a line each; pictures only have to be there.

    Parameters
    ----------
    home : Path
        The folder of the documentation.
    """
    texts, drawn = pages(), pictures()
    found = [
        f"docs/{path}: {problem}"
        for path, text in texts.items()
        if (problem := _problem(home / path, text))
    ]
    found += [f"docs/{path}: missing" for path in drawn if not (home / path).is_file()]
    return found + [f"docs/{path}: nothing makes it" for path in _stray({*texts, *drawn}, home)]


def without_figures(text: str) -> str:
    """A page but for precision and recall, which a command of its own measures anew."""
    text = re.sub(r"(^\| \[`.*?\| \w+ \|) [\d.–]+ \| [\d.–]+ \|", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"^- Measured: .*$", "- Measured", text, flags=re.MULTILINE)


def _chapters() -> list[_Chapter]:
    return [importlib.import_module(f"docs.make.{name}") for name in CHAPTERS]  # type: ignore[misc]


def _problem(path: Path, text: str) -> str:
    if not path.is_file():
        return "missing"
    held = path.read_text(encoding="utf-8")
    return "" if without_figures(held) == without_figures(text) else _first(held, text)


def _first(held: str, text: str) -> str:
    """The first line that differs."""
    old, new = without_figures(held).splitlines(), without_figures(text).splitlines()
    pairs = enumerate(zip([*old, "(end)"], [*new, "(end)"], strict=False), 1)
    line, (there, said) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
    return f"line {line} is {there[:60]!r}, the code says {said[:60]!r}"


def _stray(known: set[str], home: Path) -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and (name := path.relative_to(home).as_posix()) not in known:
                yield name


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class _Chapter:
    """What each module of `CHAPTERS` has."""

    pages: Callable[[], Mapping[str, str]]
    pictures: Callable[[], Mapping[str, Callable[[], Figure]]]
