"""What all targets share: a file in memory, a reader, and the errors that are allowed."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def of_reader(name: str, file: str) -> Callable[[bytes], None]:
    """A target that gives bytes to a reader as a file.

    Parameters
    ----------
    name : str
        Module of `trainlens.readers`.
    file : str
        Name of the file, below a folder of its own.
    """
    from trainlens.errors import TrainlensError
    from trainlens.run import Run

    module = importlib.import_module(f"trainlens.readers.{name}")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="trainlens-fuzz-", dir=memory))
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)

    def target(data: bytes) -> None:
        path.write_bytes(data)
        module.sniff(path)
        try:
            for source in module.find(path):
                chunk = module.open_source(source).poll(final=True)
                Run("x", str(path), name).extend(chunk)
        except TrainlensError:
            pass

    return target


def fuzz(make: Callable[[], Callable[[bytes], None]]) -> None:
    """Run a target until it fails or the time is over.

    Parameters
    ----------
    make : callable
        Makes the target; what it imports of trainlens reports which branches were taken.
    """
    import atheris

    with atheris.instrument_imports(include=["trainlens"]):
        target = make()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
