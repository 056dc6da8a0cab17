"""Decoding TensorBoard event files: compiled where possible, numpy otherwise.

`Decoder` is the compiled class of ``native.c`` or, without it, `fallback.Decoder`; the two are
interchangeable. `COMPILED` says which one is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainlens.readers._tfevents.fallback import Decoder

    COMPILED: bool
else:
    try:
        from trainlens.readers._tfevents._native import Decoder
    except ImportError:  # no compiler when this was installed
        from trainlens.readers._tfevents.fallback import Decoder
    COMPILED = Decoder.__module__.endswith("_native")

__all__ = ["COMPILED", "Decoder"]
