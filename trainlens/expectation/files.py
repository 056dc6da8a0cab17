"""Expectations in a file: TOML that a person wrote, or JSON such as a patch."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from trainlens.errors import NotFound, Unreadable, UsageError
from trainlens.expectation.grammar import Malformed, parse
from trainlens.expectation.statement import Expectation
from trainlens.words import nearest

__all__ = ["load"]

_KEYS = ("expect", "schema", "title")
_LARGEST = 4 << 20


def load(path: str | os.PathLike[str]) -> tuple[Expectation, ...]:
    """Read the expectations in a file.

    Parameters
    ----------
    path : path-like
        Where its name ends with ``.json``, JSON: ``trainlens.patch/1``, or an array; else TOML.
        Under ``expect`` stand statements (see `parse`) or tables (see `Expectation.mapping`), in
        an array, or in several of them under headings.

    Raises
    ------
    NotFound, Unreadable
    UsageError
        No expectation in it, or one that is none: one line with file, line and column.
    """
    text = _text(Path(path))
    source = _Source(str(path), text)
    document = source.json() if str(path).lower().endswith(".json") else source.toml()
    held = tuple(source.expectations(document))
    if not held:
        raise UsageError(f'{path}: no expectation in it; write expect = ["val/loss < 1"]')
    return held


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(path, "there is no such file", "check the path") from None
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error), "check the path") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: more than 4 MiB; a file of expectations is smaller")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: no UTF-8 text; save the file as UTF-8") from None


class _Source:
    """The text of a file, in which the place of a mistake is looked for."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self._read: list[Any] = []

    def toml(self) -> Any:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            return tomllib.loads(self.text.replace("\r\n", "\n"))
        except tomllib.TOMLDecodeError as error:
            said = " ".join(str(error).split())
            at = re.search(r" ?\(at line (\d+), column (\d+)\)", said)
            if at is None:
                end = self.text.rstrip("\n").count("\n") + 1
                self._fail(re.sub(r" ?\(at end of document\)", "", said), f":{end}")
            self._fail(said.replace(at.group(), ""), f":{at.group(1)}:{at.group(2)}")
        except RecursionError:
            self._fail("nested too deeply", "")

    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            self._fail(error.msg, f":{error.lineno}:{error.colno}")
        except (RecursionError, ValueError):
            self._fail("nested too deeply, or a number is too long", "")

    def _fail(self, problem: str, place: str) -> NoReturn:
        problem = problem[:1].lower() + problem[1:]
        raise UsageError(f"{self.path}{place}: {problem}; correct it there")

    def expectations(self, document: Any) -> Iterator[Expectation]:
        """Every expectation of a document, in its order."""
        if isinstance(document, Mapping):
            patch = str(document.get("schema", "")).startswith("trainlens.patch/")
            if not patch:
                self._known(document)
            document = document.get("expect", [])
            if patch:  # beside those of a file with headings, they are told apart
                yield from self._several(document, "what was prescribed")
                return
        yield from self._several(document, "")

    def _known(self, document: Mapping[str, Any]) -> None:
        for key in document:
            if key not in _KEYS:
                found = self._key(key)
                place = self._at(found.start()) if found else ""
                self._fail(f"there is no {key!r}; {nearest(key, _KEYS)}", place)

    def _several(self, held: Any, label: str) -> Iterator[Expectation]:
        if isinstance(held, Mapping) and "metric" not in held and not label:
            for heading, some in held.items():
                yield from self._several(some, str(heading))
            return
        for one in held if isinstance(held, list) else [held]:
            made = self._one(one)
            yield made if made.label else replace(made, label=label)

    def _one(self, given: Any) -> Expectation:
        self._read.append(given)
        try:
            if isinstance(given, str):
                return parse(given)
            if isinstance(given, Mapping):
                return Expectation.of(given)
        except Malformed as error:
            self._fail(f"{error.problem} in {given!r}", self._here(error.column))
        except ValueError as error:
            self._fail(str(error), self._here())
        self._fail(f"{given!r} is neither a statement nor a table", "")

    # --- where a mistake stands -----------------------------------------------------------

    def _here(self, column: int = 1) -> str:
        """Place of what was read last: all before it is looked for again, in its order."""
        at = begin = 0
        for one in self._read:
            begin, at = self._span(one, at)
        return self._at(begin + column - 1) if begin >= 0 else ""

    def _span(self, given: Any, at: int) -> tuple[int, int]:
        """Where a statement or a table begins from a place on, -1 if not found, and ends."""
        if isinstance(given, str):
            # With escapes in it, it does not stand there as it was read.
            begin = self.text.find(given, at) if given else -1
            return begin, (begin + len(given) if begin >= 0 else at)
        found = [f for key in given if (f := self._key(str(key), at))]
        if not found:
            return -1, at
        return min(f.start() for f in found), max(f.end() for f in found)

    def _key(self, key: str, at: int = 0) -> re.Match[str] | None:
        pattern = rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*[=:]"
        return re.compile(pattern).search(self.text, at)

    def _at(self, place: int) -> str:
        line = self.text.count("\n", 0, place) + 1
        return f":{line}:{place - self.text.rfind(chr(10), 0, place)}"
