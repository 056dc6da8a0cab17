"""Every number in every real table, against the csv module of Python."""

import csv
import io
import math
import re

import numpy as np
import pytest

from trainlens.readers import csv as reader

# Cells that are the place of a row, or repeat another cell, by the folder of the file.
AXES = {
    "csv_lightning": {"step", "epoch"},
    "csv_keras": set(),
    "csv_yolo": {"epoch"},
    "csv_misc": {"Step"},
    "csv_rl": {"total timesteps", "iteration", "t"},
    "pose": {"epoch", "Epoch"},
    "catboost": {"iter"},
}
COUNTS = {
    "csv_lightning": 7535, "csv_keras": 2705, "csv_yolo": 11, "csv_misc": 2270, "catboost": 1136
}  # fmt: skip
LEFT_OUT = re.compile(r"__(MIN|MAX)$")


def claimed(root):
    return [p for p in sorted(root.rglob("*"))
            if p.is_file() and p.stat().st_size and reader.sniff(p) > 0]  # fmt: skip


def oracle(path):
    """Names and rows by the csv module; cells as they stand."""
    text = "".join(t for t in path.read_text().splitlines(True) if not t.startswith("#"))
    dialect = "excel-tab" if path.suffix == ".tsv" else "excel"
    names, *rows = csv.reader(io.StringIO(text, newline=""), dialect)
    return [n.strip() for n in names], [row for row in rows if row]


def expected(path, axes):
    """Values of each column that a point should be made of, in order."""
    names, rows = oracle(path)
    width = max(map(len, rows), default=0)
    names += [f"column {j + 1}" for j in range(len(names), width)]
    found = {}
    for j, name in enumerate(names):
        if name in axes or LEFT_OUT.search(name):
            continue
        cells = [r[j].strip().rstrip("%") for r in rows if j < len(r)]
        values = [float(c) for c in cells if c]
        while values and math.isnan(values[0]) and not all(map(math.isnan, values)):
            values.pop(0)
        if values:
            found[name.rpartition(" - ")[2]] = values
    return found


@pytest.mark.parametrize("folder", AXES)
def test_every_number_of_every_table(real_logs, folder):
    paths = claimed(real_logs / folder)
    assert paths
    rows = 0
    for path in paths:
        (source,) = reader.find(path)
        chunk = reader.open_source(source).poll(final=True)
        want = expected(path, AXES[folder])
        got = {c.name: c.value for c in chunk.columns}
        torn = [n for n in chunk.notices if n.kind == "torn-tail"]
        if torn:
            # A file without an end may have lost its last cell.
            want[list(want)[-1]].pop()
        assert got.keys() == want.keys(), path
        for name, values in want.items():
            np.testing.assert_array_equal(got[name], values, str(path))
        assert not [n for n in chunk.notices if n.kind == "corrupt"]
        rows += len(oracle(path)[1])
    assert rows == COUNTS.get(folder, rows)


def test_steps_and_epochs_of_lightning(real_logs):
    for path in claimed(real_logs / "csv_lightning"):
        names, rows = oracle(path)
        at = {name: j for j, name in enumerate(names)}
        for column in reader.open_source(reader.find(path)[0]).poll(final=True).columns:
            held = [r for r in rows if r[at[column.name]]]
            assert column.step.tolist() == [int(r[at["step"]]) for r in held]
            assert column.epoch.tolist() == [float(r[at["epoch"]]) for r in held]


def test_settings_of_lightning(real_logs):
    path = next((real_logs / "csv_lightning").rglob("version_0/metrics.csv"))
    config = reader.open_source(reader.find(path)[0]).poll(final=True).config
    assert config["d_model"] == 768
    assert config["lr"] == 0.0002363235740126483


def test_monitors_count_time_steps(real_logs):
    paths = list((real_logs / "csv_rl").rglob("*.monitor.csv"))
    assert len(paths) == 16
    for path in paths:
        chunk = reader.open_source(reader.find(path)[0]).poll(final=True)
        start = float(re.search(r'"t_start": ([\d.]+)', path.read_text())[1])
        assert chunk.config["t_start"] == start
        names, rows = oracle(path)
        assert names == ["r", "l", "t"]
        for column in chunk.columns:
            np.testing.assert_array_equal(column.step, np.cumsum([int(r[1]) for r in rows]))
            np.testing.assert_array_equal(column.wall_time, [start + float(r[2]) for r in rows])


def test_the_second_run_of_the_heat_maps_is_nan(real_logs):
    path = next((real_logs / "pose").rglob("heatmaps/logs/loss_log_2D_heatmaps.txt"))
    chunk = reader.open_source(reader.find(path)[0]).poll(final=True)
    loss = chunk.columns[0]
    assert loss.step.tolist() == [*range(1, 26), *range(1, 26)]
    assert np.flatnonzero(np.isnan(loss.value)).tolist() == list(range(26, 50))
    assert any("first 5 names" in n.message for n in chunk.notices)


def test_only_tables_are_claimed(real_logs):
    for path in sorted(real_logs.rglob("*")):
        if path.is_file() and path.stat().st_size:
            table = path.suffix in (".csv", ".tsv") and path.name not in (
                "MANIFEST.tsv", "time_left.tsv"
            )  # fmt: skip
            log = path.parts[-1].startswith("loss_log") or "/loss_log" in str(path)
            assert (reader.sniff(path) > 0) == (table or log), path
