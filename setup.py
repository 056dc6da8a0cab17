"""The optional compiled part; everything else stands in pyproject.toml.

Without a compiler the installation goes on and the reader of event files uses numpy instead.
"""

import sys

from setuptools import Extension, setup

FOLDER = "trainlens/readers/_tfevents"
HEADERS = ("crc32c", "wire", "columns", "event", "frames")

setup(
    ext_modules=[
        Extension(
            "trainlens.readers._tfevents._native",
            sources=[f"{FOLDER}/native.c"],
            depends=[f"{FOLDER}/{name}.h" for name in HEADERS],
            # The stable interface: one wheel serves every Python from 3.10 on.
            define_macros=[("Py_LIMITED_API", "0x030A0000"), ("PY_SSIZE_T_CLEAN", "1")],
            py_limited_api=True,
            extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
