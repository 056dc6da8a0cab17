"""Files that grow by whole pieces: torn tails, short writes, full disks, deleted files."""

import errno
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens_torch.record import append
from trainlens_torch.record.append import AppendFile, Deleted, NotWritten
from trainlens_torch.record.jsonl import JsonlSink


def file_at(path, mend=None, **more):
    return AppendFile(lambda: path, lambda: b"head\n", mend, **more)


def test_every_piece_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "a"
    file = file_at(path)
    assert not path.exists()
    for i in range(3):
        file.write([b"%d\n" % i])
        assert path.read_bytes() == b"head\n" + b"".join(b"%d\n" % k for k in range(i + 1))
    file.flush()
    file.close()
    file.close()
    with pytest.raises(OSError, match="closed") as caught:
        file.write([b"x"])
    assert not hasattr(caught.value, "written")  # nothing that could be tried again


def test_the_pieces_of_a_call_are_one_write(tmp_path, monkeypatch):
    real, written = os.write, []
    monkeypatch.setattr(append.os, "write", lambda fd, data: written.append(data) or real(fd, data))
    file = file_at(tmp_path / "a")
    file.write([b"1\n", b"", b"2\n"])
    file.write([])
    assert written == [b"head\n", b"1\n2\n"]


@pytest.mark.parametrize("size", range(12))
def test_a_torn_tail_is_cut_off_or_marked(tmp_path, size):
    data = b"head\n1\n0.125"[:size]
    whole = data[: data.rfind(b"\n") + 1]
    torn = len(whole) < size
    for mend, kept in ((None, whole), (b"_torn\n", data + b"_torn\n" * torn)):
        path = tmp_path / f"{mend is None}"
        path.write_bytes(data)
        file_at(path, mend).write([b"2\n"])
        assert path.read_bytes() == kept + (b"" if whole else b"head\n") + b"2\n"


def test_long_torn_tails_are_found(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"head\n" + b"x" * 200_000)
    file_at(path).write([b"2\n"])
    assert path.read_bytes() == b"head\n2\n"


class Disk:
    """`os.write` with room for so many bytes, then ENOSPC; None is room for all."""

    def __init__(self, monkeypatch):
        self.room = None
        self._real = os.write
        monkeypatch.setattr(append.os, "write", self.write)

    def write(self, descriptor, data):
        if self.room is None:
            return self._real(descriptor, data)
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        taken = self._real(descriptor, data[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize(
    ("room", "written"), [(0, 0), (1, 1), (2, 1), (3, 2), (7, 2), (8, 2), (9, 3)]
)
def test_a_piece_that_was_cut_is_finished_first(tmp_path, monkeypatch, room, written):
    pieces = [b"1\n", b"0.125\n", b"3\n"]
    path = tmp_path / "a"
    file = file_at(path)
    disk = Disk(monkeypatch)
    file.write([b"0\n"])
    disk.room = room
    with pytest.raises(NotWritten, match="no space") as caught:
        file.write(pieces)
    assert caught.value.written == written
    assert path.read_bytes() == b"head\n0\n" + b"".join(pieces)[:room]
    disk.room = None
    file.write(pieces[written:])
    assert path.read_bytes() == b"head\n0\n" + b"".join(pieces)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.binary(max_size=5), max_size=4), min_size=1, max_size=6),
    st.lists(st.integers(0, 12), max_size=8),
)
def test_whatever_the_disk_takes_each_piece_is_there_once_and_in_order(
    tmp_path_factory, batches, rooms
):
    path = tmp_path_factory.mktemp("disk") / "a"
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        file = file_at(path)
        file.open()
        waiting = []
        for batch in batches:
            waiting += batch
            disk.room = rooms.pop() if rooms else None
            try:
                file.write(waiting)
                waiting = []
            except NotWritten as error:
                waiting = waiting[error.written :]
        disk.room = None
        file.write(waiting)
        file.close()
    assert path.read_bytes() == b"head\n" + b"".join(b"".join(batch) for batch in batches)


def test_flush_and_close_finish_a_piece_that_was_cut(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    for end in (AppendFile.flush, AppendFile.close):
        path = tmp_path / end.__name__
        disk.room = None
        file = file_at(path)
        file.open()
        disk.room = 3
        with pytest.raises(NotWritten):
            file.write([b"0.125\n"])
        disk.room = 1
        with pytest.raises(NotWritten):
            file.flush()
        disk.room = None
        end(file)
        assert path.read_bytes() == b"head\n0.125\n"


def test_a_piece_that_is_not_finished_is_closed(tmp_path, monkeypatch):
    path = tmp_path / "a"
    file = file_at(path, b"|\n", finish=False)
    disk = Disk(monkeypatch)
    file.open()
    disk.room = 3
    with pytest.raises(NotWritten, match="only 3 of 6 bytes"):
        file.write([b"0.125\n"])
    disk.room = None
    file.write([b"3\n"])
    assert path.read_bytes() == b"head\n0.1|\n3\n"


@pytest.mark.parametrize("room", [0, 3])
def test_a_full_disk_at_the_start_leaves_no_file(tmp_path, monkeypatch, room):
    path = tmp_path / "a"
    file = file_at(path)
    disk = Disk(monkeypatch)
    for _ in range(3):
        disk.room = room
        with pytest.raises(NotWritten, match="no space") as caught:
            file.write([b"1\n"])
        assert caught.value.written == 0
        assert list(tmp_path.iterdir()) == []
    disk.room = None
    file.write([b"2\n"])
    assert path.read_bytes() == b"head\n2\n"


def test_a_full_disk_at_the_start_leaves_a_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.touch()
    disk = Disk(monkeypatch)
    disk.room = 0
    with pytest.raises(NotWritten, match="no space"):
        file_at(path).write([b"1\n"])
    assert path.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_device_that_is_always_full_stays_what_it_is(tmp_path):
    path = tmp_path / "a"
    path.symlink_to("/dev/full")
    for _ in range(2):
        with pytest.raises(NotWritten, match="No space left") as caught:
            file_at(path).write([b"1\n"])
        assert (caught.value.errno, caught.value.written) == (errno.ENOSPC, 0)
    assert stat.S_ISCHR(path.stat().st_mode)


def test_what_has_nothing_to_sync_is_flushed(tmp_path):
    file = file_at(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe")
    file.write([b"1\n"])
    file.flush()
    file.close()


def test_a_deleted_file_is_told_and_begun_anew(tmp_path):
    path = tmp_path / "folder" / "a"
    file = file_at(path)
    file.write([b"1\n", b"2\n"])
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(Deleted, match=r"deleted.*2 records") as caught:
        file.write([b"3\n"])
    assert (caught.value.written, caught.value.again) == (0, True)
    file.write([b"3\n"])
    assert path.read_bytes() == b"head\n3\n"
    path.unlink()
    with pytest.raises(Deleted, match="1 records"):
        file.flush()
    file.flush()
    file.write([b"4\n"])
    assert path.read_bytes() == b"head\n4\n"


def test_a_file_that_is_moved_is_followed(tmp_path):
    path = tmp_path / "a"
    file = file_at(path)
    file.write([b"1\n"])
    path.rename(tmp_path / "b")
    path.write_bytes(b"another\n")
    file.write([b"2\n"])
    file.close()
    assert (tmp_path / "b").read_bytes() == b"head\n1\n2\n"
    assert path.read_bytes() == b"another\n"


def test_a_folder_that_cannot_be_made_costs_only_its_pieces(tmp_path):
    path = tmp_path / "later" / "a"
    path.parent.write_text("")
    file = file_at(path)
    with pytest.raises(NotWritten, match="exists") as caught:
        file.write([b"1\n"])
    assert caught.value.written == 0
    path.parent.unlink()
    file.write([b"2\n"])
    assert path.read_bytes() == b"head\n2\n"


def test_what_is_abandoned_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a"
    file = file_at(path)
    disk = Disk(monkeypatch)
    file.open()
    disk.room = 3
    with pytest.raises(NotWritten):
        file.write([b"0.125\n"])
    disk.room = None
    file.abandon()
    file.close()
    assert path.read_bytes() == b"head\n0.1"


def test_a_record_of_a_deleted_file_is_the_first_of_the_next(tmp_path):
    path = tmp_path / "a.jsonl"
    with JsonlSink(path) as sink:
        sink.log(1, {"loss": 1.0})
        path.unlink()
        sink.log(2, {"loss": 1.0})
    header, record = map(json.loads, path.read_text().splitlines())
    assert header["run"] == "a"
    assert record["step"] == 2
