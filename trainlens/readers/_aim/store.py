"""A private view of one RocksDB folder of an AIM repository: the user's files stay untouched.

RocksDB writes into whatever folder it opens, also when it opens it for reading. So a temporary
folder gets links to the tables (which never change once written) and copies of the small rest,
and RocksDB opens that. A store that is being written meanwhile is copied again until it held
still; a store that RocksDB refuses is repaired, in the copy.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from trainlens.errors import MissingExtra, OutputError
from trainlens.readers._aim import wal
from trainlens.readers._aim.table import without_deletions

ATTEMPTS = 6
FIRST_WAIT = 0.02
"""Seconds before the second attempt; doubled from one to the next."""

_FILE = re.compile(r"\d{6,}\.(?:sst|log)|MANIFEST-\d+|CURRENT")
_NUMBERED = re.compile(r"(\d{6,})\.(sst|ldb|log)")


def rocks() -> Any:
    """The ``aimrocks`` module.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import aimrocks
        import aimrocks.errors
    except ImportError as error:
        raise MissingExtra("reading AIM repositories", "aim") from error
    return aimrocks


def rocks_errors() -> tuple[type[Exception], ...]:
    """What RocksDB raises about a store that it cannot read."""
    errors = rocks().errors
    return (
        errors.Corruption,
        errors.RocksIOError,
        errors.NotFound,
        errors.NotSupported,
        errors.InvalidArgument,
        errors.Incomplete,
    )


@dataclass(frozen=True)
class Damage:
    """Something broken in a store.

    Parameters
    ----------
    file : str
        Name within the folder of the store; empty for the folder itself.
    span : (start, end) or None
        Bytes, where known.
    problem : str
    lost : int or None
        Points lost by it; None where they cannot be counted.
    """

    file: str
    span: tuple[int, int] | None
    problem: str
    lost: int | None = None


@dataclass
class Store:
    """An open private view.

    Parameters
    ----------
    db : aimrocks.DB or None
        None where nothing could be opened. Never close it by hand: an iterator that still
        lives would be left without its store.
    opened : bool
        Whether there was something to open and it could be opened; stays when the view closes.
    damage : list of Damage
    torn : list of Damage
        Unfinished records at the end of a write-ahead log: normal while the run is written.
    ends : dict of str to int
        How far each write-ahead log was read, in bytes.
    size : int
        Bytes of its tables.
    unlisted : int
        Tables that lie in the folder but are not part of the store.
    landmarks : list of bytes
        Keys that are known to exist, ascending: where to go on behind something broken.
    """

    db: Any
    opened: bool = False
    damage: list[Damage] = field(default_factory=list)
    torn: list[Damage] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    size: int = 0
    unlisted: int = 0
    landmarks: list[bytes] = field(default_factory=list)


Signature = tuple[tuple[str, int], ...]


def signature(folder: Path) -> Signature:
    """Names and sizes of the files that make up a store; equal means nothing was written.

    Parameters
    ----------
    folder : Path
        Need not exist.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _FILE.fullmatch(entry.name)]
    except OSError:
        return ()
    found = []
    for name in sorted(names):
        try:
            held = (folder / name).stat()
        except OSError:
            # Removed by the writer since, or a link to nowhere.
            continue
        if stat.S_ISREG(held.st_mode):
            found.append((name, held.st_size))
    return tuple(found)


@contextmanager
def open_store(
    folder: Path, *, sleep: Callable[[float], object], rebuild: bool = False
) -> Iterator[Store]:
    """Open a private view, and remove it afterwards.

    Parameters
    ----------
    folder : Path
        A folder such as ``.aim/seqs/chunks/<hash>``; need not exist.
    sleep : callable
        Called with seconds between two attempts while the store is being written.
    rebuild : bool
        Take every table in the folder, whatever the store's own list says.

    Raises
    ------
    MissingExtra
        ``aimrocks`` is not installed.
    OutputError
        There is no place for temporary files.
    """
    rocks()
    try:
        private = tempfile.TemporaryDirectory(prefix="trainlens-aim-", ignore_cleanup_errors=True)
    except OSError as error:
        where = tempfile.gettempdir() if tempfile.tempdir else "temporary folder"
        problem = f"no temporary folder can be made ({error.strerror})"
        raise OutputError(where, problem, "set TMPDIR to a folder with free space") from None
    with private as place:
        store = _settled(folder, Path(place), sleep, rebuild)
        store.opened = store.db is not None
        try:
            yield store
        finally:
            store.db = None


def _settled(folder: Path, place: Path, sleep: Callable[[float], object], rebuild: bool) -> Store:
    private = place
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        return Store(None, damage=[Damage("", None, "permission denied")])
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(FIRST_WAIT * 2 ** (attempt - 1))
        private = place / str(attempt)
        private.mkdir()
        before = _shape(signature(folder))
        if not before:
            return Store(None)
        whole = _copy(folder, private)
        if not whole or before != _shape(signature(folder)):
            continue
        store = _open(private, rebuild)
        if not store.damage or before == _shape(signature(folder)):
            return store
    # It never held still: better what was copied last than nothing.
    return _open(private, rebuild)


def _shape(found: Signature) -> Signature:
    # A write-ahead log may grow while it is copied: what was there before is in the copy.
    return tuple((name, 0 if name.endswith(".log") else size) for name, size in found)


def _copy(folder: Path, private: Path) -> bool:
    # CURRENT and MANIFEST first: the tables they name are then already there.
    names = [name for name, _ in signature(folder)]
    for name in sorted(names, key=lambda n: (n.endswith(".log"), n.endswith(".sst"))):
        source, target = folder / name, private / name
        try:
            if name.endswith(".sst"):
                _link(source, target)
            else:
                shutil.copyfile(source, target)
        except FileNotFoundError:
            return False
        except PermissionError:
            continue
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.symlink(os.path.abspath(source), target)
    except (NotImplementedError, PermissionError):
        shutil.copyfile(source, target)


def _open(private: Path, rebuild: bool) -> Store:
    store = Store(None)
    try:
        if rebuild:
            rocks().repair_db(str(private), _options())
        store.db = _db(private)
    except rocks_errors() as error:
        if not _unhook(private, store, damage_of(error)):
            store.damage.append(damage_of(error))
            _repair(private, store)
            return store
    _check_logs(private, store)
    tables = {name for name in os.listdir(private) if name.endswith(".sst")}
    listed = {os.path.basename(m["name"]): m["size"] for m in store.db.get_live_files_metadata()}
    store.unlisted = len(tables - listed.keys())
    store.size = sum(listed.values())
    return store


def _options() -> Any:
    # Every table is opened at once: a writer may remove one while it is read.
    return rocks().Options(create_if_missing=False, max_open_files=-1)


def _db(private: Path) -> Any:
    return rocks().DB(str(private), _options(), read_only=True)


def _unhook(private: Path, store: Store, first: Damage) -> bool:
    # Whether the store opens once the tables it stumbles over lose their deleted ranges.
    found: list[Damage] = []
    damage = first
    while damage.file.endswith(".sst") and damage.file not in [d.file for d in found]:
        path = private / damage.file
        mended = without_deletions(path.read_bytes()) if path.exists() else None
        if mended is None:
            return False
        path.unlink()
        path.write_bytes(mended)
        text = "the list of deleted values is broken; replaced ones may show again"
        found.append(Damage(damage.file, damage.span, text, lost=0))
        try:
            store.db = _db(private)
        except rocks_errors() as error:
            damage = damage_of(error)
            continue
        store.damage += found
        return True
    return False


def _repair(private: Path, store: Store) -> None:
    _mend_logs(private, store)
    try:
        rocks().repair_db(str(private), _options())
        store.db = _db(private)
    except rocks_errors() as error:
        store.damage.append(damage_of(error))
        return
    lost = private / "lost"
    named = {d.file for d in store.damage}
    for name in sorted(os.listdir(lost)) if lost.is_dir() else []:
        if name.endswith(".sst") and name not in named:
            store.damage.append(Damage(name, None, "this table cannot be read at all"))


def _check_logs(private: Path, store: Store) -> None:
    # What RocksDB took over must be all that the newest logs hold; older ones are in tables.
    scans = []
    for path in _logs(private):
        log = path.read_bytes()
        found = wal.scan(log)
        scans.append(found)
        store.ends[path.name] = found.torn[0] if found.torn else len(log)
        if found.torn:
            store.torn.append(Damage(path.name, found.torn, "the last record is unfinished"))
    held = list(accumulate((s.operations for s in reversed(scans)), initial=0))
    if _taken_over(store.db) in held and not any(s.broken for s in scans):
        return
    if _mend_logs(private, store):
        store.db = None
        store.db = _db(private)


def _taken_over(db: Any) -> int:
    names = (b"rocksdb.num-entries-active-mem-table", b"rocksdb.num-entries-imm-mem-tables")
    return sum(int(db.get_property(name) or 0) for name in names)


def _mend_logs(private: Path, store: Store) -> bool:
    mended = False
    for path in _logs(private):
        found = wal.scan(path.read_bytes(), verify=True)
        for span in found.broken:
            store.damage.append(Damage(path.name, span, "records that fail their checksum"))
        if found.broken or found.torn:
            path.write_bytes(wal.rewrite(found.records))
            mended = True
    return mended


def _logs(private: Path) -> list[Path]:
    return sorted(private.glob("*.log"), key=lambda p: (len(p.name), p.name))


def damage_of(error: Exception) -> Damage:
    """What RocksDB says about a broken file, without the names of temporary folders."""
    text = str(error.args[0] if error.args else error)
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    text = text[2:-1] if text.startswith(("b'", 'b"')) else text
    place = re.search(r"offset (\d+) size (\d+)", text)
    span = (int(place[1]), int(place[1]) + int(place[2])) if place else None
    problem = re.sub(r"\S*trainlens-aim-\S*?(?=[\w.-]*(?:$|[\s:]))", "", text)
    return Damage(_named_in(text), span, problem.strip(" :"))


def _named_in(text: str) -> str:
    # A table that is missing is looked for under its older name last; the list of tables that
    # names it is mentioned, but is not what is broken.
    numbered = _NUMBERED.search(text)
    if numbered:
        return f"{numbered[1]}.{numbered[2].replace('ldb', 'sst')}"
    other = _FILE.search(text)
    return other[0] if other else ""
