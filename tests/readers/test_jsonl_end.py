"""The last line of a log that was ended: known, no record, no damage, void where it goes on."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainlens
from tests.cache.conftest import kept, looked  # noqa: F401 - fixtures
from trainlens.readers import all_readers
from trainlens.readers._cache import cached
from trainlens.readers._json import fast
from trainlens.readers._json.reader import JsonLines
from trainlens.run import Ended
from trainlens.schema import end_line, header_line, record_line

HEAD = header_line("a", 1.7e9, {"lr": 0.1})
END = end_line(1.7e9 + 9.5)
CLOSED = Ended(1.7e9 + 9.5, "closed")


def record(step):
    return record_line(step, 1.7e9 + step, {"total": 1 / (step + 1)}, {"lr": 1e-3})


def records(first, stop):
    return b"".join(map(record, range(first, stop)))


def read(path, data):
    path.write_bytes(data)
    return trainlens.load_one(path)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.fixture(params=[True, False], ids=["compiled", "python"])
def scanner(request, monkeypatch):
    """With the compiled scanner behind the first line, and without it."""
    if request.param and not fast.COMPILED:
        pytest.skip("installed without a compiler")
    monkeypatch.setattr(fast, "COMPILED", request.param)
    monkeypatch.setattr(fast, "_STRETCH", 1)


@pytest.mark.parametrize("how", ["closed", "exit", "exception"])
def test_the_end_is_known(log, scanner, how):
    run = read(log, HEAD + records(0, 10) + end_line(1.7e9 + 9.5, how))
    assert run.ended == Ended(1.7e9 + 9.5, how)


def test_without_the_line_nothing_is_known(log, scanner):
    assert read(log, HEAD + records(0, 10)).ended is None
    assert read(log, HEAD).ended is None


def test_it_is_no_record_and_no_damage(log, scanner):
    without = read(log, HEAD + records(0, 10))
    run = read(log, HEAD + records(0, 10) + END)
    assert run.notices == () == without.notices
    assert run.config == without.config
    assert run.wall_times == without.wall_times
    pd.testing.assert_frame_equal(run.frame(), without.frame())


def test_a_record_behind_it_makes_it_void(log, scanner):
    middle = HEAD + records(0, 10) + END
    run = read(log, middle + records(10, 12))
    assert run.ended is None
    assert run["total"].step.tolist() == list(range(12))
    assert not run.notices
    assert read(log, middle + records(10, 10_000)).ended is None
    later = end_line(1.7e9 + 12)
    assert read(log, middle + records(10, 12) + later).ended == Ended(1.7e9 + 12, "closed")
    assert read(log, middle + HEAD).ended is None
    assert read(log, middle + b"\n\n").ended == CLOSED


def test_a_torn_record_behind_it_makes_it_void(log):
    run = read(log, HEAD + records(0, 10) + END + record(10)[:40])
    assert run.ended is None
    assert [n.lost for n in run.notices] == [1]


@pytest.mark.parametrize("cut", range(27, len(END) - 2))
def test_a_torn_end_is_none_and_no_loss(log, cut):
    run = read(log, HEAD + records(0, 10) + END[:cut])
    assert run.ended is None
    assert run.notices == ()
    # A writer that goes on closes the torn line first.
    run = read(log, HEAD + records(0, 10) + END[:cut] + b"\n" + records(10, 12))
    assert run.notices == ()
    assert run["total"].step.tolist() == list(range(12))


def test_an_end_without_its_line_break_is_one(log):
    assert read(log, HEAD + records(0, 10) + END[:-1]).ended == CLOSED


def test_what_it_says_otherwise_than_we_know_does_no_harm(log):
    odd = {"schema": "trainlens.end/7", "step": "?", "ended": [], "how": "\x1b[31m", "more": 1}
    run = read(log, HEAD + records(0, 10) + json.dumps(odd).encode() + b"\n")
    assert run.ended is not None
    assert math.isnan(run.ended.time)
    assert run.ended.how == "closed"
    assert {metric for metric, _ in run.series} == {"total", "lr"}


pieces = st.lists(st.sampled_from(["records", "one", "end", "torn", "header", "blank"]), max_size=9)


@settings(deadline=None, max_examples=150)
@given(pieces, st.data())
def test_a_log_that_grows_says_what_a_cold_read_says(tmp_path_factory, kinds, data):
    path = tmp_path_factory.mktemp("log") / "run.jsonl"
    text, step = HEAD, 0
    for kind in kinds:
        many = {"records": 12, "one": 1}.get(kind, 0)
        text += {
            "end": end_line(1.7e9 + step, "exit"),
            "torn": END[:40] + b"\n",
            "header": HEAD,
            "blank": b"\n",
        }.get(kind, records(step, step + many))
        step += many
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    path.write_bytes(b"")
    reader, done = JsonLines(path), 0
    for cut in [*cuts, len(text)]:
        with open(path, "ab") as file:
            file.write(text[done:cut])
        done = cut
        whole = text[: text.rfind(b"\n", 0, cut) + 1]
        told = reader.poll()
        beside = path.with_name("beside.jsonl")
        beside.write_bytes(whole)
        assert told.ended == JsonLines(beside).poll().ended
    # What was written last that is no blank tells how it stands.
    said = [kind for kind in kinds if kind not in ("blank", "torn")]
    assert (reader.poll(final=True).ended is not None) == (said[-1:] == ["end"])


@pytest.mark.parametrize("more", [b"", records(10, 13), records(10, 13) + END])
def test_what_was_kept_of_a_log_knows_its_end(log, kept, looked, more):  # noqa: F811 - fixtures
    module = all_readers()["jsonl"]

    def ended():
        (source,) = module.find(log)
        inputs = module.inputs(source)
        chunk = cached(source, inputs, lambda: module.open_source(source)).poll(final=True)
        return chunk.ended

    log.write_bytes(HEAD + records(0, 10) + END)
    assert (ended(), ended()) == (CLOSED, CLOSED)
    with open(log, "ab") as file:
        file.write(more)
    assert ended() == (CLOSED if more.endswith(END) or not more else None)
    assert "recalled" in looked
    assert ("continued" in looked) is bool(more)


def test_readers_of_json_lines_take_it():
    text = (HEAD + records(0, 3) + END).decode()
    assert [json.loads(line)["schema"] for line in text.splitlines()[::4]] == [
        "trainlens.log/1",
        "trainlens.end/1",
    ]
    table = pd.read_json(io.StringIO(text), lines=True)
    assert table.shape[0] == 5
    logged = table.dropna(subset=["losses"])
    assert logged["step"].tolist() == [0, 1, 2]


def test_rules_say_the_same_with_and_without_it(log):
    rng = np.random.default_rng(3)
    value = 1 / (1 + np.arange(400)) ** 0.3 * np.exp(0.02 * rng.standard_normal(400))
    value[200:208] *= 4
    lines = [record_line(s, 1.7e9 + s, {"total": v}) for s, v in enumerate(value.tolist())]
    told = []
    for end in (b"", end_line(1.7e9 + 400, "exception")):
        diagnosis = trainlens.diagnose(read(log, HEAD + b"".join(lines) + end), plugins=False)
        told.append([(f.rule, f.status, f.message) for f in diagnosis.results])
    assert told[0] == told[1]
    assert any(rule == "loss-spike" and status.value == "fail" for rule, status, _ in told[0])
