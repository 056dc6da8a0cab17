"""A run behind a URL is watched as one that lies here."""

from tests.monitor.growing import Watch, falling, record
from trainlens.monitor import state


def lines(first, last):
    held = (record(s, float("nan") if s >= 150 else falling(s)) for s in range(first, last))
    return "".join(held).encode()


def test_what_grows_there_is_read_on_and_told_once(faulty, tmp_path):
    file, told = tmp_path / "state.json", []
    for begin in range(0, 200, 50):
        watch = Watch("faulty://b/exp", ledger=state.load(file), file=file, seconds=30.0)
        for end in range(begin + 10, begin + 60, 10):
            faulty.put("b/exp/train.jsonl", lines(0, end))
            update = watch.round()
            assert [(r.source, r.step) for r in update.runs] == [
                ("faulty://b/exp/train.jsonl", end - 1)
            ]
        told += watch.told
    assert told == [("opened", "non-finite", 150)]


def test_nothing_new_costs_one_listing(faulty):
    faulty.put("b/exp/train.jsonl", lines(0, 100))
    watch = Watch("faulty://b/exp", seconds=30.0)
    watch.round()
    faulty.asked.clear()
    watch.round()
    assert faulty.received() == 0


def test_a_run_that_is_not_there_yet_is_waited_for(faulty):
    faulty.put("b/other/notes.txt", b"nothing")
    watch = Watch("faulty://b/exp", seconds=30.0)
    assert watch.round().notices
    faulty.put("b/exp/train.jsonl", lines(0, 100))
    assert [r.points for r in watch.round().runs] == [100]


def test_a_connection_that_is_lost_is_said_and_found_again(faulty, monkeypatch):
    faulty.put("b/exp/train.jsonl", lines(0, 100))
    watch = Watch("faulty://b/exp", seconds=30.0)
    watch.round()

    def lost(*_, **__):
        raise OSError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(faulty, "ls", lost)
        patch.setattr(faulty, "find", lost)
        patch.setattr(faulty, "info", lost)
        update = watch.round()
        assert [r.points for r in update.runs] == [100]
        assert update.notices
    faulty.put("b/exp/train.jsonl", lines(0, 120))
    watch.round()
    assert [r.points for r in watch.round().runs] == [120]


def test_secrets_of_an_address_are_not_shown(faulty):
    faulty.put("b/exp/train.jsonl", lines(0, 100))
    update = Watch("faulty://user:secret@b/exp", seconds=30.0).round()
    assert "secret" not in repr(update.path) + repr(update.notices)
