"""``trainlens-torch check-sampler``."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from trainlens.errors import UsageError

__all__ = ["command"]

_CODES = {"good": 0, "fault": 1, "unknown": 2}


@click.command("check-sampler")
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--batches", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="How many of the first batches are looked at.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(1), metavar="N",
              help="For a sampler that gives single indices.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="trainlens.sampler/1 on stdout.")
def command(factory: str, batches: int, batch_size: int | None, as_json: bool) -> int:
    """Say whether a sampler mixes the classes.

    MODULE:FACTORY names a function without arguments, or an object, in a module or a file: a
    DataLoader, or a sampler and the labels of its data set as a pair. Exit code 0: the batches are
    mixed; 1: a fault was found; 2: it could not be judged.
    """
    source, labels = _pair(_made(factory))
    from trainlens_torch.data.sampler_check import check_sampler

    try:
        report = check_sampler(source, labels, batches, batch_size=batch_size)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"drawing batches from {factory} raised {_told(error)}") from error
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else report.words())
    return _CODES[report.verdict]


def _pair(made: Any) -> tuple[Any, Any]:
    if isinstance(made, tuple) and len(made) == 2:
        return made
    if not hasattr(made, "__iter__"):
        raise UsageError(
            f"the factory gave an object of type {type(made).__name__}; it has to return a "
            "DataLoader, or a sampler and the labels of its data set"
        )
    return made, None


def _made(factory: str) -> Any:
    where, _, name = factory.rpartition(":")
    if not where or not name:
        raise UsageError(
            f"{factory}: name a module and a function in it, such as train:make_loader"
        )
    found: Any = _module(where)
    for part in name.split("."):
        if not hasattr(found, part):
            there = [n for n in vars(found) if not n.startswith("_") and callable(vars(found)[n])]
            near = f"; it has {', '.join(there[:5])}" if there else ""
            raise UsageError(f"{factory}: {where} has no {part}{near}")
        found = getattr(found, part)
    if hasattr(found, "__iter__") or not callable(found):
        return found
    try:
        return found()
    except Exception as error:
        raise UsageError(f"{factory} raised {_told(error)}") from error


def _module(where: str) -> ModuleType:
    """A module beside the working folder, or the one in a file."""
    if where.endswith(".py"):
        return _of_file(Path(where))
    _findable(Path.cwd())
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where + ".").startswith(error.name + "."):
            raise UsageError(
                f"there is no module {error.name} here or among the installed ones; begin where "
                "the training begins, or name the file: path/to/train.py:make_loader"
            ) from error
        raise UsageError(f"importing {where} raised {_told(error)}") from error
    except Exception as error:
        raise UsageError(f"importing {where} raised {_told(error)}") from error


def _of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: this is no Python file")
    module = importlib.util.module_from_spec(spec)
    _findable(path.resolve().parent)
    # The processes of a loader look for its classes by this name.
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path} raised {_told(error)}") from error
    return module


def _findable(folder: Path) -> None:
    """Have the modules of a folder found, as where a script is run."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _told(error: BaseException) -> str:
    """An error in one line, with the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}{at}; make it run without the command first"
