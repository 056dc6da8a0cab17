"""Text logs: what a training prints, in lines, progress bars and tables.

Deliberately careful: a number becomes a point only where the line says which step or epoch it
belongs to, or where a line of hardly anything but known metrics follows such a line. Planned
totals (``3000/100000``, ``Epoch 3/10``) become ``planned_steps`` and ``planned_epochs`` of the
configuration; simple ``name: value`` lines before the first record become its settings.

Known dialects: ``key=value`` and ``key: value``, progress bars of tqdm, Keras and rich,
Hugging Face, fairseq, timm, detectron2, MMEngine, Megatron, torchtitan, nnU-Net, XGBoost,
LightGBM, CatBoost, scikit-learn, Caffe, Darknet, ESPnet, Marian,
spaCy, boxes of reinforcement learning, columns under a heading, and files of two columns, a step
and a number.

Recognition
-----------
Lines of which some say a step or an epoch together with a known metric, a table of such names, or
two columns of a step and a number; both ends of the file are looked at. Source code, documents and
settings are known by their suffixes and are none. So is a file that holds a zero byte early.

Damage
------
A line without a metric is passed over, whatever it holds. The last number of a line without an end
is left out: half a number reads as a whole one. Lines of several processes in one file are told
apart by their ranks. What the training itself says of faults (a traceback, lost memory, a step
whose loss was skipped) becomes a notice with its step.

Limits
------
Numbers are as exact as they were printed. Times are those of the lines, where these have dates. A
log in which no line says at which step or epoch a number stands is no log: `trainlens ls --all`
says so.

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> text = '''lr: 0.0001
... step 10/100 loss=2.30 lr=1e-4
... step 20/100 loss=2.10 lr=1e-4
... val: step 20 loss=2.2
... step 30/100 loss=1.'''
>>> _ = Path("train.log").write_text(text)
>>> run = trainlens.load_one("train.log")
>>> print(run.frame()[["metric", "split", "step", "value"]].to_string(index=False))
metric split  step  value
  loss train    10 2.3000
  loss train    20 2.1000
    lr train    10 0.0001
    lr train    20 0.0001
  loss   val    20 2.2000
>>> print(run.config)
{'lr': 0.0001, 'planned_steps': 100}
>>> print(*run.notices)
train.log, bytes 93-112: the last line has no end; its last number was left out
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "text"
SUREST = 0.5
LINES = True


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 0.5] that a file is a text log: other formats are surer of theirs."""
    look = Look.at(path)
    if not look.is_file:
        return 0.0
    from trainlens.readers._text.sniff import confidence

    return confidence(look.path, *look.ends)


def find(path: Path) -> list[Source]:
    """The one run of a file."""
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """The file alone."""
    return Inputs((source.path,), grows=True)


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._text.reader import TextLog

    return TextLog(source.path)
