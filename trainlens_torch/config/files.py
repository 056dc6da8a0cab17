"""Configurations on disk: JSON with comments, YAML, TOML."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from trainlens.errors import NotFound, OutputError, Unreadable, UsageError
from trainlens_torch.config.reading import nested

__all__ = ["Loader", "read", "without_comments", "write"]

_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_ENDS = {".json": "JSON", ".jsonc": "JSON", ".yaml": "YAML", ".yml": "YAML", ".toml": "TOML"}


class Loader(yaml.SafeLoader):
    """Reads ``5e-4`` as the number that it is, and refuses a key that stands there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping without repeated keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        _refuse_repeated(keys)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Plain values of a file, by the end of its name.

    Raises
    ------
    NotFound, Unreadable
        The file cannot be read.
    UsageError
        An end that is not known, or no valid document; one line with the place.
    """
    file = Path(path)
    kind = _kind(file)
    text = _text(file)
    try:
        found = _PARSERS[kind](text)
    except (ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{path}: no valid {kind}: {said}; correct it there") from None
    except RecursionError:
        raise UsageError(f"{path}: no valid {kind}: nested too deeply; correct it there") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UsageError(f"{path}: sections of settings are needed, not {str(found)[:40]!r}")
    return dict(found)


def write(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write settings, given by dotted name, in the form that the end of the name asks for.

    Raises
    ------
    OutputError
        The file cannot be written; what was there stays.
    UsageError
        An end that is not known.
    """
    file = Path(path)
    text = _WRITERS[_kind(file)](values)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        try:
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(file, f"cannot be written: {reason}", "choose another place") from None


def without_comments(text: str) -> str:
    r"""JSON without ``//`` and ``/* */`` and last commas; every line stays where it is.

    Examples
    --------
    >>> without_comments('{"a": 5e-4, // "raised"' + chr(10) + '"b": "http://c",}')
    '{"a": 5e-4,            \n"b": "http://c" }'
    """
    return _LAST_COMMA.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else re.sub(r"[^\n]", " ", found[0])


def _kind(file: Path) -> str:
    if file.suffix.lower() not in _ENDS:
        raise UsageError(
            f"{file}: the form of a configuration is told by its end; name it .json, .yaml or .toml"
        )
    return _ENDS[file.suffix.lower()]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(file, "there is no such file", "check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is no UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unreadable(file, f"cannot be read: {reason}", "check the path") from None


def _json(text: str) -> Any:
    return json.loads(
        without_comments(text), object_pairs_hook=_once, parse_constant=_no_such_number
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated([key for key, _ in pairs])
    return dict(pairs)


def _refuse_repeated(keys: list[Any]) -> None:
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise ValueError(f"{key!r} stands there twice")


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of a configuration")


def _yaml(text: str) -> Any:
    return yaml.load(text, Loader)


def _toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


_PARSERS = {"JSON": _json, "YAML": _yaml, "TOML": _toml}


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(_plain(nested(values)), indent=2, ensure_ascii=False) + "\n"


def _as_yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(nested(values)), sort_keys=False, allow_unicode=True)


def _as_toml(values: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for section, own in nested(values).items():
        lines += ["", f"[{section}]", *(f"{key} = {_in_toml(one)}" for key, one in own.items())]
    return "\n".join(lines[1:]) + "\n"


def _in_toml(value: Any) -> str:
    if value is None:
        return '"none"'  # TOML has no null
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {_in_toml(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_in_toml(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


_WRITERS = {"JSON": _as_json, "YAML": _as_yaml, "TOML": _as_toml}
