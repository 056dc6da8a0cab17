"""The compiled scanner of tables gives what the reading line by line gives."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers import csv as reader
from trainlens.readers._csv import reader as decoder
from trainlens.readers._csv.axes import times_of
from trainlens.readers._csv.cells import Clean, take
from trainlens.readers._csv.reader import CsvLog
from trainlens.readers._csv.texts import Texts
from trainlens.readers._values import unix_seconds

native = pytest.importorskip("trainlens.readers._csv._native")

LOGS = Path(__file__).parents[3] / "shared" / "real_logs"
CELLS = [
    "",
    "0.5",
    "-1e-3",
    "nan",
    "inf",
    "none",
    "3%",
    '"a, b"',
    '"0.25"',
    '"1,234"',
    "text",
    " 7 ",
    "1e400",
    "12345678901234567890123",
    "tensor(0.5)",
    '""',
    '"x',
    "a\rb",
    "2024-01-02 03:04:05",
]
LINES = [
    "",
    "   ",
    "# note",
    "step,loss,acc,note",
    ",,,",
    "1,2",
    "1,2,3,4,5",
    '"',
    "<<<<<<< HEAD",
    "\xff",
]


def columns_of(path, compiled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "COMPILED", compiled)
        found = {}
        for source in reader.find(path)[:3]:
            chunk = reader.open_source(source).poll(final=True)
            losses = {}
            for notice in chunk.notices:
                losses[notice.kind] = losses.get(notice.kind, 0) + (notice.lost or 0)
            found[source.key] = chunk.config, losses, [
                (c.name, c.split, c.kind, c.unit, c.step.tolist(), repr(c.value.tolist()),
                 repr(c.wall_time.tolist()), repr(c.epoch.tolist()))
                for c in chunk.columns
            ]  # fmt: skip
        return found


ROW = st.tuples(*[st.sampled_from(CELLS)] * 3).map(lambda row: ("row", row))
TABLE = st.lists(
    ROW | ROW | ROW | st.sampled_from(LINES).map(lambda text: ("line", text)), max_size=60
)


@given(table=TABLE, sep=st.sampled_from([",", ";", "\t"]), first=st.sampled_from(["step", "epoch"]))
@settings(max_examples=200, deadline=None)
def test_as_line_by_line(tmp_path_factory, table, sep, first):
    lines = [sep.join([first, "loss", "acc", "note"])]
    for i, (kind, what) in enumerate(table):
        lines.append(sep.join([str(i), *what]) if kind == "row" else what)
    path = tmp_path_factory.mktemp("scan") / "metrics.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    with pytest.MonkeyPatch.context() as patch:
        assert columns_of(path, True, patch) == columns_of(path, False, patch)


@pytest.mark.skipif(not LOGS.is_dir(), reason="the real logs are not here")
def test_real_tables_as_line_by_line(monkeypatch):
    seen = 0
    for path in sorted(LOGS.rglob("*.csv")):
        if path.stat().st_size < 200_000 and reader.sniff(path) > 0.5:
            seen += 1
            assert columns_of(path, True, monkeypatch) == columns_of(path, False, monkeypatch), path
    assert seen > 10


def test_cut_anywhere(tmp_path):
    rng = random.Random(0)
    rows = [f"{i},{rng.random()},,{'x' if i % 9 == 0 else rng.random()}" for i in range(400)]
    rows[200:200] = ["# note", '200,"a\nb",1,2', "step,loss,val_loss,acc"]
    data = ("step,loss,val_loss,acc\n" + "\n".join(rows) + "\n").encode()
    whole = tmp_path / "whole.csv"
    whole.write_bytes(data)
    wanted = CsvLog(whole).poll(final=True)
    for _ in range(20):
        path = tmp_path / "live.csv"
        path.write_bytes(b"")
        log, parts = CsvLog(path), {}
        cuts = sorted(rng.choices(range(len(data)), k=rng.randint(1, 6)))
        for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
            with open(path, "ab") as file:
                file.write(data[a:b])
            for c in log.poll(final=b == len(data)).columns:
                parts.setdefault((c.name, c.split), []).append((c.step, c.value))
        found = {k: np.concatenate([v for _, v in held]) for k, held in parts.items()}
        assert found.keys() == {(c.name, c.split) for c in wanted.columns}
        for c in wanted.columns:
            assert np.array_equal(found[c.name, c.split], c.value)


def test_names_that_look_like_numbers_stay_names(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("metric,step,value\n" + "".join(f"0{i % 2},{i},{i}.5\n" for i in range(40)))
    columns = CsvLog(path).poll(final=True).columns
    assert {c.name: len(c.value) for c in columns} == {"00": 20, "01": 20}


def test_a_column_of_dates_is_the_time(tmp_path):
    path = tmp_path / "metrics.csv"
    rows = "".join(f"{i},0.5,2024-01-02 03:04:{i:02}\n" for i in range(60))
    path.write_text("step,loss,time\n" + rows)
    (loss,) = CsvLog(path).poll(final=True).columns
    assert loss.wall_time.tolist() == [1704164640.0 + i for i in range(60)]


@pytest.mark.parametrize(
    "arguments", [(b"1,2\n", 9, 44, b"\0\0"), (b"1\n", -1, 44, b"\0"), (b"", 0, 44, b"")]
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match="scan takes"):
        native.scan(*arguments, b"", True)


def moments_of(texts):
    data = "".join(f"{i};{text}\n" for i, text in enumerate(texts)).encode()
    found = np.frombuffer(native.scan(data, 0, ord(";"), b"\0\0", b"", True)[6], np.int64)
    column, row, start, end, bits = found.reshape(-1, 5).T
    assert (column == 1).all()
    held = [data[a:b].decode() for a, b in zip(start, end, strict=True)]
    assert held == [texts[i].strip(" \t") for i in row]
    return dict(zip(row.tolist(), bits.copy().view(np.float64).tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-02 03:04:05", 1704164645.0),
        ("2024-02-29T00:00:00.25", 1709164800.25),
        ("2024/02/29 00:00:00,123456789", 1709164800.123456),
        ("2024-02-29", 1709164800.0),
        ("2024-02-29T00:00:00Z", 1709164800.0),
        ("2024-02-29 00:00:00+05:30", 1709145000.0),
        ("2024-02-29 00:00:00.5-23:59", 1709251140.5),
        ("1969-12-31 23:59:59.999999", -1e-6),
    ],
)
def test_dates_are_read(text, seconds):
    assert moments_of([text]) == {0: seconds}
    assert unix_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("2023-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "0000-01-01", "2024-1-01"),
        *("2016-12-31 23:59:60", "2024-01-02 24:00:00", "2024-01-02 03:60:00", "2024-01-02 "
          "03:04:05.", "2024-01-02 03:04:05.1234567890", "2024-01-02 03:04:05 Z"),
        *("2024-01-02 03:04:05+24:00", "2024-01-02 03:04:05+02:60", "2024-01-02 03:04:05+0200"),
        *("1970-01-01 00:00:00", "2300-01-01", "1600-01-01", "2024-01-02x", "2024-01-02 03"),
        *("2024-01-02 03:04:05Zx", "soon"),
    ],
)  # fmt: skip
def test_what_is_no_date_beyond_doubt_is_left_to_python(text):
    assert np.isnan(moments_of([text])[0])


@given(
    seconds=st.integers(-9_007_199_254_740_991, 9_007_199_254_740_991),
    mark=st.sampled_from(" T"),
    zone=st.sampled_from(["", "Z", "+00:00", "-11:45"]),
)
def test_moments_to_the_bit(seconds, mark, zone):
    stamp = str(np.datetime64(seconds, "us")).replace("T", mark)
    found = moments_of([stamp + zone])[0]
    if not np.isnan(found):
        assert found == unix_seconds(stamp + zone)
        assert zone or found == np.datetime64(stamp, "us").astype(np.int64) / 1e6
    else:
        assert seconds == 0 or zone == "-11:45"


DATES = st.sampled_from(
    [
        *("2024-01-02 03:04:05", "2024-01-02T03:04:05.5", "1970-01-01 00:00:00", "", "soon"),
        *("2300-01-02 03:04:05.000001", "1704164645", "1704164645123", "7", "none"),
        *("2024-01-02 03:04:05Z", "2024-01-02 03:04:06", "2024-01-02 03:04:07.250"),
    ]
)


@given(texts=st.lists(DATES, min_size=1, max_size=8), clock=st.booleans())
@settings(max_examples=300, deadline=None)
def test_columns_of_dates_as_by_python(texts, clock):
    data = "".join(f"{i},{text}\n" for i, text in enumerate(texts)).encode()
    rows, room, value, absent, _, _, held, _ = native.scan(data, 0, 44, b"\0\0", b"", True)
    value = np.frombuffer(value).reshape(2, room)[1, :rows]
    absent = np.frombuffer(absent, bool).reshape(2, room)[1, :rows]
    _, row, start, end, bits = np.frombuffer(held, np.int64).reshape(-1, 5).T.copy()
    lazy = Texts(data, row, start, end, bits.view(np.float64))
    assert dict(lazy) == {i: text for i, text in enumerate(texts) if absent[i] and text}
    found = times_of(Clean(value, absent, lazy), clock)
    wanted = times_of(Clean(value, absent, dict(lazy)), clock)
    assert found.tobytes() == wanted.tobytes()
    index = np.arange(rows)[:: 2 if clock else -1]
    parts = take(Clean(value, absent, lazy), index), take(Clean(value, absent, dict(lazy)), index)
    assert dict(parts[0].texts) == dict(parts[1].texts)
    assert times_of(parts[0], clock).tobytes() == times_of(parts[1], clock).tobytes()
