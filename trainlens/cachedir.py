"""Where things may be kept between two commands: the user's cache folder and state folder.

``TRAINLENS_CACHE`` names another cache folder, or is ``off``; ``TRAINLENS_CACHE_SIZE`` is the most
that may lie there, in bytes or as ``500MB``, ``2GiB``. ``TRAINLENS_STATE`` names another folder for
what is remembered, or is ``off``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

DEFAULT_SIZE = 2 << 30
"""Bytes that may be kept where the user says nothing."""

_Places = Mapping[str, tuple[str, ...]]
_CACHES: _Places = {
    "darwin": ("Library", "Caches"), "win32": ("AppData", "Local"), "": (".cache",),
}  # fmt: skip
_STATES: _Places = {
    "darwin": ("Library", "Application Support"), "win32": ("AppData", "Local"),
    "": (".local", "state"),
}  # fmt: skip
"""Below the home of a user, by platform; of all others the last."""
_OFF = frozenset({"off", "0", "no", "false", "none"})
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
    return _folder(environ, "TRAINLENS_CACHE", "XDG_CACHE_HOME", _CACHES)


def state_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """The user's folder for what trainlens is to remember; it need not exist yet.

    Parameters
    ----------
    environ : mapping, optional
        In place of the environment of this process.

    Returns
    -------
    Path or None
        As of `cache_folder`.
    """
    return _folder(environ, "TRAINLENS_STATE", "XDG_STATE_HOME", _STATES)


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


def _folder(
    environ: Mapping[str, str] | None, variable: str, standard: str, places: _Places
) -> Path | None:
    env = os.environ if environ is None else environ
    told = env.get(variable, "").strip()
    if told:
        return None if told.lower() in _OFF else Path(os.path.abspath(os.path.expanduser(told)))
    base = _base(env, standard, places)
    return base / "trainlens" if base else None


def _base(env: Mapping[str, str], standard: str, places: _Places) -> Path | None:
    own = env.get("LOCALAPPDATA" if sys.platform == "win32" else standard, "")
    if os.path.isabs(own):  # what the standard for these folders asks for
        return Path(own)
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    return Path(home, *places.get(sys.platform, places[""]))
