"""Writers of every format: a module each, with ``FORMAT`` and ``writers() -> dict``.

The dictionary has a `Kind` by name: most formats are written in several ways.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def all_formats() -> dict[str, ModuleType]:
    """Modules of this folder by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_")
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
