"""Text from logs made safe to look at: nothing in it is invisible or turns its neighbours."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# C0 and C1 controls but newline and tab, marks and overrides of direction, line separators,
# zero-width characters that hide differences, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with each hidden character as its code.

    Examples
    --------
    >>> visible("a" + chr(0x202E) + "b")
    'a[U+202E]b'
    """
    return _HIDDEN.sub(lambda hit: f"[U+{ord(hit.group()):04X}]", text)


def plain(value: Any) -> Any:
    """A tree of JSON values with visible strings and without non-finite numbers."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
