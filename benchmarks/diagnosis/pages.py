"""What is written: tables between markers of Markdown pages, and the rules' figures as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.diagnosis.summary import RuleScore
from trainlens.rules import all_rules

COMMAND = "python -m benchmarks.diagnosis --write"
ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "trainlens" / "rules" / "measured.json"


def marks(name: str) -> tuple[str, str]:
    """The comments between which a block of this name stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def replace(page: Path, name: str, text: str) -> None:
    """Put a text between the markers of a page.

    Raises
    ------
    ValueError
        If the page has no such markers.
    """
    begin, end = marks(name)
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, also, after = rest.partition(end)
    if not (found and also):
        raise ValueError(f"{page}: no '{begin}' with '{end}' behind it; add both")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def measured(rows: Sequence[RuleScore], date: str) -> str:
    """Precision and recall of each rule of the default profile as JSON; unknown ones left out.

    Parameters
    ----------
    rows : sequence of RuleScore
    date : str
        ISO date.
    """
    known = all_rules()
    rules = {
        row.rule: {
            key: value
            for key, value in (
                ("precision", round(row.precision, 4)), ("recall", round(row.recall, 4)),
            )
            if not math.isnan(value)
        } | {"runs": row.runs}
        for row in rows
        if row.rule in known and row.runs
    }  # fmt: skip
    whole = {"command": COMMAND, "date": date, "rules": rules}
    return json.dumps(whole, indent=2) + "\n"
