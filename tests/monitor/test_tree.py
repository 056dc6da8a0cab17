"""Runs are searched for when that may bring something, and no more often than that pays."""

import os

from trainlens.monitor.tree import Tree
from trainlens.readers import Discovery, discover
from trainlens.readers.base import Source

LINE = '{"step": 1, "losses": {"total": 1.0}}\n{"step": 2, "losses": {"total": 0.9}}\n'


class Counted:
    """A search that is counted."""

    def __init__(self):
        self.count = 0

    def __call__(self, path):
        self.count += 1
        return discover(path)


def tree(*paths):
    search = Counted()
    return Tree([str(p) for p in paths], search), search


def test_a_folder_that_has_not_changed_is_not_searched(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    held, search = tree(tmp_path)
    assert len(held.look(0.0).sources) == 1
    for tick in range(1, 10):
        assert held.look(float(tick)) is None
    assert search.count == 1


def test_a_new_file_is_found_at_once_deep_down(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a.jsonl").write_text(LINE)
    held, _ = tree(tmp_path)
    held.look(0.0)
    assert held.look(1.0) is None
    (tmp_path / "a" / "b" / "c.jsonl").write_text(LINE)
    assert len(held.look(2.0).sources) == 2


def test_a_renamed_file_is_found(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    held, _ = tree(tmp_path)
    held.look(0.0)
    os.rename(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert [s.path.name for s in held.look(1.0).sources] == ["b.jsonl"]


def test_what_the_system_says_is_believed(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    held, search = tree(tmp_path)
    held.look(0.0)
    assert held.look(1.0, stirred=True) is not None
    assert search.count == 2


def test_a_search_that_costs_much_is_made_rarely(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    held, search = tree(tmp_path)
    held.look(0.0)
    held.took(2.0)
    for tick in range(1, 40):
        (tmp_path / f"{tick}.txt").touch()
        held.look(float(tick))
    assert search.count == 1
    assert held.look(41.0) is not None


def test_what_is_not_there_is_searched_for_each_time(tmp_path):
    held, search = tree(tmp_path / "a.jsonl")
    assert "does not exist yet" in held.look(0.0).waiting
    held.look(1.0)
    assert search.count == 2
    (tmp_path / "a.jsonl").write_text(LINE)
    assert len(held.look(2.0).sources) == 1
    assert held.look(3.0) is None


def test_the_folder_around_a_lone_file_is_not_descended_into(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text(LINE)
    for i in range(50):
        (tmp_path / f"other{i}").mkdir()
    held, _ = tree(tmp_path / "a.jsonl")
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda p=".": listed.append(p) or scan(p))
    held.look(0.0)
    held.look(1.0)
    assert not [p for p in listed if "other" in str(p)]


def test_of_several_paths_those_that_are_there_are_found(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    found = tree(tmp_path / "a.jsonl", tmp_path / "b.jsonl")[0].look(0.0)
    assert len(found.sources) == 1
    assert "b.jsonl does not exist yet" in found.waiting


def test_a_run_that_two_paths_name_is_one(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    same = Discovery([Source("jsonl", tmp_path / "a.jsonl")])
    held = Tree(["x", "y"], lambda path: same)
    assert len(held.look(0.0).sources) == 1


def test_addresses_are_searched_again_each_time():
    calls = []

    def search(path):
        calls.append(path)
        return Discovery()

    held = Tree(["s3://bucket/run"], search)
    held.look(0.0)
    held.look(1.0)
    assert calls == ["s3://bucket/run"] * 2
