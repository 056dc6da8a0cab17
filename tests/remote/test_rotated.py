"""A log behind a URL that grows and is rotated there: each look fetches what is new, no more."""

from trainlens.readers import discover, load_one, open_source
from trainlens.readers.base import Source


def rows(first, last):
    return b"".join(b'{"step": %d, "loss": %.6f}\n' % (i, 5 / (i + 1)) for i in range(first, last))


def steps(chunk):
    return [step for column in chunk.columns for step in column.step.tolist()]


def test_a_second_look_shows_an_open_reader_what_has_grown(faulty):
    faulty.put("b/exp/train.jsonl", rows(0, 40_000))
    (source,) = discover("faulty://b/exp")
    reader = open_source(source)
    assert len(steps(reader.poll())) == 40_000
    faulty.asked.clear()
    assert discover("faulty://b/exp").sources == (source,)
    assert faulty.received() == 0
    assert steps(reader.poll()) == []
    faulty.put("b/exp/train.jsonl", rows(0, 40_100))
    assert discover("faulty://b/exp").sources == (source,)
    assert steps(reader.poll()) == list(range(40_000, 40_100))
    assert faulty.received() <= len(rows(40_000, 40_100)) + 2048


def test_rotation_behind_a_url_makes_another_source(faulty):
    faulty.put("b/exp/train.jsonl", rows(0, 3000))
    (first,) = discover("faulty://b/exp")
    reader = open_source(first)
    assert len(steps(reader.poll())) == 3000
    faulty.put("b/exp/train.jsonl.1", rows(0, 3500))
    faulty.put("b/exp/train.jsonl", rows(3500, 3600))
    (second,) = discover("faulty://b/exp")
    assert second.path == first.path
    assert second != first
    assert isinstance(second, Source)
    assert "replaced" in {n.kind for n in reader.poll().notices}
    assert steps(open_source(second).poll()) == list(range(3600))
    run = load_one("faulty://b/exp")
    assert run.source == "faulty://b/exp/train.jsonl"
    assert run["loss"].step.tolist() == list(range(3600))


def test_a_log_that_is_named_is_fetched_alone(faulty):
    faulty.put("b/exp/train.jsonl.1", rows(0, 30))
    faulty.put("b/exp/train.jsonl", rows(30, 60))
    assert len(load_one("faulty://b/exp/train.jsonl")["loss"]) == 30
    assert len(load_one("faulty://b/exp/train.jsonl*")["loss"]) == 60
