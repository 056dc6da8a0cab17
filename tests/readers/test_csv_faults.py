"""Growth, damage, hostile files, and files that only look like a table."""

import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers import csv as reader
from trainlens.readers._csv import block
from trainlens.readers._csv import reader as decoder
from trainlens.readers.base import Source

WIDE = (
    "epoch,step,train_loss,acc,val_loss,note\n"
    + "".join(
        f"{i // 4},{10 * i},{2.5 / (i + 1)!r},{'nan' if i < 3 else i / 7!r},"
        f"{1 / (i + 3)!r},\n" if i % 4 == 3 else f"{i // 4},{10 * i},{2.5 / (i + 1)!r},,,x\n"
        for i in range(12)
    )
)  # fmt: skip
RAGGED = "epoch,loss\n0,1,7\n1,0.5,8\n2,0.25,9\n3,0.1\n\nepoch,loss,lr\n0,nan,1\n1,nan,1\n"
QUOTED = '"step","loss","text"\n"1","0.5","a,b"\n"2","0.25","two\nlines"\n"3","0.125","c"\n'
MONITOR = '#{"t_start": 1.6e9, "env_id": "A"}\nr,l,t\n1.5,10,2.0\n-2,5,3.5\n0.25,7,9\n'
LONG = "run,metric,split,step,epoch,wall_time,value\n" + "".join(
    f"{run},{metric},{split},{i},,{1.6e9 + i},{i / 7!r}\n"
    for run in ("a", "b") for metric, split in (("loss", "train"), ("loss", "val"))
    for i in range(4)
)  # fmt: skip
LEADING = "epoch,step,val_loss,loss\n3,,1.5,\n3,,2.5,\n3,70,,1\n3,,2.25,\n4,80,,0.5\n"
TEXTS = {"wide": WIDE, "ragged": RAGGED, "quoted": QUOTED, "monitor": MONITOR, "long": LONG,
         "leading": LEADING}  # fmt: skip


def gather(chunks):
    """Points by (name, split, unit), in order."""
    found = {}
    for chunk in chunks:
        for c in chunk.columns:
            points = zip(c.step, c.value, c.wall_time, c.epoch, strict=True)
            held = found.setdefault((c.name, c.split, c.unit), [])
            held.extend(tuple(repr(float(x)) for x in point) for point in points)
    return found


def cold(path, key=""):
    chunk = reader.open_source(Source("csv", path, key)).poll(final=True)
    return gather([chunk]), chunk


def read_bytes(tmp_path, data, name="metrics.csv"):
    path = tmp_path / name
    path.write_bytes(data)
    return cold(path)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("key", ["", "a"])
def test_live_is_cold_at_every_cut(tmp_path, text, key):
    if key and not text.startswith("run,"):
        pytest.skip("holds one run")
    data, path = text.encode(), tmp_path / "metrics.csv"
    path.write_bytes(data)
    want, whole = cold(path, key)
    rng = random.Random(3)
    cuts = [[i] for i in range(len(data) + 1)]
    cuts += [sorted(rng.choices(range(len(data) + 1), k=6)) for _ in range(40)]
    for places in cuts:
        path.write_bytes(b"")
        live, chunks, last = reader.open_source(Source("csv", path, key)), [], 0
        for cut in [*places, len(data)]:
            with open(path, "ab") as file:
                file.write(data[last:cut])
            last = cut
            chunks.append(live.poll())
        chunks.append(live.poll(final=True))
        assert gather(chunks) == want, places
        config = {}
        for chunk in chunks:
            config |= chunk.config
        assert config == whole.config


def test_clean_blocks_and_rows_give_the_same(tmp_path, monkeypatch):
    # Without a compiler pandas reads what is clean.
    monkeypatch.setattr(decoder, "COMPILED", False)
    rng = np.random.default_rng(0)
    cells = [
        repr(float(v))
        if rng.random() > 0.2
        else rng.choice(["", "nan", "-inf", "1e400", "5.", "-.5"])
        for v in rng.standard_normal(30000) * 10.0 ** rng.integers(-300, 300, 30000)
    ]
    rows = [f"{i}," + ",".join(cells[3 * i : 3 * i + 3]) for i in range(10000)]
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss,acc,lr\n" + "\n".join(rows) + "\n")
    found = []
    for fast in (True, False):
        monkeypatch.setattr(decoder, "worth", lambda size, fast=fast: fast)
        used = []
        monkeypatch.setattr(
            "trainlens.readers._csv.rows.clean_columns",
            lambda *a, used=used: used.append(block.clean_columns(*a)) or used[-1],
        )
        found.append(cold(path)[0])
        assert any(used) == fast
    assert found[0] == found[1]
    assert sum(map(len, found[0].values())) > 25000


@pytest.mark.parametrize(
    "data",
    [b"1,2\n1,2,3\n", b"1,x\n", b"1,1-2\n", b"1,2\n\n3,4\n", b"1,1 2\n", b"1,1_0\n", b"1,e\n",
     b"1,0x1\n", b"1\n2\n", b"1,2,\n"],
)  # fmt: skip
def test_blocks_that_are_not_clean(data):
    assert block.clean_columns(data, ",", 2) is None


def test_the_last_line_cut_at_every_byte(tmp_path):
    data = WIDE.encode()
    want, _ = read_bytes(tmp_path, data)
    for cut in range(data.rfind(b"\n", 0, -150), len(data)):
        got, chunk = read_bytes(tmp_path, data[:cut])
        whole = data[:cut].count(b"\n")
        for key, points in got.items():
            # Only what is there in the end too, and all of the complete lines.
            assert points == want[key][: len(points)]
        complete, _ = read_bytes(tmp_path, b"\n".join(data.split(b"\n")[:whole]) + b"\n")
        for key, points in complete.items():
            if key[0] != "acc":
                assert got[key][: len(points)] == points
        torn = not data[:cut].endswith(b"\n")
        assert any(n.kind == "torn-tail" for n in chunk.notices) == torn


def test_a_torn_row_without_its_step_has_no_place(tmp_path):
    got, chunk = read_bytes(tmp_path, b"loss,step\n0.5,10\n0.25,2")
    assert [p[1] for p in got["loss", None, ""]] == ["0.5"]
    assert [(n.kind, n.lost) for n in chunk.notices] == [("torn-tail", 1)]


def test_a_closed_quote_is_an_end(tmp_path):
    got, chunk = read_bytes(tmp_path, b'"step","loss"\n"1","0.5"\n"2","0.25"')
    assert [p[1] for p in got["loss", None, ""]] == ["0.5", "0.25"]
    assert chunk.notices == ()


def test_mutations_lose_no_untouched_line(tmp_path):
    rows = [f"{i},{i / 7!r},{i / 3!r},{i / 11!r}".encode() for i in range(40)]
    header = b"step,train_loss,acc,lr"
    rng = random.Random(11)
    for _ in range(300):
        lines = list(rows)
        hit = rng.randrange(1, 39)
        line = bytearray(lines[hit])
        at = rng.randrange(len(line))
        kind = rng.randrange(4)
        if kind == 0:
            line[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del line[at : at + rng.randrange(1, 9)]
        elif kind == 2:
            line[at:at] = bytes(rng.choices(range(256), k=rng.randrange(1, 6)))
        else:
            line = bytearray(b"\0" * len(line))
        lines[hit] = bytes(line)
        got, _ = read_bytes(tmp_path, b"\n".join([header, *lines, b""]))
        for j, name in enumerate(("train_loss", "acc", "lr"), 1):
            values = {p[1] for p in got[name, None, ""]}
            for i, row in enumerate(rows):
                if i != hit:
                    assert repr(float(row.split(b",")[j])) in values, (kind, lines[hit])


def test_a_deleted_newline_loses_two_rows_and_invents_none(tmp_path):
    text = "step,loss,acc\n" + "".join(f"{i},0.{i}5,0.{i}\n" for i in range(9))
    for cut in [i for i, c in enumerate(text) if c == "\n"][1:-1]:
        got, chunk = read_bytes(tmp_path, (text[:cut] + text[cut + 1 :]).encode())
        assert len(got["loss", None, ""]) == 7
        assert all(p[1] == repr(float(f"0.{float(p[0]):g}5")) for p in got["loss", None, ""])
        assert sum(n.lost for n in chunk.notices) == 1


def test_an_inserted_newline_loses_one_row_and_invents_none(tmp_path):
    text = "step,loss,acc\n" + "".join(f"{i},0.{i}5,0.{i}\n" for i in range(9))
    row = "4,0.45,0.4"
    start = text.index(row)
    for at in range(start + 1, start + len(row)):
        got, _ = read_bytes(tmp_path, (text[:at] + "\n" + text[at:]).encode())
        assert len(got["loss", None, ""]) in (8, 9)
        assert all(p[1] == repr(float(f"0.{float(p[0]):g}5")) for p in got["loss", None, ""])


def test_a_stray_quote_swallows_no_row(tmp_path):
    rows = [f"{i},{i / 8},{i / 4}" for i in range(30)]
    for hit in (3, 29):
        lines = list(rows)
        lines[hit] = lines[hit].replace(",", ',"', 1)
        got, _ = read_bytes(tmp_path, ("step,loss,acc\n" + "\n".join(lines) + "\n").encode())
        steps = [float(p[0]) for p in got["loss", None, ""]]
        assert steps == [i for i in range(30) if i != hit]


def test_a_replaced_file_is_read_anew(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,0.5\n2,0.25\n3,0.125\n")
    live = reader.open_source(Source("csv", path))
    first = live.poll()
    path.write_text("step,acc\n7,1\n")
    got = gather([live.poll(final=True)])
    assert gather([first])["loss", None, ""][0][1] == "0.5"
    assert list(got) == [("acc", None, "")]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(width=64), st.one_of(st.none(), st.floats(allow_nan=False))),
        min_size=1, max_size=30,
    ),
    st.sampled_from(",\t;|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)  # fmt: skip
def test_round_trip(tmp_path_factory, rows, sep, newline, quoted):
    def show(value):
        text = "" if value is None else repr(value)
        return f'"{text}"' if quoted else text

    lines = [sep.join(["step", "loss", "acc"])]
    lines += [sep.join([str(i), show(a), show(b)]) for i, (a, b) in enumerate(rows)]
    path = tmp_path_factory.mktemp("t") / "metrics.csv"
    path.write_bytes((newline.join(lines) + newline).encode())
    got, _ = cold(path)
    loss = [p[1] for p in got.get(("loss", None, ""), [])]
    want = [repr(float(a)) for a, _ in rows]
    while want and want[0] == "nan" and any(w != "nan" for w in want):
        want.pop(0)
    assert loss == want
    assert [p[:2] for p in got.get(("acc", None, ""), [])] == [
        (repr(float(i)), repr(b)) for i, (_, b) in enumerate(rows) if b is not None
    ]


HOSTILE = {
    "commas": b"step,loss\n" + b"," * (1 << 20),
    "quotes": b"step,loss\n" + b'"' * (1 << 20),
    "quote lines": b"step,loss\n" + b'"\n' * (1 << 17),
    "open quotes": b"step,loss\n" + b'1,"a\n' * (1 << 15) + b"x\n" * 1000,
    "a line": b"step,loss\n" + b"1" * (1 << 20),
    "short rows": b"step,loss\n" + b"1\n" * (1 << 17),
    "odd widths": b"step,loss\n" + b"1,2,3\n1\n" * (1 << 15),
    "comments": b"#\n" * (1 << 17),
    "headers": b"step,loss\nstep,acc\n" * (1 << 13),
    "columns": b"step," + b",".join(b"l%d" % i for i in range(100_000)) + b"\n",
    "many columns": b"step," + b",".join(b"loss%d" % i for i in range(6000)) + b"\n"
                    + (b"1" + b",2" * 6000 + b"\n") * 20,
    "runs": b"run,metric,step,value\n" + b"".join(b"r%d,loss,1,2\n" % i for i in range(15_000)),
    "export": b"Step," + b",".join(b"r%d - loss" % i for i in range(4000)) + b"\n"
              + (b"1" + b",2" * 4000 + b"\n") * 100,
    "texts": b"step,loss\n" + b"1,x\n" * (1 << 16),
    "braces": b'#{"a":' + b"[" * (1 << 20),
}  # fmt: skip


READ_ALL = """
import resource, sys
from pathlib import Path
from trainlens.readers import csv as reader
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    claimed = reader.sniff(path)
    for source in reader.find(path)[:5]:
        reader.open_source(source).poll(final=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_hostile_files_are_bounded(tmp_path):
    for name, data in HOSTILE.items():
        assert len(data) < 1.2 * (1 << 20) or name in ("many columns", "export"), name
        (tmp_path / name).with_suffix(".csv").write_bytes(data)
    # Quadratic work would need hours.
    limit = 5 * len(HOSTILE)
    ran = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
    )  # fmt: skip
    assert int(ran.stdout) < 256 << 10


@pytest.mark.parametrize(
    "text",
    [
        "id,target\n1,0\n2,1\n",
        "x1,x2,label\n0.5,0.25,1\n1,2,0\n",
        "step,type,amount\n1,PAYMENT,5\n2,CASH,6\n",
        "name,accuracy,f1\nresnet,0.5,0.6\nvit,0.7,0.8\n",
        "age,losses,wins,team\n1,2,3,a\n",
        "date,open,close,volume\n2020-01-01,1,2,3\n",
        "iter\tPassed\tRemaining\n0\t4\t4782\n1\t7\t3988\n",
        "0.5,1\n0.25,2\n",
        "1 0.5\n2 0.25\n",
        "epoch,loss",
        "step 1, loss 0.5\nstep 2, loss 0.25\n",
        "| epoch | loss |\n|---|---|\n",
        "loss\n",
        "import step, loss\nx = 1\n",
        "step,loss\nthe loss,is high\nand so,is the step\n",
        "step,error\n9,1\n3,2\n7,1\n1,2\n5,3\n2,4\n",
    ],
)
def test_what_is_no_log_is_not_claimed(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert reader.sniff(path) == 0
