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
