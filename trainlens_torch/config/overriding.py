"""Settings from a command line: ``section.name=value``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from trainlens.errors import UsageError
from trainlens_torch.config.files import Loader
from trainlens_torch.config.reading import SPECS, spec_at

__all__ = ["assigned"]

_MAPPINGS = ("ratios", "stages")


def assigned(texts: Iterable[str]) -> dict[str, Any]:
    """Settings by dotted name; of one that is given twice the last value counts.

    A value is written as in YAML: ``3e-4``, ``true``, ``none``, ``10ep``, ``[jsonl, text]``,
    ``{head: 0.5}``. A single component of a mapping has its name behind a dot:
    ``groups.ratios.head=0.5``.

    Raises
    ------
    UsageError
        No ``=``, an unknown name, or a value that cannot be read.

    Examples
    --------
    >>> assigned(["optimizer.lr=3e-4", "schedule.warmup=10ep", "groups.ratios.head=0.5"])
    {'optimizer.lr': 0.0003, 'schedule.warmup': '10ep', 'groups.ratios': {'head': 0.5}}
    """
    out: dict[str, Any] = {}
    for text in texts:
        path, equals, written = text.partition("=")
        path = path.strip()
        if not equals:
            raise UsageError(f"{text!r} sets nothing; write section.name=value")
        value = _value(written, path)
        whole, component = _parted(path)
        if component:
            held = out.get(whole)
            out[whole] = {**(held if isinstance(held, dict) else {}), component: value}
        else:
            spec_at(path)
            out[path] = value
    return out


def _parted(path: str) -> tuple[str, str]:
    """A mapping and one of its components; the path and nothing where it names no component."""
    section, _, rest = path.partition(".")
    name, _, component = rest.partition(".")
    whole = f"{section}.{name}"
    if component and whole in SPECS and SPECS[whole][0].kind in _MAPPINGS:
        return whole, component
    return path, ""


def _value(written: str, path: str) -> Any:
    try:
        return yaml.load(written, Loader)
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{path}={written}: cannot be read: {said}") from None
