"""Small logs of every format: a module each, with ``write(folder, rng) -> Log``.

A module may raise `pytest.skip` where what writes its logs is not installed. It may also have
``hostile(rng) -> dict`` of file names to bytes: attacks that only this format invites.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def all_formats() -> dict[str, ModuleType]:
    """Modules of this folder by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_")
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
