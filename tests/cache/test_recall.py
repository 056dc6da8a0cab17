"""Whatever becomes of a log: what the cache gives is what reading it anew gives."""

import os
import random
import shutil

import pytest

from tests.cache.conftest import cold, warm
from tests.robustness.formats import all_formats
from tests.robustness.mutations import damage
from trainlens.readers import all_readers
from trainlens.readers.base import Source

GROWING = ("jsonl", "csv", "text", "tensorboard", "wandb", "mlperf")
WHOLE = ("trainer-state", "catboost")


def written(name, folder, rng):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return all_formats()[name.replace("-", "_")].write(folder, rng)


def agree(module, path):
    for source in module.find(path)[:2]:
        assert warm(source) == cold(source)


@pytest.mark.parametrize("name", GROWING + WHOLE)
def test_a_log_that_grows_as_it_likes(name, kept, looked, tmp_path):
    module = all_readers()[name]
    for number in range(14):
        rng = random.Random(f"{name} {number}")
        log, other = (written(name, tmp_path / which, rng) for which in "ab")
        at = rng.randrange(len(log.files)) if number % 3 == 0 else len(log.files) - 1
        file, spare = log.files[at], other.files[min(at, len(other.files) - 1)]
        data = file.data if number % 2 else damage(rng, file, spare.data)[1].data
        data += spare.data if number % 4 == 1 else b""
        path = tmp_path / "a" / file.name
        done = 0
        for end in [*sorted(rng.choices(range(len(data) + 1), k=2)), len(data), len(data)]:
            with open(path, "wb" if not done else "ab") as growing:
                growing.write(data[done:end])
            done = end
            agree(module, tmp_path / "a" / log.path)
    assert "recalled" in looked
    if name in GROWING:
        assert "continued" in looked


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize(
    "way", ["touch", "same size and time", "other file", "cut", "rename", "in place", "gone beside"]
)
def test_a_log_that_becomes_another(name, way, kept, tmp_path):
    rng = random.Random(f"{name} {way}")
    module = all_readers()[name]
    log, other = (written(name, tmp_path / which, rng) for which in "ab")
    file, spare = log.files[-1], other.files[-1]
    path, place = tmp_path / "a" / file.name, tmp_path / "a" / log.path
    agree(module, place)
    stat = os.stat(path)
    if way == "touch":
        os.utime(path)
    elif way == "same size and time":
        (tmp_path / "new").write_bytes((spare.data * 3)[: stat.st_size])
        os.utime(tmp_path / "new", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.replace(tmp_path / "new", path)
    elif way == "other file":
        path.write_bytes(spare.data)
    elif way == "cut":
        os.truncate(path, stat.st_size * 2 // 3)
    elif way == "rename":
        os.replace(path, path.with_name("x" + path.name))
        place = place if place.is_dir() else path.with_name("x" + path.name)
    elif way == "in place":
        data = bytearray(file.data)
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    else:
        (path.parent / "hparams.yaml").write_text("seed: 3\n")
    agree(module, place)
    agree(module, place)


@pytest.mark.parametrize("name", GROWING)
def test_only_what_is_new_is_read(name, kept, looked, tmp_path):
    rng = random.Random(name)
    module = all_readers()[name]
    log = written(name, tmp_path / "a", rng)
    file = log.files[-1]
    path, place = tmp_path / "a" / file.name, tmp_path / "a" / log.path
    # All but the last records, so that no metric is new in them.
    path.write_bytes(file.data[: file.records[-2].begin])
    agree(module, place)
    assert looked == ["not recalled", "read"]
    looked.clear()
    path.write_bytes(file.data[: file.records[-2].begin])
    with open(path, "ab") as growing:
        growing.write(file.data[file.records[-2].begin :])
    agree(module, place)
    agree(module, place)
    assert looked in (
        ["continued", "recalled", "recalled"],
        ["not continued", "not recalled", "read", "recalled"],
    )
    if name in ("jsonl", "tensorboard"):
        assert looked[0] == "continued"


def test_several_event_files_that_grow_in_turn(kept, looked, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    source = Source("tensorboard", folder)
    rng = random.Random(0)
    parts = [written("tensorboard", tmp_path / "a", rng).files[-1].data for _ in range(3)]
    names = [folder / f"events.out.tfevents.{100 + i}.host" for i in range(4)]
    for i, half in enumerate((0, 1, 2, 1, 0)):
        data = parts[half]
        with open(names[half], "ab") as file:
            file.write(data[: len(data) // 2] if i < 3 else data[len(data) // 2 :])
        assert warm(source) == cold(source)
        assert warm(source) == cold(source)
    # A copy of the first, and then more of it.
    names[3].write_bytes(names[0].read_bytes())
    assert warm(source) == cold(source)
    with open(names[3], "ab") as file:
        file.write(parts[1])
    assert warm(source) == cold(source)
    assert "recalled" in looked


def test_a_log_written_this_very_moment_is_read_again(kept, looked, tmp_path, monkeypatch):
    from trainlens.readers._cache import identity

    monkeypatch.setattr(identity, "UNSETTLED_NS", 10**15)
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f'{{"step": {i}, "loss": {i / 7}}}\n' for i in range(50)))
    for _ in range(2):
        assert warm(Source("jsonl", path)) == cold(Source("jsonl", path))
    assert looked == ["not recalled", "read", "not recalled", "read"]


def test_a_log_that_the_scanner_has_read_goes_on(kept, looked, tmp_path):
    """The compiled scanner is let go with each poll, so that what is left can be kept."""
    path = tmp_path / "run.jsonl"
    lines = [f'{{"step": {i}, "loss": {i / 7}, "note": "a{i % 5}"}}\n' for i in range(9000)]
    lines[5000] = '{"step": 5000, "loss"\n'
    for begin, end in ((0, 8000), (8000, 8990), (8990, 9000)):
        with open(path, "a") as file:
            file.writelines(lines[begin:end])
        assert warm(Source("jsonl", path)) == cold(Source("jsonl", path))
    assert looked == [
        "not recalled", "read", "continued", "recalled", "continued", "recalled"
    ]  # fmt: skip
