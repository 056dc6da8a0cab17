"""MLPerf training logs: ``:::MLLOG {json}`` lines, and ``:::MLPv0.5.0`` lines before v0.6.

Measurements (``eval_accuracy``, ``train_loss``, ``throughput``, ``tracked_stats``, learning
rates that carry a step) become points, named as logged; dictionaries are flattened with ``/``.
The step of a point is the logged step, else the samples seen, else the epoch. Everything else
becomes the configuration, with the ``status`` that ``run_stop`` gives. Other output between the
records is looked through for lines that print a loss or a metric with its step.
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "mlperf"
SUREST = 0.98
LINES = True


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 1] that a file holds MLPerf records, near its beginning or its end."""
    look = Look.at(path)
    if not look.is_file or not any(b":::ML" in part for part in look.ends):
        return 0.0
    from trainlens.readers._mlperf.sniff import confidence

    return confidence(look.path, *look.ends)


def find(path: Path) -> list[Source]:
    """The one run of a file."""
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """The file alone."""
    return Inputs((source.path,), grows=True)


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._mlperf.reader import MLPerfLog

    return MLPerfLog(source.path)
