"""Docstrings as Markdown: their title, their prose, and their sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc

__all__ = ["Doc", "parsed", "told"]

_HEAD = re.compile(r"^(?P<title>[A-Z][\w ]*)\n-{3,}$", re.MULTILINE)
_FIELD = re.compile(
    r"^(?P<names>[*\w][*\w, ]*?) : (?P<kind>.+)\n(?P<text>(?:    .*(?:\n|\Z)|\n)+)", re.M
)


@dataclass(frozen=True)
class Doc:
    """A docstring in parts.

    Parameters
    ----------
    title : str
        Its first line, without the full stop.
    prose : str
        What stands before the first section, as Markdown.
    sections : dict of str to str
        Sections by title, as Markdown but for their fields.
    """

    title: str
    prose: str
    sections: dict[str, str]

    def fields(self, section: str) -> Iterator[tuple[str, str, str]]:
        """Name, kind and meaning of each field of a section like ``Parameters``."""
        for found in _FIELD.finditer(self.sections.get(section, "") + "\n"):
            yield found["names"], found["kind"], " ".join(found["text"].split())


def parsed(docstring: str | None) -> Doc:
    """A docstring in parts."""
    text = cleandoc(docstring or "")
    found = list(_HEAD.finditer(text))
    ends = [*(f.start() for f in found), len(text)]
    title, _, prose = text[: ends[0]].partition("\n")
    sections = {
        f["title"]: _fenced(text[f.end() : end].strip("\n"))
        for f, end in zip(found, ends[1:], strict=True)
    }
    return Doc(title.rstrip("."), _fenced(prose.strip()), sections)


def told(docstring: str | None) -> str:
    """Title and prose of a docstring in one paragraph."""
    doc = parsed(docstring)
    return " ".join(f"{doc.title}. {doc.prose}".split())


def _fenced(text: str) -> str:
    """Text with its examples and literal blocks between fences."""
    return "\n\n".join(_paragraph(part) for part in _paragraphs(text))


def _paragraph(part: str) -> str:
    if part.startswith(">>>"):
        return f"```python\n{part}\n```"
    if part.startswith("    "):
        return f"```text\n{cleandoc(part)}\n```"
    return f"{part[:-1]}" if part.endswith("::") else part


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, those that belong to one example or one literal block joined."""
    held: list[str] = []
    for part in filter(None, re.split(r"\n\n+", text)):
        kind = _kind(part)
        if held and kind == "literal" and _kind(held[-1]) == kind:
            held[-1] += f"\n\n{part}"
        else:
            held.append(part)
    yield from held


def _kind(part: str) -> str:
    return "example" if part.startswith(">>>") else "literal" if part.startswith("    ") else ""
