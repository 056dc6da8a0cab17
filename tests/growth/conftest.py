"""Thousands of small files are written in memory."""

from tests.memory import scratch

__all__ = ["scratch"]
