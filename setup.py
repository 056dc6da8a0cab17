"""The optional compiled parts; everything else stands in pyproject.toml.

Without a compiler the installation goes on, and numpy does the same instead.
"""

import sys

from setuptools import Extension, setup

# The stable interface: one wheel serves every Python from 3.10 on. Headers from 3.13 on call
# functions by names that older Pythons know with other meanings ("#" formats).
OLDEST = (3, 10) if sys.version_info < (3, 13) else (3, 13)


def compiled(module: str, source: str, *headers: str) -> Extension:
    """An extension of one source file; `headers` are the files beside it that it includes."""
    folder = source.rpartition("/")[0]
    return Extension(
        module,
        sources=[source],
        depends=[f"{folder}/{name}.h" for name in headers],
        define_macros=[
            ("Py_LIMITED_API", f"0x{OLDEST[0]:02X}{OLDEST[1]:02X}0000"),
            ("PY_SSIZE_T_CLEAN", "1"),
        ],
        py_limited_api=True,
        extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
        optional=True,
    )


setup(
    ext_modules=[
        compiled(
            "trainlens.readers._tfevents._native",
            "trainlens/readers/_tfevents/native.c",
            "crc32c",
            "wire",
            "columns",
            "again",
            "event",
            "frames",
            "state",
        ),
        compiled(
            "trainlens.stats._native",
            "trainlens/stats/native.c",
            "gain",
            "rolling",
            "select",
        ),
        compiled(
            "trainlens.readers._json._native",
            "trainlens/readers/_json/native.c",
            "number",
            "text",
            "cells",
            "shapes",
            "../_number",
            "../_powers",
        ),
        compiled(
            "trainlens.readers._csv._native",
            "trainlens/readers/_csv/native.c",
            "scan",
            "../_date",
            "../_number",
            "../_powers",
        ),
        compiled(
            "trainlens.readers._text._native",
            "trainlens/readers/_text/native.c",
            "look",
            "match",
            "../_date",
            "../_number",
            "../_powers",
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": f"cp{OLDEST[0]}{OLDEST[1]}"}},
)
