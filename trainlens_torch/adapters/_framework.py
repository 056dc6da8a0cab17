"""Importing the framework that an adapter is made for."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import cast

from trainlens.errors import UsageError
from trainlens_torch.record._quiet import quiet_import

__all__ = ["framework"]


def framework(what: str, package: str, *modules: str) -> ModuleType:
    """The first of some modules that is there; one that the program has imported comes first.

    Parameters
    ----------
    what : str
        What needs it.
    package : str
        What pip installs.
    *modules : str

    Raises
    ------
    UsageError
        None of them is installed; says how to install it.
    """
    for name in sorted(modules, key=lambda name: name not in sys.modules):
        if name in sys.modules or find_spec(name.partition(".")[0]) is not None:
            return cast(ModuleType, quiet_import(name))
    raise UsageError(f"{what} needs {modules[0]}: pip install {package}")
