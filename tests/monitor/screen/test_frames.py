"""Whole frames as they are seen, at three sizes each.

``pytest tests/monitor/screen/test_frames.py --update-golden`` writes them anew; look at them.
"""

from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
from screen_updates import AT, CHANCE, NAN, change, failing, finding, standing, trail, update

from trainlens import words
from trainlens.monitor.model import Standing
from trainlens.monitor.screen.choice import Choice
from trainlens.monitor.screen.memory import Memory
from trainlens.monitor.screen.view import Canvas, frame

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((120, 40), (80, 24), (40, 10))
ESCAPES = "\x1b]0;pwned\x07\x1b[31m\x9b2J" + chr(0x202E) + "[red]x[/red]"


def ascii_of(text):
    signs = {"·": "-", "…": "~", "−": "-", "\u202f": " ", "\u00a0": " ", "∞": "inf"}
    return "".join(c if c.isascii() else signs.get(c, "?") for c in text)


def drawn(told, choice=None, columns=120, lines=40, spell=None, later=200.0):
    memory = Memory()
    memory.hear(told)
    canvas = Canvas(columns, lines, spell, timezone.utc)
    return [x.plain for x in frame(memory.shown(told, AT + later, 0), choice or Choice(), canvas)]


def many(count):
    return [
        (failing if k % 7 == 0 else standing)(f"run-{k:02}", state="quiet" if k == 3 else "live")
        for k in range(count)
    ]


def broken():
    """Nothing but NaN and infinities wherever a number can be."""
    nan, inf = float("nan"), float("inf")
    trails = (
        trail("loss", "val", [nan, inf, -inf, nan]),
        trail("loss", "train", [1.0, nan, inf, 0.5], last=inf, ema=inf),
        trail("acc", "val", [], role="metric", direction="max"),
        trail("lr", value=[nan], role="learning-rate", direction=""),
    )
    return standing(
        "broken", trails=trails, gap=nan, machine={"GPU": (inf, "%")}, throughput=(-inf, "it/s"),
        rate=nan, remaining=inf, progress=nan, epoch=nan, age=nan,
    )  # fmt: skip


def hostile():
    name = ESCAPES + "数据" * 200 + "a" * 500
    text = f"{ESCAPES} 漢字 [bold]not bold[/bold]\nsecond line\x00"
    trails = (trail(name, "val", [3.0, 2.0, 1.0], role="metric"), *standing().trails)
    worst = finding(
        "non-finite", "error", 80, metric=name, message=text, causes=(text,), verify=text,
        prescriptions=({"text": text, "patch": {name: text}},),
    )  # fmt: skip
    return standing(
        name, source=text, format=text, reason=text, sentence=text, verdict="failing",
        findings=((1, worst),), trails=trails, machine={name: (1.0, text)}, notices=(text,),
    )  # fmt: skip


CASES = {
    "one run": (update(standing()), Choice()),
    "a failing run": (
        update(failing(chance=CHANCE), changes=(change(),),
               notices=("the page cannot be written: no space left",)),
        Choice(metric=("loss", "train")),
    ),
    "three runs": (
        update(standing("a"), failing("b"),
               standing("c", state="quiet", verdict="warning", findings=((9, finding()),))),
        Choice(run=("runs/b/log.jsonl", "b"), log=True),
    ),
    "thirty runs": (update(*many(30)), Choice(run=("runs/run-14/log.jsonl", "run-14"))),
    "no run yet": (update(notices=("runs does not exist yet",)), Choice()),
    "nothing logged": (
        update(Standing("new", "runs/new.jsonl", "jsonl", "waiting", reason="empty file")),
        Choice(),
    ),
    "not finite": (update(broken()), Choice(metric=("loss", "train"))),
    "hostile": (update(hostile(), standing("calm"), path=ESCAPES), Choice()),
    "log axis below zero": (
        update(standing(trails=(trail("elbo", "val", np.linspace(-3, 30, 80), role="metric"),))),
        Choice(log=True),
    ),
    "findings": (update(failing()), Choice(page="findings")),
    "help": (update(standing()), Choice(page="help")),
    "paused": (update(standing()), Choice(paused=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("signs", ["braille", "ascii"])
def test_frames_are_as_they_were(name, signs, request):
    told, choice = CASES[name]
    spell = ascii_of if signs == "ascii" else None
    shown = "\n".join(
        f"--- {columns} x {lines}\n" + "".join(
            f"{line.rstrip()}\n" for line in drawn(told, choice, columns, lines, spell)
        )
        for columns, lines in SIZES
    )  # fmt: skip
    assert signs == "braille" or shown.isascii()
    path = GOLDEN / f"{name.replace(' ', '_')}.{signs}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("size", [(40, 10), (40, 6), (20, 5), (30, 4)])
def test_the_smallest_screens_tell_what_matters_most(size):
    shown = drawn(update(failing()), Choice(metric=("loss", "train")), *size)
    told = "\n".join(shown)
    assert "failing" in told
    assert "step 1\u202f990" in told
    assert words.number(failing().trails[2].last) in told
    assert "Findings" in told
    assert "1 error" in told


def test_nothing_in_a_log_is_markup_or_steers_the_terminal():
    told = "\n".join(drawn(update(hostile())))
    assert "[red]" in told
    assert "[U+001B]" in told
    assert not any((c < " " and c != "\n") or "\x7f" <= c < "\xa0" for c in told)
    assert chr(0x202E) not in told


def test_many_runs_scroll_with_the_chosen_one():
    runs = many(30)
    for k in range(30):
        name = runs[k].name
        table = drawn(update(*runs), Choice(run=(runs[k].source, name)), 80, 24)[:8]
        assert next(line for line in table if line.startswith("▸")).split()[1] == name
    above = drawn(update(*runs), Choice(run=(runs[29].source, "run-29")), 80, 24)
    assert any("25 more above (4 failing, 1 quiet)" in line for line in above)


def test_the_age_of_a_finding_is_told_where_it_is_known():
    old = update(failing(), changes=(change(at=AT - 3600),))
    assert any("train/loss · 1 h ago" in line for line in drawn(old))
    assert not any(" ago" in line and "✗" in line for line in drawn(update(failing())))


def test_steps_of_findings_are_marked_at_the_axis():
    choice = Choice(metric=("loss", "train"))
    axis = next(line for line in drawn(update(failing()), choice) if "└" in line)
    at = [k for k, c in enumerate(axis) if c in "✗▲"]
    room = 120 - 2 - axis.index("└") + 1
    assert at == [axis.index("└") + 1 + int(s / 1990 * (room - 1)) for s in (80, 700)]
    # The other metrics have nothing to do with it.
    other = next(line for line in drawn(update(failing())) if "└" in line)
    assert not set(other) & {"✗", "▲"}
    assert NAN.first_step == 80
