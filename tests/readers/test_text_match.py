"""The compiled matcher of lines gives what the regular expressions of the layouts give."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers._text import follow
from trainlens.readers._text.reader import TextLog

native = pytest.importorskip("trainlens.readers._text._native")


def seed(rng, i):
    return f"{i * 10}/100000 lr={rng.random():.4e} dropout=0.000 total={rng.random():.3f}\n"


def dated(rng, i):
    second = f"{i // 60 % 60:02}:{i % 60:02},{rng.randrange(1000):03}"
    return f"2024-02-29 23:{second} INFO train: step {i} loss {rng.random():.4f} memory: {i}\n"


def of_epochs(rng, i):
    return f"{{'loss': {rng.random():.4f}, 'grad_norm': {rng.random()}, 'epoch': {i * 0.01:.2f}}}\n"


def bar(rng, i):
    k = i % 50 + 1
    drawn = "█" * (k // 5) + " " * (10 - k // 5)
    text = f"\rEpoch {i // 50}: {k * 2:3}%|{drawn}| {k}/50 [00:01<00:02, 3.0it/s"
    text += f", loss={rng.random():.3f}]"
    return text + ("\n" if k == 50 else "")


def bare_bar(rng, i):
    k = i % 40
    text = f"\r {k * 100 // 39:3}%|{'#' * (k // 4)}| {k}/39 [00:01<00:02, 3.0it/s"
    return text + f", loss={rng.random():.3f}]"


def two_counters(rng, i):
    return f"epoch: {i // 10} step: {i % 10 * 10}/100 loss: {rng.random():.3f} lr: 1e-0{i % 7}\n"


DIALECTS = [seed, dated, of_epochs, bar, bare_bar, two_counters]
JUNK = [
    "nan",
    ".",
    "x",
    "\n",
    "\r",
    "1e400",
    "12345678901234567890123",
    "é",
    "\x1b[32m",
    "\0",
    "  ",
    "-",
]


def read(path, compiled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "COMPILED", compiled)
        chunk = TextLog(path).poll(final=True)
    return chunk.config, chunk.notices, [
        (c.name, c.split, c.unit, c.step.tolist(), repr(c.value.tolist()),
         repr(c.wall_time.tolist()), repr(c.epoch.tolist()))
        for c in chunk.columns
    ]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_as_by_regular_expressions(tmp_path, monkeypatch, dialect):
    rng = random.Random(0)
    path = tmp_path / "train.log"
    path.write_text("".join(dialect(rng, i) for i in range(300)) + "\n", newline="")
    rows = []
    find = follow.find_lines
    monkeypatch.setattr(follow, "find_lines", lambda *a: rows.append(find(*a)) or rows[-1])
    found = read(path, True)
    assert sum(len(f.start) for f in rows) > 200
    assert found == read(path, False)
    assert len(found[2][0][3]) > 200


@given(
    data=st.data(),
    seed_of=st.integers(0, 9),
    dialects=st.lists(st.sampled_from(DIALECTS), min_size=1, max_size=2),
)
@settings(max_examples=100, deadline=None)
def test_damaged_logs_as_by_regular_expressions(tmp_path_factory, data, seed_of, dialects):
    rng = random.Random(seed_of)
    text = "".join(dialects[i // 30 % len(dialects)](rng, i) for i in range(90))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at] + data.draw(st.sampled_from(JUNK)) + text[at + data.draw(st.integers(0, 3)) :]
        )
    path = tmp_path_factory.mktemp("match") / "train.log"
    path.write_text(text, newline="")
    assert read(path, True) == read(path, False)


def test_dates_of_the_calendar_only(tmp_path):
    lines = [f"2024-01-{i % 28 + 1:02} 00:00:01 step {i} loss 0.5{i}\n" for i in range(40)]
    lines[20] = lines[20].replace("2024-01-21", "2023-02-29")
    path = tmp_path / "train.log"
    path.write_text("".join(lines))
    assert read(path, True) == read(path, False)


@pytest.mark.parametrize("program", [b"", b"\x01", b"\x01\x05ab", b"\x63\0", b"\x0b\0ab", b"\0\0"])
def test_programs_that_are_none(program):
    with pytest.raises(ValueError, match="program"):
        native.match("abc\n", program, 0, 0)


def test_a_place_behind_the_text():
    with pytest.raises(ValueError, match="place"):
        native.match("abc\n", b"\x06\0", 9, 9)
