"""CSV and TSV: Lightning, Keras, YOLO, Stable-Baselines3, chart exports, tables of one's own.

A header, then rows; the separator is a comma, a tab, a semicolon or a bar. Columns that count
steps, epochs and time place a row; all other numbers become metrics, and an empty cell is no
point. Tables with a row a value (``run, metric, step, value``, as trainlens itself writes them)
and exports with a column a run hold several runs. ``hparams.yaml``, ``args.yaml``, ``opt.yaml``
and ``hyp.yaml`` beside a file become its configuration.

Recognition
-----------
A header whose names tell of a training: an export that is known, or a known metric beside a column
of steps or epochs. Most cells beneath it must be numbers, and the axis must mostly rise. Suffixes
of source code and settings are none.

Dialects
--------
- A column a metric: Lightning's ``metrics.csv``, Keras' ``CSVLogger``, YOLO's ``results.csv``,
  Stable-Baselines3's ``progress.csv`` and ``monitor.csv``, tables of pandas.
- A column a run: charts that W&B exports.
- A row a value: what ``trainlens export`` writes, exports of MLflow and AIM.
- One metric a file: charts that TensorBoard exports (``Wall time,Step,Value``).
- A decimal comma with a semicolon between cells, as spreadsheets write it.

Damage
------
A row or a cell that is broken is named and passed over, its neighbours are kept. A header in the
middle begins another attempt. The last cell of a table without an end is left out. Rows with more
or fewer cells than the header, and quotes that never end, cost themselves only.

Limits
------
A table without a column that looks like a training is no log: data sets are not read. Without a
step the epoch counts, without both the row, with a notice. Texts in columns of numbers are no
points.

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> text = '''epoch,step,train_loss,val_loss
... 0,10,2.3,
... 0,20,2.1,2.2
... 1,30,oops,
... 1,40,1.'''
>>> _ = Path("metrics.csv").write_text(text)
>>> run = trainlens.load_one("metrics.csv")
>>> print(run.frame()[["metric", "split", "step", "epoch", "value"]].to_string(index=False))
metric split  step  epoch  value
  loss train    10    0.0    2.3
  loss train    20    0.0    2.1
  loss   val    20    0.0    2.2
>>> for notice in run.notices:
...     print(notice)
metrics.csv, line 4: no number in column 'train_loss'; that value was passed over
metrics.csv, line 5: the last line has no end; its last cell was left out
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import HEAD, Inputs, Look, Reader, Source

FORMAT = "csv"
SUREST = 0.9
LINES = True

_NO_LOG = frozenset(
    f".{end}"
    for ends in (
        "bat c cc cpp cu go h hpp java jl js proto ps1 py pyi r rs sh sql ts tsx vue bib cfg conf",
        "css diff htm html ini ipynb json jsonl lock md patch rst svg tex toml xml yaml yml",
    )
    for end in ends.split()
)


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 0.9] that a file is the table of a training."""
    look = Look.at(path)
    if not look.is_file:
        return 0.0
    data = look.head.removeprefix(b"\xef\xbb\xbf")
    if look.suffix.lower() in _NO_LOG or data[:1] in b"{[<" or b"\0" in data[:4096]:
        return 0.0
    from trainlens.readers._csv.sniff import confidence

    return confidence(look.path, data, len(data) < HEAD - 3)


def find(path: Path) -> list[Source]:
    """The runs of a file: several where a column or the header names them."""
    from trainlens.readers._csv.runs import runs_of

    runs = runs_of(path)
    if not runs:
        return [Source(FORMAT, path)]
    if len(runs) == 1:
        return [Source(FORMAT, path, name=runs[0])]
    return [Source(FORMAT, path, key=run, name=run) for run in runs]


def inputs(source: Source) -> Inputs:
    """The file, and the settings that may lie beside it."""
    from trainlens.readers._csv.settings import BESIDE

    beside = (source.path.with_name(name) for name in BESIDE)
    return Inputs((*beside, source.path), grows=True)


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._csv.reader import CsvLog

    return CsvLog(source.path, source.key)
