r"""MLPerf training logs: ``:::MLLOG {json}`` lines, and ``:::MLPv0.5.0`` lines before v0.6.

Measurements (``eval_accuracy``, ``train_loss``, ``throughput``, ``tracked_stats``, learning
rates that carry a step) become points, named as logged; dictionaries are flattened with ``/``.
The step of a point is the logged step, else the samples seen, else the epoch. Everything else
becomes the configuration, with the ``status`` that ``run_stop`` gives. Other output between the
records is looked through for lines that print a loss or a metric with its step.

Recognition
-----------
A line with the mark ``:::ML`` near the beginning or the end of a file that is no document and no
source code.

Damage
------
Every complete record is kept, also several on one line. One that is torn is named. A log without
``run_stop`` is told as unfinished.

Limits
------
A series keeps the way of counting with which it began: steps, samples or epochs. Points of
records that name none of them stand at the number of the record.

Examples
--------
>>> import json, trainlens
>>> from pathlib import Path
>>> def record(key, value, when, **place):
...     text = {"time_ms": when, "event_type": "POINT_IN_TIME", "key": key, "value": value}
...     return ":::" + "MLLOG " + json.dumps({**text, "metadata": place}) + "\n"
>>> text = record("submission_benchmark", "bert", 1600000000000)
>>> text += record("train_loss", 2.3, 1600000000000, step_num=10)
>>> text += record("eval_accuracy", 0.61, 1600000060000, step_num=10)
>>> _ = Path("result_0.txt").write_text(text)
>>> run = trainlens.load_one("result_0.txt")
>>> print(run.frame()[["metric", "split", "step", "wall_time", "value"]].to_string(index=False))
  metric split  step    wall_time  value
    loss train    10 1600000000.0   2.30
accuracy   val    10 1600000060.0   0.61
>>> run.config
{'submission_benchmark': 'bert'}
>>> print(*run.notices)
result_0.txt: no run_stop: the run was not finished, or its log ends early
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
