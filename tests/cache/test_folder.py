"""The cache folder: private, bounded, and never in anybody's way."""

import os
import stat
import threading

import pytest

import trainlens.readers._cache.code as code
from tests.cache.conftest import cold, warm
from trainlens.cachedir import cache_folder, cache_size
from trainlens.readers import _read
from trainlens.readers._cache.store import _shelf, shelf
from trainlens.readers.base import Source


def a_log(path, rows=400, first=0):
    path.write_text("".join(f'{{"step": {i}, "loss": {i + first}}}\n' for i in range(rows)))
    return Source("jsonl", path)


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({"TRAINLENS_CACHE": "off"}, None),
        ({"TRAINLENS_CACHE": "OFF"}, None),
        ({"TRAINLENS_CACHE": "/x/y"}, "/x/y"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/trainlens"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="other places there")
def test_where_it_lies(environ, want):
    found = cache_folder(environ)
    assert (found and str(found)) == want


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 2 << 30), ("1000", 1000), ("5kB", 5000), ("3 GiB", 3 << 30), ("lots", 2 << 30)],
)
def test_how_large_it_may_be(text, size):
    assert cache_size({"TRAINLENS_CACHE_SIZE": text}) == size


@pytest.mark.skipif(os.name == "nt", reason="no such rights there")
def test_it_is_private_and_names_nothing(kept, tmp_path):
    warm(a_log(tmp_path / "secret-name.jsonl"))
    (entry,) = kept.iterdir()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert "secret" not in entry.name


def test_off_writes_nothing(kept, tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINLENS_CACHE", "off")
    assert shelf() is None
    source = a_log(tmp_path / "run.jsonl")
    assert warm(source) == cold(source)
    assert not kept.exists()


def test_a_small_log_is_not_kept(kept, tmp_path, monkeypatch):
    source = a_log(tmp_path / "run.jsonl")
    monkeypatch.setattr(_read, "WORTH", source.path.stat().st_size + 1)
    _read.open_source(source, cache=True).poll(final=True)
    assert not kept.exists() or list(kept.iterdir()) == []
    monkeypatch.setattr(_read, "WORTH", source.path.stat().st_size)
    _read.open_source(source, cache=True).poll(final=True)
    assert list(kept.iterdir())


def test_a_folder_that_cannot_be_written_is_no_cache(kept, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    source = a_log(tmp_path / "run.jsonl")
    monkeypatch.setattr("trainlens.readers._cache.store.write", full)
    assert warm(source) == cold(source)
    assert list(kept.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("TRAINLENS_CACHE", str(blocked))
    _shelf.cache_clear()
    assert warm(source) == cold(source)
    assert blocked.read_text() == "in the way"


def test_nothing_is_written_beneath_a_run(kept, tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "trainer_state.json").write_text(
        '{"global_step": 2, "epoch": 1.0, "log_history": [{"step": 1, "epoch": 0.5, "loss": 2.0}]}'
    )
    monkeypatch.setenv("TRAINLENS_CACHE", str(run / "cache"))
    source = Source("trainer-state", run)
    before = sorted(run.rglob("*"))
    assert warm(source) == cold(source)
    assert [p for p in sorted(run.rglob("*")) if p.is_file()] == before


def test_what_was_not_used_for_longest_goes_first(kept, looked, tmp_path, monkeypatch):
    sources = [a_log(tmp_path / f"{i}.jsonl", first=i) for i in range(12)]
    warm(sources[0])
    (first,) = kept.iterdir()
    size = first.stat().st_size
    monkeypatch.setenv("TRAINLENS_CACHE_SIZE", str(size * 6))
    for i, source in enumerate(sources):
        warm(source)
        os.utime(first, ns=(10**18 + i, 10**18 * 2))  # used all the time
        held = list(kept.iterdir())
        for path in held:
            if path != first and path.stat().st_mtime_ns > 10**18 + 100:
                os.utime(path, ns=(10**18, 10**18 + i))
        assert sum(p.stat().st_size for p in held) <= size * 6
    looked.clear()
    warm(sources[0])
    warm(sources[1])
    assert looked == ["recalled", "not recalled", "read"]


def test_other_code_reads_anew(kept, looked, tmp_path, monkeypatch):
    source = a_log(tmp_path / "run.jsonl")
    warm(source)
    monkeypatch.setattr("trainlens.readers._cache.store.version", lambda: "another")
    warm(source)
    assert looked == ["not recalled", "read"] * 2
    assert len(list(kept.iterdir())) == 1


def test_the_code_is_told_by_its_files(tmp_path):
    (tmp_path / "readers").mkdir()
    (tmp_path / "readers" / "x.py").write_text("a")
    before = code.version.__wrapped__(tmp_path)
    assert code.version.__wrapped__(tmp_path) == before
    (tmp_path / "readers" / "x.py").write_text("ab")
    assert code.version.__wrapped__(tmp_path) != before


def test_many_at_once(kept, tmp_path):
    source = a_log(tmp_path / "run.jsonl", rows=3000)
    want, found = cold(source), []
    threads = [
        threading.Thread(target=lambda: found.extend(warm(source) for _ in range(5)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 30
    assert all(f == want for f in found)
    assert [p.suffix for p in kept.iterdir()] == [".columns"]
