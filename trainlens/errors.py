"""Errors that trainlens raises on purpose.

Every one is a single line that names the place, the problem and the remedy. The hierarchy::

    TrainlensError
    ├── SourceError          something on disk
    │   ├── NotFound         the path does not exist
    │   ├── Unreadable       it exists but the system refuses to read it
    │   ├── NotALog          it can be read but holds no training log
    │   └── SeveralRuns      one run was asked for, several are there
    ├── OutputError          a result could not be written
    ├── UsageError           an unknown rule, metric, profile or option value
    └── MissingExtra         an optional dependency is not installed

The command line catches `TrainlensError` and nothing else.
"""

from __future__ import annotations

import os


class TrainlensError(Exception):
    """Root of every deliberate error."""


class SourceError(TrainlensError):
    """Something about a path on disk.

    Parameters
    ----------
    path : str or path-like
        The file or folder in question.
    problem : str
        What is wrong with it.
    remedy : str
        What the user can do about it.
    """

    def __init__(self, path: str | os.PathLike[str], problem: str, remedy: str) -> None:
        super().__init__(f"{os.fspath(path)}: {problem}; {remedy}")
        self.path = os.fspath(path)
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, str, str]]:
        # Errors of other processes come home as they were.
        return type(self), (self.path, self.problem, self.remedy)


class NotFound(SourceError):
    """The path does not exist."""


class Unreadable(SourceError):
    """The path exists but the system refuses to read it."""


class NotALog(SourceError):
    """The path can be read but holds no training log."""


class SeveralRuns(SourceError):
    """One run was asked for, several are there."""


class OutputError(SourceError):
    """A result could not be written."""


class UsageError(TrainlensError):
    """An unknown rule, metric, profile or option value."""


class MissingExtra(TrainlensError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : str
        What cannot be done, e.g. ``"reading AIM repositories"``.
    extra : str
        The extra of this distribution that brings the dependency.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'trainlens[{extra}]'")
        self.what = what
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.what, self.extra)
