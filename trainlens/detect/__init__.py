"""Causal detectors, one a file, fed in chunks.

Each is a class with ``update(step, value) -> list[Event]``. Any cutting of a series into chunks
gives bit-identical events: the same detector serves the recorder while training, the monitor
while tailing, and `diagnose` after the fact.
"""
