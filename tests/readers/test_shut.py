"""Folders and files without permission are called that, and not empty or missing."""

import os
from pathlib import Path

import pytest

from tests.monitor.growing import add, record
from tests.shell import run
from trainlens.errors import NotFound, Unreadable
from trainlens.readers import account, discover


@pytest.fixture
def shut(tmp_path, monkeypatch):
    """Makes a folder into one that can be seen, but neither listed nor entered.

    The tests may run as a user whom no permission holds back, hence the stand-ins.
    """
    closed = []

    def guarded(name):
        real = getattr(os, name)

        def asked(path=".", *more, **named):
            place = os.path.realpath(path) if isinstance(path, (str, Path)) else ""
            for folder in closed:
                inside = place.startswith(folder + os.sep)
                if inside or (name == "scandir" and place == folder):
                    raise PermissionError(13, "Permission denied", str(path))
            return real(path, *more, **named)

        monkeypatch.setattr(os, name, asked)

    def close(folder):
        closed.append(os.path.realpath(folder))

    for name in ("scandir", "stat"):
        guarded(name)
    return close


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shut" / "in").mkdir(parents=True)
    add(tmp_path / "shut" / "in" / "a.jsonl", *(record(s, 1.0) for s in range(9)))
    return tmp_path / "shut"


@pytest.mark.parametrize("below", ["", "in", "in/a.jsonl", "in/*.jsonl", "*/a.jsonl"])
def test_what_lies_in_a_shut_folder_is_not_missing(folder, shut, below):
    shut(folder)
    with pytest.raises(Unreadable, match=r"shut: .*Permission denied; check its permissions") as it:
        discover(folder / below)
    assert it.value.path == str(folder)


def test_a_link_into_a_shut_folder_names_that_folder(folder, shut, tmp_path):
    (tmp_path / "link.jsonl").symlink_to(folder / "in" / "a.jsonl")
    shut(folder)
    for path in ("link.jsonl", "*.jsonl"):
        with pytest.raises(Unreadable, match="Permission denied") as caught:
            discover(tmp_path / path)
        assert caught.value.path == os.path.realpath(folder)


def test_a_link_to_nothing_is_called_that(tmp_path):
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "gone.jsonl")
    with pytest.raises(NotFound, match="a link to nothing"):
        discover(tmp_path / "link.jsonl")


def test_a_folder_around_shut_ones_names_the_first_and_counts_the_others(folder, shut, tmp_path):
    (tmp_path / "zoo").mkdir()
    shut(folder)
    shut(tmp_path / "zoo")
    with pytest.raises(Unreadable, match=r"shut: cannot be listed: .*\(and 1 more place"):
        discover(tmp_path)


def test_beside_a_run_a_shut_folder_is_a_notice(folder, shut, tmp_path):
    add(tmp_path / "b.jsonl", *(record(s, 1.0) for s in range(9)))
    shut(folder)
    found = discover(tmp_path)
    assert [source.path.name for source in found] == ["b.jsonl"]
    assert [notice.kind for notice in found.notices] == ["unreadable"]
    told = {a.path.name: a.reason for a in account(tmp_path)}
    assert told == {"b.jsonl": "", "shut": "a folder that cannot be listed"}


def test_a_missing_path_stays_missing(tmp_path):
    for path in ("no", "no/*.jsonl"):
        with pytest.raises(NotFound, match="no such file or folder"):
            discover(tmp_path / path)


_COMMANDS = (
    "diagnose", "ls", "ls --all", "report", "prescribe", "compare",
    "plot --metric loss", "export -o all.csv", "monitor --once --no-state",
    "baseline learn -o a.toml",
)  # fmt: skip


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_says_so(folder, shut, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shut(folder)
    code, out, err = run(*command.split(), "shut")
    assert code == 2
    assert out == ""
    assert err.startswith("trainlens: shut: cannot be listed: Permission denied; check its")
    assert len(err.splitlines()) == 1
