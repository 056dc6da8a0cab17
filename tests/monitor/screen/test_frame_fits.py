"""Whatever is shown at whatever size: no line is too wide, none too many, nothing steers."""

import unicodedata
from datetime import timezone

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from screen_updates import AT, change, finding, trail
from test_frames import ascii_of

from trainlens.monitor.model import Chance, Standing, Update
from trainlens.monitor.screen.choice import Choice
from trainlens.monitor.screen.memory import Memory
from trainlens.monitor.screen.view import Canvas, frame, limit

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
MAYBE = st.none() | NUMBERS
TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        "loss",
        "数据集",
        "[red]x[/red]",
        "\x1b[2J",
        "a" * 500,
        "e\u0301" * 30,
        "👨‍👩‍👧",
        "\u202eb",
        "∞ ± σ",
    ]
)
STEPS = st.integers(0, 2**53)


@st.composite
def trails(draw):
    value = draw(st.lists(NUMBERS, max_size=12))
    step = np.cumsum(draw(st.lists(st.integers(1, 2**40), min_size=len(value),
                                   max_size=len(value)))).astype(float)  # fmt: skip
    spread = abs(draw(st.floats(0, 10)))
    held = np.where(np.isfinite(value), value, np.nan) if value else np.empty(0)
    return trail(
        draw(TEXTS), draw(st.sampled_from(["train", "val", "x\x1b"])), value,
        role=draw(st.sampled_from(["loss", "metric", "learning-rate", ""])),
        direction=draw(st.sampled_from(["min", "max", ""])), step=step, unit=draw(TEXTS),
        low=held, high=np.minimum(held + spread, 1.7e308), ema=draw(NUMBERS),
    )  # fmt: skip


FINDINGS = st.builds(
    finding,
    rule=st.sampled_from(["non-finite", "loss-spike", "log-damage"]),
    severity=st.sampled_from(["error", "warning", "info"]),
    first=st.none() | STEPS,
    metric=TEXTS,
    message=TEXTS,
)
CHANCES = st.builds(Chance, TEXTS, TEXTS, NUMBERS, TEXTS, MAYBE, MAYBE, MAYBE, MAYBE, TEXTS, TEXTS)
RUNS = st.builds(
    Standing,
    name=TEXTS,
    source=TEXTS,
    format=TEXTS,
    state=st.sampled_from(["waiting", "live", "quiet", "ended", "gone", "unreadable"]),
    reason=TEXTS,
    points=st.integers(0, 10**9),
    step=st.none() | STEPS,
    planned=st.none() | STEPS,
    progress=MAYBE,
    epoch=MAYBE,
    rate=MAYBE,
    remaining=MAYBE,
    age=MAYBE,
    verdict=st.sampled_from(["", "healthy", "warning", "failing", "inconclusive"]),
    sentence=TEXTS,
    looked=st.none() | st.integers(0, 10**9),
    findings=st.lists(st.tuples(st.integers(0, 99), FINDINGS), max_size=3).map(tuple),
    trails=st.lists(trails(), max_size=3).map(tuple),
    gap=MAYBE,
    machine=st.dictionaries(TEXTS, st.tuples(NUMBERS, TEXTS), max_size=2),
    throughput=st.none() | st.tuples(NUMBERS, TEXTS),
    chance=st.none() | CHANCES,
    notices=st.lists(TEXTS, max_size=2).map(tuple),
)
UPDATES = st.builds(
    Update,
    round=st.integers(1, 99),
    at=st.just(AT) | NUMBERS,
    path=TEXTS,
    runs=st.lists(RUNS, max_size=4).map(tuple),
    changes=st.just((change("closed"), change())),
    notices=st.lists(TEXTS, max_size=2).map(tuple),
)
CHOICES = st.builds(
    Choice,
    log=st.booleans(),
    paused=st.booleans(),
    page=st.sampled_from(["overview", "overview", "findings", "help"]),
    scroll=st.integers(0, 50),
)


@settings(max_examples=120)
@given(UPDATES, CHOICES, st.integers(10, 200), st.integers(4, 80), st.booleans())
def test_every_frame_fits_and_is_safe(told, choice, columns, lines, plain):
    memory = Memory()
    memory.hear(told)
    shown = memory.shown(told, told.at + 100, 3)
    canvas = Canvas(columns, lines, ascii_of if plain else None, timezone.utc)
    drawn = frame(shown, choice, canvas)
    assert 0 < len(drawn) <= lines
    for line in drawn:
        assert cell_len(line.plain) <= columns
        assert not any(unicodedata.category(c) == "Cc" for c in line.plain)
        assert not plain or line.plain.isascii()
    assert limit(shown, choice, canvas) >= 0
