"""Rows of a table in a database that may be damaged."""

from __future__ import annotations

import sqlite3
from operator import itemgetter
from typing import Any, NamedTuple

from trainlens.readers._mlflow.snapshot import Database

Row = tuple[Any, ...]

_PLACES = 1_000
"""Damaged places in one table that are stepped over."""

_STRIDE = 16
"""Rows that are stepped over at once: fewer than a page holds."""

_PATIENT = 500
"""Steps into one damaged place before they become longer."""

_PIECE = 20_000


class Found(NamedTuple):
    """What a query gave.

    Parameters
    ----------
    rows : list of tuple
    damage : str
        Why there may be more that could not be read; empty where that is all.
    """

    rows: list[Row]
    damage: str


def columns_of(database: Database, table: str) -> list[str]:
    """Columns of a table as they are stored, in lower case; empty for what is no table.

    A view, or a column that is computed, can do anything and take any time; MLflow has none.
    """
    query = "SELECT type FROM sqlite_master WHERE lower(name) = ? AND type IN ('table', 'view')"
    if database.connection.execute(query, (table,)).fetchall() != [("table",)]:
        return []
    found = database.connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return [str(row[1]).lower() for row in found if row[-1] == 0]


def select(
    database: Database, table: str, columns: str, where: str = "1", values: Row = ()
) -> Found:
    """Rows of a table, in the order in which they were written.

    Parameters
    ----------
    database : Database
    table : str
    columns : str
        What to give of each row, behind its rowid.
    where : str
        Condition in SQL, with a ``?`` for each of `values`.
    values : tuple
    """
    rows: list[Row] = []
    try:
        cursor = database.connection.execute(
            f"SELECT rowid, {columns} FROM {table} WHERE {where}", values
        )
        while piece := cursor.fetchmany(_PIECE):
            rows += piece
            if len(rows) > database.most_rows:
                return Found(_in_order(rows), "more rows than the file can hold")
    except sqlite3.DatabaseError as error:
        if database.too_slow():
            return Found(_in_order(rows), "reading it took too long and was stopped")
        return _around(database, table, columns, where, values, str(error))
    return Found(_in_order(rows), "")


def _in_order(rows: list[Row]) -> list[Row]:
    rows.sort(key=itemgetter(0))  # next to nothing where they are in order
    return rows


def _around(
    database: Database, table: str, columns: str, where: str, values: Row, reason: str
) -> Found:
    """All rows that can be reached without an index; what is damaged is stepped over."""
    # Rows of other runs are seen as well: they tell how far the table can be read.
    query = (
        f"SELECT rowid, {columns}, ({where}) FROM {table} NOT INDEXED "
        "WHERE rowid >= ? ORDER BY rowid"
    )
    rows: list[Row] = []
    low, high, seen = 1, _last(database, table), 0
    for _ in range(_PLACES):
        try:
            for row in database.connection.execute(query, (*values, low)):
                low, seen = row[0] + 1, seen + 1
                if row[-1]:
                    rows.append(row[:-1])
                if seen > database.most_rows:
                    break
            break
        except sqlite3.DatabaseError:
            if database.too_slow():
                break
            low = _behind(database, table, low, high)
        if low > high:
            break
    return Found(rows, f"damaged ({reason}); what is around the damage was read")


def _behind(database: Database, table: str, low: int, high: int) -> int:
    """The first rowid behind `low` from which the table can be read on; beyond `high`: none."""
    stride, tries, at = _STRIDE, 0, low
    while at <= high and not _reachable(database, table, at + stride):
        at += stride
        tries += 1
        if tries % _PATIENT == 0:
            stride *= 2
    begin, end = at, at + stride
    while end - begin > 1:
        middle = (begin + end) // 2
        begin, end = (begin, middle) if _reachable(database, table, middle) else (middle, end)
    return end


def _reachable(database: Database, table: str, rowid: int) -> bool:
    query = f"SELECT rowid FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1"
    try:
        database.connection.execute(query, (rowid,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _last(database: Database, table: str) -> int:
    try:
        found = database.connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]
    except sqlite3.DatabaseError:
        return 8 * database.most_rows
    return found if isinstance(found, int) else 0
