"""trainlens reads the logs of training runs and says what is wrong with them.

>>> import trainlens
>>> runs = trainlens.load("sample_runs")                # doctest: +SKIP
>>> trainlens.diagnose(runs[0]).verdict                 # doctest: +SKIP
'healthy'

Names are imported when they are first used, so that ``import trainlens`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Chunk": "run",
    "Column": "run",
    "Comparison": "comparison",
    "Diagnosis": "rules",
    "Finding": "rules.base",
    "Notice": "run",
    "Run": "run",
    "Runs": "run",
    "Series": "run",
    "TrainlensError": "errors",
    "compare": "comparison",
    "diagnose": "api",
    "diagnose_all": "api",
    "discover": "readers",
    "fragment": "render.notebook",
    "load": "readers",
    "load_one": "readers",
    "report": "api",
    "watch": "api",
}

__all__ = [
    "Chunk",
    "Column",
    "Comparison",
    "Diagnosis",
    "Finding",
    "Notice",
    "Run",
    "Runs",
    "Series",
    "TrainlensError",
    "__version__",
    "compare",
    "diagnose",
    "diagnose_all",
    "discover",
    "load",
    "load_one",
    "report",
    "watch",
]

if TYPE_CHECKING:
    from trainlens.api import diagnose, diagnose_all, report, watch
    from trainlens.comparison import Comparison, compare
    from trainlens.errors import TrainlensError
    from trainlens.readers import discover, load, load_one
    from trainlens.rules import Diagnosis
    from trainlens.rules.base import Finding
    from trainlens.run import Chunk, Column, Notice, Run, Runs, Series


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
