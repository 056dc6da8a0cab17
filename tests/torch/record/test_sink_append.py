"""Files that grow by whole pieces: torn tails, short writes, full disks, removed files."""

import errno
import os

import pytest

pytest.importorskip("torch")

from trainlens_torch.record import append
from trainlens_torch.record.append import AppendFile


def file_at(path, mend=None):
    return AppendFile(lambda: path, lambda: b"head\n", mend)


def test_every_piece_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "a"
    file = file_at(path)
    assert not path.exists()
    for i in range(3):
        file.write(b"%d\n" % i)
        assert path.read_bytes() == b"head\n" + b"".join(b"%d\n" % k for k in range(i + 1))
    file.flush()
    file.close()
    file.close()
    with pytest.raises(OSError, match="closed"):
        file.write(b"x")


@pytest.mark.parametrize("size", range(12))
def test_a_torn_tail_is_cut_off_or_marked(tmp_path, size):
    whole = b"head\n1\n0.125"
    for mend, after in ((None, b""), (b"_torn\n", b"_torn\n")):
        path = tmp_path / f"{mend is None}"
        path.write_bytes(whole[:size])
        file = file_at(path, mend)
        file.write(b"2\n")
        kept = whole[:size] if mend else whole[: whole[:size].rfind(b"\n") + 1]
        torn = after if size and not kept.endswith(b"\n") else b""
        assert path.read_bytes() == (kept + torn or b"head\n") + b"2\n"


def test_long_torn_tails_are_found(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"head\n" + b"x" * 200_000)
    file_at(path).write(b"2\n")
    assert path.read_bytes() == b"head\n2\n"


def fail_after(monkeypatch, size):
    """Let the next write take `size` bytes, and the one behind it fail."""
    real, state = os.write, {"left": size}

    def write(descriptor, data):
        if state["left"] is None:
            return real(descriptor, data)
        if not state["left"]:
            raise OSError(errno.ENOSPC, "no space left")
        taken = real(descriptor, bytes(data)[: state["left"]])
        state["left"] -= taken
        return taken

    monkeypatch.setattr(append.os, "write", write)
    return state


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_piece_that_was_cut_short_is_taken_back(tmp_path, monkeypatch, size):
    path = tmp_path / "a"
    file = file_at(path)
    file.write(b"1\n")
    state = fail_after(monkeypatch, size)
    with pytest.raises(OSError, match="no space") as caught:
        file.write(b"0.125\n")
    assert caught.value.written == 0
    assert path.read_bytes() == b"head\n1\n"
    state["left"] = None
    file.write(b"3\n")
    assert path.read_bytes() == b"head\n1\n3\n"


def test_taking_back_is_tried_again_before_the_next_piece(tmp_path, monkeypatch):
    path = tmp_path / "a"
    file = file_at(path)
    file.write(b"1\n")
    state = fail_after(monkeypatch, 3)
    real = os.ftruncate
    monkeypatch.setattr(append.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(5, "io")))
    for _ in range(2):
        with pytest.raises(OSError, match="io"):
            file.write(b"0.125\n")
    state["left"] = None
    monkeypatch.setattr(append.os, "ftruncate", real)
    file.write(b"3\n")
    assert path.read_bytes() == b"head\n1\n3\n"


def test_a_full_disk_at_the_start_leaves_no_empty_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    file = file_at(path)
    state = fail_after(monkeypatch, 0)
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            file.write(b"1\n")
        assert list(tmp_path.iterdir()) == []
    state["left"] = None
    file.write(b"2\n")
    assert path.read_bytes() == b"head\n2\n"


def test_a_removed_file_is_told_and_begun_anew(tmp_path):
    path = tmp_path / "a"
    file = file_at(path)
    file.write(b"1\n")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="removed"):
        file.flush()
    file.flush()
    file.write(b"2\n")
    assert path.read_bytes() == b"head\n2\n"
    path.rename(tmp_path / "b")
    path.write_bytes(b"another\n")
    with pytest.raises(FileNotFoundError, match="removed"):
        file.flush()
    file.write(b"3\n")
    assert path.read_bytes() == b"another\n3\n"


def test_a_folder_that_is_missing_costs_only_its_pieces(tmp_path):
    path = tmp_path / "later" / "a"
    file = file_at(path)
    with pytest.raises(FileNotFoundError):
        file.write(b"1\n")
    path.parent.mkdir()
    file.write(b"2\n")
    assert path.read_bytes() == b"head\n2\n"
