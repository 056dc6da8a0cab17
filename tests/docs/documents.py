"""The pages of the documentation, and what stands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name(path):
    """A page as it is called in tests."""
    return path.relative_to(DOCS).as_posix()


def blocks(path, language="python"):
    """The blocks of a language on a page."""
    return [code for of, code in _FENCE.findall(path.read_text("utf-8")) if of == language]


def links(path):
    """The targets of links and pictures on a page that lie in the repository."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", path.read_text("utf-8")))
    return [t for t in _LINK.findall(text) if not re.match(r"[a-z]+:", t)]


def anchors(path):
    """The anchors of the headings of a page, as GitHub makes them."""
    text = _FENCE.sub("", path.read_text("utf-8"))
    heads = re.findall(r"^#{1,6} (.+)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    return set(plain)
