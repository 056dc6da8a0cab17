"""What was told survives the monitor, in the user's own folder, and damage to it costs no watch."""

import json
import os
import stat

import pytest

from tests.monitor.test_ledger import PRINTS, finding, judged, said_of
from trainlens.errors import OutputError
from trainlens.monitor import state
from trainlens.monitor.ledger import Ledger


def ledger():
    held = Ledger()
    held.see("a\udcff", judged(finding(), finding("non-finite", None)), PRINTS, 1.0, lambda f: 9)
    held.see("b", judged(finding("divergence")), PRINTS, 1.0, lambda f: 9)
    return held


def kinds(held, *found, **more):
    changes = held.see("a\udcff", judged(*found, **more), PRINTS, 2.0, lambda f: 99)
    return [(c.kind, c.number) for c in changes]


def test_what_was_told_is_not_told_again(tmp_path):
    file = tmp_path / "new" / "state.json"
    state.save(file, ledger())
    held = state.load(file)
    assert kinds(held, finding(), finding("non-finite", None)) == []
    assert kinds(held, finding(), finding("non-finite", None), finding(step=500)) == [("opened", 3)]


def test_looks_that_missed_a_finding_count_across_a_restart(tmp_path):
    file, held = tmp_path / "state.json", ledger()
    passing = {"others": [said_of("loss-spike"), said_of("non-finite")]}
    assert kinds(held, **passing) == []
    state.save(file, held)
    assert [k for k, _ in kinds(state.load(file), **passing)] == ["closed", "closed"]


def test_what_has_to_prove_itself_is_kept_as_such(tmp_path):
    # A watch that looks once at a time would never see it last.
    state.save(tmp_path / "s", ledger())
    account = state.load(tmp_path / "s").account("b")
    assert not account.open
    assert [e.since for e in account.suspected] == [9]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"schema": "other/1"}', b"\xff\xfe", b"[" * 100_000,
     b'{"schema": "trainlens.monitor/1", "last": "x", "runs": {}}',
     b'{"schema": "trainlens.monitor/1", "last": 1, "runs": {"a": {"prints": [[1]]}}}',
     b'{"schema": "trainlens.monitor/1", "last": 1, "runs": {"a": {"prints": [], "findings": '
     b'[{"rule": "x", "severity": "none"}]}}}'],
)  # fmt: skip
def test_a_damaged_file_is_none(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    held = state.load(tmp_path / "s")
    assert held.accounts == {}
    assert held.last == 0


def test_every_cut_of_the_file_is_none_or_whole(tmp_path):
    state.save(tmp_path / "s", ledger())
    whole = (tmp_path / "s").read_bytes()
    for end in range(len(whole)):
        (tmp_path / "s").write_bytes(whole[:end])
        assert state.load(tmp_path / "s").accounts == {}


def test_no_file_is_no_memory():
    assert state.load(None).accounts == {}


def test_a_full_folder_is_an_error_and_leaves_what_was_there(tmp_path, monkeypatch):
    state.save(tmp_path / "s", ledger())
    before = (tmp_path / "s").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space"):
        state.save(tmp_path / "s", Ledger())
    assert (tmp_path / "s").read_bytes() == before
    assert os.listdir(tmp_path) == ["s"]


def test_it_lies_in_the_folder_of_the_user(tmp_path):
    env = {"XDG_STATE_HOME": str(tmp_path)}
    file = state.state_file(["/data/run.jsonl"], env)
    assert file.parent == tmp_path / "trainlens"
    assert file == state.state_file(["/data/../data/run.jsonl"], env)
    assert file != state.state_file(["/data/other.jsonl"], env)
    assert state.state_file(["a"], {"TRAINLENS_STATE": "off"}) is None
    assert state.state_file(["a"], {"TRAINLENS_STATE": str(tmp_path)}).parent == tmp_path


def test_several_paths_are_one_watch_in_any_order(tmp_path):
    env = {"XDG_STATE_HOME": str(tmp_path)}
    assert state.state_file(["a", "s3://b"], env) == state.state_file(["s3://b", "a"], env)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights of files as Unix has them")
def test_its_folder_is_private(tmp_path):
    state.save(tmp_path / "trainlens" / "s", ledger())
    assert stat.S_IMODE((tmp_path / "trainlens").stat().st_mode) == 0o700


def test_the_file_is_plain_json(tmp_path):
    state.save(tmp_path / "s", ledger())
    assert json.loads((tmp_path / "s").read_text())["schema"] == "trainlens.monitor/1"
