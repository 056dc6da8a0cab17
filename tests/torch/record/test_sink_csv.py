"""pandas and trainlens read the table at any moment, cut anywhere."""

import io
import math

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")


import trainlens
from tests.torch.record.entries import CONFIG, entries, expected, target
from trainlens_torch.record import csv_file
from trainlens_torch.record.entry import Entry


def written(folder, logged):
    sink = csv_file.make(target(folder))
    sink.write(logged)
    sink.close()
    return folder / "metrics.csv"


def table(data):
    # The default is exact since pandas 3.1, which warns of the option.
    old = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    return pd.read_csv(io.BytesIO(data), **({"float_precision": "round_trip"} if old else {}))


def test_both_readers_have_every_value_at_any_moment(tmp_path):
    sink = csv_file.make(target(tmp_path))
    logged = entries()
    for at in range(0, len(logged), 11):
        sink.write(logged[at : at + 11])
        want = expected(logged[: at + 11])
        frame = table((tmp_path / "metrics.csv").read_bytes())
        own = trainlens.load_one(tmp_path / "metrics.csv")
        assert list(frame.columns) == list(csv_file.COLUMNS)
        assert set(own.series) == set(want) == set(zip(frame.metric, frame.split, strict=True))
        for (name, split), (steps, values, times) in want.items():
            rows = frame[(frame.metric == name) & (frame.split == split)]
            series = own.series[name, split]
            for found in (
                (rows.step, rows.value, rows.wall_time),
                (series.step, series.value, series.wall_time),
            ):
                for got, wanted in zip(found, (steps, values, times), strict=True):
                    np.testing.assert_array_equal(np.asarray(got), np.array(wanted))
    sink.flush()
    sink.close()
    assert own.config == CONFIG
    assert not own.notices


def test_a_table_cut_at_any_byte_gives_no_wrong_value(tmp_path):
    data = written(tmp_path, entries(1, 3)).read_bytes()
    whole = table(data)
    cut = tmp_path / "cut" / "metrics.csv"
    cut.parent.mkdir()
    for size in range(data.index(b"\n") + 1, len(data)):
        # A row is sure for pandas once it has a split; the rest of the cut row is never one.
        frame = table(data[:size])
        sure = frame[frame.split.isin(["train", "val"])]
        # A column in which one row ends with "n" of "nan" is one of texts.
        sure = sure.assign(value=pd.to_numeric(sure.value))
        pd.testing.assert_frame_equal(
            sure, whole.iloc[: len(sure)], check_dtype=False, check_column_type=False
        )
        if size % 7 == 0 and data[:size].count(b"\n") > 1:
            cut.write_bytes(data[:size])
            series = trainlens.load_one(cut).series
            total = sum(len(s.step) for s in series.values())
            assert total in (data[:size].count(b"\n") - 1, data[:size].count(b"\n"))


def test_a_torn_row_is_cut_off_when_the_table_is_continued(tmp_path):
    path = written(tmp_path, entries(1, 4))
    data = path.read_bytes()
    for size in range(len(data) - 80, len(data), 3):
        path.write_bytes(data[:size])
        written(tmp_path, [Entry(9, 1.0, {"total": 0.5}, {})])
        kept = data[: data[:size].rfind(b"\n") + 1]
        assert path.read_bytes() == kept + b"9,,1.0,total,0.5,train\n"


def test_odd_names_stay_apart(tmp_path):
    names = ["a,b", 'q"', "n\nm", "r\r", "a\ud800", "学", "", "x" * 500, "n\x0am"]
    values = dict(zip(names, map(float, range(9)), strict=True)) | {"inf": -math.inf}
    path = written(tmp_path, [Entry(1, 1.0, values, {}, "s,p")])
    frame = pd.read_csv(path, keep_default_na=False)
    assert path.read_bytes().count(b"\n") == 1 + len(values)
    shown = ["a,b", 'q"', r"n\x0am", r"r\x0d", "a?", "学", "_", "x" * 500, "inf"]
    assert list(frame.metric) == shown
    assert set(frame.split) == {"s,p"}


def test_the_settings_of_another_are_left_alone(tmp_path):
    (tmp_path / "hparams.yaml").write_text("mine: 1\n")
    written(tmp_path, entries(1, 1))
    assert (tmp_path / "hparams.yaml").read_text() == "mine: 1\n"
