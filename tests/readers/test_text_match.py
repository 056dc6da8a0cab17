"""The compiled matcher of lines gives what the regular expressions of the layouts give."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers._text import block, follow
from trainlens.readers._text.line import decode
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
        if not compiled:
            patch.setattr(block, "look", None)
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
        native.match(b"abc\n", program, 0)


def test_a_place_behind_the_text():
    with pytest.raises(ValueError, match="place"):
        native.match(b"abc\n", b"\x06\0", 9)


PIECES = [
    *(bytes([b]) for b in range(33)),
    *(b"\x7f", b"\x80", b"\xbf", b"\xc1", b"\xc2", b"\xed", b"\xf4", b"\xf5", b"\xff"),
    *(b"\r\n", b"\x08\x08", b"\x1b[32m", b"loss 0.5 " * 9),
    *(b"\xc0\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xed\xa0\x80"),
    *(b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"),
]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12))
@settings(max_examples=400, deadline=None)
def test_bytes_are_cleaned_as_their_text(pieces):
    data = b"".join(pieces)
    assert block.Block(0, data + b"\n").data == decode(data + b"\n").encode()


@pytest.mark.parametrize("size", [4095, 4096, 4097, 9000])
@pytest.mark.parametrize("end", [b"\x1b[0m", b"\r\n", b"\xc3\xa9", b"\xc3", b"\0", b"\x7f"])
def test_what_stands_at_the_end_of_a_stretch_is_seen(size, end):
    data = b"a" * (size - 1) + end + b"b\n"
    assert block.Block(0, data).data == decode(data).encode()


@pytest.mark.parametrize("text", ["é", "█░", "\U0001f600", "\ud7ff\ue000"])
def test_text_without_controls_is_not_read_twice(text):
    assert native.look(f"loss {text} 0.5\r\n".encode()) == 2
    assert native.look(f"loss {text} 0.5\r".encode()) == 0


def test_blank_lines_between_lines_of_a_layout(tmp_path):
    rng = random.Random(3)
    gaps = ["", "\n", " \t\n\n", "\r\n", "  "]
    lines = [seed(rng, i) + rng.choice(gaps) for i in range(200)]
    path = tmp_path / "train.log"
    path.write_text("".join(lines), newline="")
    found = read(path, True)
    assert found == read(path, False)
    assert found[2][0][3] == [i * 10 for i in range(200)]
