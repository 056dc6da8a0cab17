"""Which code it was that read a log: another version may read it otherwise."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from trainlens import __version__
from trainlens.readers._wrapping import has_zstd

LAYOUT = 1
"""Number of the way in which entries are laid out."""


@lru_cache(maxsize=4)
def version(root: Path = Path(__file__).parents[2]) -> str:
    """Digest of all that decides what is read of a given log.

    The source files count by name, size and time: reading them would cost more than a small log.

    Parameters
    ----------
    root : Path
        Folder of the package.
    """
    about = (LAYOUT, __version__, sys.version_info[:3], sys.byteorder, np.__version__, has_zstd(),
             time.tzname)  # fmt: skip
    found = hashlib.blake2b(repr(about).encode(), digest_size=16)
    folders = [root, root / "readers"]
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.is_dir() and folder != root and entry.name != "__pycache__":
                    folders.append(Path(entry.path))
                elif entry.name.endswith((".py", ".so", ".pyd")):
                    stat = entry.stat()
                    found.update(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()
