"""Records printed by Python itself: ``{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 0.01}``."""

from __future__ import annotations

import ast
import re
from typing import Any

_LONGEST = 1 << 16
_WORD = re.compile(rb"([:\[,]\s*)(True|False|None|[+-]?nan|[+-]?inf)(?=\s*[,}\]])")
_AS_JSON = {b"True": b"true", b"False": b"false", b"None": b"null"}
# Numbers as numpy 2 and torch print them.
_CALL = re.compile(rb"(?:np|numpy)\.\w+\(([^()]*)\)|tensor\(([^(),]*)(?:,[^()]*)?\)")


def is_python(data: bytes) -> bool:
    """Whether bytes begin like a dictionary that Python printed."""
    return data[:1] == b"{" and data[1:20].lstrip()[:1] == b"'"


def as_json(data: bytes) -> bytes | None:
    """JSON of the same meaning; None where quotes within texts make that unsure."""
    if b"(" in data:
        data = _CALL.sub(lambda m: m[1] if m[1] is not None else m[2], data)
    if b'"' in data or b"\\" in data:
        return None
    return _WORD.sub(_word, data.replace(b"'", b'"'))


def _word(found: re.Match[bytes]) -> bytes:
    lead, word = found.groups()
    return lead + _AS_JSON.get(word, b'"' + word + b'"')


def parse_python(line: bytes) -> dict[str, Any] | None:
    """The dictionary of a line with texts of any quotes, None where it holds none."""
    if len(line) > _LONGEST:
        return None
    text = _CALL.sub(lambda m: m[1] if m[1] is not None else m[2], line)
    # Not a number has no literal; as a text it is read as one later.
    text = re.sub(rb"([:\[,]\s*)([+-]?(?:nan|inf))(?=\s*[,}\]])", rb"\1'\2'", text)
    try:
        value = ast.literal_eval(text.decode("utf-8", "replace").strip(" \t\r\n\0"))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not isinstance(value, dict):
        return None
    return {str(key): item for key, item in value.items()}
