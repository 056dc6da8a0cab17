"""Runs of Weights & Biases from their own files, offline: ``run-DATE-ID/run-ID.wandb``.

The history becomes series, readings of the machine become series under ``system/``, the
configuration is read as far as the log has it, else from ``config.yaml``. Where the history is
empty or damaged, the summary gives the final values. Checksums are verified; behind damage the
next chunk that is intact is searched for, byte by byte.

Recognition
-----------
A file that begins with the mark of W&B, or a folder that is named like one of its runs and holds
such a file. Confidence 0.6 where a file is only named like one and holds no text.

Dialects
--------
The log itself, of W&B 0.10 and later, finished or not, in ``wandb/run-*`` and ``offline-run-*``.
Metrics that ``define_metric`` gives an axis of their own stand on it, where that axis counts steps.

Damage
------
See above: by checksum, chunk by chunk. A last record that is not whole waits for the next look. A
run without an exit record is told as unfinished; one that ended with an error, with its code.

Limits
------
Nothing is fetched from a server: what a run of the cloud did not keep on disk is not there. Media,
tables and histograms are passed over. The summary has final values only, so they are used only
where the history is lost.

Examples
--------
The log of a run with one setting and two rows:

>>> import base64, trainlens
>>> from pathlib import Path
>>> data = bytearray(
...     base64.b64decode(
...         "OlcmQuG+ABXaZmwuAAGKASAKBmFiYzEyMyIMCgoKAmxyggEDMC4xQghjYWxtLXN1bsIMCAoGYWJj"
...         "MTIz7Zf8PUQAARI3CgwKBV9zdGVwggECMTAKGQoKX3RpbWVzdGFtcIIBCjE2MDAwMDAwMTAKDAoE"
...         "bG9zc4IBAzIuM8IMCAoGYWJjMTIza969YEQAARI3CgwKBV9zdGVwggECMjAKGQoKX3RpbWVzdGFt"
...         "cIIBCjE2MDAwMDAwMjAKDAoEbG9zc4IBAzIuMcIMCAoGYWJjMTIzg/LgYw4AAZIBAMIMCAoGYWJj"
...         "MTIz"
...     )
... )
>>> Path("run-20240101_120000-abc123").mkdir()
>>> log = Path("run-20240101_120000-abc123/run-abc123.wandb")
>>> _ = log.write_bytes(data)
>>> run = trainlens.load_one(log.parent)
>>> print(run.frame()[["metric", "split", "step", "wall_time", "value"]].to_string(index=False))
metric split  step    wall_time  value
  loss train    10 1600000010.0    2.3
  loss train    20 1600000020.0    2.1
>>> run.config["lr"], run.config["wandb"]["name"]
(0.1, 'calm-sun')

One flipped bit costs one record:

>>> data[80] ^= 1
>>> _ = log.write_bytes(data)
>>> damaged = trainlens.load_one(log.parent)
>>> damaged.points, damaged.notices[0].message
(1, 'a checksum does not match; skipped to the next intact record')
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "wandb"
FOLDERS = True

_SUFFIX = ".wandb"
_MAGIC = b":W&B\xe1\xbe\x00"


def sniff(path: Path | Look) -> float:
    """Confidence that a folder is that of a W&B run, or a file the log of one.

    Parameters
    ----------
    path : Path or Look

    Returns
    -------
    float in [0, 1]
        1 where the log begins as it must, 0.6 where it is only named like one.
    """
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look) if look.is_file else 0.0
    if not any(name.endswith(_SUFFIX) for name in look.entries):
        return 0.0
    from trainlens.readers._wandb import beside

    if not beside.is_run_folder(look.path):
        return 0.0
    return max((_confidence(Look(log)) for log in beside.logs(look.path)), default=0.0)


def _confidence(log: Look) -> float:
    start = log.begin(512)
    if start.startswith(_MAGIC[:4]) and _MAGIC.startswith(start[: len(_MAGIC)]):
        return 1.0
    text = not start.strip() or (start.isascii() and min(start) >= 9)
    return 0.6 if log.suffix == _SUFFIX and not text else 0.0


def find(path: Path) -> list[Source]:
    """The run of a folder, or of a lone log; one a log where a folder holds several."""
    from trainlens.readers._wandb import beside
    from trainlens.readers._wandb.name import name_of

    logs = beside.logs(path) if path.is_dir() else [path]
    if len(logs) == 1:
        return [Source(FORMAT, path, name=name_of(logs[0]))]
    return [Source(FORMAT, log, name=name_of(log)) for log in logs if _confidence(Look(log))]


def files(source: Source) -> list[Path]:
    """The whole folder of a run, or a log and the folders beside it that W&B keeps for it."""
    if source.path.is_dir():
        return [source.path]
    from trainlens.readers._wandb import beside

    return [source.path, *beside.companions(source.path)]


def inputs(source: Source) -> Inputs:
    """Settings and final values beside the log, and the log, which grows."""
    from trainlens.readers._wandb import beside

    log = _log(source.path)
    return Inputs((log.parent, log.parent / "files", *beside.about(log), log), grows=True)


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._wandb.reader import WandbLog

    return WandbLog(_log(source.path))


def _log(path: Path) -> Path:
    if not path.is_dir():
        return path
    from trainlens.readers._wandb import beside

    logs = beside.logs(path)
    return logs[0] if logs else path / f"run-{beside.run_id(path)}{beside.SUFFIX}"
