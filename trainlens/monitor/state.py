"""What was told, kept between two watches of the same path: a small file of the user's own.

It lies in the user's state folder (`trainlens.cachedir.state_folder`), never beside a run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainlens import atomic
from trainlens.cachedir import private_folder, state_folder
from trainlens.monitor.ledger import Account, Entry, Ledger
from trainlens.render.json import finding_dict
from trainlens.rules.base import Finding, Severity, Status

SCHEMA = "trainlens.monitor/1"
_LARGEST = 32 << 20
_LONGEST = 500


def state_file(paths: Sequence[str], environ: Mapping[str, str] | None = None) -> Path | None:
    """Where the state of a watch of some paths is kept; None where the user wants none.

    Parameters
    ----------
    paths : sequence of str
    environ : mapping, optional
        In place of the environment of this process.
    """
    folder = state_folder(environ)
    if folder is None:
        return None
    named = sorted(p if "://" in p else os.path.abspath(os.path.expanduser(p)) for p in paths)
    mark = hashlib.sha256("\n".join(named).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return folder / f"monitor-{mark}.json"


def load(file: Path | None) -> Ledger:
    """What an earlier watch has told; nothing where the file is missing, old or damaged."""
    if file is None:
        return Ledger()
    try:
        if file.stat().st_size > _LARGEST:
            return Ledger()
        held: Any = json.loads(file.read_bytes())
        if held["schema"] != SCHEMA:
            return Ledger()
        accounts = {str(key): _account(told) for key, told in held["runs"].items()}
        numbers = [e.number for a in accounts.values() for e in a.entries]
        return Ledger(accounts, max([int(held["last"]), *numbers]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Ledger()


def save(file: Path, ledger: Ledger) -> None:
    """Keep what was told.

    Parameters
    ----------
    file : Path
        Its folder is made for this user alone.
    ledger : Ledger

    Raises
    ------
    OutputError
        It cannot be written; what was kept before is still there.
    """
    private_folder(file.parent)
    runs = {key: _written(account) for key, account in ledger.accounts.items() if account.entries}
    text = json.dumps({"schema": SCHEMA, "last": ledger.last, "runs": runs})
    atomic.write(file, text.encode("utf-8", "surrogatepass"))


def _written(account: Account) -> dict[str, Any]:
    return {
        "prints": [[m, s, told] for (m, s), told in account.prints.items()],
        "findings": [
            {
                "number": e.number,
                "open": e.open,
                "misses": e.misses,
                "milder": e.milder,
                "returns": e.returns,
                "told": e.told,
                "since": e.since,
                **_short(e.finding),
            }
            for e in account.entries
        ],
    }


def _short(finding: Finding) -> dict[str, Any]:
    told = finding_dict(finding)
    kept = ("rule", "severity", "metric", "split", "first_step", "last_step", "confidence")
    return {key: told[key] for key in kept} | {"message": finding.message[:_LONGEST]}


def _account(told: Mapping[str, Any]) -> Account:
    prints = {(str(m), str(s)): str(text) for m, s, text in told["prints"]}
    return Account(prints, [_entry(one) for one in told["findings"]])


def _entry(told: Mapping[str, Any]) -> Entry:
    finding = Finding(
        str(told["rule"]),
        Status.FAIL,
        Severity(told["severity"]),
        str(told["metric"]),
        str(told["split"]),
        _whole(told["first_step"]),
        _whole(told["last_step"]),
        str(told["message"]),
        {},
        float(told["confidence"]),
    )
    return Entry(
        int(told["number"]),
        finding,
        open=bool(told["open"]),
        told=bool(told.get("told", True)),
        since=int(told.get("since", 0)),
        misses=int(told["misses"]),
        milder=int(told["milder"]),
        returns=int(told["returns"]),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
