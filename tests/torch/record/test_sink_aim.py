"""The stock AIM SDK reads the run back whole: live, ended, continued."""

import errno
import itertools
import json
import shutil
import subprocess
import sys
import threading
from unittest.mock import Mock

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("aim")

import trainlens
from tests.torch.record.entries import CONFIG, SCHEDULES, entries, expected, target
from trainlens.errors import MissingExtra
from trainlens_torch.record import aim
from trainlens_torch.record._aim_library import stores
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import points

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
        timer = threading.Timer(600, reader.kill)
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
    sink = aim.make(target(folder))
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
    sink = aim.make(target(folder))
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
    sink = aim.make(target(folder))
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


def content(run):
    """What the stores of a run hold, by key."""
    name = run.hash.encode()
    return [{key.replace(name, b"*"): v for key, v in s.items()} for s in stores(run)]


def test_the_stores_hold_what_the_sdk_itself_would_write(folder):
    logged = [*entries(1, 30), *entries(5, 12)]
    sink = aim.make(target(folder, config={}, schedules={}))
    sink.write(logged)
    theirs = sink._lib.run(folder, None)
    for entry in logged:
        for name, value in points(entry):
            theirs._tracker._track(
                value, entry.time, name, entry.step, entry.epoch, context={"subset": entry.split}
            )
    arrays, names = content(theirs)
    assert content(sink._run) == [arrays, names]
    assert len(arrays) > 4 * 30
    theirs.close()
    sink.close()


def test_odd_names_steps_and_several_ranks_in_one_repository(folder, stock):
    names = ["a/b", 'q"', "n\n", "a\ud800", "学", "x" * 500, "val/loss"]
    values = [1e300, -0.0, 5e-324, 2.0**53, 0.1, float("inf"), 7.0]
    logged = Entry(2**40, 1.5, dict(zip(names, values, strict=True)) | {"": 3.0}, {}, "tést")
    for rank in range(2):
        sink = aim.make(target(folder, rank=rank, config={}), folder / ".aim")
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
    sink = aim.make(target(folder))
    sink.write(entries(1, 2))
    (fault,) = {f for f in sink._lib._faults if f.__name__ == "RocksIOError"}

    def full(*_, **__):
        raise fault(b"No space left on device")

    monkeypatch.setattr(sink._tracker, "track", full)
    with pytest.raises(OSError, match="No space left"):
        sink.write(entries(3, 3))
    sink.close()
    with pytest.raises(OSError, match="closed"):
        sink.write(entries(4, 4))
    blocked = folder / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        aim.make(target(folder), blocked / "x").write(entries(1, 1))


def three(step):
    """An entry of two metrics, with one more that no entry had before."""
    return Entry(step, float(step), {"b": step * 0.5, "a": 1.0 / step}, {f"late{step}": 1.0})


def paired(folder, stock):
    """Steps that the stock SDK gives of the one run, and the late metrics that it names."""
    (run,) = stock(folder)
    rows = {name: found for name, _, *found in run["rows"]}
    for name, (steps, values, times) in rows.items():
        assert times == steps
        assert values == [{"a": 1.0 / s, "b": s * 0.5}.get(name, 1.0) for s in steps]
    assert rows["a"][0] == rows["b"][0]
    return rows.pop("a")[0], sorted(int(name[4:]) for name in rows if name != "b")


@pytest.fixture
def copies(folder, monkeypatch):
    """The run with one entry, and after each write to its stores that the second entry takes."""
    from aim.storage.rockscontainer import RocksContainer

    commit, made = RocksContainer.commit, []

    def copy():
        made.append(folder / f"copy{len(made)}")
        shutil.copytree(folder / ".aim", made[-1] / ".aim")
        shutil.copy(folder / "aim.run", made[-1])

    def copying(store, batch):
        commit(store, batch)
        if store.path.name != "index":
            copy()

    sink = aim.make(target(folder))
    sink.write([three(1)])
    copy()
    with monkeypatch.context() as patch:
        patch.setattr(RocksContainer, "commit", copying)
        sink.write([three(2)])
    sink.close()
    return made


def test_a_kill_between_any_two_writes_leaves_whole_entries(folder, stock, copies):
    # One write for the arrays, one for what names them; the index comes behind.
    found = [paired(copy, stock) for copy in copies]
    assert found == [([1], [1]), ([1, 2], [1]), ([1, 2], [1])]
    assert paired(folder, stock) == ([1, 2], [1, 2])
    for copy in copies:
        sink = aim.make(target(copy))
        sink.write([three(2), three(4)])
        sink.close()
        assert paired(copy, stock) == ([1, 2, 4], [1, 2, 4])


def test_a_write_that_is_cut_is_not_there_at_all(folder, stock, copies):
    short, whole = (next(copy.glob(".aim/seqs/chunks/*/*.log")).read_bytes() for copy in copies[:2])
    assert whole.startswith(short)
    for at, end in enumerate(range(len(short), len(whole), (len(whole) - len(short)) // 3)):
        shutil.copytree(copies[1], folder / f"cut{at}")
        next(folder.glob(f"cut{at}/.aim/seqs/chunks/*/*.log")).write_bytes(whole[:end])
        assert paired(folder / f"cut{at}", stock) == ([1], [1])


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("at", [0, 1])
def test_an_entry_that_a_store_did_not_take_leaves_no_trace_in_later_ones(
    folder, stock, monkeypatch, at, again
):
    from aim.storage.rockscontainer import RocksContainer

    sink = aim.make(target(folder))
    sink.write([three(1)])
    (fault,) = {f for f in sink._lib._faults if f.__name__ == "RocksIOError"}
    commit, count = RocksContainer.commit, itertools.count()

    def failing(store, batch):
        if next(count) == at:
            raise fault(b"IO error: No space left on device")
        commit(store, batch)

    with monkeypatch.context() as patch:
        patch.setattr(RocksContainer, "commit", failing)
        with pytest.raises(OSError, match="AIM: IO error: No space") as caught:
            sink.write([three(2), three(3)])
    assert caught.value.written == 0
    late = Entry(4, 4.0, {"a": 0.25, "b": 2.0}, {"late2": 1.0})
    sink.write([three(2), three(3)] if again else [late])
    sink.close()
    # What the first store took before the second failed is an entry of its own.
    steps = [1, 2, 3] if again else [1, 2, 4] if at else [1, 4]
    assert paired(folder, stock) == (steps, [1, 2, 3] if again else [1, 2])


FULL = """
import resource, sys
from pathlib import Path
from tests.torch.record.entries import target
from trainlens_torch.record import aim
from trainlens_torch.record.entry import Entry
sink = aim.make(target(Path(sys.argv[1]), config={}, schedules={}))
entries = [Entry(s, float(s), {"a": 1.0 / s, "b": s * 0.5}, {}) for s in range(1, 401)]
sink.write(entries[:200])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
done, faults = 200, 0
while done < 400:
    try:
        sink.write(entries[done:])
        done = 400
    except OSError as error:
        done += error.written
        faults += 1
        assert "File too large" in str(error)
        if faults == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
sink.close()
print(faults)
"""


def test_a_disk_that_was_full_for_a_while_costs_nothing(folder, stock):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
    assert paired(folder, stock) == (list(range(1, 401)), [])


def test_the_index_is_left_to_the_one_who_holds_it(folder, stock):
    held = []
    sink = aim.AimSink(target(folder), sleep=held.append)
    sink.write(entries(1, 1))
    from aim.storage.rockscontainer import RocksContainer

    index = RocksContainer(str(folder / ".aim" / "meta" / "index"), read_only=False)
    sink.write(entries(11, 11))
    sink.flush()
    sink.close()
    index.close()
    assert held == [0.1] * 20


def test_a_run_that_cannot_be_continued_gives_way_to_a_new_one(folder, stock):
    sink = aim.make(target(folder))
    sink.write(entries(1, 2))
    sink.close()
    (folder / "aim.run").write_text("0123456789abcdef01234567\n")
    sink = aim.make(target(folder))
    sink.write(entries(3, 4))
    sink.close()
    assert len(stock(folder)) == 2
    assert (folder / "aim.run").read_text().strip() == sink.run_hash


@pytest.mark.parametrize("broken", [False, True])
def test_a_removed_repository_is_told_and_not_written_to(folder, monkeypatch, broken):
    sink = aim.make(target(folder))
    sink.write(entries(1, 2))
    shutil.rmtree(folder / ".aim")
    if broken:
        (fault,) = {f for f in sink._lib._faults if f.__name__ == "RocksIOError"}
        with monkeypatch.context() as patch:
            patch.setattr(sink._tracker, "track", Mock(side_effect=fault(b"No such file")))
            with pytest.raises(OSError, match="No such file"):
                sink.write(entries(3, 3))
    with pytest.raises(OSError, match="removed") as caught:
        sink.write(entries(3, 3)) if broken else sink.flush()
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(OSError, match="closed"):
        sink.write(entries(3, 4))
    sink.flush()
    sink.close()
    assert not (folder / ".aim" / "meta").exists()


def test_a_missing_package_is_told_with_its_remedy(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "aim", None)
    with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[aim\]'"):
        aim.make(target(folder))
    assert [p.name for p in folder.iterdir()] == [".aim"]
