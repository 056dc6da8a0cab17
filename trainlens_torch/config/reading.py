"""From nested plain values to settings, and back."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trainlens.errors import UsageError
from trainlens_torch.config import parts, running, updates, watching
from trainlens_torch.config.setting import Section, Spec

__all__ = ["LOGGED", "SECTIONS", "SPECS", "flat", "nearest", "nested", "spec_at"]

SECTIONS: dict[str, type[Section]] = {
    one.title: one
    for module in (updates, parts, running, watching)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, Section) and one is not Section
}
"""Every section by its title, in the order in which they are shown."""

SPECS: dict[str, tuple[Spec, Any]] = {
    f"{title}.{name}": (spec, default)
    for title, section in SECTIONS.items()
    for name, spec, default in section.specs()
}
"""Spec and default of every setting by its dotted name."""

LOGGED: dict[str, str] = {spec.logged: path for path, (spec, _) in SPECS.items() if spec.logged}
"""Settings by the name that they have at the head of a log."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of a name that does not exist.

    Examples
    --------
    >>> nearest("optimiser", ["optimizer", "data"]), nearest("x", ["optimizer", "data"])
    ("did you mean 'optimizer'?", 'there are: optimizer, data')
    """
    listed = list(known)
    close = difflib.get_close_matches(name, listed, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(listed)}"


def spec_at(path: str) -> Spec:
    """The spec of a setting.

    Raises
    ------
    UsageError
        There is none of this name; the nearest one is named.
    """
    if path in SPECS:
        return SPECS[path][0]
    section, _, name = path.partition(".")
    if section in SECTIONS and name:
        own = [one.partition(".")[2] for one in SPECS if one.startswith(f"{section}.")]
        raise UsageError(f"{section} has no setting {name!r}; {nearest(name, own)}")
    raise UsageError(f"there is no setting {path!r}; {_meant(path)}")


def _meant(path: str) -> str:
    section, _, name = path.partition(".")
    same = [one for one in SPECS if one.partition(".")[2] == (name or section)]
    return f"did you mean {same[0]!r}?" if same else nearest(section, SECTIONS)


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name from sections, and from names as they stand at the head of a log.

    Raises
    ------
    UsageError
        An unknown section or setting, a section that is no table, or a setting given twice.
    """
    out: dict[str, Any] = {}
    for path, value in _pairs(document):
        spec_at(path)
        if path in out:
            raise UsageError(f"{path} is given twice; leave one of them out")
        out[path] = value
    return out


def _pairs(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if key in LOGGED:
            yield LOGGED[key], value
        elif key not in SECTIONS:
            if "." in key:
                yield key, value
                continue
            raise UsageError(f"there is no section {key!r}; {_section_meant(str(key))}")
        elif not isinstance(value, Mapping):
            raise UsageError(f"{key} is a section of settings, not {value!r}")
        else:
            yield from ((f"{key}.{name}", one) for name, one in value.items())


def _section_meant(key: str) -> str:
    same = [one for one in SPECS if one.partition(".")[2] == key]
    return f"did you mean {same[0]!r}?" if same else nearest(key, [*SECTIONS, *LOGGED])


def nested(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings by section from dotted names."""
    out: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        section, _, name = path.partition(".")
        out.setdefault(section, {})[name] = value
    return out
