"""The notice ``replaced``: given where something that was read is gone, and nowhere else."""

import gzip
import random

import pytest

from tests.growth.follow import Watch, cold
from tests.growth.formats import all_formats
from tests.growth.world import World
from tests.readers.trainer_state_writer import log, state
from trainlens.readers import discover, open_source
from trainlens.readers.base import Source

CASES = [
    pytest.param(kind, id=f"{module.FORMAT}-{name}")
    for module in all_formats().values()
    for name, kind in module.KINDS.items()
    if kind.world is None
]


def kinds(chunk):
    return [notice.kind for notice in chunk.notices]


def rows(chunk):
    return sum(len(column.value) for column in chunk.columns)


@pytest.mark.parametrize("kind", CASES)
def test_growth_is_no_replacement(kind, tmp_path):
    world, rng = World(tmp_path, kind), random.Random(1)
    world.do("many", rng)
    reader = open_source(discover(world.path)[0])
    for _ in range(5):
        assert "replaced" not in kinds(reader.poll())
        world.do("append", rng)
    assert "replaced" not in kinds(reader.poll(final=True))


@pytest.mark.parametrize("verb", ["truncate", "replace"])
@pytest.mark.parametrize("kind", CASES)
def test_another_run_in_its_place_is_told(kind, verb, tmp_path):
    if verb in kind.without:
        pytest.skip("does not happen to it")
    world, rng = World(tmp_path, kind), random.Random(2)
    world.do("many", rng)
    reader = open_source(discover(world.path)[0])
    assert rows(reader.poll()) > 0
    world.do(verb, rng)
    world.do("append", rng)
    assert "replaced" in kinds(reader.poll())
    assert "replaced" not in kinds(reader.poll(final=True))


@pytest.mark.parametrize("kind", CASES)
def test_a_folder_that_comes_back_is_no_replacement(kind, tmp_path):
    world, rng = World(tmp_path, kind), random.Random(3)
    world.do("many", rng)
    watch = Watch(world.path)
    watch.poll()
    before = {source: held.reader for source, held in watch.runs.items()}
    for verb in ("away", "append", "back", "append"):
        world.do(verb, rng)
        watch.poll()
        assert {source: held.reader for source, held in watch.runs.items()} == before
    watch.poll(final=True)
    assert {s: held.run.points for s, held in watch.runs.items()} == {
        s: run.points for s, run in cold(world.path).items()
    }


def lines(*losses):
    texts = (f'{{"step": {i}, "loss": {loss}}}\n' for i, loss in enumerate(losses))
    return "".join(texts).encode()


def packed(path, content, level):
    path.write_bytes(gzip.compress(content, level, mtime=0))


def test_a_packed_log_that_is_packed_anew_goes_on(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    packed(path, lines(1, 2, 3), 1)
    reader = open_source(Source("jsonl", path))
    assert rows(reader.poll()) == 3
    packed(path, lines(1, 2, 3, 4, 5), 9)
    chunk = reader.poll()
    assert (rows(chunk), kinds(chunk)) == (2, [])


def test_another_content_in_a_packed_log_is_told(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    packed(path, lines(1, 2, 3), 9)
    reader = open_source(Source("jsonl", path))
    reader.poll()
    packed(path, lines(1, 2.5, 3, 4, 5), 9)
    chunk = reader.poll()
    assert chunk.columns[0].value.tolist() == [1, 2.5, 3, 4, 5]
    assert set(kinds(chunk)) == {"replaced"}
    path.unlink()
    gone = reader.poll()
    assert (rows(gone), kinds(gone)) == (0, ["unreadable"])
    assert kinds(reader.poll()) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("epoch,step,loss\n0,1,0.5\n", 1),
        ("epoch,loss\n0,0.5\n", 1),
        # Whether the first column counts is told by a second row that agrees.
        (",loss\n0,0.5\n", 0),
        (",loss\n0,0.5\n1,0.25\n", 2),
        ("step,phase,loss\n0,train,0.5\n", 0),
        ("step,phase,loss\n0,train,0.5\n1,train,0.25\n", 2),
    ],
)
def test_the_first_rows_of_a_table_are_given_once_they_are_certain(text, shown, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    reader = open_source(Source("csv", path))
    assert rows(reader.poll()) == shown
    assert shown + rows(reader.poll(final=True)) == text.count("\n") - 1


def test_a_first_state_that_stays_torn_is_read_as_it_is(tmp_path):
    path, whole = tmp_path / "trainer_state.json", state(log(100))
    path.write_bytes(whole[: len(whole) // 2])
    reader = open_source(Source("trainer-state", tmp_path))
    assert rows(reader.poll()) == 0
    second = reader.poll()
    assert rows(second) > 0
    assert kinds(second) == []
    assert rows(reader.poll()) == 0
    path.write_bytes(whole)
    third = reader.poll(final=True)
    assert "replaced" not in kinds(third)
    assert rows(second) + rows(third) == rows(
        open_source(Source("trainer-state", tmp_path)).poll(final=True)
    )
