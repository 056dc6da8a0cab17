"""What a small log holds: its records, where their bytes stand, the points each must yield."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal["checksummed", "lines", "document", "store", "pages"]
"""How damage shows.

checksummed
    Each record proves itself: all intact ones are returned, and nothing else ever.
lines
    A line proves nothing, but ends where it ends: all untouched ones are kept.
document
    The whole is one text: what is complete before the first damage is kept.
store
    Many files hold many runs: the damaged run is named, all others are whole.
pages
    Nothing proves itself: reading ends, and where nothing is left that is said.
"""


class Point(NamedTuple):
    """A point as a reader returns it; NaN stands as the text ``nan``, which equals itself."""

    name: str
    split: str | None
    step: int
    value: float | str


@dataclass(frozen=True)
class Record:
    """A record of a file.

    Parameters
    ----------
    begin, end : int
        Its bytes, the line break among them.
    points : tuple of Point
        What it must yield; none for texts, graphs, headers.
    header : bool
        The records behind it cannot be understood without it.
    """

    begin: int
    end: int
    points: tuple[Point, ...] = ()
    header: bool = False


@dataclass(frozen=True)
class LogFile:
    """A file that is damaged.

    Parameters
    ----------
    name : str
        Below the folder of the log.
    data : bytes
    kind : str
        See `Kind`.
    records : tuple of Record
        Ascending; empty for files without points (settings, summaries).
    run : str
        Key of the run that it belongs to, where a log holds several.
    broken : callable, optional
        Of a line that is no record: whether nothing sensible can be made of it, so that a
        reader has to say so.
    helps : bool
        Without it the points are found all the same.
    single : bool
        It is always written anew as a whole: no two are ever glued.
    """

    name: str
    data: bytes
    kind: Kind
    records: tuple[Record, ...] = ()
    run: str = ""
    broken: Callable[[bytes], bool] | None = None
    helps: bool = False
    single: bool = False


@dataclass(frozen=True)
class Log:
    """A small log.

    Parameters
    ----------
    format : str
    files : tuple of LogFile
        Those that are damaged, the one with the points first.
    path : str
        What a reader is given, below the folder; empty = the folder itself.
    whole : mapping of str to tuple of Point
        Points of each run (by key) that do not stand in `records` of a file.
    costly : bool
        Writing it takes seconds: one log serves for all mutations.
    """

    format: str
    files: tuple[LogFile, ...]
    path: str = ""
    whole: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    costly: bool = False


def lined(rows: list[tuple[bytes, tuple[Point, ...], bool]]) -> tuple[bytes, tuple[Record, ...]]:
    """A file of lines, each with its points and whether it is a header."""
    data, records = b"", []
    for line, points, header in rows:
        records.append(Record(len(data), len(data) + len(line), points, header))
        data += line
    return data, tuple(records)
