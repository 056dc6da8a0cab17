"""What a training finds on this machine: one function a check."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["OPTIONAL", "Check", "data", "device", "disk", "memory", "packages", "python", "torch"]

GIB = 2.0**30
_PYTHON, _TORCH = (3, 10), (2, 4)
_LITTLE, _TOO_LITTLE = 2.0, 0.2
OPTIONAL = (
    "aim", "tensorboard", "psutil", "nvidia-ml-py", "pytorch-optimizer", "schedulefree",
    "safetensors", "webdataset", "lightning", "transformers", "accelerate", "numpy", "trainlens",
)  # fmt: skip
"""Packages that are used where they are there."""


@dataclass(frozen=True)
class Check:
    """What was looked at, and what came of it.

    Parameters
    ----------
    name : str
    status : str
        ``ok``, ``note`` (slower or less than it could be), or ``fault``.
    told : str
    remedy : str
        Empty where there is nothing to do.
    """

    name: str
    status: str
    told: str
    remedy: str = ""


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """The interpreter."""
    told = f"Python {'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version < _PYTHON:
        return Check("python", "fault", told, "install Python 3.10 or later")
    return Check("python", "ok", told)


def torch(found: ModuleType | None, problem: str = "") -> Check:
    """PyTorch: there, importable, and of a version that is known."""
    if found is None:
        why = f"torch cannot be imported: {problem}" if problem else "torch is not installed"
        return Check("torch", "fault", why, "pip install 'trainlens[torch]'")
    told = f"torch {found.__version__}"
    numbers = tuple(int(x) for x in str(found.__version__).split("+")[0].split(".")[:2])
    if numbers < _TORCH:
        return Check("torch", "fault", told, "install torch 2.4 or later")
    return Check("torch", "ok", told)


def device(found: Any) -> Iterator[Check]:
    """GPUs, their memory and driver; a machine without one is told, and is no fault."""
    if found.cuda.is_available():
        for i in range(found.cuda.device_count()):
            yield _gpu(found, i)
        return
    if found.backends.mps.is_available():
        yield Check("device", "ok", "Metal (mps)")
        return
    if found.version.cuda:
        told = f"torch was built for CUDA {found.version.cuda}, but finds no GPU"
        remedy = "check the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES"
        yield Check("device", "note", told, remedy)
    else:
        yield Check("device", "note", "no GPU in use by this torch: the CPU trains")


def _gpu(found: Any, i: int) -> Check:
    properties = found.cuda.get_device_properties(i)
    name = f"GPU {i}: {properties.name}, CUDA {found.version.cuda}"
    try:
        free, total = found.cuda.mem_get_info(i)
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        return Check("device", "fault", f"{name} does not answer: {said}", "check the driver")
    told = f"{name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < 0.1 * total:
        return Check("device", "note", told, "another process holds its memory: see nvidia-smi")
    return Check("device", "ok", told)


def memory(available: float | None) -> Check:
    """Memory of the host that is left, in GiB; None where it is not known."""
    if available is None:
        return Check("memory", "note", "memory is not known", "pip install 'trainlens[system]'")
    told = f"{available:.1f} GiB of memory available, {os.cpu_count() or 1} processors"
    if available < _LITTLE:
        status = "fault" if available < _TOO_LITTLE else "note"
        return Check("memory", status, told, "end other programs, or use fewer workers")
    return Check("memory", "ok", told)


def disk(folder: Path) -> Iterator[Check]:
    """The output folder: it can be written to, or made, and its disk has room."""
    there = _existing(folder)
    if not there.is_dir():
        yield Check("output", "fault", f"{there} is no folder", "name another --output")
        return
    free = shutil.disk_usage(there).free / GIB
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        told = f"{there} cannot be written to: {error.strerror or error}"
        yield Check("output", "fault", told, "name another --output, or change its permissions")
        return
    made = "" if there == folder else " (will be made)"
    yield Check("output", "ok", f"{folder}{made} can be written to")
    told = f"{free:.1f} GiB free on its disk"
    if free < _LITTLE:
        status = "fault" if free < _TOO_LITTLE else "note"
        yield Check("disk", status, told, "make room: logs and checkpoints go there")
    else:
        yield Check("disk", "ok", told)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    here = folder.absolute()
    while not here.exists() and here != here.parent:
        here = here.parent
    return folder if here == folder.absolute() else here


def data(path: Path) -> Check:
    """The data set: there, readable, and not empty."""
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            if not file.read(1):
                return Check("data", "fault", f"{path} is empty", "copy the data again")
    except FileNotFoundError:
        return Check("data", "fault", f"{path} does not exist", "check --data")
    except OSError as error:
        told = f"{path} cannot be read: {error.strerror or error}"
        return Check("data", "fault", told, "check its permissions")
    return Check("data", "ok", f"{path}, {path.stat().st_size / GIB:.2g} GiB")


_MOST = 10_000


def _folder(path: Path) -> Check:
    with os.scandir(path):
        pass  # raises where the folder cannot be read; a walk would pass over it
    files = (Path(top) / name for top, _, names in os.walk(path) for name in names)
    first = next(files, None)
    if first is None:
        return Check("data", "fault", f"{path} holds no file", "copy the data again")
    with first.open("rb"):
        pass
    count = 1 + sum(1 for _ in islice(files, _MOST))
    told = f"more than {_MOST:,} files" if count > _MOST else f"{count} file{'s' * (count != 1)}"
    return Check("data", "ok", f"{path}, {told}")


def packages() -> dict[str, str]:
    """Versions of optional packages; those that are missing are left out."""
    out = {}
    for name in OPTIONAL:
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out
