"""Settings in YAML files beside a log: hparams.yaml, config.yaml, opt.yaml, meta.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlens.chunk import Notice

LARGEST = 1 << 20
"""Bytes of a file of settings that are looked at."""

_DEEPEST = 100
"""Levels of nesting; the compiled loader does not guard its stack."""

_MOST = 10_000
"""Values of one file; aliases could make a small file stand for endless ones."""


def read_yaml(path: Path) -> tuple[dict[str, Any], Notice | None]:
    """The mapping in a YAML file, made of plain values only.

    Tags of other programs (``!!python/object``) are read as the plain value behind them; nothing
    of the file is ever run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    settings : dict
        Empty where the file is absent or holds no mapping.
    notice : Notice or None
        Why the settings could not be read, where that is so.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, Notice("unreadable", path.name, f"cannot be read: {error.strerror}", None)
    if len(data) > LARGEST:
        return {}, Notice("skipped", path.name, "settings of more than 1 MiB, passed over", None)
    return parse_yaml(data, path.name)


def parse_yaml(data: bytes, name: str) -> tuple[dict[str, Any], Notice | None]:
    """The mapping in YAML text; see `read_yaml`.

    Parameters
    ----------
    data : bytes
    name : str
        File name for the notice.
    """
    import yaml

    if data.count(b"*") and data.count(b"&") > 100:
        return {}, Notice("skipped", name, "settings with too many aliases, passed over", None)
    try:
        if excess := _excess(data):
            return {}, Notice("skipped", name, f"settings {excess}, passed over", None)
        found = _loader()(data).get_single_data()
        return (_plain(found, [_MOST]), None) if isinstance(found, dict) else ({}, None)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        return {}, Notice("corrupt", name, "no valid YAML; settings not read", None)


def _excess(data: bytes) -> str:
    """Why settings are not composed: it could overflow the stack, or take minutes; else empty."""
    import yaml

    depth = 0
    events = yaml.parse(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for count, event in enumerate(events):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            return "nested too deeply"
        if count > 4 * _MOST:
            return "of too many values"
    return ""


def _loader() -> Any:
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]  # the compiled loader where there is one
        pass

    def plain(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node)
        return loader.construct_mapping(node)

    Loader.add_multi_constructor("", plain)
    return Loader


def _plain(value: Any, left: list[int]) -> Any:
    """Plain copies of mappings and lists, of at most `left[0]` values in all."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("too many values")
    if isinstance(value, dict):
        return {str(k): _plain(v, left) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(v, left) for v in value]
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)
