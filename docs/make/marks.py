"""What generated pages and parts of pages are marked by."""

from __future__ import annotations

__all__ = ["MADE", "between"]

MADE = "<!-- made by `python -m docs.make`: change the code, not this page -->"


def between(page: str, name: str, text: str) -> str:
    """A page with a text between the marks of this name.

    Raises
    ------
    ValueError
        The page has no such marks.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, also, after = rest.partition(end)
    if not (found and also):
        raise ValueError(f"no '{begin}' with '{end}' behind it; add both where the text belongs")
    return f"{before}{begin}\n{text}\n{end}{after}"
