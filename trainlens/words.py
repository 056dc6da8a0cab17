"""Numbers, steps and times as people read them; the same everywhere.

At most four significant digits, a thin space between thousands, a true minus sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

THIN = "\u202f"
MINUS = "\u2212"


def number(value: float, digits: int = 4) -> str:
    """A value with at most `digits` significant digits.

    Examples
    --------
    >>> number(105.234), number(0.00012346), number(-1.5), number(float("nan"))
    ('105.2', '0.0001235', '−1.5', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if math.isinf(size):
        return f"{sign}∞"
    if size != 0 and (size >= 1e6 or size < 1e-4):
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{_trim(mantissa)}e{int(exponent)}".replace("-", MINUS)
    if size >= 10 ** (digits - 1):
        return sign + step(round(size))
    text = f"{size:.{digits}g}"
    return sign + (_trim(text) if "." in text else text)


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def step(value: int) -> str:
    r"""A step or a count, with thin spaces between thousands.

    Examples
    --------
    >>> step(1234567), step(950)
    ('1\u202f234\u202f567', '950')
    """
    return f"{value:,}".replace(",", THIN).replace("-", MINUS)


def steps(first: int | None, last: int | None) -> str:
    """A range of steps: ``step 12 000`` or ``steps 9 000–15 000``; empty without a first step."""
    if first is None:
        return ""
    if last is None or last == first:
        return f"step {step(first)}"
    return f"steps {step(first)}–{step(last)}"


def place(at: float, by: str) -> str:
    """A place on an axis, without the name of the axis.

    Parameters
    ----------
    at : float
    by : str
        ``step``, ``epoch``, ``time`` (then `at` is in seconds) or ``samples``.
    """
    if by == "time":
        return duration(at)
    return step(round(at)) if at == round(at) else number(at)


def at_place(at: float, by: str) -> str:
    """A place on an axis in a sentence.

    Examples
    --------
    >>> at_place(2.5, "epoch"), at_place(640, "samples"), at_place(60, "time")
    ('epoch 2.5', '640 samples', '1 min')
    """
    told = place(at, by)
    return told if by == "time" else f"{told} samples" if by == "samples" else f"{by} {told}"


def percent(share: float, digits: int = 3, signed: bool = False) -> str:
    """A share as percent.

    Examples
    --------
    >>> percent(0.2738), percent(-0.5, signed=True), percent(0.274, signed=True)
    ('27.4 %', '−50 %', '+27.4 %')
    """
    text = number(share * 100, digits)
    return f"{'+' if signed and share > 0 else ''}{text} %"


def signed(value: float, digits: int = 4) -> str:
    """A difference with its sign.

    Examples
    --------
    >>> signed(22.62), signed(-3.0)
    ('+22.62', '−3')
    """
    return ("+" if value > 0 else "") + number(value, digits)


def with_unit(value: float, unit: str = "", digits: int = 4) -> str:
    """A value and its unit, where it has one."""
    return f"{number(value, digits)}{THIN}{unit}" if unit else number(value, digits)


def duration(seconds: float) -> str:
    """A span of time in its two largest units.

    Examples
    --------
    >>> duration(8040), duration(42), duration(200000)
    ('2 h 14 min', '42 s', '2 d 7 h')
    """
    if not math.isfinite(seconds):
        return "unknown"
    total = round(seconds)
    if total < 60:
        return f"{number(seconds, 2)} s" if total < 10 else f"{total} s"
    for size, name, small, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= size:
            rest = total % size // small
            return f"{total // size} {name}" + (f" {rest} {small_name}" if rest else "")
    raise AssertionError("unreachable: every duration is below, at or above a minute")


def plural(count: int, noun: str, many: str = "") -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "run"), plural(3, "run"), plural(2, "series", "series")
    ('1 run', '3 runs', '2 series')
    """
    return f"{step(count)} {noun if count == 1 else many or noun + 's'}"


def shortened(text: str, length: int = 60) -> str:
    """A name that fits a sentence: its middle left out where it is long."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    """What to say of a name that does not exist.

    Parameters
    ----------
    name : str
    known : iterable of str
    alike : float
        From 0 to 1, as `difflib.get_close_matches` has it: less alike is not meant.

    Examples
    --------
    >>> nearest("los-spike", ["loss-spike", "outlier"]), nearest("x", ["loss-spike", "outlier"])
    ("did you mean 'loss-spike'?", 'there are: loss-spike, outlier')
    """
    import difflib

    listed = list(known)
    found = difflib.get_close_matches(name, listed, 1, alike)
    if found:
        return f"did you mean {found[0]!r}?"
    return f"there are: {', '.join(listed)}" if listed else "there is none"
