"""Lines of a shape are understood once by the sniffer: its answer is that of every line read."""

import random
from pathlib import Path

import pytest

from trainlens.readers._text import known, sniff
from trainlens.readers._text.known import Known, Silent, _shape
from trainlens.readers._text.parse import parse

PIECES = [
    "loss", "acc@1", "acc@5", "top1", "mAP@.5:.95", "worker.7", "file_1234.py", "images/000123.jpg",
    "0.5", "12", "1234567890123456", "1,234", "3/10", "10/10", "[12/99]", "50%", "nan", "1e-5",
    "epoch", "step", "Epoch 3", "iter 12/40", "val:", "test", "=", ":", "|", "lr", "2024-01-02",
    "10:11:12", "in 3.5 ms", "size (12)", "tensor(0.25)", "(1)", "resumed", "pid=77", "a1b2c3",
]  # fmt: skip


def some_lines(rng, n):
    return [" ".join(rng.choices(PIECES, k=rng.randint(1, 7))) for _ in range(n)]


def with_other_digits(rng, text):
    return "".join(rng.choice("0123456789") if c.isdecimal() else c for c in text)


def said(line):
    """What a sniffer asks of a line without a place."""
    if line is None:
        return None
    return line.split, [p.name for p in line.pairs], line.telling, line.filled, line.placed


@pytest.mark.parametrize("seed", range(12))
def test_lines_of_one_shape_say_the_same(seed):
    rng = random.Random(seed)
    known, shared = Known(), 0
    for text in some_lines(rng, 600):
        for other in (text, *(with_other_digits(rng, text) for _ in range(4))):
            before = len(known._said)
            found, wanted = known.parse(other), parse(other)
            shared += len(known._said) == before
            if wanted is None or not wanted.placed:
                # The digits of a long number in a name may be those of another line.
                assert (found is None) == (wanted is None), other
                if found is not None and wanted is not None:
                    assert said(found)[2:] == said(wanted)[2:], other
                    assert len(found.pairs) == len(wanted.pairs), other
            else:
                assert repr(found) == repr(wanted), other
    assert shared > 500


@pytest.mark.parametrize("seed", range(4))
def test_lines_that_say_nothing_are_known_again(seed):
    rng = random.Random(seed)
    silent = Silent()
    for text in some_lines(rng, 600):
        for other in (text, *(with_other_digits(rng, text) for _ in range(4))):
            assert repr(silent.parse(other)) == repr(parse(other)), other


def test_a_line_of_a_silent_shape_is_not_parsed_again(monkeypatch):
    silent = Silent()
    assert silent.parse("saving out/ckpt_100.pt (3 files)") is None
    monkeypatch.setattr(known, "parse", None)
    assert silent.parse("saving out/ckpt_250.pt (7 files)") is None
    with pytest.raises(TypeError):
        silent.parse("saving out/ckpt_250.pt (7 files) loss 0.5")


def test_a_shape_keeps_what_names_mean():
    assert _shape("acc@1 0.52 took 12 s") == "acc@1 0.00 took 00 s"
    assert _shape("acc@1 0.5") != _shape("acc@5 0.5")
    assert _shape("file_1234.py 7") == "file_0000.py 0"
    assert _shape("x 12") != _shape("x 123")


def test_a_full_bar_of_keras_is_no_part_of_one():
    known = Known()
    assert known.parse("10/99 [==>...........] - loss: 0.5") is None
    line = known.parse("99/99 [=============] - loss: 0.5")
    assert line is not None
    assert line.step == 99


@pytest.mark.parametrize("seed", range(3))
def test_the_confidence_is_that_of_every_line_read(seed, monkeypatch):
    rng = random.Random(seed)
    lines = some_lines(rng, 400)
    texts = [
        "\n".join(
            with_other_digits(rng, rng.choice(lines[a : a + 6])) for _ in range(rng.randint(2, 30))
        ).encode()
        for a in (rng.randrange(390) for _ in range(150))
    ]
    quick = [sniff.confidence(Path("a.log"), text, b"") for text in texts]
    monkeypatch.setattr(Known, "parse", lambda self, text: parse(text))
    assert quick == [sniff.confidence(Path("a.log"), text, b"") for text in texts]
    assert len({*quick}) > 1
