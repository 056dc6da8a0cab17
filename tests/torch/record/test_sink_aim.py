"""The stock AIM SDK reads the run back whole: live, ended, continued."""

import errno
import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("aim")

import trainlens
from tests.torch.record.entries import CONFIG, SCHEDULES, entries, expected, place
from trainlens.errors import MissingExtra
from trainlens_torch.record import aim
from trainlens_torch.record.entry import Entry

LOOK = """
import json, sys
from aim import Repo
for line in sys.stdin:
    found = []
    for run in Repo(line.strip()).iter_runs():
        rows = []
        for m in run.metrics():
            steps, (values, _, times) = m.data.numpy()
            found_here = [x.tolist() for x in (steps, values, times)]
            rows.append([m.name, m.context["subset"], *found_here])
        params = [run.get("hparams"), run.get("schedules")]
        found.append({"name": run.name, "hash": run.hash, "active": run.active,
                      "rows": rows,
                      "params": params, "systems": [k for k in run[...] if k.startswith("__")]})
    print(json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def stock():
    """Asks the stock SDK, in a process of its own, for all runs of a repository."""
    with subprocess.Popen(
        [sys.executable, "-c", LOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        timer = threading.Timer(120, reader.kill)
        timer.start()

        def ask(folder):
            reader.stdin.write(f"{folder}\n")
            reader.stdin.flush()
            return json.loads(reader.stdout.readline())

        yield ask
        timer.cancel()
        reader.stdin.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A new repository, made once: the SDK takes seconds for it."""
    folder = tmp_path_factory.mktemp("empty")
    sink = aim.make(place(folder))
    sink._lib.repository(folder)
    return folder / ".aim"


@pytest.fixture
def folder(tmp_path, empty):
    shutil.copytree(empty, tmp_path / ".aim")
    return tmp_path


def check(rows, logged):
    want = expected(logged)
    assert {(name, split) for name, split, *_ in rows} == set(want)
    for name, split, *found in rows:
        order = np.argsort(found[0])
        for got, wanted in zip(found, want[name, split], strict=True):
            np.testing.assert_array_equal(np.array(got)[order], wanted)


def test_the_stock_sdk_and_trainlens_read_it_live_ended_and_continued(folder, stock):
    logged = entries()
    sink = aim.make(place(folder))
    for at in range(0, 24, 8):
        sink.write(logged[at : at + 8])
        (run,) = stock(folder)
        check(run["rows"], logged[: at + 8])
        assert run["active"]
        sink.flush()
    sink.close()
    sink.close()
    (run,) = stock(folder)
    check(run["rows"], logged[:24])
    assert not run["active"]
    sink = aim.make(place(folder))
    sink.write(logged[24:])
    sink.close()
    (again,) = stock(folder)
    check(again["rows"], logged)
    assert (again["hash"], again["name"]) == (run["hash"], "Lauf ü")
    assert again["params"] == [CONFIG, SCHEDULES]
    assert again["systems"] == []
    own = trainlens.load_one(folder / ".aim")
    check([[*key, s.step, s.value, s.wall_time] for key, s in own.series.items()], logged)
    assert (own.config["hparams"], own.notices) == (CONFIG, ())


def test_odd_names_steps_and_several_ranks_in_one_repository(folder, stock):
    names = ["a/b", 'q"', "n\n", "a\ud800", "学", "x" * 500, "val/loss"]
    values = [1e300, -0.0, 5e-324, 2.0**53, 0.1, float("inf"), 7.0]
    logged = Entry(2**40, 1.5, dict(zip(names, values, strict=True)) | {"": 3.0}, {}, "tést")
    for rank in range(2):
        sink = aim.make(place(folder, rank=rank, config={}), folder / ".aim")
        sink.write([logged])
        # Steps that go back are kept; a value of the same step is replaced.
        sink.write([Entry(s, 1.0, {"m": float(s)}, {}) for s in (5, 3, 5)])
        sink.close()
    runs = stock(folder)
    assert len({run["hash"] for run in runs}) == 2
    for run in runs:
        rows = {(name, split): found for name, split, *found in run["rows"]}
        for name, value in zip([*names, "_"], [*values, 3.0], strict=True):
            assert rows[name.replace("\ud800", "?"), "tést"] == [[2**40], [value], [1.5]]
        assert sorted(rows["m", "train"][0]) == [3, 5]


def test_faults_of_the_store_are_oserror(folder, monkeypatch):
    sink = aim.make(place(folder))
    sink.write(entries(1, 2))
    (fault,) = {f for f in sink._lib._faults if f.__name__ == "RocksIOError"}

    def full(*_, **__):
        raise fault(b"No space left on device")

    monkeypatch.setattr(sink._lib, "track", full)
    with pytest.raises(OSError, match="No space left"):
        sink.write(entries(3, 3))
    sink.close()
    with pytest.raises(OSError, match="closed"):
        sink.write(entries(4, 4))
    blocked = folder / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        aim.make(place(folder), blocked / "x").write(entries(1, 1))


def test_the_index_is_left_to_the_one_who_holds_it(folder, stock):
    held = []
    sink = aim.AimSink(place(folder), sleep=held.append)
    sink.write(entries(1, 1))
    from aim.storage.rockscontainer import RocksContainer

    index = RocksContainer(str(folder / ".aim" / "meta" / "index"), read_only=False)
    sink.write(entries(11, 11))
    sink.flush()
    sink.close()
    index.close()
    assert held == [0.1] * 20


def test_a_run_that_cannot_be_continued_gives_way_to_a_new_one(folder, stock):
    sink = aim.make(place(folder))
    sink.write(entries(1, 2))
    sink.close()
    (folder / "aim.run").write_text("0123456789abcdef01234567\n")
    sink = aim.make(place(folder))
    sink.write(entries(3, 4))
    sink.close()
    assert len(stock(folder)) == 2
    assert (folder / "aim.run").read_text().strip() == sink.run_hash


def test_a_removed_repository_is_told_and_not_written_to(folder):
    sink = aim.make(place(folder))
    sink.write(entries(1, 2))
    shutil.rmtree(folder / ".aim")
    with pytest.raises(OSError, match="removed") as caught:
        sink.flush()
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(OSError, match="closed"):
        sink.write(entries(3, 4))
    sink.flush()
    sink.close()
    assert not (folder / ".aim" / "meta").exists()


def test_a_missing_package_is_told_with_its_remedy(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "aim", None)
    with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[aim\]'"):
        aim.make(place(folder))
    assert [p.name for p in folder.iterdir()] == [".aim"]
