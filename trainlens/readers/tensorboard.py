"""TensorBoard event files: TF1, TF2, torch, tensorboardX; damaged, growing, several a folder.

A run is a folder that holds event files directly. Checksums are verified; behind damage the next
record that is intact is searched for, so one flipped byte costs one record and not the rest.
Scalars become series; hyperparameters and texts become the configuration; images, audio,
histograms and graphs are skipped.

Recognition
-----------
A name with ``tfevents`` in it. Confidence 1 where the file begins with a length and its checksum,
0.6 where only the name says so (an empty file, a first record that is damaged).

Dialects
--------
Scalars as single values (TensorFlow 1, torch, tensorboardX, Lightning) and as tensors
(TensorFlow 2, Keras, JAX). ``train/`` and ``validation/`` of Keras are one run. Several writers in
one folder are read together; of two files of which one is a copy of the other, what they share is
read once. ``hparams.yaml`` beside the files and the plugin ``hparams`` become the configuration.

Damage
------
See above: by checksum, record by record. A last record that is not whole waits for the next look.

Limits
------
Values are float32, as the format holds them; times and steps are exact. Tensors of more than one
number are no points. An event file that is a Git LFS pointer is named as one.

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> run = trainlens.load_one("sample_runs/overfitting_tensorboard")
>>> points = run.frame()[["metric", "split", "step", "value"]].round(3)
>>> print(points.head(3).to_string(index=False))
metric split  step  value
  loss train    10  1.749
  loss train    20  1.610
  loss train    30  1.409

One flipped bit costs one record:

>>> (file,) = Path("sample_runs/overfitting_tensorboard").glob("events*")
>>> data = bytearray(file.read_bytes())
>>> data[5000] ^= 1
>>> Path("damaged").mkdir()
>>> _ = Path("damaged", file.name).write_bytes(data)
>>> damaged = trainlens.load_one("damaged")
>>> run.points - damaged.points
1
>>> damaged.notices[0].message
'the checksum of a record does not match its data; skipped to the next intact record'
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "tensorboard"
FOLDERS = True

_MARK = "tfevents"


def sniff(path: Path | Look) -> float:
    """Confidence that a folder holds event files directly, or that a file is one.

    Parameters
    ----------
    path : Path or Look

    Returns
    -------
    float in [0, 1]
        1 where a file begins with a length and its checksum, 0.6 where a file is only named like
        one: empty, damaged in its first bytes, or a git-LFS pointer.
    """
    look = Look.at(path)
    if not any(_MARK in name for name in (look.entries if look.is_dir else (look.name,))):
        return 0.0
    from trainlens.readers._tfevents.files import confidence, event_files

    if not look.is_dir:
        return confidence(look)
    best = 0.0
    for file in event_files(look.path):
        best = max(best, confidence(Look(file)))
        if best == 1:
            break
    return best


def files(source: Source) -> list[Path]:
    """The event files of a run, and the settings beside them.

    Parameters
    ----------
    source : Source
    """
    if not source.path.is_dir():
        return [source.path]
    from trainlens.readers._tfevents.files import confidence, event_files
    from trainlens.readers._tfevents.yaml_file import NAME

    found = [path for path in event_files(source.path) if confidence(Look(path)) > 0]
    settings = source.path / NAME
    return [*found, settings] if settings.is_file() else found


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a lone event file.

    Parameters
    ----------
    path : Path
    """
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """Settings, and the event files: the last one grows."""
    from trainlens.readers._tfevents.copies import first_record
    from trainlens.readers._tfevents.files import event_files
    from trainlens.readers._tfevents.yaml_file import NAME

    if not source.path.is_dir():
        return Inputs((source.path / NAME, source.path), grows=True)
    found = event_files(source.path)
    # Which of two copies is read, and which passed over, depends on what becomes of both.
    begun = {first_record(path) for path in found} if len(found) > 1 else found
    return Inputs((source.path / NAME, *found), grows=len(begun) == len(found))


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning of a run.

    Parameters
    ----------
    source : Source
    """
    from trainlens.readers._tfevents.reader import TensorBoardReader

    return TensorBoardReader(source.path)
