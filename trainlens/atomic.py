"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from trainlens.errors import OutputError


def write(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write bytes to a file whole or not at all.

    Parameters
    ----------
    path : path-like
    data : bytes

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        The folder is missing, read-only or full; what was there before is still there.
    """

    def put(name: str) -> None:
        with open(name, "wb") as file:
            file.write(data)

    return produce(path, put)


def produce(path: str | os.PathLike[str], make: Callable[[str], object]) -> Path:
    """Have a file made under a temporary name in the same folder, then give it its own.

    Parameters
    ----------
    path : path-like
    make : callable
        Writes the file whose name it is given.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        As in `write`.
    """
    target = Path(path)
    try:
        import tempfile  # some milliseconds that most commands do not need

        descriptor, name = tempfile.mkstemp(prefix=".trainlens-", dir=target.parent)
        os.close(descriptor)
        try:
            make(name)
            # Temporary files are private; a result gets the rights of any new file.
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(target, f"cannot be written: {reason}", _remedy(error)) from error
    return target


def _remedy(error: OSError) -> str:
    first = {
        errno.ENOSPC: "free space there or ",
        errno.EDQUOT: "free space there or ",
        errno.ENOENT: "make its folder or ",
    }
    return f"{first.get(error.errno or 0, '')}choose another with -o"


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
