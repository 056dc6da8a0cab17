"""Whether the ends of a file look like an MLPerf log."""

from __future__ import annotations

import re
from pathlib import Path

# A record at the beginning of a line, behind a rank or a time stamp at most: where quotes or
# code stand before it, the file speaks about such logs.
_RECORD = re.compile(
    rb"^[^\"'`{}=\n]{0,120}:::ML(?:LOG[ \t]*\{[^\n]{0,2000}?\"key\"[ \t]*:[ \t]*\""
    rb"|Pv\d[\w.]*[ \t]+\S{1,64}[ \t]+\d{6,12}(?:\.\d+)?[ \t]+\([^\n]{1,1000}?\)[ \t]+[a-z])",
    re.MULTILINE,
)
_NO_LOG = re.compile(r"\.(c|cc|cpp|go|h|html?|ipynb|java|js|md|py|r|rs|rst|scala|sh|tex|ts)", re.I)
SURE = 0.98


def confidence(path: Path, begin: bytes, end: bytes) -> float:
    """Confidence in [0, 1] that a file holds MLPerf records.

    Parameters
    ----------
    path : Path
        Documents and source code are known by their names.
    begin, end : bytes
        Beginning and end of the file.
    """
    if _NO_LOG.fullmatch(path.suffix):
        return 0.0
    found = any(b":::ML" in part and _RECORD.search(part) for part in (begin, end))
    return SURE if found else 0.0
