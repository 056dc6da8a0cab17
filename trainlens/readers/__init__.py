"""Finding and reading runs: `discover`, `load`, `load_one`."""

from __future__ import annotations

import os

from trainlens.errors import SeveralRuns
from trainlens.readers._account import account
from trainlens.readers._find import REPORT, Discovery, PathLike, all_readers, claim, discover
from trainlens.readers._naming import name_runs
from trainlens.readers._read import open_source, read
from trainlens.readers._survey import Survey
from trainlens.remote.url import public
from trainlens.run import Run, Runs

__all__ = [
    "REPORT",
    "Discovery",
    "Survey",
    "account",
    "all_readers",
    "claim",
    "discover",
    "load",
    "load_one",
    "open_source",
    "read",
]


def load(*paths: PathLike, cache: bool = False) -> Runs:
    """Read every run in `paths`.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders (searched through), glob patterns or URLs.
    cache : bool
        Whether what is read is kept in the user's cache folder, so that reading it again costs
        next to nothing.

    Returns
    -------
    Runs
        Always a sequence. A run that cannot be read is named in its `notices`; the others are
        whole.

    Raises
    ------
    SourceError
        Nothing could be read.
    MissingExtra
        Nothing could be read because an optional dependency is missing.
    """
    survey = Survey(*paths, cache=cache)
    runs = list(survey.each(_as_it_is))
    return Runs(runs, survey.notices)


def _as_it_is(run: Run) -> Run:
    return run


def load_one(path: PathLike) -> Run:
    """Read the only run in `path`.

    Raises
    ------
    SeveralRuns
        There are several; the error names them.
    SourceError
        There is none.
    """
    found = discover(path)
    if len(found) > 1:
        names = name_runs(found.sources, (path,))
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        place = public(os.fspath(path))
        raise SeveralRuns(place, f"holds {len(names)} runs ({listed})", "name one, or use load()")
    return load(path)[0]
