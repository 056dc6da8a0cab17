import pytest

from trainlens.readers import _read, all_readers
from trainlens.readers._cache import cached, identity, recall
from trainlens.readers._cache.store import FOLDER


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty cache that keeps logs of any size, even those written a moment ago."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TRAINLENS_CACHE", str(folder))
    monkeypatch.delenv("TRAINLENS_CACHE_SIZE", raising=False)
    monkeypatch.setattr(_read, "WORTH", 0)
    monkeypatch.setattr(recall, "_LITTLE", 10**9)
    monkeypatch.setattr(identity, "UNSETTLED_NS", 0)
    return folder / FOLDER


@pytest.fixture
def looked(monkeypatch):
    """What was done: one word for each run that was asked for."""
    done = []

    def watched(name, word):
        inner = getattr(recall.Cached, name)

        def outer(self, *args):
            found = inner(self, *args)
            done.append(word if found is not None else f"not {word}")
            return found

        monkeypatch.setattr(recall.Cached, name, outer)

    watched("_read", "read")
    watched("_continued", "continued")
    watched("_recalled", "recalled")
    return done


def shown(chunk):
    """Everything in a chunk, bit for bit."""
    columns = [
        (c.name, c.split, c.kind, c.unit, c.step.dtype.str, c.step.tobytes(), c.value.tobytes(),
         c.wall_time.tobytes(), c.epoch.tobytes())
        for c in chunk.columns
    ]  # fmt: skip
    return columns, repr(dict(chunk.config)), chunk.notices


def cold(source):
    return shown(all_readers()[source.format].open_source(source).poll(final=True))


def warm(source):
    module = all_readers()[source.format]
    reader = cached(source, module.inputs(source), lambda: module.open_source(source))
    return shown(reader.poll(final=True))
