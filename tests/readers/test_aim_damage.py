"""Damaged AIM repositories: the run is named, what is whole is read, nothing is invented."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainlens.readers import aim
from trainlens.readers._aim import series as aim_series
from trainlens.readers._aim.reader import AimReader

pytest.importorskip("aimrocks", reason="the aim extra is not installed")
if importlib.util.find_spec("aim") is None:
    pytest.skip("the AIM SDK, which writes the repositories, is missing", allow_module_level=True)

WRITER = r"""
import os, pathlib, signal, sys, time
from aim import Run
def settled(folder):
    # RocksDB writes tables in threads of its own: a kill amid that leaves another state each time.
    before = None
    for _ in range(100):
        try:
            now = sorted((p.name, p.stat().st_size) for p in folder.iterdir())
        except FileNotFoundError:
            now = None
        if now and now == before:
            return
        before = now
        time.sleep(0.2)
for number in range(3):
    run = Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
              system_tracking_interval=None)
    run["hparams"] = {"lr": number / 8, "layers": [1, 2]}
    for i in range(300):
        for name in "abc":
            run.track(i + 1000.5 * number, name=name, step=10 * i, context={"subset": "train"})
    print(run.hash, flush=True)
    if number == 2:
        settled(pathlib.Path(sys.argv[1], ".aim", "seqs", "chunks", run.hash))
        os.kill(os.getpid(), signal.SIGKILL)
    run.close()
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two closed runs and a killed one, 900 points each."""
    root = tmp_path_factory.mktemp("written")
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(root)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == -9, done.stderr
    runs = done.stdout.split()
    killed = {p.name: p.stat().st_size for p in store(root / ".aim", "seqs", runs[2]).iterdir()}
    logs = [name for name, size in killed.items() if name.endswith(".log") and size]
    assert len(logs) == 1, f"the killed run left {killed}; {done.stderr}"
    return root / ".aim", runs


@pytest.fixture
def copy(written, tmp_path):
    folder = tmp_path / ".aim"
    shutil.copytree(written[0], folder)
    return folder


def read(folder, run):
    """Points as {metric: {step: value}}, and notices."""
    chunk = AimReader(folder, run).poll(final=True)
    points = {}
    for column in chunk.columns:
        name = points.setdefault(column.name, {})
        name.update(zip(column.step.tolist(), column.value.tolist(), strict=True))
    return points, chunk


def truth(number):
    return {name: {10 * i: i + 1000.5 * number for i in range(300)} for name in "abc"}


def store(folder, area, run):
    return folder / area / "chunks" / run


def count(points):
    return sum(map(len, points.values()))


def assert_nothing_invented(points, number):
    whole = truth(number)
    for name, held in points.items():
        # A run whose contexts are lost keeps the rest of the name.
        assert held.items() <= whole[name[0]].items()


def mutate(data, kind, rng):
    data = bytearray(data)
    at = rng.randrange(len(data))
    if rng.random() < 0.3:
        at = max(0, len(data) - 1 - rng.randrange(200))
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at : at + rng.randrange(1, 300)]
    elif kind == 2:
        data[at:at] = rng.randbytes(rng.randrange(1, 300))
    elif kind == 3:
        data[at : at + 400] = bytes(len(data[at : at + 400]))
    else:
        del data[at:]
    return bytes(data)


def test_seeded_mutations_of_every_kind_of_file(written, copy):
    original, runs = written
    rng = random.Random(20)
    victims = sorted(
        path.relative_to(original)
        for path in original.glob("*/chunks/*/*")
        if path.suffix in (".sst", ".log") or path.name.startswith(("MANIFEST", "CURRENT"))
        if path.stat().st_size
    )
    for turn in range(36):
        victim = victims[turn % len(victims)]
        whole = (original / victim).read_bytes()
        (copy / victim).write_bytes(mutate(whole, rng.randrange(5), rng))
        hurt = runs.index(victim.parts[2])
        for number in {hurt, turn % 3 if turn % 4 == 0 else hurt}:
            points, chunk = read(copy, runs[number])
            assert_nothing_invented(points, number)
            told = [n for n in chunk.notices if n.kind in ("corrupt", "torn-tail")]
            assert all(runs[number] in n.where for n in told)
            if number != hurt:
                assert points == truth(number)
                assert not told
            elif points != truth(number):
                assert told, f"{victim}: {900 - count(points)} points vanished without a word"
                assert "trainlens-aim" not in "".join(n.message for n in told)
        (copy / victim).write_bytes(whole)


def test_a_missing_table(written, copy):
    runs = written[1]
    tables = sorted(store(copy, "seqs", runs[0]).glob("*.sst"))
    tables[1].unlink()
    points, chunk = read(copy, runs[0])
    assert 0 < count(points) < 900
    assert_nothing_invented(points, 0)
    assert tables[1].name in " ".join(n.where for n in chunk.notices)
    assert read(copy, runs[1])[0] == truth(1)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*"])
@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
def test_the_list_of_tables_is_rebuilt(written, copy, name, how):
    for number, run in enumerate(written[1]):
        path = next(store(copy, "seqs", run).glob(name))
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: 0 if how == "empty" else 10])
        points, chunk = read(copy, run)
        assert points == truth(number), chunk.notices
        assert "corrupt" in {n.kind for n in chunk.notices}


def test_a_list_of_tables_cut_at_each_byte(written, copy):
    run = written[1][0]
    path = next(store(copy, "seqs", run).glob("MANIFEST-*"))
    whole = path.read_bytes()
    for size in range(0, len(whole), 71):
        path.write_bytes(whole[:size])
        assert read(copy, run)[0] == truth(0), f"MANIFEST of {size} bytes"


def test_a_broken_list_of_deletions_costs_no_point(written, copy):
    # It is most of a young table: one broken bit there makes RocksDB refuse all of it.
    run = written[1][0]
    for table in store(copy, "seqs", run).glob("*.sst"):
        data = bytearray(table.read_bytes())
        data[len(data) // 2] ^= 1
        table.write_bytes(data)
    points, chunk = read(copy, run)
    assert points == truth(0)
    told = [n for n in chunk.notices if n.kind == "corrupt"]
    assert [n.lost for n in told] == [0] * len(told)
    assert told
    assert ".sst, bytes " in told[0].where


def test_a_broken_record_in_the_log_costs_only_its_point(written, copy):
    run = written[1][2]
    log = next(p for p in store(copy, "seqs", run).glob("*.log") if p.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 4
    log.write_bytes(data)
    points, chunk = read(copy, run)
    assert count(points) in (899, 900)
    assert_nothing_invented(points, 2)
    told = [n for n in chunk.notices if n.kind == "corrupt"]
    assert log.name in told[0].where
    start, end = map(int, told[0].where.rsplit(" ", 1)[1].split("-"))
    assert start <= len(data) // 2 < end


def test_the_log_of_a_killed_run_cut_at_many_places(written, copy):
    run = written[1][2]
    log = next(p for p in store(copy, "seqs", run).glob("*.log") if p.stat().st_size)
    whole = log.read_bytes()
    before = 900
    for cut in range(0, 4000, 411):
        log.write_bytes(whole[: len(whole) - cut])
        points, chunk = read(copy, run)
        assert_nothing_invented(points, 2)
        # The points before the cut, and no gap among them.
        for held in points.values():
            assert sorted(held) == [10 * i for i in range(len(held))]
        assert count(points) <= before
        before = count(points)
        if cut:
            assert "torn-tail" in {n.kind for n in chunk.notices} or count(points) < 900
    assert 890 <= before < 900


def test_a_cut_record_waits_while_the_run_lives(written, copy):
    run = written[1][2]
    log = next(p for p in store(copy, "seqs", run).glob("*.log") if p.stat().st_size)
    whole = log.read_bytes()
    log.write_bytes(whole[:-100])
    reader = AimReader(copy, run)
    first = reader.poll()
    assert first.notices == ()
    assert sum(len(c.step) for c in first.columns) == 899
    log.write_bytes(whole)
    rest = reader.poll()
    assert [c.step.tolist() for c in rest.columns] == [[2990]]
    assert sum(len(c.step) for c in reader.poll(final=True).columns) == 0


def test_a_run_without_its_own_description(written, copy):
    run = written[1][0]
    shutil.rmtree(store(copy, "meta", run))
    points, chunk = read(copy, run)
    assert points == truth(0)
    assert {c.split for c in chunk.columns} == {"train"}
    assert next(n.kind for n in chunk.notices if run in n.where) == "corrupt"


def test_a_run_without_its_points(written, copy):
    run = written[1][0]
    shutil.rmtree(store(copy, "seqs", run))
    points, chunk = read(copy, run)
    assert points == {}
    assert chunk.config["hparams"] == {"lr": 0, "layers": [1, 2]}
    assert ("corrupt", None) in {(n.kind, n.lost) for n in chunk.notices}


@pytest.mark.parametrize("bulk", [0, 1 << 60])
def test_a_store_that_must_not_be_read(written, copy, monkeypatch, bulk):
    monkeypatch.setattr(aim_series, "BULK", bulk)
    # Tests may run as a user whom no permission stops, so the answer of the system is set.
    run = written[1][0]
    denied = store(copy, "seqs", run)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: p != denied and allowed(p, mode))
    _, chunk = read(copy, run)
    told = [n for n in chunk.notices if n.kind == "corrupt"]
    assert ["permission denied" in n.message for n in told] == [True]
    assert run in told[0].where


def test_files_that_are_no_files(written, copy):
    run = written[1][0]
    os.mkfifo(store(copy, "seqs", run) / "999999.sst")
    (store(copy, "seqs", run) / "999998.log").mkdir()
    (store(copy, "seqs", run) / "999997.sst").symlink_to("nowhere")
    assert read(copy, run)[0] == truth(0)


def test_an_empty_folder_is_an_empty_run(tmp_path):
    folder = Path(tmp_path) / ".aim"
    (folder / "seqs" / "chunks" / "abc").mkdir(parents=True)
    assert [s.key for s in aim.find(folder)] == ["abc"]
    points, chunk = read(folder, "abc")
    assert points == {}
    assert "empty" in {n.kind for n in chunk.notices}


def test_a_tree_that_cannot_be_written_is_read_whole(written, tmp_path):
    """Even the superuser cannot write to a read-only mount; it needs a namespace of its own."""
    if shutil.which("unshare") is None or shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a read-only mount needs the superuser and Linux namespaces")
    folder = tmp_path / ".aim"
    shutil.copytree(written[0], folder)
    (folder / "meta" / "index" / "CURRENT").write_bytes(b"corrupt")
    read_all = (
        "import sys; from pathlib import Path; from trainlens.readers import aim\n"
        "where = Path(sys.argv[1])\n"
        "try: (where / 'x').touch(); print('writable')\n"
        "except OSError: pass\n"
        "for source in aim.find(where):\n"
        "    chunk = aim.open_source(source).poll(final=True)\n"
        "    print(source.key, sum(len(c.step) for c in chunk.columns))\n"
    )
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(folder), sys.executable, read_all]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip("this machine does not allow mounts")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:-1]) == sorted(f"{run} 900" for run in written[1])
