"""How AIM writes keys, values and context numbers; decoded without importing AIM (1.8 s).

A key is a path: each part followed by the byte 0xFE; a text part is UTF-8, a number is 0xFE and
eight bytes, big-endian. A value is a type byte and its content, little-endian. A context is
stored under the hash of its content. Source of the layout: ``aim/storage/encoding`` and
``aim/storage/hashing`` of AIM 3.29 (the same since 3.0).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any

END = b"\xfe"
PAST = b"\xff"
"""A key part can never begin with this byte: ``prefix + PAST`` lies behind everything beneath."""

NONE, BOOL, INT, FLOAT, STRING, BYTES, ARRAY, OBJECT, CUSTOM = 0, 1, 2, 3, 4, 5, 6, 7, 15
DEEPEST = 64

_OBJECT_SALT = struct.pack("<q", -2435585119574290752)
_ARRAY_SALT = struct.pack("<q", 2965039128708897743)
_STRING_SALT = struct.pack("<q", 7540324813251503183)


class _List(dict[Any, Any]):
    """Elements of an array by index, until the whole tree is there."""


def encode_path(*parts: str | int) -> bytes:
    r"""Key of a path; also the prefix of everything beneath it.

    Examples
    --------
    >>> encode_path("a", 1)
    b'a\xfe\xfe\x00\x00\x00\x00\x00\x00\x00\x01\xfe'
    """
    return b"".join(
        (END + struct.pack(">q", part) if isinstance(part, int) else part.encode()) + END
        for part in parts
    )


def decode_path(key: bytes) -> list[str | int] | None:
    """Parts of a key, None where it is no path."""
    parts: list[str | int] = []
    at, size = 0, len(key)
    while at < size:
        if key[at] == 0xFE:
            if at + 10 > size or key[at + 9] != 0xFE:
                return None
            parts.append(int(struct.unpack_from(">q", key, at + 1)[0]))
            at += 10
        else:
            stop = key.find(END, at)
            if stop < 0:
                return None
            parts.append(key[at:stop].decode("utf-8", "replace"))
            at = stop + 1
    return parts


def decode_value(raw: bytes) -> Any:
    """A single value; None for an empty, unknown or broken one.

    Flags come back as containers: an array as an empty list, an object as an empty dict. Bytes
    come back as a note of their size: configurations are printed and written as JSON.
    """
    kind, content = raw[:1], raw[1:]
    if kind == b"\x04":
        return content.decode("utf-8", "replace")
    if kind == b"\x03" and len(content) == 8:
        return struct.unpack("<d", content)[0]
    if kind == b"\x02" and len(content) == 8:
        return struct.unpack("<q", content)[0]
    if kind == b"\x01" and content:
        return content != b"\x00"
    if kind == b"\x05":
        return f"<{len(content)} bytes>"
    if kind == b"\x06":
        return []
    return {} if kind in (b"\x07", b"\x0f") else None


def decode_tree(pairs: Iterable[tuple[bytes, bytes]], prefix: bytes = b"") -> dict[Any, Any]:
    """Nested dicts and lists from the pairs beneath a prefix.

    Parameters
    ----------
    pairs : iterable of (key, value)
        In key order; what lies outside `prefix` is left out.
    prefix : bytes
        Key of the root.

    Returns
    -------
    dict, with int keys where the log has numbers
    """
    root: dict[Any, Any] = {}
    for key, raw in pairs:
        path = decode_path(key[len(prefix) :]) if key.startswith(prefix) else None
        if path:
            _plant(root, path, decode_value(raw))
    return {name: _ripen(node) for name, node in root.items()}


def _plant(root: dict[Any, Any], path: list[str | int], value: Any) -> None:
    if len(path) > DEEPEST:
        # No real configuration is this deep: keep the text, not the depth.
        path = [*path[: DEEPEST - 1], "/".join(map(str, path[DEEPEST - 1 :]))]
    node = root
    for part in path[:-1]:
        below = node.get(part)
        if not isinstance(below, dict):
            below = node[part] = {}
        node = below
    last = path[-1]
    if value == [] or value == {}:
        held = node.get(last)
        fresh: dict[Any, Any] = _List() if value == [] else {}
        node[last] = held if isinstance(held, dict) else fresh
    else:
        node[last] = value


def _ripen(node: Any) -> Any:
    if isinstance(node, _List):
        return [_ripen(node[index]) for index in sorted(node, key=str if _mixed(node) else None)]
    if isinstance(node, dict):
        return {name: _ripen(child) for name, child in node.items()}
    return node


def _mixed(node: Mapping[Any, Any]) -> bool:
    return not all(isinstance(index, int) for index in node)


def context_number(context: Mapping[str, str]) -> int:
    """The number under which AIM stores a context of texts.

    Parameters
    ----------
    context : mapping of str to str
        At most one entry (more would need AIM's order of keys).

    Raises
    ------
    ValueError
        For more than one entry.
    """
    if len(context) > 1:
        raise ValueError("the number of a context of several entries is not computed")
    items = [_digest(_ARRAY_SALT, _text(k) + _text(v)) for k, v in context.items()]
    return int(struct.unpack("<q", _digest(_OBJECT_SALT, b"".join(items)))[0])


def _text(value: str) -> bytes:
    return _digest(_STRING_SALT, value.encode())


def _digest(salt: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8, salt=salt).digest()
