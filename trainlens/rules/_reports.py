"""What a training reported of itself: how often, of which kind, at which steps."""

from __future__ import annotations

import re

import numpy as np

from trainlens.chunk import Ints
from trainlens.run import Notice, Run, Series

EVENT = "event"
_MESSAGE = re.compile(
    r"out of memory|OutOfMemory|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED|"
    r"\b(?:oom[- ]?kill\w*|bad_alloc)\b",
    re.IGNORECASE,
)
_OOM = re.compile(r"(?:^|[\W_])(?:oom|out_of_memory)s?(?:[\W_]|$)", re.IGNORECASE)


def says_memory(notice: Notice) -> bool:
    """Whether a notice says that memory ran out; of an event the bare word ``oom`` does."""
    said = notice.message
    return bool(_MESSAGE.search(said) or (notice.kind == EVENT and _OOM.search(said)))


def is_memory(kind: str) -> bool:
    """Whether reports of a kind say that memory ran out."""
    return _OOM.search(kind) is not None


def reported(series: Series) -> Ints:
    """Steps at which a series of reports has one, ascending, repeated where it has several."""
    return np.sort(series.step[series.value != 0])


def kind(series: Series) -> str:
    """What a series of reports is about: ``loss_spike`` of ``anomalies/loss_spike``."""
    return series.metric.removeprefix("anomalies/")


def went_on(run: Run, event: Notice) -> bool:
    """Whether the log has points behind an event, as far as its step tells."""
    return run.steps is not None and (event.step is None or event.step < run.steps[1])
