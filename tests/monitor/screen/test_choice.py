"""What a key changes of what is shown."""

import pytest
from screen_updates import standing, update

from trainlens.monitor.screen.choice import Choice, place, pressed, trail_of

RUNS = [standing(name) for name in "abc"]
TOLD = update(*RUNS)


def after(*names, choice=None, told=TOLD, limit=0):
    choice = choice or Choice()
    for name in names:
        choice = pressed(choice, name, told, limit)
    return choice


@pytest.mark.parametrize(
    ("names", "at"),
    [("jj", 2), ("jjjjj", 2), ("k", 0), ("jjk", 1), (["down", "down", "up"], 1), (["G"], 2),
     (["end", "home"], 0), (["page-down"], 2)],
)  # fmt: skip
def test_runs_are_chosen_and_the_ends_hold(names, at):
    assert place(after(*names), RUNS) == at


@pytest.mark.parametrize(
    ("names", "at"), [(["right"], 1), (["tab", "tab"], 2), (["left"], 5), (["backtab"], 5)]
)
def test_metrics_are_chosen_round_and_round(names, at):
    assert trail_of(after(*names), RUNS[0]) is RUNS[0].trails[at]


def test_the_choice_stays_with_the_run_wherever_it_moves():
    choice = after("j", "right")
    moved = [standing("new"), *RUNS[::-1]]
    assert place(choice, moved) == 2
    assert place(choice, [RUNS[0]]) == 0
    assert trail_of(choice, moved[2]) is moved[2].trails[1]


def test_a_metric_that_another_run_lacks_gives_way_to_its_first():
    choice = after("left")
    lean = standing("lean", trails=RUNS[0].trails[:2])
    assert trail_of(choice, lean) is lean.trails[0]
    assert trail_of(choice, standing("none", trails=())) is None


def test_switches_go_to_and_fro():
    assert after("l").log
    assert not after("l", "l").log
    assert after("p").paused
    assert not after("p", " ").paused
    assert after("f").page == "findings"
    assert after("f", "f").page == after("f", "escape").page == after("?", "?").page == "overview"
    assert after("f", "?").page == "help"


def test_pages_scroll_within_their_limit_and_open_at_their_top():
    held = after("f", "j", "j", "j", limit=2)
    assert held.scroll == 2
    assert after("k", choice=held, limit=2).scroll == 1
    assert after("G", choice=held, limit=9).scroll == 9
    assert after("g", choice=held, limit=9).scroll == 0
    assert after("f", "f", choice=held).scroll == 0


def test_among_findings_the_sides_choose_the_run():
    choice = after("f", "right")
    assert (place(choice, RUNS), choice.page) == (1, "findings")


@pytest.mark.parametrize("name", ["x", "up", "down", "left", "tab", "G", "f", "?", "escape", "p"])
def test_no_run_and_no_update_are_no_failure(name):
    for told in (None, update(), update(standing(trails=()))):
        pressed(Choice(), name, told)
        pressed(Choice(page="findings"), name, told)
