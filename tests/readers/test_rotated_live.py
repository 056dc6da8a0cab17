"""A log that is followed while it is rotated: live is cold, and nothing is read twice."""

import gzip
import os
import random
import shutil

import pytest

import trainlens
from tests.readers.rotated_log import lines, points, put, rows, same, steps, torn
from trainlens.errors import NotALog, NotFound
from trainlens.readers import discover, open_source, read
from trainlens.readers._rotation import older
from trainlens.run import Run


def test_a_copy_before_the_log_is_cut_is_not_read_twice(tmp_path):
    log = put(tmp_path, _live=rows(0, 20))
    shutil.copyfile(log, tmp_path / "train.log.1")
    run = trainlens.load_one(log)
    assert steps(run) == list(range(20))
    assert "identical" in {n.kind for n in run.notices}
    with open(log, "a") as file:
        file.write(rows(20, 25))
    os.utime(tmp_path / "train.log.1", ns=(1, 1))  # an older part that the log began like
    assert len(steps(trainlens.load_one(log))) == 45


def test_rotation_is_said_once_and_ends_the_reading(tmp_path):
    log = put(tmp_path, _1=rows(0, 9), _live=rows(9, 20))
    (source,) = discover(log)
    reader = open_source(source)
    assert sum(len(c.value) for c in reader.poll().columns) == 20
    assert reader.poll().notices == ()
    os.replace(log, tmp_path / "train.log.1")
    assert [n.kind for n in reader.poll().notices] == ["replaced"]  # the log itself is away
    log.write_text(rows(20, 30))
    chunk = reader.poll(final=True)
    assert (chunk.columns, chunk.notices) == ((), ())


def test_a_log_that_is_cut_is_replaced(tmp_path):
    log = put(tmp_path, _1=rows(0, 9), _live=rows(9, 20))
    reader = open_source(discover(log)[0])
    reader.poll()
    log.write_text(rows(20, 22))
    assert [n.kind for n in reader.poll().notices] == ["replaced"]


def test_parts_that_go_between_listing_and_opening(tmp_path):
    log = put(tmp_path, _2=rows(0, 9), _1=rows(9, 20), _live=rows(20, 30))
    (source,) = discover(log)
    (tmp_path / "train.log.1").unlink()
    log.unlink()
    reader = open_source(source)
    chunk = reader.poll()
    assert [c.step.tolist() for c in chunk.columns] == [list(range(9))]
    assert ("unreadable", "train.log.1") in {(n.kind, n.where) for n in chunk.notices}
    log.write_text(rows(20, 30))
    assert [c.step.tolist() for c in reader.poll().columns] == [list(range(20, 30))]
    for path in tmp_path.iterdir():
        path.unlink()
    assert reader.poll().columns == ()
    with pytest.raises(NotFound):
        open_source(source).poll()


def test_an_unfinished_record_waits_unless_it_is_the_last_look(tmp_path):
    log = put(tmp_path, _1=rows(0, 9), _live=rows(9, 20)[:-4])
    (source,) = discover(log)
    waiting, last = read(source, "a", final=False), read(source, "a")
    assert steps(waiting) == steps(last) == list(range(19))
    assert (torn(waiting), len(torn(last))) == ([], 1)
    # The end of an older part may be completed by what the log has not shown yet.
    put(tmp_path, _1=lines(0, 9)[:-3], _live="")
    (source,) = discover(log)
    assert (torn(read(source, "a", final=False)), len(torn(read(source, "a")))) == ([], 1)


class Writer:
    """A log that grows and is rotated; each step may be looked at."""

    def __init__(self, folder, make, rng, look):
        self.log, self.make, self.rng, self.look = folder / "train.log", make, rng, look
        self.count, self.rest = 0, b""
        self.log.write_bytes(b"")
        self.append()

    def part(self, n, packed=False):
        return self.log.with_name(f"train.log.{n}" + ".gz" * packed)

    def numbers(self):
        return sorted({older(p.name).number for p in self.log.parent.iterdir() if older(p.name)})

    def write(self, data, path=None):
        with open(path or self.log, "ab") as file:
            file.write(data)

    def append(self, path=None):
        n = self.rng.randrange(1, 8)
        data = self.rest + self.make(self.count, self.count + n).encode()
        self.count += n
        cut = self.rng.choice([0, 0, self.rng.randrange(1, 30)])
        data, self.rest = data[: len(data) - cut], data[len(data) - cut :] if cut else b""
        self.write(data, path)

    def crash(self):
        self.rest = b""

    def shift(self):
        for n in reversed(self.numbers()):
            for packed in (True, False):
                if self.part(n, packed).exists():
                    os.replace(self.part(n, packed), self.part(n + 1, packed))
                    self.look(settled=False)

    def rename(self):
        self.shift()
        os.replace(self.log, self.part(1))
        self.look(settled=False)
        if self.rng.random() < 0.3:  # the training writes on into the file that it has open
            self.append(self.part(1))
            self.look(settled=False)
        self.log.write_bytes(b"")
        self.look()
        self.append()

    def copy_truncate(self):
        self.shift()
        data = self.log.read_bytes()
        self.part(1).write_bytes(data[: self.rng.randrange(len(data) + 1)])
        self.look(settled=False)
        self.part(1).write_bytes(data)
        self.look(settled=False)
        os.truncate(self.log, 0)
        self.look()

    def compress(self):
        plain = [n for n in self.numbers() if self.part(n).exists()]
        if not plain:
            return
        n = self.rng.choice(plain)
        data = gzip.compress(self.part(n).read_bytes())
        if self.rng.random() < 0.5:
            for end in (self.rng.randrange(len(data)), len(data)):
                self.part(n, True).write_bytes(data[:end])
                self.look(settled=False)
            self.part(n).unlink()
        else:
            self.part(n).unlink()
            self.look(settled=False)
            self.part(n, True).write_bytes(data)

    def drop(self):
        numbers = self.numbers()
        if numbers:
            self.part(numbers[-1]).unlink(missing_ok=True)
            self.part(numbers[-1], True).unlink(missing_ok=True)

    def run(self, actions):
        choices = (self.append, self.append, self.append, self.rename, self.copy_truncate,
                   self.compress, self.compress, self.drop, self.crash)  # fmt: skip
        for _ in range(actions):
            self.rng.choice(choices)()
            self.look()


class Watch:
    """What a monitor does: looks again what there is, and opens anew what has become another."""

    def __init__(self, path, log, rng):
        self.path, self.log, self.rng = path, log, rng
        self.source = self.reader = None
        self.run = Run("a", "", "")

    def found(self):
        try:
            return next((s for s in discover(self.path) if s.path == self.log), None)
        except (NotFound, NotALog):
            return None

    def open(self, source):
        self.source, self.reader = source, open_source(source)
        self.run = Run("a", "", "")

    def round(self, final=False):
        source = self.found()
        if source is not None and source != self.source:
            self.open(source)
        for _ in range(3):
            if self.reader is None:
                return
            chunk = self.reader.poll(final)
            if not any(n.kind == "replaced" for n in chunk.notices):
                self.run = self.run.extend(chunk)
                return
            source = self.found()
            if source is None:
                self.source = self.reader = None
                return
            self.open(source)

    def look(self, settled=True):
        if self.rng.random() < (0.6 if settled else 0.3):
            self.round()


@pytest.mark.parametrize("make", [rows, lines])
@pytest.mark.parametrize("begin", range(0, 100, 20))
def test_live_is_cold_over_any_rotation(tmp_path, make, begin):
    for seed in range(begin, begin + 20):
        rng = random.Random(f"{make.__name__} {seed}")
        folder = tmp_path / str(seed)
        folder.mkdir()
        watch = Watch(folder if seed % 2 else folder / "train.log", folder / "train.log", rng)
        writer = Writer(folder, make, rng, watch.look)
        for final in (False, True):
            writer.run(6)
            watch.round()
            if final:
                watch.round(final=True)
            source = watch.found()
            if source is None:
                continue  # cut, and no part is left
            cold = read(source, "a", final=final)
            assert points(watch.run) == points(cold), (seed, final)


def test_rotation_keeps_every_record(tmp_path):
    """Without a part that was dropped, all that was written is read, whatever was cut where."""
    for seed in range(30):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        writer = Writer(folder, rows, rng, lambda settled=True: None)
        writer.drop = writer.crash = lambda: None
        writer.run(15)
        writer.write(writer.rest)
        assert steps(trainlens.load_one(folder / "train.log")) == list(range(writer.count)), seed


def test_the_cache_is_never_wrong_about_rotated_parts(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINLENS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "logs"
    folder.mkdir()
    log = put(folder, _1=rows(0, 9000), _live=rows(9000, 9100))
    for path in folder.iterdir():
        os.utime(path, ns=(1, 1))

    def both():
        runs = [trainlens.load(log, cache=cache)[0] for cache in (False, True, True)]
        same(runs[0], runs[1])
        same(runs[0], runs[2])
        return len(steps(runs[0]))

    assert both() == 9100
    log.write_text(rows(9000, 9200))
    assert both() == 9200
    os.replace(folder / "train.log.1", folder / "train.log.2")
    os.replace(log, folder / "train.log.1")
    assert len(steps(trainlens.load(folder / "train.log.1", cache=True)[0])) == 200
    log.write_text(rows(9200, 9300))
    assert both() == 9300
    (folder / "train.log.2").unlink()
    assert both() == 300
    (folder / "train.log.1").unlink()
    assert both() == 100
