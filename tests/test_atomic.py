"""A file is written whole or not at all."""

import errno
import os

import pytest

from trainlens import atomic
from trainlens.errors import OutputError
from trainlens.render import write_text


def test_writes_and_replaces(tmp_path):
    file = tmp_path / "a.html"
    write_text(file, "one é")
    write_text(file, "two \ud800")
    assert file.read_bytes() == b"two ?"
    assert os.listdir(tmp_path) == ["a.html"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written: No such file.*-o") as caught:
        write_text(tmp_path / "none" / "a", "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("step", ["open", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    file = tmp_path / "a"
    write_text(file, "old")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "open":
        monkeypatch.setattr(atomic, "open", full, raising=False)
    else:
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_text(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    def make(name):
        with open(name, "w") as file:
            file.write("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        atomic.produce(tmp_path / "a", make)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space there or choose another with -o"),
        (errno.ENOENT, "make its folder or choose another with -o"),
        (errno.EACCES, "choose another with -o"),
    ],
)
def test_the_remedy_is_that_of_the_cause(tmp_path, number, remedy):
    def make(_name):
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError) as caught:
        atomic.produce(tmp_path / "a", make)
    assert caught.value.remedy == remedy
