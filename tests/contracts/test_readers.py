"""What holds for every registered reader."""

import hashlib
import os

import pytest

import trainlens
from trainlens.readers import all_readers, discover, open_source
from trainlens.readers.base import HEAD


def tree_state(root):
    """Content, size and times of every file and folder below a path."""
    state = {}
    for folder, _, files in os.walk(root):
        for path in [folder, *(os.path.join(folder, f) for f in files)]:
            info = os.lstat(path)
            digest = ""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            state[path] = (info.st_size, info.st_mtime_ns, info.st_mode, digest)
    return state


@pytest.mark.parametrize("name", all_readers())
def test_a_reader_module_has_the_contract(name):
    module = all_readers()[name]
    assert name == module.FORMAT
    assert module.__doc__
    for function in ("sniff", "find", "open_source"):
        assert callable(getattr(module, function))
    if getattr(module, "FOLDERS", False):
        assert callable(module.files)


@pytest.mark.parametrize("name", all_readers())
@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{", b"\x00" * 64, b"\xff" * 5000, b"hello world\n" * 100, b"[" * 20000,
     b'{"a": ' * 20000, bytes(range(256)) * 300, b"key: value\n", b"=" * 100],
)  # fmt: skip
def test_no_reader_claims_what_is_no_log(name, content, tmp_path):
    path = tmp_path / "run.log"
    path.write_bytes(content)
    assert all_readers()[name].sniff(path) == 0
    (tmp_path / "empty").mkdir()
    assert all_readers()[name].sniff(tmp_path / "empty") == 0


def test_project_files_are_no_logs(sample_runs):
    root = sample_runs.parent
    for path in [
        *root.glob("*.md"),
        *root.glob("*.toml"),
        *root.glob("*.txt"),
        *root.glob("trainlens/*.py"),
    ]:
        claimed = [n for n, m in all_readers().items() if m.sniff(path) > 0]
        assert claimed == [], path


def test_every_sample_is_read_by_one_reader(sample_runs):
    found = discover(sample_runs)
    assert {s.format for s in found} == {"jsonl", "tensorboard", "aim", "text"}
    assert found.notices == ()


def test_reading_changes_nothing(sample_runs):
    before = tree_state(sample_runs)
    trainlens.load(sample_runs)
    assert tree_state(sample_runs) == before


def test_a_second_poll_gives_nothing_new(sample_runs):
    for source in discover(sample_runs):
        reader = open_source(source)
        first = reader.poll()
        assert sum(len(c.value) for c in first.columns) > 0
        again = reader.poll(final=True)
        assert sum(len(c.value) for c in again.columns) == 0


def test_the_columns_are_what_the_model_expects(sample_runs):
    for source in discover(sample_runs):
        for column in open_source(source).poll(final=True).columns:
            n = len(column.value)
            assert str(column.step.dtype) == "int64"
            for array in (column.value, column.wall_time, column.epoch):
                assert str(array.dtype) == "float64"
                assert len(array) == len(column.step) == n


def test_the_head_is_bounded():
    assert HEAD <= 1 << 20
