"""JSON: the native log, flat and nested records, arrays of records, one object of lists.

One JSON object a line (also behind a time and a name, or as Python prints it), or objects side by
side, over several lines, or in one array; or a single object with a list a metric. So read the
logs of MMEngine, detectron2, DeiT, DreamerV3, Chainer, RLlib, fairseq and Keras. Keys that count
steps, epochs and time place a record; all other numbers become metrics, names of nested
objects joined with ``/``. The header of a native log becomes the configuration: its ``config``,
and beside it ``run``, ``created`` and ``schedules``.

Recognition
-----------
Records: JSON objects of which at least a third of the first lines are one, that count steps or
epochs or hold numbers that are known as those of a training. The header of a native log is enough.
Data sets (more words than numbers, records about samples) and lone configurations are none.

Dialects
--------
- Native: a header, records with ``losses`` and ``stats``, and a last line where the log was ended
  (`trainlens.schema`).
- Flat: ``{"step": 10, "loss": 2.3, "val_loss": 2.4}``, of MMEngine, detectron2, DeiT, RLlib and
  fairseq.
- Nested: ``{"step": 10, "optimizer": {"lr": 0.1}}`` gives ``optimizer/lr``.
- A row a value: ``{"step": 10, "name": "loss", "value": 2.3}``.
- One array of records, written anew as it grows (Chainer's LogReport).
- One object of lists: ``{"loss": [2.3, 1.9]}`` (Keras' ``history.history``), of pairs of step and
  value, or of objects by their number.
- Records behind a time and a name on a line, and as Python prints a dictionary.

Damage
------
Every complete object is kept: in front of, behind and on the same line as what is broken. A last
line without an end waits while the log is watched, and is named when it is over. Zeros that a
crash left and glued records are taken apart. A name that stands twice in a record
counts with its last value, with a notice.

Limits
------
Texts and lists of numbers within records are no points; a notice names them once. A record
without a step has its epoch as step, or its number, with a notice. An array or an object of
lists is one document: it is read whole again when it has changed, and only what is new of it is
given on.

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> text = '''{"step": 10, "loss": 2.3, "val_loss": 2.4}
... {"step": 20, "loss": NaN}
... {"step": 30, "lo'''
>>> _ = Path("run.jsonl").write_text(text)
>>> run = trainlens.load_one("run.jsonl")
>>> print(run.frame()[["metric", "split", "step", "value"]].to_string(index=False))
metric split  step  value
  loss train    10    2.3
  loss train    20    NaN
  loss   val    10    2.4
>>> print(*run.notices)
run.jsonl, bytes 69-85: the last line has no end; a record that is not valid JSON
"""

from __future__ import annotations

import re
from pathlib import Path

from trainlens import schema
from trainlens.readers.base import HEAD, Inputs, Look, Reader, Source, head

FORMAT = "jsonl"
SUREST = 0.95
LINES = True

_MAY_BE = re.compile(rb"\A(?:\xef\xbb\xbf)?[ \t\r\n\0]*\[|\{")
"""Objects, or a list at the beginning."""


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 0.95] that a file is a log of JSON records."""
    look = Look.at(path)
    if not look.is_file or not _MAY_BE.search(look.head):
        return 0.0
    from trainlens.readers._json.sniff import confidence

    return confidence(look.path, look.head, look.whole)


def find(path: Path) -> list[Source]:
    """The one run of a file; a native log knows its name, and what else holds the same run."""
    from trainlens.readers._json.decode import decode_line

    found = decode_line(head(path).split(b"\n", 1)[0]).objects
    header = found[0] if found and schema.is_header(found[0]) else {}
    name = header.get("run")
    name = name if isinstance(name, str) else ""
    others = schema.ranks_of(header, path.stem, path.suffix)
    return [Source(FORMAT, path, name=name, beside=(*schema.copies_of(header), *others))]


def inputs(source: Source) -> Inputs:
    """The file alone."""
    return Inputs((source.path,), grows=True)


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._json.document import Document
    from trainlens.readers._json.lists import confidence as of_lists
    from trainlens.readers._json.reader import JsonLines

    try:
        data = head(source.path)
    except OSError:
        data = b""  # the first poll says what is wrong
    lists = of_lists(source.path, data, len(data) < HEAD)
    return Document(source.path) if lists else JsonLines(source.path)
