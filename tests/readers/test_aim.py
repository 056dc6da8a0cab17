"""AIM repositories, made by the stock SDK in other processes, against AIM's own storage."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.readers.aim_process import aim_process
from trainlens.errors import MissingExtra
from trainlens.readers import aim
from trainlens.readers._aim import series as aim_series
from trainlens.readers._aim import store as aim_store
from trainlens.readers._aim.reader import AimReader
from trainlens.roles import SPLITS
from trainlens.run import Run

pytest.importorskip("aimrocks", reason="the aim extra is not installed")
if importlib.util.find_spec("aim") is None:
    pytest.skip("the AIM SDK, which writes the repositories, is missing", allow_module_level=True)

REAL = Path(__file__).parents[3] / "shared" / "real_logs" / "aim"

WRITER = Path(__file__).with_name("aim_writer.py").read_text()

ORACLE = r"""
import json, sys
from pathlib import Path
from aim import Repo

def points(series, version):
    columns = {}
    for name in ("val", "epoch", "time", "step"):
        if name != "step" or version == 2:
            index, value = series.array(name).sparse_list()
            columns[name] = dict(zip(index, value))
    step = columns.get("step") or {i: i for i in columns["val"]}
    rows = [(step[i], v, columns["time"][i], columns["epoch"][i])
            for i, v in columns["val"].items() if i in step]
    return sorted(rows, key=lambda row: (row[2], row[0]))

found = {}
for path in sys.argv[1:]:
    repo = Repo(path)
    for run in sorted(p.name for p in (Path(path) / ".aim/meta/chunks").iterdir()):
        meta = repo.request_tree("meta", run, read_only=True).subtree(("meta", "chunks", run))
        seqs = repo.request_tree("seqs", run, read_only=True).subtree("seqs")
        traces, contexts = meta.get("traces", {}), meta.get("contexts", {})
        held = []
        for number, names in traces.items():
            for name, trace in names.items():
                if trace.get("dtype", "float") in ("float", "float64", "int", "number"):
                    version = trace.get("version", 1)
                    where = ("chunks", run) if version == 1 else ("v2", "chunks", run)
                    series = seqs.subtree(where).subtree((number, name))
                    held.append([name, contexts.get(number, {}), points(series, version)])
        attrs = meta.get("attrs", {})
        attrs.pop("__system_params", None)
        found[run] = {"metrics": held, "attrs": attrs, "end_time": meta.get("end_time")}
json.dump(found, sys.stdout)
"""


def run_aim(code, *args):
    command, options = aim_process(code, *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return subprocess.run(command, timeout=120, check=False, **options)


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A repository of four runs, and their hashes by what they show."""
    root = tmp_path_factory.mktemp("written")
    done = run_aim(WRITER, root)
    assert done.returncode == -9, done.stderr
    names = ("full", "unindexed", "empty", "killed")
    return root / ".aim", dict(zip(names, done.stdout.split(), strict=True))


@pytest.fixture(scope="module")
def oracle(repo, tmp_path_factory):
    """What AIM's own storage finds in private copies of all repositories."""
    root = tmp_path_factory.mktemp("oracle")
    originals = [repo[0].parent]
    if REAL.is_dir():
        originals += sorted(p for p in REAL.iterdir() if (p / ".aim").is_dir())
    copies = []
    for number, original in enumerate(originals):
        copies.append(root / str(number))
        shutil.copytree(original / ".aim", copies[-1] / ".aim", copy_function=shutil.copyfile)
        for path in [copies[-1], *copies[-1].rglob("*")]:
            path.chmod(0o700)
    done = run_aim(ORACLE, *copies)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read(folder, run, **options):
    return AimReader(folder, run, **options).poll(final=True)


def plain(name, split):
    """A metric as (name, split), with the subset words that mean the same made equal."""
    return name, SPLITS.get((split or "").lower(), split or "")


def tree(folder):
    """Content and time of everything in a folder."""
    return {
        str(p.relative_to(folder)): (
            p.stat().st_mtime_ns,
            hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "",
        )
        for p in [folder, *folder.rglob("*")]
    }


def rows(points):
    """Rows of an oracle, or of a column, as four exact arrays; NaN equals NaN."""
    if hasattr(points, "step"):
        columns = (points.step, points.value, points.wall_time, points.epoch)
    else:
        columns = zip(*points, strict=True)
    return [[np.nan if x is None else float(x) for x in column] for column in columns]


def assert_same_points(chunk, expected):
    ours = sorted((rows(c) for c in chunk.columns if len(c.step)), key=repr)
    theirs = sorted((rows(points) for _, _, points in expected["metrics"] if points), key=repr)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("which", ["full", "unindexed", "empty", "killed"])
def test_every_point_that_aim_itself_finds_in_logging_order(repo, oracle, which):
    folder, runs = repo
    chunk = read(folder, runs[which])
    assert_same_points(chunk, oracle[runs[which]])
    for column in chunk.columns:
        assert np.all(np.diff(column.wall_time) >= 0)


def test_values_without_keys_equal_values_with_keys(repo, oracle, monkeypatch):
    folder, runs = repo
    for bulk in (0, 1 << 60):
        monkeypatch.setattr(aim_series, "BULK", bulk)
        for run in runs.values():
            assert_same_points(read(folder, run), oracle[run])


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not there")
def test_real_repositories(oracle):
    read_runs = 0
    for folder in sorted(REAL.glob("*/.aim")):
        before = tree(folder)
        for source in aim.find(folder):
            chunk = aim.open_source(source).poll(final=True)
            assert_same_points(chunk, oracle[source.key])
            assert not [n for n in chunk.notices if n.lost != 0]
            mine = {k: v for k, v in chunk.config.items() if k != "aim"}
            assert mine == oracle[source.key]["attrs"]
            assert chunk.config["aim"].get("end_time") == oracle[source.key]["end_time"]
            read_runs += 1
        assert tree(folder) == before
    assert read_runs == 14


def test_contexts_become_splits_and_names(repo):
    folder, runs = repo
    names = {(c.name, c.split): c for c in read(folder, runs["full"]).columns}
    assert names.keys() == {
        ("loss", "train"),
        ("loss{model=a}", "val"),
        ("Größe 学{fold.k=3,model=b}", None),
        ("d1", None),
        ("d2", None),
        ("odd", None),
        ("val_acc", None),
        ("__system__gpu{gpu=0}", None),
        ("loss{subset=training}", "training"),
    }
    assert [c.kind for c in names.values() if c.name.startswith("__system__")] == ["system"]
    run = Run("r", "", "aim").extend(read(folder, runs["full"]))
    assert run["acc", "val"].value.tolist() == [0.25]
    assert len(run.series) == len(names)


def test_odd_values(repo):
    folder, runs = repo
    odd = next(c for c in read(folder, runs["full"]).columns if c.name == "odd")
    expected = [np.nan, np.inf, -np.inf, 2.0**53 + 2, -0.0, 5e-324]
    np.testing.assert_array_equal(odd.value, expected)
    assert np.signbit(odd.value[4])
    assert np.isnan(odd.epoch).all()


def test_a_step_logged_anew_comes_last(repo):
    folder, runs = repo
    loss = next(
        c for c in read(folder, runs["full"]).columns if (c.name, c.split) == ("loss", "train")
    )
    assert (loss.step[-1], loss.value[-1], loss.epoch[-1]) == (50, 7.25, 99)
    assert np.count_nonzero(loss.step == 50) == 1


def test_config(repo, oracle):
    folder, runs = repo
    config = read(folder, runs["full"]).config
    about = config["aim"]
    assert {k: v for k, v in config.items() if k != "aim"} == oracle[runs["full"]]["attrs"]
    assert config["hparams"]["layers"] == [1, 2, {"a": None}]
    assert (about["name"], about["experiment"]) == ("Lauf ünï 学習", "straße")
    assert about["tags"] == ["blue"]
    assert about["hash"] == runs["full"]
    assert 0 <= about["end_time"] - about["created"] < 100
    json.dumps(config)


def test_notices(repo):
    folder, runs = repo
    kinds = {w: [(n.kind, n.lost) for n in read(folder, runs[w]).notices] for w in runs}
    assert kinds == {
        "full": [("skipped", 0)],
        "unindexed": [],
        "empty": [("empty", 0)],
        "killed": [("unfinished", 0)],
    }


def test_sniff_find_and_files(repo, tmp_path):
    folder, runs = repo
    assert aim.sniff(folder) == 1.0
    assert aim.sniff(folder.parent) == 0.0
    assert aim.sniff(tmp_path) == 0.0
    found = aim.find(folder)
    assert [s.key for s in found] == list(runs.values())
    assert [s.name for s in found] == ["Lauf ünï 学習", runs["unindexed"][:8], "nothing", "killed"]
    assert aim.files(found[0]) == [folder]


def test_names_fall_back_to_the_hash_without_a_usable_sqlite_file(repo, tmp_path):
    copy = tmp_path / ".aim"
    shutil.copytree(repo[0], copy)
    (copy / "run_metadata.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert {s.name for s in aim.find(copy)} == {run[:8] for run in repo[1].values()}


def test_not_a_byte_changes_and_nothing_stays_behind(repo, tmp_path, monkeypatch):
    folder = repo[0]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = tree(folder.parent)
    for source in aim.find(folder):
        reader = aim.open_source(source)
        reader.poll()
        reader.poll(final=True)
    assert tree(folder.parent) == before
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_tree(repo, oracle, tmp_path):
    copy = tmp_path / ".aim"
    shutil.copytree(repo[0], copy)
    for path in copy.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = tree(copy)
    for run in repo[1].values():
        assert_same_points(read(copy, run), oracle[run])
    assert tree(copy) == before
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)


@pytest.mark.parametrize("state", ["missing", "corrupt", "empty"])
def test_the_index_is_only_a_cache(repo, oracle, tmp_path, state):
    copy = tmp_path / ".aim"
    shutil.copytree(repo[0], copy)
    if state == "missing":
        shutil.rmtree(copy / "meta" / "index")
    for path in (copy / "meta").glob("index/*"):
        path.write_bytes(b"" if state == "empty" else b"garbage")
    before = tree(copy)
    for run in repo[1].values():
        assert_same_points(read(copy, run), oracle[run])
        assert [n.kind for n in read(copy, run).notices if n.kind == "corrupt"] == []
    assert tree(copy) == before


def test_a_store_that_changes_meanwhile_is_copied_again(repo, oracle, monkeypatch):
    folder, runs = repo
    copied, waits = [], []
    original = aim_store._copy

    def disturbed(source, private):
        copied.append(source)
        return original(source, private) and len(copied) > 2

    monkeypatch.setattr(aim_store, "_copy", disturbed)
    chunk = read(folder, runs["full"], sleep=waits.append)
    assert waits == [0.02, 0.04]
    assert_same_points(chunk, oracle[runs["full"]])


def test_without_aimrocks_one_clear_line(repo, monkeypatch):
    monkeypatch.setitem(sys.modules, "aimrocks", None)
    source = aim.find(repo[0])[0]
    with pytest.raises(MissingExtra, match=r"reading AIM repositories needs an extra: .*\[aim\]"):
        aim.open_source(source)


def test_aim_itself_is_never_imported(repo):
    code = (
        "import sys; from pathlib import Path; from trainlens.readers import aim\n"
        f"for s in aim.find(Path({str(repo[0])!r})): aim.open_source(s).poll(final=True)\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('aim', 'pandas', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
