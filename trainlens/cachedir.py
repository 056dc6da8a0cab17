"""Where things may be kept between two commands: the user's cache folder, and how large it may be.

``TRAINLENS_CACHE`` names another folder, or is ``off``; ``TRAINLENS_CACHE_SIZE`` is the most that
may lie there, in bytes or as ``500MB``, ``2GiB``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

DEFAULT_SIZE = 2 << 30
"""Bytes that may be kept where the user says nothing."""

OFF = frozenset({"off", "0", "no", "false", "none"})
_SIZE = re.compile(r"\s*(\d{1,15})\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def cache_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """The user's cache folder of trainlens; it need not exist yet.

    Parameters
    ----------
    environ : mapping, optional
        In place of the environment of this process.

    Returns
    -------
    Path or None
        Absolute; None where the user wants no cache or has no home.
    """
    env = os.environ if environ is None else environ
    told = env.get("TRAINLENS_CACHE", "").strip()
    if told:
        return None if told.lower() in OFF else Path(os.path.abspath(os.path.expanduser(told)))
    base = _base(env)
    return base / "trainlens" if base else None


def cache_size(environ: Mapping[str, str] | None = None) -> int:
    """Most bytes that may lie in the cache folder; what cannot be understood counts as unsaid.

    Parameters
    ----------
    environ : mapping, optional
        In place of the environment of this process.

    Examples
    --------
    >>> cache_size({"TRAINLENS_CACHE_SIZE": "500MB"}), cache_size({})
    (500000000, 2147483648)
    """
    env = os.environ if environ is None else environ
    match = _SIZE.fullmatch(env.get("TRAINLENS_CACHE_SIZE", ""))
    if not match:
        return DEFAULT_SIZE
    base = 1024 if match[3] else 1000
    return int(match[1]) * int(base ** _POWER[match[2].lower()])


def private_folder(folder: Path) -> bool:
    """Whether a folder is there, made if need be for its owner alone, and belongs to this user.

    Parameters
    ----------
    folder : Path
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    except OSError:
        return False


def _base(env: Mapping[str, str]) -> Path | None:
    own = env.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    if os.path.isabs(own):  # what the standard for these folders asks for
        return Path(own)
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    places = {"darwin": ("Library", "Caches"), "win32": ("AppData", "Local")}
    return Path(home, *places.get(sys.platform, (".cache",)))
