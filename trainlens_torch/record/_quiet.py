"""Other libraries without their warnings of their own code: a training cannot mend that."""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["quiet_import", "silence"]


def quiet_import(name: str) -> Any:
    """A module, imported without a warning, even where warnings are errors.

    Parameters
    ----------
    name : str
        Full name of the module.

    Raises
    ------
    ImportError
        As `importlib.import_module` raises it.

    Examples
    --------
    >>> quiet_import("math").inf
    inf
    """
    if name in sys.modules:  # the usual case, and nothing that could warn
        return importlib.import_module(name)
    with silence():
        return importlib.import_module(name)


@contextmanager
def silence() -> Iterator[None]:
    """Ignores the warnings of this thread, and of no other.

    The filters belong to the whole process. `warnings.catch_warnings` puts back the list that it
    found, and with it undoes what other threads changed since; and it silences them, too. So one
    filter comes and goes here, which matches in this thread alone. It goes from both lists: another
    thread may have put a copy in place, and will put back the first. What stays possible: another
    thread leaves its own `catch_warnings` meanwhile and takes this filter away; then
    there are warnings here.
    """
    found: Any = warnings.filters
    ours = ("ignore", _InThread(threading.get_ident()), Warning, None, 0)
    found.insert(0, ours)
    try:
        yield
    finally:
        now: Any = warnings.filters
        for filters in (found, now):
            if ours in filters:
                filters.remove(ours)


class _InThread:
    """In the place of the pattern of a message: matches any, in one thread."""

    def __init__(self, thread: int) -> None:
        self._thread = thread

    def match(self, _: str) -> bool:
        """Whether the warning comes from the thread."""
        return threading.get_ident() == self._thread
