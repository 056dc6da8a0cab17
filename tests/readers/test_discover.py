"""Finding runs in folders of mixed content, and naming them."""

import os

import pytest

import trainlens
from trainlens.errors import NotALog, NotFound, SeveralRuns
from trainlens.readers import account, all_readers, discover, load, load_one
from trainlens.readers._naming import name_runs
from trainlens.readers.base import Source

ROW = '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n{"step": 3, "loss": 0.5}\n'


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ROW)


def names(root, *paths):
    paths = paths or (root,)
    return sorted(r.name for r in load(*paths))


def test_each_file_is_a_run(tmp_path):
    make(tmp_path, "a.jsonl", "b/c.jsonl", "b/d.jsonl")
    assert names(tmp_path) == ["a", "b/c", "b/d"]


def test_a_lone_generic_file_is_named_after_its_folder(tmp_path):
    make(tmp_path, "28-01-2026/train.jsonl", "29-01-2026/metrics.jsonl")
    assert names(tmp_path) == ["28-01-2026", "29-01-2026"]
    assert load_one(tmp_path / "28-01-2026").name == "28-01-2026"
    assert load_one(tmp_path / "28-01-2026" / "train.jsonl").name == "28-01-2026"


def test_the_same_file_twice_is_one_run(tmp_path):
    make(tmp_path, "a.jsonl")
    assert names(tmp_path, tmp_path, tmp_path / "a.jsonl", tmp_path) == ["a"]


def test_names_are_unique(tmp_path):
    make(tmp_path, "x/a.jsonl", "y/a.jsonl", "x/a.json")
    found = names(tmp_path, tmp_path / "x/a.jsonl", tmp_path / "y/a.jsonl", tmp_path / "x/a.json")
    assert len(set(found)) == 3


def test_glob(tmp_path):
    make(tmp_path, "a1.jsonl", "a2.jsonl", "b.jsonl")
    assert names(tmp_path, f"{tmp_path}/a*.jsonl") == ["a1", "a2"]


def test_code_and_environments_are_passed_over(tmp_path):
    make(tmp_path, "a.jsonl", ".git/x.jsonl", "node_modules/x.jsonl", ".venv/lib/x.jsonl")
    assert names(tmp_path) == ["a"]


def test_links_to_folders_are_not_followed(tmp_path):
    make(tmp_path, "a/run.jsonl")
    os.symlink(tmp_path, tmp_path / "a" / "loop")
    assert len(discover(tmp_path)) == 1


def test_several_where_one_was_asked_for(tmp_path):
    make(tmp_path, "a.jsonl", "b.jsonl")
    with pytest.raises(SeveralRuns, match=r"holds 2 runs \(a, b\)"):
        load_one(tmp_path)


def test_nothing(tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        load(tmp_path / "no")
    with pytest.raises(NotALog, match="no training log"):
        discover(tmp_path)


def test_an_unreadable_file_among_good_ones(tmp_path, monkeypatch):
    make(tmp_path, "a.jsonl", "b.jsonl")
    module = all_readers()["jsonl"]
    original = module.sniff

    def refuse(path):
        if path.name == "b.jsonl":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(module, "sniff", refuse)
    runs = load(tmp_path)
    assert [r.name for r in runs] == ["a"]
    (notice,) = runs.notices
    assert (notice.kind, notice.lost) == ("unreadable", None)
    assert "Permission denied" in str(notice)


def test_a_run_that_fails_while_it_is_read_is_named(tmp_path, monkeypatch):
    make(tmp_path, "a.jsonl", "b.jsonl")
    module = all_readers()["jsonl"]
    original = module.open_source

    def fail(source):
        if source.path.name == "b.jsonl":
            raise OSError(5, "Input/output error")
        return original(source)

    monkeypatch.setattr(module, "open_source", fail)
    runs = load(tmp_path)
    assert [r.name for r in runs] == ["a"]
    assert "Input/output error" in str(runs.notices[0])
    with pytest.raises(trainlens.TrainlensError, match="Input/output error"):
        load(tmp_path / "b.jsonl")


def test_keys_name_the_runs_of_a_repository(tmp_path):
    repo = tmp_path / "project" / ".aim"
    sources = [Source("aim", repo, "abcdef0123456789"), Source("aim", repo, "ffff", name="mine")]
    assert name_runs(sources, [tmp_path]) == ["project/abcdef01", "project/mine"]
    assert name_runs(sources, [repo]) == ["abcdef01", "mine"]


def test_every_file_is_accounted_for(tmp_path):
    make(tmp_path, "a.jsonl", ".git/x.jsonl", "b/run.jsonl")
    (tmp_path / "hparams.yaml").write_text("lr: 0.1\n")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "model.pt").write_bytes(b"PK\0\0")
    (tmp_path / "notes").write_text("it went well\n")
    (tmp_path / "summary.json").write_text('{"best": 3}\n')
    found = {str(a.path.relative_to(tmp_path)): a.format or a.reason for a in account(tmp_path)}
    assert found == {
        "a.jsonl": "jsonl",
        "b/run.jsonl": "jsonl",
        ".git/x.jsonl": "lies in .git, which is never searched",
        "hparams.yaml": "holds settings, no points of a training",
        "empty.jsonl": "is empty",
        "model.pt": "is a model or checkpoint, no log",
        "notes": "is text in which no line says at which step or epoch a number stands",
        "summary.json": "is JSON without records of a training (a step or an epoch, and numbers)",
    }


def test_one_file_and_a_pattern_are_accounted_for(tmp_path):
    make(tmp_path, "a.jsonl", "b.jsonl")
    assert [a.format for a in account(tmp_path / "a.jsonl")] == ["jsonl"]
    assert [a.path.name for a in account(f"{tmp_path}/*.jsonl")] == ["a.jsonl", "b.jsonl"]
    with pytest.raises(NotFound):
        list(account(tmp_path / "no"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotALog):
        list(account(tmp_path / "empty"))
