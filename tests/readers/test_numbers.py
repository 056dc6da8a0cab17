"""The compiled parser of numbers gives the bits that float() gives, or leaves it to Python."""

import math
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

native = pytest.importorskip("trainlens.readers._csv._native")

HEADER = Path(__file__).parents[2] / "trainlens" / "readers" / "_powers.h"


def power(q: int) -> int:
    """5^q as its upper 128 bits: cut for q >= 0, rounded up for q < 0."""
    if q >= 0:
        exact = 5**q
        exact <<= max(0, 128 - exact.bit_length())
    else:
        bits = (5**-q - 1).bit_length()
        exact = 2 ** (bits + 127 if q >= -27 else 2 * bits + 128) // 5**-q + 1
    return exact >> max(0, exact.bit_length() - 128)


def test_the_table_of_powers():
    found = re.findall(r"\{0x([0-9a-f]{16}), 0x([0-9a-f]{16})\}", HEADER.read_text())
    assert [int(high + low, 16) for high, low in found] == [power(q) for q in range(-64, 39)]


def parse(texts: list[str]) -> list[float | None]:
    """What the scanner makes of the second cells of rows; None where it leaves a text."""
    data = "".join(f"1,{text}\n" for text in texts).encode()
    rows, room, value, absent, *_ = native.scan(data, 0, ord(","), b"\0\0", b"", True)
    assert rows == len(texts)
    values = np.frombuffer(value).reshape(2, room)[1, :rows]
    left = np.frombuffer(absent, bool).reshape(2, room)[1, :rows]
    return [None if gone else v for v, gone in zip(values.tolist(), left.tolist(), strict=True)]


def same(found: float, wanted: float) -> bool:
    if math.isnan(wanted):
        return math.isnan(found)
    return struct.pack("<d", found) == struct.pack("<d", wanted)


WRITTEN = st.floats().flatmap(
    lambda x: st.sampled_from([repr(x), f"{x:.6g}", f"{x:.4e}", f"{x:.17g}", f"{x:.19g}", f"+{x}"])
)
DIGITS = st.from_regex(r"[+-]?(\d{1,22}\.?\d{0,22}|\.\d{1,22})([eE][+-]?\d{1,3})?", fullmatch=True)


@given(st.lists(WRITTEN | DIGITS, min_size=1, max_size=200))
@example(["9007199254740993", "9007199254740991.5", "1e22", "1e23", "8.5e22", "0.1", "5e-324"])
@example(["2.2250738585072011e-308", "1.7976931348623157e308", "1e400", "-0", "-0.0e9", "000.50"])
@example(["9223372036854775807", "18446744073709551615", "18446744073709551616", "1e-65", "1e39"])
@settings(max_examples=150, deadline=None)
def test_numbers_are_those_of_float(texts):
    texts = [text.replace("++", "+").replace("+-", "-") for text in texts]
    found = parse(texts)
    for text, value in zip(texts, found, strict=True):
        assert value is None or same(value, float(text)), text


def test_the_usual_numbers_need_no_help():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(20000) * 10.0 ** rng.integers(-12, 12, 20000)
    texts = [repr(float(v)) for v in values] + [repr(float(np.float32(v))) for v in values]
    assert parse(texts) == [float(text) for text in texts]


def test_halfway_between_two_doubles():
    rng = np.random.default_rng(1)
    texts = [str(int(m) * 2 + 1) for m in rng.integers(2**52, 2**53, 3000)]
    texts += [
        f"{int(m) * 2 + 1}e{e}" for e in range(-3, 4) for m in rng.integers(2**52, 2**53, 300)
    ]
    found = parse(texts)
    assert all(v is None or same(v, float(t)) for v, t in zip(found, texts, strict=True))


@pytest.mark.parametrize(
    "text", ["1_000", "0x10", "1e", "1e+", ".", "+", "-", "1.2.3", "nanx", "in", "1 2", "e5", "--1",
             "1e99999", "٣", "12345678901234567890123", "naN5"],
)  # fmt: skip
def test_what_is_left_to_python(text):
    assert parse([text]) == [None]


@pytest.mark.parametrize("text", ["nan", "NaN", "-NAN", "inf", "-Inf", "+infinity", "-INFINITY"])
def test_words(text):
    (found,) = parse([text])
    assert found is not None
    assert same(found, float(text))
