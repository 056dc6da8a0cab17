"""Plain lines: one an update where anything is new, each of which stands alone."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from screen_updates import AT, CHANCE, NAN, change, failing, finding, standing, trail, update

from trainlens.monitor.model import Standing
from trainlens.monitor.screen import plain
from trainlens.rules.base import Severity

LEAN = (
    trail("loss", "val", [2.0, 0.5]),
    trail("loss", "train", [2.0, 0.4], ema=0.45),
    trail("lr", "train", [3e-4], role="learning-rate", direction=""),
)


def lines(told, before=None, **more):
    return plain.lines(told, before=before, zone=timezone.utc, **more)


def test_one_run_is_one_line_and_the_first_names_the_day():
    assert lines(update(standing(trails=LEAN), round=1)) == [
        "14:13:20  watching runs · 2026-09-21",
        "14:13:20  exp3: step 1\u202f990 of 10\u202f000 · 20 % · 43 min left · 3.1 steps/s"
        " · epoch 2.4 · training loss 0.45 · validation loss 1.25 · lr 0.0003"
        " · 1\u202f420\u202fsamples/s"
        " · live, grew 3 s ago · healthy",
    ]


def test_a_finding_is_told_with_what_to_do_and_stands_alone():
    before = update(standing("exp4"))
    told = lines(update(standing("exp4"), changes=(change(),)), before)
    assert told[-2:] == [
        "14:13:20  exp4: NEW error: Non-finite values at step 80: Training loss is NaN from step 80"
        " on (12 of 200 values).",
        "          what to do: Lower the learning rate (lr: 0.0001).",
    ]


@pytest.mark.parametrize(
    ("kind", "word", "advised"),
    [("opened", "NEW", True), ("worse", "WORSE", True), ("milder", "BETTER", False),
     ("closed", "ENDED", False), ("again", "AGAIN", True)],
)  # fmt: skip
def test_every_change_has_its_word(kind, word, advised):
    before = Severity.WARNING if kind in ("worse", "milder") else None
    f = replace(NAN, severity=Severity.INFO if kind == "milder" else Severity.ERROR)
    told = lines(update(changes=(change(kind, f, before=before),)), update())
    assert told[0].startswith(f"14:13:20  exp4: {word} ")
    assert (" (was warning): " in told[0]) == (before is not None)
    assert len(told) == 1 + advised


def test_what_did_not_grow_is_silent_but_for_every_tenth_round():
    before = update(standing(), round=18)
    assert lines(update(standing(age=60.0), round=19), before) == []
    assert lines(update(standing(age=90.0), round=20), before) == [
        "14:13:20  nothing new · exp3: step 1\u202f990 of 10\u202f000 · live, grew 1 min ago"
    ]
    assert lines(update(round=30), update(round=29)) == ["14:13:20  no run yet at runs"]


def test_a_state_is_news_without_growth():
    before = update(standing(), round=18)
    (told,) = lines(update(standing(state="gone", reason="its folder was removed")), before)
    assert "gone, grew 3 s ago: its folder was removed" in told
    (told,) = lines(update(standing(verdict="warning")), before)
    assert told.endswith("· warning")


def test_several_runs_are_one_line_in_sum_and_one_for_each_with_news():
    names = [f"r{k}" for k in range(40)]
    before = update(*(standing(n) for n in names))
    grown = [standing(n, points=13_000) for n in names]
    assert lines(update(*grown), before) == ["14:13:20  40 runs · 40 live · 40 healthy · 20 % done"]
    grown[7] = failing("r7")
    told = lines(update(*grown, changes=(change(run="r7"),)), before)
    assert told[0].startswith("14:13:20  40 runs · 40 live · 39 healthy · 1 failing · 20 % done")
    assert [line.split()[1] for line in told[1:-1]] == ["r7:", "r7:"]
    assert len(told) == 4


def test_the_planned_end_of_one_of_several_is_news_once():
    runs = standing("a", progress=1.0), standing("b", points=13_000, progress=0.4)
    told = lines(update(*runs), update(standing("a", progress=0.9), standing("b")))
    assert told[0] == "14:13:20  2 runs · 2 live · 2 healthy · 40 % to 100 % done"
    assert [line.split()[1] for line in told[1:]] == ["a:"]
    grown = standing("a", points=14_000, progress=1.0), runs[1]
    assert len(lines(update(*grown), update(*runs))) == 1


def test_a_new_run_and_a_waiting_one_are_told():
    new = Standing("late", "x", "jsonl", "waiting", reason="empty file")
    told = lines(update(standing(), new), update(standing()))
    assert told == [
        "14:13:20  2 runs · 1 live · 1 waiting · 1 healthy · 1 not judged yet",
        "14:13:20  late: waiting: empty file · not judged yet",
    ]


def test_a_notice_of_the_watch_is_told_once_and_those_of_runs_as_they_come():
    first = update(standing(), notices=("disk full",), round=3)
    assert "14:13:20  notice: disk full" in lines(first, update(standing()))
    assert lines(first, first) == []
    told = lines(update(standing(notices=("line 3 is torn",))), update(standing()))
    assert told == ["14:13:20  exp3: notice: line 3 is torn"]


def test_a_new_day_is_told_and_times_are_of_the_zone():
    night = replace(update(round=11), at=AT + 86400)
    assert lines(night, update()) == ["14:13:20  watching runs · 2026-09-22"]
    east = timezone(timedelta(hours=10))
    told = plain.lines(update(standing()), before=None, zone=east)
    assert told[0] == "00:13:20  watching runs · 2026-09-22"


def test_a_value_that_is_none_hides_behind_no_mean():
    run = standing(trails=(trail("loss", "train", [1.0, float("nan")]),))
    assert "training loss NaN" in lines(update(run))[1]


def test_nothing_from_a_log_breaks_a_line_or_steers_a_terminal():
    bad = "\x1b[31mred\nsecond\rthird\x9b2J" + "x" * 2000
    f = finding("custom", "warning", 3, message=bad, prescriptions=({"text": bad, "patch": {}},))
    run = failing(bad, sentence=bad, reason=bad, notices=(bad,), throughput=(1.0, bad))
    told = lines(
        update(run, standing(), path=bad, changes=(change(f=f, run=bad),), notices=(bad,)),
        colour=False,
    )
    for line in told:
        assert not any(c < " " or "\x7f" <= c < "\xa0" for c in line)
        assert len(line) < 1500


def test_colour_is_there_only_where_it_is_forced():
    told = update(failing(), changes=(change(),))
    assert not any("\x1b" in line for line in lines(told))
    assert any("\x1b[31merror" in line for line in lines(told, colour=True))


def test_times_that_are_none_do_not_fail():
    told = replace(update(standing()), at=float("nan"))
    assert lines(told)[0] == "--:--:--  watching runs · at an unknown date"
    assert lines(told, update(standing(points=1)))[0].startswith("--:--:--  exp3: ")


def test_a_chance_is_told_and_what_is_behind_it_where_the_advice_is_new():
    go_on = replace(CHANCE, probability=0.6, advice="go on", because="It still falls.")
    first = update(standing(chance=go_on), round=1)
    assert "chance 60 %, go on" in lines(first)[1]
    assert lines(first)[2].endswith("It still falls.")
    later = update(standing(chance=go_on, points=10**6), round=2)
    assert [line for line in lines(later, first) if "falls" in line] == []
    stop = update(standing(chance=replace(go_on, probability=0.01, advice="stop")), round=3)
    assert lines(stop, later)[-1].endswith("It still falls.")


def test_a_chance_that_cannot_be_known_is_explained_once():
    unknown = replace(CHANCE, probability=None, advice="", because="No planned end is known.")
    first = update(standing(chance=unknown), round=1)
    assert "chance" not in lines(first)[1]
    assert lines(first)[2].endswith("No planned end is known.")
    assert lines(update(standing(chance=unknown), round=2), first) == []
