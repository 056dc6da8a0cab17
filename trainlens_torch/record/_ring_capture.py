"""Leave for a second thread to query CUDA events while a CUDA graph is captured."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["exchange_of", "lenient"]

# cudaStreamCaptureModeThreadLocal
_THREAD_LOCAL = 1

Exchange = Callable[[Any], int]


def exchange_of() -> Exchange | None:
    """`cudaThreadExchangeStreamCaptureMode` of the CUDA runtime that torch has loaded.

    Returns
    -------
    callable or None
        None where it is not found, and on ROCm, where a query from a second thread ends a capture
        in every mode. Nothing is loaded that was not there.
    """
    if torch.version.cuda is None or not hasattr(os, "RTLD_NOLOAD"):
        return None
    name = f"libcudart.so.{torch.version.cuda.split('.')[0]}"
    try:
        library = ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        found: Exchange = library.cudaThreadExchangeStreamCaptureMode
    except (OSError, AttributeError):
        return None
    return found


@contextmanager
def lenient(exchange: Exchange) -> Iterator[None]:
    """Queries of this thread leave alone what other threads capture.

    In the mode that threads are born with, an event query of any thread ends a capture that was
    begun in the mode "global", the default of `torch.cuda.graph`.
    """
    mode = ctypes.c_int(_THREAD_LOCAL)
    exchange(ctypes.byref(mode))
    try:
        yield
    finally:
        exchange(ctypes.byref(mode))
