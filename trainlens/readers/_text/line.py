"""What one line of a text log says: where training stands, and numbers with their names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from trainlens.readers._values import known_split, number, unix_seconds
from trainlens.roles import SPLITS, parse_name, role_of

LONGEST = 1 << 14
"""Characters of a line that are looked at."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_DATE = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"\[?(?:\d\d[-/]\d\d[ T])?\d?\d:\d\d:\d\d(?:[.,]\d+)?\]?")
_BAR = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,9})?%\s?\|[^|]{0,500}\|")

_OF = r"(\d{1,15})(?:\s*/\s*(\d{1,15}))?"
_STEP = re.compile(
    r"(?<![\w/])(?:global[_ ]?step|train[_ ]?step|steps?|iter(?:ation)?s?|num_updates|updates?)"
    r"['\"]?\s*[:=#]?\s*[\[(]?\s*" + _OF + r"(?![\w.]*\d)(?!\.\d)\s*[\])]?",
    re.IGNORECASE,
)
_EPOCH = re.compile(
    r"(?<![\w/])epochs?['\"]?(?:\((\w+)\))?\s*[:=#]?\s*[\[(]?\s*(\d{1,9}(?:\.\d+)?)"
    r"(?:\s*/\s*(\d{1,9}))?(?!\d)\s*[\])]?(?:\s*\[\s*(\d{1,15})\s*/\s*(\d{1,15})\s*\])?",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    r"(?:^[^\w.+-]*|\|\s*|(?<!\w)batch(?:es)?\s*[:=#]?\s*\[?|(?<=[:\]])\s*\[\s*)"
    r"(\d{1,15})\s*/\s*(\d{1,15})(?![\w./]*\d)\s*\]?",
    re.IGNORECASE,
)
_SPLIT = re.compile(
    r"(?:^|[\[(|\s])(" + "|".join(sorted(SPLITS, key=len, reverse=True)) + r")"
    r"(?:[\])]|\s*:(?=[\s|])|\s*\||\s+-|\s+(?=epoch|step|iter|\|))",
    re.IGNORECASE,
)
_VALUE = (
    r"[+-]?(?:\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,40})?(?![\d,])"
    r"|(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:e[+-]?\d{1,6})?|nan|inf(?:inity)?)"
)
_UNIT = r"\s?%|\s?(?:ms|mm|cm|s|sec|[kmg](?:i?b)?|[a-z]{1,8}/[a-z]{1,8})"
_WORD = r"[A-Za-z_][\w/.@-]{0,63}(?: ?\([\w/%]{1,8}\))?"
_PAIR = re.compile(
    rf"(?<![\w.])({_WORD}(?: {{1,3}}{_WORD}){{0,4}})['\"]?(\s*[=:]\s*|\s+)['\"]?"
    rf"({_VALUE})((?:{_UNIT})?)(?![\w:/]|[.,-]\d)",
    re.IGNORECASE,
)
_NO_METRIC = re.compile(
    r"^(eta|elapsed|epochs?|steps?|iter(ation)?s?|took|line|port|pid|rank|version|seed|in|at|for"
    r"|to|of|and|the|from|with|python|size|total_params|num_params"
    r"|.*\.(py|c|cc|cpp|cu|h|rs|go|js))$",
    re.IGNORECASE,
)
_WORTH = re.compile(r"\d|nan\b", re.IGNORECASE)
_FOREIGN = ":::ML"
"""MLPerf events: a format of its own."""

_PLAIN = frozenset({"other", "progress", "epoch", "system"})


@dataclass
class Line:
    """What was found in a line.

    Parameters
    ----------
    step, steps : int or None
        Counter of steps, and how many there will be.
    epoch : float or None
    epochs : int or None
        How many epochs there will be.
    wall_time : float or None
        Unix seconds.
    split : str or None
    pairs : list of (str, float)
        Names as they stand, and values.
    telling : bool
        Some name is known to be about training.
    filled : bool
        Hardly anything stands in the line but pairs.
    texts : list of str
        The values of `pairs` as they stand.
    open_end : bool
        The line ends with the last digit of the last value.
    """

    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    wall_time: float | None = None
    split: str | None = None
    pairs: list[tuple[str, float]] = field(default_factory=list)
    telling: bool = False
    filled: bool = False
    texts: list[str] = field(default_factory=list)
    open_end: bool = False

    @property
    def placed(self) -> bool:
        """Whether the line says where training stands."""
        return self.step is not None or self.epoch is not None


def clean(raw: bytes) -> str:
    """A line without colours and control characters; of a progress bar its last state."""
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    if "\r" in text or "\b" in text:
        states = [s for s in re.split(r"[\r\b]+", text) if s.strip()]
        text = states[-1] if states else ""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _CONTROL.sub(" ", text[:LONGEST])


def parse(text: str) -> Line | None:
    """What a cleaned line says; None where it says nothing about training."""
    # Most lines of most files end here.
    if not _WORTH.search(text) or _FOREIGN in text:
        return None
    line = Line()
    text = _take_date(text, line)
    text = _BAR.sub(" | ", text)
    text = _take_place(text, line)
    text = _take_split(text, line)
    _take_pairs(text, line)
    return line if line.placed or line.pairs else None


def _take_date(text: str, line: Line) -> str:
    found = _DATE.search(text, 0, 120)
    if found:
        line.wall_time = unix_seconds(found.group())
        return text[: found.start()] + " | " + text[found.end() :]
    return _CLOCK.sub(" | ", text, count=1) if _CLOCK.match(text.lstrip()[:24]) else text


def _take_place(text: str, line: Line) -> str:
    """Read step and epoch; what named them becomes a bar, so that no name reaches across."""
    if found := _EPOCH.search(text):
        split, epoch, epochs, step, steps = found.groups()
        line.epoch = float(epoch)
        line.epochs = int(epochs) if epochs else None
        line.step, line.steps = (int(step), int(steps)) if step else (None, None)
        line.split = known_split(split) if split else None
        text = _cut(text, found)
    for pattern in (_STEP, _FRACTION):
        if line.step is None and (found := pattern.search(text)):
            step, steps = found.groups()
            line.step, line.steps = int(step), int(steps) if steps else None
            text = _cut(text, found)
    return text


def _take_split(text: str, line: Line) -> str:
    found = _SPLIT.search(text)
    if not found:
        return text
    line.split = line.split or known_split(found.group(1))
    return _cut(text, found)


def _cut(text: str, found: re.Match[str]) -> str:
    return text[: found.start()] + " | " + text[found.end() :]


def _take_pairs(text: str, line: Line) -> None:
    rest = []
    at = 0
    for found in _PAIR.finditer(text):
        name, separator, value, _ = found.groups()
        named = separator.strip() != ""
        name = " ".join(name.split()) if named else _tail(name)
        telling = _is_telling(parse_name(name)[0])
        if not (named or telling) or not name or _NO_METRIC.match(name):
            continue
        parsed = number(value.replace(",", ""))
        if parsed is None:
            continue
        line.pairs.append((name, parsed))
        line.texts.append(value)
        line.open_end = found.end(3) == len(text.rstrip())
        line.telling = line.telling or telling
        rest.append(text[at : found.start()])
        at = found.end()
    rest.append(text[at:])
    line.filled = len(re.findall(r"[^\W\d_]{2,}", " ".join(rest))) <= 2


def _is_telling(metric: str) -> bool:
    # "Acc@1" means what "Acc1" means.
    return role_of(metric.replace("@", "")).name not in _PLAIN


def _tail(name: str) -> str:
    """The end of some words before a bare number that names a metric: ``train loss``."""
    words = name.split()
    pair = " ".join(words[-2:])
    if len(words) > 1 and (words[-2].lower() in SPLITS or not _is_telling(words[-1])):
        return pair if _is_telling(pair) else words[-1]
    return words[-1]
