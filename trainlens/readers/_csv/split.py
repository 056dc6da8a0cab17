"""Lines to cells: separators, quotes, and lines that are no rows."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

SEPARATORS = (",", "\t", ";", "|")

_MARKER = re.compile(r"(<{7}|={7}|>{7}|\|{7})( .*)?")
_SEP = re.compile(r"sep=(.)", re.IGNORECASE)


def cells_of(text: str, sep: str) -> list[str] | None:
    """The cells of a row; None where its quotes do not fit together."""
    if '"' not in text:
        return text.split(sep)
    try:
        rows = list(csv.reader([text], delimiter=sep, strict=True, skipinitialspace=sep != "\t"))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def separator_of(header: str) -> str:
    """The separator of a header: the one that makes most cells of it."""
    counts = [len(cells_of(header, sep) or ()) for sep in SEPARATORS]
    return SEPARATORS[counts.index(max(counts))]


def named_separator(text: str) -> str | None:
    """The separator in the line ``sep=;`` that Excel writes first."""
    found = _SEP.fullmatch(text.strip("\ufeff \r"))
    return found.group(1) if found and found.group(1) in SEPARATORS else None


def is_marker(text: str) -> bool:
    """Whether a line is a conflict marker of git."""
    return bool(_MARKER.fullmatch(text))


def is_open(text: str) -> bool:
    """Whether a line ends inside quotes."""
    return text.count('"') % 2 == 1


def is_closed(text: str) -> bool:
    """Whether the last cell of a line is complete even though the line has no end."""
    return text.rstrip().endswith('"') and not is_open(text)


def text_of(line: bytes) -> str:
    """A header as text: UTF-8, or Latin-1 where that alone makes letters of its bytes."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")
        letters = all(ch.isascii() or ch.isalpha() for ch in text)
        return text if letters else line.decode("utf-8", "replace")


def settings_in(text: str) -> dict[str, Any]:
    """The settings in a comment that is a JSON object, as monitor files begin with."""
    if not text.startswith("{") or len(text) >= 1 << 16:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
