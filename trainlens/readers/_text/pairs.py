"""Names and numbers of one line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

from trainlens.readers._text.line import Line, Mark, Pair, cover
from trainlens.readers._text.units import UNIT
from trainlens.readers._values import known_split, number
from trainlens.roles import SPLITS, parse_name, role_of

VALUE = (
    r"[+-]?(?:\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,40})?(?![\d,])"
    r"|(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,6})?|[nN][aA][nN]|[iI][nN][fF](?:inity)?)"
)
_END = r"(?![\w:/\ufffd]|[.,-][\w\ufffd])"
_WORD = r"[A-Za-z_][\w/.@-]{0,63}(?:'s\b)?(?: ?\([\w/%]{1,8}\))?"
_NAME = rf"{_WORD}(?: {{1,3}}{_WORD}){{0,5}}"
_AFTER_NAME = re.compile(
    rf"(\s{{0,12}}[=:]\s{{0,12}}|['\"] reached |[ \t]{{1,12}})['\"]?({VALUE})((?:{UNIT})?){_END}"
)
# Names are found backwards from their numbers, in the mirrored line: that is fast.
_MIRRORED_WORD = r"(?:\)[\w/%]{1,8}\( ?)?(?:s')?[\w/.@-]{0,63}[A-Za-z_](?![\w./\ufffd])"
_MIRRORED = re.compile(
    rf"['\"]?(?:(\d{{1,3}}\.) (?=[\w)]))?({_MIRRORED_WORD}(?: {{1,3}}{_MIRRORED_WORD}){{0,5}})"
)
_COUNTED = re.compile(
    rf"(?<![\w.\ufffd])({_NAME})\s{{0,4}}[:=]\s{{0,4}}(\d{{1,15}})/(\d{{1,15}})"
    r"\s{0,4}\(\s{0,4}[\d.]{1,12}\s?%\s?\)"
)
_ITEM = r"(?:np\.float\d\d\()?[+-]?(?:\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,6})?|nan|inf)\)?"
# Every list can be read in one way only: no search for others where it does not end.
_LIST = re.compile(
    rf"(?<![\w.\ufffd])({_WORD}(?: {{1,3}}{_WORD}){{0,2}})\s{{0,4}}[:=]?\s{{0,4}}\[\s{{0,4}}"
    rf"({_ITEM}(?:(?:\s{{0,4}},\s{{0,4}}|\s{{1,4}}){_ITEM}){{0,63}})\s{{0,4}}\]"
)
_NUMBER = re.compile(VALUE)
_NO_METRIC = re.compile(
    r"^(eta|elapsed|remaining|epochs?|ep|steps?|iter(ation)?s?|took|line|port|pid|rank|version"
    r"|v_num|seed|in|at|for|to|of|and|the|from|with|by|is|was|than|python|size|total_params"
    r"|num_params|world_size|(data_?)?loader|local_rank|lineno|timestamp|end|after|until|every|saved"
    r"|.*copypaste|.*\.(py|c|cc|cpp|cu|h|rs|go|js|pth?|ckpt))$",
    re.IGNORECASE,
)
_DURATION = re.compile(r"(?:^| )(?:epoch|step|batch|iter\w*|train\w*) time$", re.IGNORECASE)
_MORE = re.compile(r"\s(?:minutes?|hours?|days?|weeks?)\b")
"""What makes a number a part of a duration: "10 minutes and 3 seconds"."""

_ASIDE = re.compile(r"^ ?\([^()|]{1,16}\)")
_LETTERS = re.compile(r"[^\W\d_\ufffd]{2,}")
_LONG = re.compile(r"\d{3,40}")
_PLAIN = frozenset(
    {"other", "progress", "epoch", "system", "gpu-usage", "memory-limit", "out-of-memory"}
)
_MANY = 400
"""Pairs of one line that are looked at."""


class Before(NamedTuple):
    """What stands before a number: a name, where it begins, and a threshold that belongs to it."""

    name: str
    start: int
    extra: str


def take_pairs(text: str, line: Line, sections: list[tuple[int, str | None]]) -> str:
    """Read the pairs of a line; give the text with everything understood masked."""
    for sign, pattern, read in (("%", _COUNTED, _counted), ("[", _LIST, _list)):
        for found in pattern.finditer(text) if sign in text else ():
            if is_telling(parse_name(_joined(found.group(1)))[0]):
                line.fixed = False
                line.telling = True
                read(found, line)
                text = cover(text, *found.span())
    end = len(text.rstrip())
    mirror, begin = text[::-1], 0
    for found in _AFTER_NAME.finditer(text):
        at = len(text) - found.start()
        name = _MIRRORED.match(mirror, at, len(text) - begin)
        if name is None or len(line.pairs) >= _MANY:
            continue
        before = Before(name.group(2)[::-1], len(text) - name.end(2), (name.group(1) or "")[::-1])
        if _pair(before, found, text, line, sections):
            line.open_end = found.end() == end
            begin = found.end()
    covered = text
    for mark in line.marks:
        if mark.role in ("name", "pair"):
            covered = cover(covered, mark.start, mark.end)
    _share_split(line)
    _drop_doubles(line)
    return covered


def filled(covered: str, most: int = 2) -> bool:
    """Whether hardly a word, `most` of them, is left of a line of which the pairs are masked."""
    return len(_LETTERS.findall(covered)) <= most


def _pair(
    before: Before,
    found: re.Match[str],
    text: str,
    line: Line,
    sections: list[tuple[int, str | None]],
) -> bool:
    separator, value, unit = found.groups()
    start = before.start
    named = separator.strip() != ""
    extra = before.extra
    if extra and not named:
        return False
    name = _joined(before.name) if named else _tail(before.name)
    # What looks like a number may be the rest of a name: "mAP@.5:.95".
    if not name or _NO_METRIC.match(name) or (value[0] == "." and separator == ":"):
        return False
    if not named and _NO_METRIC.match(name.rpartition(" ")[2]):
        return False
    telling = _tells(name, unit)
    # A place in a source, "train.callbacks:143".
    source = "." in name or text[start - 1 : start] == "("
    if separator == ":" and source and value.isdecimal() and not telling:
        return False
    if _MORE.match(text, found.end()):
        return False
    if not (named or telling or _is_cell(text, start, found.end())):
        return False
    parsed = number(value.replace(",", ""))
    if parsed is None:
        return False
    name = f"{name} {extra}" if extra else name
    split = None
    if "'s " in name:
        name, split = _of_dataset(name)
    elif sections:
        split = sections[at - 1][1] if (at := bisect_right(sections, (start, "~"))) else None
    line.pairs.append(Pair(name, parsed, value, unit.strip(), split))
    line.telling = line.telling or telling
    line.marks.append(Mark(start, found.start(2), "name"))
    line.marks.append(Mark(*found.span(2), "pair"))
    return True


def _tells(name: str, unit: str) -> bool:
    if is_telling(parse_name(name)[0]) or (unit and _DURATION.search(name)):
        return True
    # "New best EMA pseudo Dice" is a dice.
    return " " in name and is_telling(" ".join(name.split()[-2:]))


def _of_dataset(name: str) -> tuple[str, str | None]:
    """``valid_0's l2`` of LightGBM: the metric and the data that it was measured on."""
    data, _, metric = name.partition("'s ")
    return metric, known_split(data.removesuffix("_0")) or data


def _is_cell(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 8) : start].rstrip()
    after = _ASIDE.sub("", text[end : end + 24]).lstrip()
    return before.endswith("|") and (not after or after.startswith("|"))


def _counted(found: re.Match[str], line: Line) -> None:
    name, right, total = found.groups()
    if int(total):
        line.pairs.append(Pair(_joined(name), int(right) / int(total), found.group()))


def _list(found: re.Match[str], line: Line) -> None:
    name = _joined(found.group(1))
    for i, text in enumerate(_NUMBER.findall(re.sub(r"np\.float\d\d", "", found.group(2)))):
        value = number(text)
        if value is not None:
            line.pairs.append(Pair(f"{name}[{i}]", value, text))


def _share_split(line: Line) -> None:
    """``val Loss: 0.2 Acc: 0.9``: what the first name says of the split goes for the line.

    ``loss train: 2.0, val: 2.1``: a bare split stands for the metric before it.
    """
    metric = ""
    for i, pair in enumerate(line.pairs):
        if metric and pair.name.lower() in SPLITS:
            line.pairs[i] = pair._replace(name=f"{pair.name} {metric}")
        else:
            metric = parse_name(pair.name)[0]
            metric = metric if is_telling(metric) else ""
    if len(line.pairs) < 2 or line.split:
        return
    first, *others = line.pairs
    word, blank, _ = first.name.partition(" ")
    split = SPLITS.get(word.lower()) if blank else None
    if not split or any(parse_name(pair.name)[1] or pair.split for pair in others):
        return
    for i, pair in enumerate(others, 1):
        if role_of(parse_name(pair.name)[0]).name in ("loss", "metric"):
            line.pairs[i] = pair._replace(split=split)


def _drop_doubles(line: Line) -> None:
    """A name with two different values in one line says nothing; with the same, once is enough.

    ``train loss 0.5 acc 0.8 val loss 0.6 acc 0.7``: the split of the name before it tells the
    two apart.
    """
    if len({(p.name, p.split) for p in line.pairs}) == len(line.pairs):
        return
    line.fixed = False
    names = Counter(p.name for p in line.pairs if p.split is None)
    near: str | None = None
    for i, pair in enumerate(line.pairs):
        near = parse_name(pair.name)[1] or near
        if pair.split is None and names[pair.name] > 1:
            line.pairs[i] = pair._replace(split=near)
    values: dict[tuple[str, str | None], set[float]] = {}
    for pair in line.pairs:
        values.setdefault((pair.name, pair.split), set()).add(pair.value)
    line.doubtful = sum(len(found) > 1 for found in values.values())
    kept = {(p.name, p.split): p for p in line.pairs if len(values[p.name, p.split]) == 1}
    line.pairs = list(kept.values())


def is_telling(metric: str) -> bool:
    """Whether a metric's name is known to be about training."""
    # "Acc@1" means what "Acc1" means; long numbers mean nothing, and need not be asked for twice.
    return role_of(_LONG.sub("000", metric.replace("@", ""))).name not in _PLAIN


def _joined(name: str) -> str:
    return " ".join(name.split())


def _tail(name: str) -> str:
    """The end of some words before a bare number that names a metric: ``train loss``."""
    words = name.split()
    pair = " ".join(words[-2:])
    if len(words) > 1 and (words[-2].lower() in SPLITS or not is_telling(words[-1])):
        return pair if is_telling(pair) else words[-1]
    return words[-1]
