"""What a run says about its own configuration: hyperparameters and texts in event files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainlens.readers._tfevents.event import (
    ODD_HPARAMS,
    SESSION_START,
    Metadata,
    Odd,
    float64_at,
)
from trainlens.readers._tfevents.wire import (
    BYTES,
    FIXED64,
    VARINT,
    Malformed,
    fields,
)

LONGEST = 1 << 20
"""Bytes of a text beyond which it is no setting."""
_DEPTH = 32


class Settings:
    """Gathers the configuration of a run from its odd values.

    A text that is logged again at another step is output of the training (a sample, a note), not
    a setting: only the step at which a tag first appeared counts.
    """

    def __init__(self) -> None:
        self._step: dict[str, int] = {}

    def read(self, data: bytearray, odds: list[Odd]) -> dict[str, Any]:
        """The settings in odd values of one window.

        Parameters
        ----------
        data : bytearray
            The window that was fed to the decoder.
        odds : list
            What its `feed` returned.

        Returns
        -------
        dict
            Hyperparameters by their names; texts by their tag without ``/text_summary``.
        """
        found: dict[str, Any] = {}
        for kind, step, _, begin, end in odds:
            if kind == ODD_HPARAMS:
                found.update(_hparams(data, begin, end))
                continue
            tag, text = _text(data, begin, end)
            if text is not None and self._step.setdefault(tag, step) == step:
                found[tag] = _setting(text)
        return found


def _decode(raw: bytes | bytearray) -> str:
    return raw.decode("utf-8", "replace")


def _text(data: bytearray, begin: int, end: int) -> tuple[str, str | None]:
    tag, texts = b"", []
    for f in fields(data, begin, end):
        if f.number == 1 and f.wire == BYTES:
            tag = bytes(data[f.begin : f.end])
        elif f.number == 8 and f.wire == BYTES:
            for g in fields(data, f.begin, f.end):
                if g.number == 8 and g.wire == BYTES:
                    texts.append((g.begin, g.end))
    name = _decode(tag).removesuffix("/text_summary")
    if not texts:
        return name, None
    size = sum(b - a for a, b in texts)
    if size > LONGEST:
        return name, f"(a text of {size} bytes, left out)"
    return name, "\n".join(_decode(data[a:b]) for a, b in texts)


def _setting(text: str) -> Any:
    """A JSON object or a markdown table of names and values as a dict, anything else as it is."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return text
    table = _table(stripped)
    return table or text


def _table(text: str) -> Mapping[str, Any]:
    rows = [_cells(line) for line in text.splitlines() if line.strip()]
    ruled = len(rows) > 2 and all(set(cell) <= set("-: ") and "-" in cell for cell in rows[1])
    if not ruled or any(len(row) != 2 for row in rows):
        return {}
    return {name: _number(value) for name, value in rows[2:]}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False, "None": None}.get(text, text)


def _hparams(data: bytearray, begin: int, end: int) -> dict[str, Any]:
    """Hyperparameters of a ``_hparams_/session_start_info`` value, {} where it is malformed."""
    meta, tag = Metadata(), b""
    for f in fields(data, begin, end):
        if f.number == 1 and f.wire == BYTES:
            tag = bytes(data[f.begin : f.end])
        elif f.number == 9 and f.wire == BYTES:
            meta.merge(data, f.begin, f.end)
    found: dict[str, Any] = {}
    if tag != SESSION_START:
        return found
    content = meta.content
    try:
        for session in fields(content, 0, len(content)):
            if session.number != 3 or session.wire != BYTES:
                continue
            for f in fields(content, session.begin, session.end):
                if f.number == 1 and f.wire == BYTES:
                    name, value = _entry(content, f.begin, f.end, 0)
                    found[name] = value
    except Malformed:
        pass  # the checksum held, so this is what was written: keep what is legible
    return found


def _entry(data: bytes, begin: int, end: int, depth: int) -> tuple[str, Any]:
    """One entry of a map from names to google.protobuf.Value."""
    name, value = "", None
    for f in fields(data, begin, end):
        if f.number == 1 and f.wire == BYTES:
            name = _decode(data[f.begin : f.end])
        elif f.number == 2 and f.wire == BYTES:
            value = _value(data, f.begin, f.end, depth)
    return name, value


def _value(data: bytes, begin: int, end: int, depth: int) -> Any:
    if depth > _DEPTH:
        raise Malformed
    value: Any = None
    for f in fields(data, begin, end):
        if f.number == 2 and f.wire == FIXED64:
            number = float64_at(data, f.begin)[0]
            value = int(number) if number.is_integer() and abs(number) < 1 << 53 else number
        elif f.number == 3 and f.wire == BYTES:
            value = _decode(data[f.begin : f.end])
        elif f.number == 4 and f.wire == VARINT:
            value = bool(f.value)
        elif f.number == 5 and f.wire == BYTES:
            inner = [g for g in fields(data, f.begin, f.end) if g.number == 1 and g.wire == BYTES]
            value = dict(_entry(data, g.begin, g.end, depth + 1) for g in inner)
        elif f.number == 6 and f.wire == BYTES:
            inner = [g for g in fields(data, f.begin, f.end) if g.number == 1 and g.wire == BYTES]
            value = [_value(data, g.begin, g.end, depth + 1) for g in inner]
    return value
