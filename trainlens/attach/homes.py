"""Which runs get a report in which homes, said before anything is done."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from types import ModuleType

from trainlens.errors import MissingExtra, UsageError
from trainlens.readers import Survey
from trainlens.readers.base import Source
from trainlens.remote.shown import as_shown, mirrors_around

WHERE = ("auto", "log", "aim", "tensorboard", "mlflow", "wandb")
"""What can be asked for; ``auto`` is the home of the kind that each run is."""

_AUTO, _LOG = WHERE[:2]

Plan = dict[str, tuple[str, ...]]
"""Names of runs, and the homes for the report of each."""


def home(name: str) -> ModuleType:
    """The module of a home.

    It has ``FORMAT``, that of the runs it is for (empty for all), ``PACKAGES`` that must be
    installed and the ``EXTRA`` that brings them, and ``put(parcel, source) -> str``, which says
    where the report is now.
    """
    return importlib.import_module(f"trainlens.attach.{name}")


def planned(survey: Survey, where: Sequence[str]) -> Plan:
    """The homes of each run of a survey.

    Parameters
    ----------
    survey : Survey
    where : sequence of str
        Of `WHERE`; empty for none.

    Returns
    -------
    dict of name of a run to homes
        Without the runs that none of the homes is for.

    Raises
    ------
    UsageError
        Runs behind a URL, or a home that is for none of the runs.
    MissingExtra
        A home needs an SDK that is not installed.
    """
    if not where:
        return {}
    _check_local(survey.sources)
    plan = {
        name: _homes(source, where)
        for name, source in zip(survey.names, survey.sources, strict=True)
    }
    used = {name for homes in plan.values() for name in homes}
    for name in where:
        if name not in (_AUTO, *used):
            raise UsageError(_nowhere(name, survey.sources))
    for name in sorted(used):
        _check_installed(name)
    return {name: homes for name, homes in plan.items() if homes}


def _homes(source: Source, where: Sequence[str]) -> tuple[str, ...]:
    homes = [_kind(source) if name == _AUTO else name for name in where]
    return tuple(n for n in dict.fromkeys(homes) if home(n).FORMAT in ("", source.format))


def _kind(source: Source) -> str:
    return source.format if source.format in WHERE else _LOG


def _nowhere(name: str, sources: Sequence[Source]) -> str:
    formats = ", ".join(sorted({source.format for source in sources}))
    return (
        f"--attach {name}: there is no {name} run here, only {formats}; use --attach log, or "
        "--attach auto for what each run is"
    )


def _check_local(sources: Sequence[Source]) -> None:
    for source in sources:
        if any(mirrors_around(source.path)):
            where = as_shown(source.path, str(source.path))
            raise UsageError(
                f"--attach: {where} is not on this machine, and nothing is written to URLs; "
                "copy the run here, or leave out --attach"
            )


def _check_installed(name: str) -> None:
    module = home(name)
    if any(importlib.util.find_spec(package) is None for package in module.PACKAGES):
        raise MissingExtra(f"attaching reports to {name} runs", module.EXTRA)
