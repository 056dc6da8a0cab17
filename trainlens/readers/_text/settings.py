"""Settings that a log shows before its first record."""

from __future__ import annotations

import ast
import re
import warnings
from itertools import islice
from typing import Any

from trainlens.readers._text.pairs import is_telling
from trainlens.readers._values import number
from trainlens.roles import parse_name, role_of

_MOST = 500
_PREFIX = re.compile(
    r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?(?:[:|, -]{0,4}"
    r"(?:\[?(?:INFO|DEBUG|root|__main__|mmengine)\]?)){0,3}[:|, -]{0,4}"
)
_SETTING = re.compile(r"([A-Za-z_][\w.-]{0,60})\s{0,40}(:\s{1,40}|=\s{0,40})(\S(?:.{0,200}\S)?)")
_DOTTED = re.compile(r"\s{0,8}([A-Za-z_]\w{0,60}) \.{3,80} (\S{1,200})")
_NAMESPACE = re.compile(r"Namespace\((.{1,16000})\)")
_WORD = re.compile(r"[\w./@+-]{1,80}")
_NO_SETTING = re.compile(
    r"^(info|warning|error|debug|note|usage|epochs?|steps?|iter(ation)?s?|eta|time|elapsed|total"
    r"|traceback|device|file|https?|.*error|.*exception|.*warning)$",
    re.IGNORECASE,
)
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None}
_PLAIN = (str, int, float, bool, type(None))


class Settings:
    """Collects settings until the first record comes."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._nested = 0
        self.closed = False

    def feed(self, text: str) -> None:
        """Take a line that is no record."""
        if len(self.found) >= _MOST or len(text) > 20_000:
            return
        if "Namespace(" in text and (found := _NAMESPACE.search(text)):
            self.found.update(_keywords(found.group(1)))
            return
        if prefix := _PREFIX.match(text):
            text, self._nested = text[prefix.end() :], 0
        if found := _DOTTED.fullmatch(text.rstrip()):
            self.found.setdefault(found.group(1), _plain(found.group(2)))
            return
        nested, self._nested = self._nested, max(0, self._nested + _brackets(text))
        if nested or self._nested:
            return
        found = _SETTING.fullmatch(text.rstrip())
        if not found or _NO_SETTING.match(found.group(1)):
            return
        name, value = found.group(1), _plain(found.group(3))
        result = role_of(parse_name(name)[0]).name in ("loss", "metric")
        if value is not Ellipsis and not (result and is_telling(name)):
            self.found.setdefault(name, value)


def _brackets(text: str) -> int:
    return sum(map(text.count, "([{")) - sum(map(text.count, ")]}"))


def _plain(text: str) -> Any:
    """A scalar; Ellipsis for anything else."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return text[1:-1]
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    value = None if text.endswith("%") else number(text)
    if value is not None:
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else value
    return text if _WORD.fullmatch(text) else ...


def _keywords(text: str) -> dict[str, Any]:
    """The keywords of ``a=1, b='x', c=[1, 2]``; those that are no plain values are left out."""
    found: dict[str, Any] = {}
    for part in _split(text):
        name, equals, written = part.strip().partition("=")
        if not equals or not name.isidentifier() or len(written) > 1000:
            continue
        try:
            with warnings.catch_warnings():
                # Odd escapes in a path are none of our business.
                warnings.simplefilter("ignore")
                value = ast.literal_eval(written)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, _PLAIN):
            found[name] = value
        elif isinstance(value, (list, tuple)):
            found[name] = [v for v in value if isinstance(v, _PLAIN)]
    return dict(islice(found.items(), _MOST))


def _split(text: str) -> list[str]:
    """Parts between commas that stand in no brackets and no quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and depth <= 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]
