"""The checks themselves: a whole log satisfies them, a reader that lies does not."""

import random
from dataclasses import replace

import pytest

from tests.robustness.checks import complaints
from tests.robustness.formats import all_formats
from tests.robustness.mutations import NEW, Piece, damage, original
from tests.robustness.reading import Found, Hang, no_hang, read
from tests.robustness.truth import LogFile, Point
from trainlens.chunk import Notice


@pytest.fixture(params=all_formats())
def whole(request, tmp_path):
    """An undamaged log, and what was read of it."""
    log = all_formats()[request.param].write(tmp_path, random.Random(5))
    return log, read(log.format, tmp_path / log.path)


def check(log, found, which=0, now=None):
    return complaints(log, which, log, now or original(log.files[which].data), found)


def test_an_undamaged_log_is_read_to_the_letter(whole):
    log, found = whole
    assert check(log, found) == []
    for key, run in found.items():
        truth = [p for f in log.files for r in f.records for p in r.points]
        truth += log.whole.get(key, ())
        assert sorted(run.points, key=repr) == sorted(truth, key=repr)
        assert not run.told


def changed(found, change):
    """The same with the points of its largest column changed."""
    runs = {}
    for key, run in found.items():
        columns = dict(run.columns)
        largest = max(columns, key=lambda c: len(columns[c]))
        columns[largest] = change(columns[largest])
        runs[key] = replace(run, columns=columns)
    return runs


def _proves(log):
    if log.files[0].kind == "pages":
        pytest.skip("nothing in this format tells a wrong value from a right one")


LIES = {
    "drops a point": lambda points: points[:3] + points[4:],
    "drops the last point": lambda points: points[:-1],
    "changes a value": lambda points: [points[0]._replace(value=0.123), *points[1:]],
    "changes a step": lambda points: [*points[:-1], points[-1]._replace(step=points[-1].step + 7)],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reader_that_lies_is_caught(whole, lie):
    log, found = whole
    _proves(log)
    assert check(log, changed(found, LIES[lie])) != []


def test_inventing_is_caught(whole):
    log, found = whole
    _proves(log)
    lying = changed(found, lambda points: [*points, Point("loss", None, 10**6, 0.5)])
    assert check(log, lying) != []


def test_silence_about_what_is_gone_is_caught(whole, tmp_path):
    log, _ = whole
    file = log.files[0]
    if file.kind == "lines" and file.broken is None:
        pytest.skip("nothing of this format tells a broken line from words")
    middle = len(file.data) // 2
    now = original(file.data).put(middle - 3, middle + 3, b"\0\xff\0\xff\0\xff")
    (tmp_path / file.name).write_bytes(now.data)
    found = read(log.format, tmp_path / log.path)
    assert check(log, found, now=now) == []
    logged = sum(len(r.points) for r in file.records) or len(log.whole[file.run])
    if len(found.get(file.run, Found()).points) == logged:
        pytest.skip("the damage lies where no point is")
    silent = {key: replace(run, notices=[], error="") for key, run in found.items()}
    assert check(log, silent, now=now) != []


def test_notices_of_no_loss_do_not_count_as_telling():
    assert not Found(notices=[Notice("unfinished", "x", "y", 0)]).told
    assert Found(notices=[Notice("torn-tail", "x", "y", 1)]).told


def test_pieces_know_what_still_stands():
    data = bytes(range(100))
    now = original(data).put(10, 20, b"xyz")
    assert now.data == data[:10] + b"xyz" + data[20:]
    assert now.places(0, 0, 10) == [0]
    assert now.places(0, 20, 30) == [13]
    assert now.places(0, 9, 11) == []
    twice = now.cut(0, 50) + now.cut(40, len(now))
    assert twice.places(0, 50, 55) == [43, 53]
    same = original(data).put(10, 20, data[10:20])
    assert same.pieces == (Piece(data, 0, 0),)


def test_the_map_of_pieces_is_exact():
    log_file = LogFile("x", bytes(range(256)) * 9, "lines")
    for seed in range(300):
        _, now = damage(random.Random(seed), log_file, b"other" * 50)
        for piece in now.pieces:
            source = {0: log_file.data, 1: b"other" * 50}.get(piece.source)
            if piece.source != NEW:
                assert source[piece.begin : piece.begin + len(piece.data)] == piece.data


def test_damage_is_the_same_for_the_same_seed():
    log_file = LogFile("x", bytes(900), "lines")
    one, two = (damage(random.Random(3), log_file, b"o" * 90)[1].data for _ in range(2))
    assert one == two


def test_a_hang_is_stopped():
    def endless():
        while True:
            pass

    with pytest.raises(Hang), no_hang(1):
        endless()
