"""Numbers in JSON lines, by the compiled scanner: every double comes back bit by bit."""

from __future__ import annotations

import json
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers._json import fast

pytestmark = pytest.mark.skipif(not fast.COMPILED, reason="installed without a compiler")


def numbers_of(texts: list[str]) -> list[float]:
    """Values that the scanner gives for texts of numbers."""
    data = "".join(f'{{"step": 1, "v": {t}}}\n' for t in texts).encode()
    scanner = fast.Scanner(frozenset())
    assert scanner.feed(data, 0, lambda line, paths: True)[0] == len(data)
    columns = scanner.take()[1]
    return np.frombuffer(columns[1][1], np.float64).tolist()


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def assert_numbers(texts: list[str]) -> None:
    for text, value in zip(texts, numbers_of(texts), strict=True):
        assert bits(value) == bits(float(json.loads(text))), text


def test_numbers_that_are_hard_to_round() -> None:
    assert_numbers(
        [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "0e5",
            "-0e-5",
            "1e22",
            "1e23",
            "9007199254740993.0",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "1.7976931348623157e308",
            "4.9e-324",
            "2.2250738585072011e-308",
            "2.4703e-324",
            "0.000000000000000000000000000000123456789012345678",
            "1e-400",
            "123456789e-27",
            "5e-324",
            "1.00000000000000011102230246251565",
            "0.5000000000000000277555756156289135",
            "9007199254740993e-1",
            "4503599627370497.5",
            "4503599627370496.5",
            "1E5",
            "1e+5",
            "8.5e15",
            "6929495644600919.5",
            "3.518437208883201171875e13",
            "7450580596923828125e-27",
            "0.1000000000000000055511151231257827",
            "12345678901234567890",
            "-1.5e-7",
        ]
    )


def test_numbers_halfway_between_two_doubles() -> None:
    rng = random.Random(5)
    texts = []
    for _ in range(3000):
        low = rng.randrange(1 << 52, 1 << 53)
        texts.append(f"{2 * low + 1}e{rng.randrange(-4, 3)}")
        texts.append(f"{(2 * low + 1) * 5 ** rng.randrange(1, 4)}e-{rng.randrange(1, 4)}")
    assert_numbers(texts)


def test_numbers_of_any_digits_and_powers() -> None:
    rng = random.Random(6)
    texts = []
    for _ in range(20000):
        digits = str(rng.randrange(10 ** rng.randrange(1, 22)))
        point = rng.randrange(0, len(digits) + 1)
        text = f"{int(digits[:point] or '0')}.{digits[point:] or '0'}"
        texts.append(f"{rng.choice(['', '-'])}{text}e{rng.randrange(-45, 40)}")
        texts.append(repr(struct.unpack("<d", rng.randbytes(8))[0]))
    assert_numbers([t for t in texts if t not in ("nan", "inf", "-inf")])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@settings(deadline=None)
def test_every_double_comes_back(values: list[float]) -> None:
    assert_numbers([repr(v) for v in values])


@pytest.mark.parametrize(
    "text",
    [
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "--1",
        "0x1",
        "1_0",
        "1e999",
        "nan",
        "truth",
        "nul",
        '"a',
        '"\\q"',
        '"\\u00e9"',
        "[1,]",
        "[",
        "[1 2]",
        "[{}]",
        "{]",
        "tru",
        "-Inf",
        "",
        "1 2",
        "[" * 40 + "]" * 40,
        '["\x01"]',
        "[01]",
        "[1e999]",
        "\x00",
    ],
)
def test_what_is_not_plain_is_left_to_python(text: str) -> None:
    line = b'{"step": 1, "v": 2}\n'
    data = line + f'{{"step": 2, "v": {text}}}\n'.encode() + line
    scanner = fast.Scanner(frozenset())
    assert scanner.feed(data, 0, lambda line, paths: True)[0] == len(line)
    rows, columns, blob = scanner.take()
    assert (rows, len(columns), len(blob)) == (1, 2, 0)
    assert all(len(values) == 8 for _, values, _, _ in columns)
