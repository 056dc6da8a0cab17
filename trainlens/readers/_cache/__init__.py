"""Keeps what was read of a log, so that opening it again costs milliseconds.

Columns lie as they are in one file a run, in the user's cache folder, and are mapped into memory:
no library is needed and nothing is decoded (Parquet takes 30 times as long to open). Beside them
lie the settings, the notices, what tells the log from another (`identity`), and for logs that only
grow the state of their reader (`freeze`), so that only what is new is read (`recall`).
"""

from __future__ import annotations

from trainlens.readers._cache.recall import Cached, cached

__all__ = ["Cached", "cached"]
