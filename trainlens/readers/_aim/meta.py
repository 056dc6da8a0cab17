"""What an AIM run says about itself: parameters, contexts, kinds of sequences, times, names.

Parameters, contexts and kinds lie in the store of the run (``meta/chunks/<run>``); its name,
experiment and tags in the SQLite file of the repository (``run_metadata.sqlite``), which is
copied before it is opened: SQLite, too, may write beside the file that it reads.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from trainlens.readers._aim.codec import decode_tree, encode_path
from trainlens.readers._aim.scan import pairs
from trainlens.readers._aim.store import Store
from trainlens.roles import SPLITS

NUMBERS = frozenset({"float", "float64", "int", "number"})
SQLITE = "run_metadata.sqlite"
_PATIENCE = 20
"""Millions of SQLite operations after which a query is given up: a hostile file may never end."""


@dataclass(frozen=True)
class Meta:
    """What the store of a run says about it.

    Parameters
    ----------
    params : mapping
        What the user set on the run, nested.
    contexts : mapping of int to mapping
    traces : mapping of (context, name) to mapping
        Of each sequence: ``dtype``, ``last_step`` and more.
    end_time : float or None
        Unix seconds at which the run was closed.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    contexts: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    traces: Mapping[tuple[int, str], Mapping[str, Any]] = field(default_factory=dict)
    end_time: float | None = None

    def is_number(self, context: int, name: str) -> bool | None:
        """Whether a sequence holds numbers; None where the run does not say."""
        trace = self.traces.get((context, name))
        return None if trace is None else trace.get("dtype", "float") in NUMBERS


def read_meta(store: Store, run: str) -> Meta:
    """Read the tree of a run from its own store, or from the index of the repository.

    Parameters
    ----------
    store : Store
    run : str
        Hash of the run.
    """
    prefix = encode_path("meta", "chunks", run)
    tree = decode_tree(pairs(store, prefix), prefix)
    end = tree.get("end_time")
    return Meta(
        params=_named(_branch(tree, "attrs")),
        contexts={
            number: _named(content)
            for number, content in _branch(tree, "contexts").items()
            if isinstance(number, int) and isinstance(content, dict)
        },
        traces={
            (number, name): trace
            for number, names in _branch(tree, "traces").items()
            if isinstance(number, int) and isinstance(names, dict)
            for name, trace in names.items()
            if isinstance(name, str) and isinstance(trace, dict)
        },
        end_time=float(end) if isinstance(end, (int, float)) else None,
    )


def _branch(tree: Mapping[Any, Any], name: str) -> dict[Any, Any]:
    branch = tree.get(name)
    return branch if isinstance(branch, dict) else {}


def _named(node: Any) -> Any:
    # Configurations are written as JSON: names are texts.
    if isinstance(node, dict):
        return {str(name): _named(child) for name, child in node.items()}
    return [_named(child) for child in node] if isinstance(node, list) else node


def config_of(meta: Meta, run: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a run, and beneath ``aim`` what AIM itself knows about it.

    Of AIM's own record of the machine, the environment variables are left out (they hold
    secrets, and reports are passed around) and so is the list of installed packages.

    Parameters
    ----------
    meta : Meta
    run : str
        Hash of the run.
    properties : mapping
        See `run_properties`.
    """
    config = dict(meta.params)
    system = config.pop("__system_params", None)
    about: dict[str, Any] = {"hash": run, **properties}
    if meta.end_time is not None:
        about["end_time"] = meta.end_time
    if isinstance(system, dict):
        for name in ("arguments", "executable", "git_info"):
            if system.get(name):
                about[name] = system[name]
    config["aim" if "aim" not in config else "aim_run"] = about
    return config


def column_name(name: str, context: Mapping[str, Any]) -> tuple[str, str | None]:
    """Name and split of a metric in a context.

    Parameters
    ----------
    name : str
    context : mapping

    Returns
    -------
    name : str
        With what the split does not tell: ``loss{model=a}``.
    split : str or None
        None where the context names none.

    Examples
    --------
    >>> column_name("loss", {"subset": "val", "model": "a"}), column_name("loss", {})
    (('loss{model=a}', 'val'), ('loss', None))
    """
    rest = dict(sorted(context.items()))
    split = None
    for key in ("subset", "split", "phase", "stage", "mode"):
        value = rest.get(key)
        if isinstance(value, str) and value and (key == "subset" or value.lower() in SPLITS):
            split = value
            del rest[key]
            break
    flat = ",".join(f"{key}={value}" for key, value in _leaves(rest))
    return (f"{name}{{{flat}}}" if flat else name), split


def _leaves(node: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in sorted(node.items()):
        if isinstance(value, dict) and value:
            found += _leaves(value, f"{above}{key}.")
        else:
            found.append((above + key, str(value)))
    return found


def run_properties(repo: Path) -> Mapping[str, Mapping[str, Any]]:
    """Name, experiment, tags, ... of every run of a repository, by hash; empty without SQLite file.

    Parameters
    ----------
    repo : Path
        The ``.aim`` folder.

    Returns
    -------
    mapping of str to mapping
        With the keys, where known: ``name``, ``experiment``, ``tags``, ``description``,
        ``archived``, ``created`` and ``finalized`` (Unix seconds).
    """
    state = []
    for suffix in ("", "-wal", "-journal"):
        try:
            stat = (repo / (SQLITE + suffix)).stat()
        except OSError:
            continue
        state.append((suffix, stat.st_size, stat.st_mtime_ns))
    return _properties(repo, tuple(state)) if state and not state[0][0] else {}


@lru_cache(maxsize=8)
def _properties(
    repo: Path, state: tuple[tuple[str, int, int], ...]
) -> Mapping[str, Mapping[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="trainlens-aim-", ignore_cleanup_errors=True) as place:
        try:
            for suffix, _, _ in state:
                shutil.copyfile(repo / (SQLITE + suffix), Path(place) / (SQLITE + suffix))
            return _query(Path(place) / SQLITE)
        except (OSError, sqlite3.Error):
            # Without the file a run still has its hash, and all its points.
            return {}


def _query(path: Path) -> dict[str, dict[str, Any]]:
    connection = sqlite3.connect(path)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.row_factory = sqlite3.Row
        spent = iter(range(_PATIENCE))
        connection.set_progress_handler(lambda: next(spent, None) is None, 1_000_000)
        tables = _tables(connection)
        names = {r["id"]: r["name"] for r in _rows(connection, "experiment", tables)}
        tags = {r["id"]: r["name"] for r in _rows(connection, "tag", tables)}
        tagged: dict[Any, list[str]] = {}
        for row in _rows(connection, "run_tag", tables):
            if row["tag_id"] in tags:
                tagged.setdefault(row["run_id"], []).append(str(tags[row["tag_id"]]))
        return {
            str(row["hash"]): _about(dict(row), names, sorted(tagged.get(row["id"], [])))
            for row in _rows(connection, "run", tables)
        }
    except (IndexError, KeyError):
        return {}
    finally:
        connection.close()


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {str(row[0]) for row in rows}


def _rows(connection: sqlite3.Connection, table: str, tables: set[str]) -> list[sqlite3.Row]:
    return connection.execute(f'SELECT * FROM "{table}"').fetchall() if table in tables else []


def _about(
    row: Mapping[str, Any], experiments: Mapping[Any, Any], tags: list[str]
) -> dict[str, Any]:
    name = row.get("name")
    found = {
        # AIM's own default name only repeats the hash.
        "name": name if isinstance(name, str) and name != f"Run: {row['hash']}" else None,
        "experiment": experiments.get(row.get("experiment_id")),
        "tags": tags,
        "description": row.get("description"),
        "archived": bool(row.get("is_archived")),
        "created": _unix(row.get("created_at")),
        "finalized": _unix(row.get("finalized_at")),
    }
    return {key: value for key, value in found.items() if value}


def _unix(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
