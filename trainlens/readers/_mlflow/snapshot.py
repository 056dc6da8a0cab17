"""Opening an SQLite database so that nothing beneath its path is written, locked or created."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

MAGIC = b"SQLite format 3\0"
BESIDE = ("-wal", "-journal")
"""Endings of the files beside a database that belong to its content."""

LARGEST_COPY = 2 << 30
"""Bytes that are copied at most, where a database cannot be read in its place."""

_SMALL = 4 << 20
_SHORT, _KNOWN = 256, 4096
"""Bytes of a text that may be kept to be given once more, and how many of them are."""

_LONGEST_VALUE = 4 << 20
_EVERY = 20_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""

_FIRST, _PER_BYTE, _AGAIN = 3.0, 1e-6, 0.05
"""Seconds that a database may take: at first, for each byte, and once it was too slow."""

_PRAGMAS = (
    "trusted_schema=OFF",
    "cell_size_check=ON",
    # One broken entry of the schema then does not make all tables unreadable; a connection that
    # only reads never makes use of the permission.
    "writable_schema=ON",
    "cache_size=-32768",
)

Signature = tuple[object, ...]


class Spoilt(Exception):
    """The database was changed by its writer while it was being copied."""


def signature(path: Path) -> Signature:
    """What changes when anything is written to a database.

    Raises
    ------
    OSError
        The database cannot be read.
    """
    found: list[object] = [str(path)]
    with open(path, "rb") as file:
        found.append(file.read(100)[24:28])  # SQLite counts the changes here
    for place in (path, *(_beside(path, ending) for ending in BESIDE)):
        try:
            entry = place.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((entry.st_ino, entry.st_size, entry.st_mtime_ns))
    return tuple(found)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


class _Patience:
    """Whether a database has been too slow before."""

    spent = False


@lru_cache(maxsize=64)
def _patience(seen: Signature) -> _Patience:
    return _Patience()


class Database:
    """An open database.

    Parameters
    ----------
    connection : sqlite3.Connection
    size : int
        Bytes of the file: no table can hold more rows than an eighth of it.
    too_slow : callable
        Whether the time for this database is spent; then every query fails.
    unread : str
        What of its content could not be taken into account, empty for nothing.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        size: int,
        too_slow: Callable[[], bool],
        unread: str,
    ) -> None:
        self.connection = connection
        self.most_rows = size // 8 + 1000
        self.too_slow = too_slow
        self.unread = unread


@contextmanager
def opened(path: Path, clock: Callable[[], float] = time.monotonic) -> Iterator[Database]:
    """Open a database for reading.

    Where nothing but the file itself matters it is read in its place, without locks. Content
    that its writer has not merged yet (a write-ahead log, the journal of a transaction that was
    cut off) makes a private copy necessary, which SQLite completes; and so do many rows without
    an index on their run.

    Parameters
    ----------
    path : Path
    clock : callable
        Seconds that rise steadily.

    Raises
    ------
    OSError
        The file cannot be read.
    sqlite3.DatabaseError
        It is no database.
    Spoilt
        Its writer is writing at this very moment.
    """
    seen = signature(path)
    place, unread = _place(path, seen)
    own = place == path.absolute()
    mode = "mode=ro&immutable=1" if own else "mode=rw"
    connection = sqlite3.connect(f"{place.as_uri()}?{mode}", uri=True, timeout=0.0)
    try:
        size = path.stat().st_size
        too_slow = _prepare(connection, size, _patience(seen), clock)
        yield Database(connection, size, too_slow, unread)
    finally:
        connection.close()


class _Texts(dict[bytes, str]):
    """Texts by their bytes: a column of names repeats a few of them in each of its rows."""

    def __missing__(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        if len(data) <= _SHORT and len(self) < _KNOWN:
            self[data] = text
        return text


def _prepare(
    connection: sqlite3.Connection, size: int, patience: _Patience, clock: Callable[[], float]
) -> Callable[[], bool]:
    connection.text_factory = _Texts().__getitem__
    if hasattr(connection, "setlimit"):  # from Python 3.11 on
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    end = clock() + (_AGAIN if patience.spent else _FIRST + _PER_BYTE * size)

    def too_slow() -> bool:
        patience.spent = patience.spent or clock() > end
        return clock() > end

    connection.set_progress_handler(too_slow, _EVERY)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return too_slow


def _place(path: Path, seen: Signature) -> tuple[Path, str]:
    """Where to read: the database itself or a copy; and what must be done without."""
    waiting = any(_size(_beside(path, ending)) for ending in BESIDE)
    if not waiting and not _lacks_index(path, seen):
        return path.absolute(), ""
    total = sum(_size(_beside(path, ending)) for ending in ("", *BESIDE))
    if total <= LARGEST_COPY:
        try:
            return _copied(path, seen).database, ""
        except OSError:
            pass  # no room for a copy
    if not waiting:
        return path.absolute(), ""
    return path.absolute(), "what its writer has not merged into it yet; too large to copy"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _lacks_index(path: Path, seen: Signature) -> bool:
    """Whether finding the points of one run would mean reading those of all."""
    if _size(path) < _SMALL:
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.DatabaseError:
        return False
    try:
        return not _indexed(connection)
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()


def _indexed(connection: sqlite3.Connection) -> bool:
    for row in connection.execute("PRAGMA index_list(metrics)").fetchall():
        first = connection.execute("SELECT name FROM pragma_index_info(?)", (row[1],)).fetchone()
        if first and first[0] == "run_uuid":
            return True
    return False


class _Copy:
    """A private copy, which goes away with this object."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="trainlens-")
        self.database = Path(folder) / "copy.db"
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


@lru_cache(maxsize=2)
def _copied(path: Path, seen: Signature) -> _Copy:
    """A copy of a database as `seen`, completed with what lay beside it, and indexed."""
    copy = _Copy()
    for ending in ("", *BESIDE):
        try:
            shutil.copyfile(_beside(path, ending), _beside(copy.database, ending))
        except FileNotFoundError:
            if not ending:
                raise
    if signature(path) != seen:
        raise Spoilt
    connection = sqlite3.connect(copy.database, timeout=0.0)
    try:
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        if _size(copy.database) >= _SMALL and not _indexed(connection):
            connection.execute("CREATE INDEX trainlens_run ON metrics (run_uuid)")
            connection.commit()
    except sqlite3.DatabaseError:
        pass  # a damaged database: what can be read of it is read as it is
    finally:
        connection.close()
    return copy
