"""Output to terminals that do not know Unicode: our signs in ASCII, nothing that fails."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGNS = {
    "·": "-", "–": "-", "—": "-", "−": "-", "…": "~", "→": ">", "←": "<", "±": "+-", "∞": "inf",
    "×": "x", "σ": "sigma", "≤": "<=", "≥": ">=", "≈": "~", "Δ": "difference ", "²": "^2",
    "\u202f": " ", "\u00a0": " ", "\u2009": " ", "“": '"', "”": '"', "’": "'",
}  # fmt: skip
# A character of every kind that output is made of.
_NEEDED = "·–−…→\u202f⣿"


def fits(stream: TextIO, text: str = _NEEDED) -> bool:
    """Whether a stream can hold a text as it stands."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    except LookupError:
        return True
    return True


def plain(text: str, encoding: str) -> str:
    """The text with every character that an encoding lacks in signs that it has.

    Examples
    --------
    >>> plain("steps 9–12 · 1 ± 2 · ⣿", "ascii")
    'steps 9-12 - 1 +- 2 - ?'
    """
    return "".join(_held(c, encoding) for c in text)


def _held(character: str, encoding: str) -> str:
    if character.isascii():
        return character
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return _SIGNS.get(character, "?")
    return character


class Plain:
    """A text stream whose terminal lacks signs, as a stream that takes any text."""

    # What is asked for it is answered for the text that is given, not for what is written.
    encoding = "utf-8"
    errors = "strict"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.speaks = codecs.lookup(stream.encoding).name

    def write(self, text: str) -> int:
        """Write a text in the signs that there are."""
        self._stream.write(text if text.isascii() else plain(text, self.speaks))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def adapted(stream: Any) -> Any:
    """The stream itself, or one that puts up with what its terminal lacks."""
    return stream if stream is None or fits(stream) else Plain(stream)


def lacking(stream: Any) -> bool:
    """Whether curves have to do without braille there."""
    return isinstance(stream, Plain) and not fits(stream._stream, "⣿")
