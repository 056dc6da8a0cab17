"""Where training stands, by one line: rank, date, epoch, step, split."""

from __future__ import annotations

import re

from trainlens.readers._text.line import Line, Mark, cover
from trainlens.readers._values import known_split, unix_seconds
from trainlens.roles import SPLITS

_HEAD = 200
"""Characters in which a prefix is looked for."""

_RANK = re.compile(
    r"[\[(](?:rank|default|local_rank|worker)[ _:=#]{0,2}(\d{1,5})[\])]:?"
    r"|^\s{0,8}\[\d{1,5},(\d{1,5})\]<\w{1,8}>:?"
    r"|^\s{0,8}(?:rank|worker)[ _:=#]{0,2}(\d{1,5})\s?[:|\]]"
    r"|\((?:[\w.()]{1,40} )?pid=(\d{1,9})[^)]{0,60}\)",
    re.IGNORECASE,
)
_RANK_WORDS = ("rank", "pid=", "worker", "default", "]<")
_NUMBERED = re.compile(r"\s{0,6}(\d{1,5}): (?=\s*\S)")
_GLOG = re.compile(
    r"[IWEF]\d{4,8} \d\d:\d\d:\d\d(?:\.\d{1,9})?\s{1,6}\d{1,9} [\w.-]{1,80}:\d{1,6}\]"
)
_SOURCE = re.compile(r"(?<![\w/.])[\w./<>-]{1,120}\.(?:py|cc|cpp|c|cu|h|rs|go):\d{1,6}\]?:?")
_SOURCE_SIGN = re.compile(r"\.(?:py|cc|cpp|c|cu|h|rs|go):\d")
_DATE = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?![\d-])"
)
_CLOCK = re.compile(r"\[?(?:\d\d[-/]\d\d[ T])?\d?\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?:?")

_LOGGER = re.compile(
    r"[|\s,:\[-]{0,40}(?:\[?(?:INFO|DEBUG|WARNING|[A-Za-z_]\w{0,40}(?:\.\w{1,60}){1,8})\]?"
    r"(?:\s{1,4}[-|]\s{1,4}|\s{0,4}\]\s{1,4})){1,3}"
)
"""Level and name of a logger behind a date."""

_TO = (
    r"(\d{1,3}(?:,\d{3}){1,4}(?!,?\d)|\d{1,6}(?:\.\d{1,3})?[kK](?!\w)|\d{1,15})"
    r"(?:\s{0,12}/\s{0,12}(\d{1,15}))?"
)
_SHARE = r"(?:\s{0,4}\(\s{0,4}[\d.]{1,8}\s?%\s?\))?"
_STEP = re.compile(
    r"(?<![\w/\ufffd])((?:trainer/|train/)?global[_ ]?step|acc_iter|num_updates|train[_ ]?step"
    r"|steps?|iter(?:ation)?s?|updates?|(?:total[_ ]?)?time[_ ]?steps|up\.)(?:\((\w{1,20})\))?"
    r"['\"]?\s{0,4}[:=#]?\s{0,12}['\"\[(]?\s{0,12}" + _TO + r"(\.0{1,4})?['\"]?"
    r"(?![\w\ufffd%/]|\.\w)" + _SHARE + r"\s?[\])]?[:,]?",
    re.IGNORECASE,
)
_LOW_STEP = re.compile(
    r"(?<![\w/\ufffd])(?:batch(?:_idx)?|episodes?|rounds?|generation|trial)\s{0,4}[:=#]?\s{0,4}"
    + _TO
    + r"(?![\w\ufffd%/]|\.\w)[:,]?",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"[|\s]{0,300}(?:\[(\d{1,15})\]|(\d{1,15})(?=[ \t:,|]))[:,]?(?=\s{0,8}\|?\s{1,8}[A-Za-z_])"
)
_EPOCH = re.compile(
    r"(?<![\w/\ufffd])(?:epochs?(?: loaded)?|ep\.?|epoche|[eé]poque|[eé]poca)['\"]?"
    r"(?:\((\w{1,20})\))?\s{0,4}[:=#]?\s{0,8}['\"\[(]?\s{0,8}"
    r"(\d{1,9}(?:\.\d{1,20})?)['\"]?(?:\s{0,4}/\s{0,4}(\d{1,9}))?"
    r"(?![\d\w\ufffd%]|\.\w)\s{0,4}[\])]?"
    r"(?:[ \t]{0,12}\[\s{0,12}(\d{1,15})\s{0,4}/\s{0,4}(\d{1,15})" + _SHARE + r"\s?\])?[:,]?",
    re.IGNORECASE,
)
_TWO_COUNTERS = re.compile(
    r"\[\s{0,8}(\d{1,9})/(\d{1,9})\] {0,2}\[\s{0,8}(\d{1,15})/(\d{1,15})\]"
    r"|^[|\s]{0,300}\[(\d{1,9}),\s{1,12}(\d{1,15})\](?=:? {1,4}[A-Za-z])"
)
"""``[epoch/epochs][batch/batches]`` and ``[epoch, batch] loss``."""

_COUNT_FIRST = re.compile(
    r"(?<![\w.,:\ufffd-])(\d{1,9})epoch(?: results)?:(?:(\w{1,20}):(?:\d{1,15}-)?(\d{1,15})batch:)?"
)
_EPOCH_BATCH = re.compile(r"(?<!\w)(TRAIN|CV) Batch (\d{1,9})/(\d{1,15})(?= loss)")
"""WeNet: the epoch and the batch, not a batch and their number."""

_BATCH = re.compile(
    r"(?<!\w)batch(?:es)?\s{0,4}[:=#]?\s{0,4}\[?(?:\d{1,15}-)?(\d{1,15})(?:\s{0,4}/\s{0,4}(\d{1,15}))?"
    r"(?![\w./\ufffd])\]?",
    re.IGNORECASE,
)
_AT_END = re.compile(r"(?<=\d)\s{1,8}\[\s{0,12}(\d{1,15})\s{0,4}/\s{0,4}(\d{1,15})\]\s{0,40}$")
_EPOCH_OF_SPLIT = re.compile(
    r"^[|\s]{0,300}(train|test|val|valid|validation|eval)\w{0,8}\s?:\s{0,4}(\d{1,9})\s{0,4}"
    r"\[\s{0,12}(\d{1,15})\s{0,4}/\s{0,4}(\d{1,15})" + _SHARE + r"\s?\]",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    r"(?:^[^\w.+\ufffd-]{0,300}|\|\s{0,12}|(?<!\w)batch(?:es)?\s{0,4}[:=#]?\s{0,4}\[?"
    r"|(?<=[:\]])\s{0,4}\[\s{0,12})"
    r"(\d{1,15})\s{0,4}/\s{0,4}(\d{1,15})(?![\w./\ufffd])" + _SHARE + r"\s?\]?",
    re.IGNORECASE,
)
_SPLIT = re.compile(
    r"(?:(?<=[\[(|\s])|^)(" + "|".join(sorted(SPLITS, key=len, reverse=True)) + r"|validate|cv)"
    r"(?:(?: set| results?| metrics?| stats?)?\s?:(?=[\s|])|[\])]|\s{0,4}\||\s{1,4}-"
    r"|\s{1,4}(?=epoch|step|iter|batch|\|))",
    re.IGNORECASE,
)
_BARE = re.compile(r"\s{0,12}[+-]?(?:\d[\d.]{0,40}(?:e[+-]?\d{1,3})?|nan|inf|n/a)(?![\w/])", re.I)
"""A number right behind ``val:``: it is the value of a name, not the beginning of a section."""

_SPLIT_WORDS = ("tr", "val", "test", "dev", "learn", "cv", "saving")
_SPLIT_AT = re.compile(
    r"^[|\s]{0,300}(validation|valid|eval|evaluation|evaluating|test|testing|dev|val)\b"
    r"[^|=:\d]{0,30}\b(?:at|after|for|on)\b",
    re.IGNORECASE,
)
_SAVED = re.compile(r"Saving dict for (?=[g|])")
"""What an estimator of TensorFlow says of an evaluation."""

_HEADING = re.compile(
    r"[^\w\ufffd]{0,80}(train|valid|eval|test)(?:ing|ation|uation)?"
    r"(?:[ -]{1,3}(?:set|error|results?|metrics?|stats|performance|summary|phase))?"
    r"\s{0,4}:\s{0,40}",
    re.IGNORECASE,
)
_SUBSET = re.compile(r"(?<!\w)(\w{1,20}) on ['\"][\w.-]{1,60}['\"] subset", re.IGNORECASE)
_NET = re.compile(r"(?<!\w)(train|test) net output #\d{1,4}\s?:", re.IGNORECASE)
_COUNTERS = re.compile(
    r"([A-Za-z_]{0,24}?)(step|epoch|iteration|iter)['\"]?[:=# \[(]{0,12}(\d{1,15})", re.IGNORECASE
)
_OTHER_COUNTER = re.compile(
    r"(?:best|per|last|next|from|since|(?<!end )(?<!\|)of|every|warmup|previous)[\W_]{1,3}$",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"epochs|steps|iter(?:ation)?s|updates", re.IGNORECASE)
_OF_PLAN = re.compile(
    r"(?<!\w)(?:max(?:imum)?|num|number of|optimi[sz]ation|warm-?up|training|planned"
    r"|accumulation|decay|save|eval|logging|scheduled|running|for)[ _-]{1,3}$",
    re.IGNORECASE,
)


def take_head(text: str, line: Line) -> str:
    """Read what a logging system puts before a message: who, when, from which file."""
    low = text[:_HEAD].lower()
    ranked = any(word in low for word in _RANK_WORDS)
    if found := _RANK.search(text, 0, _HEAD) if ranked else None:
        line.rank = next(g for g in found.groups() if g is not None)
        line.marks.append(Mark(*found.span(), "name"))
        text = cover(text, *found.span())
    elif (found := _NUMBERED.match(text)) and _later_place(text, found.end()):
        line.rank = found.group(1)
        line.marks.append(Mark(*found.span(1), "name"))
        text = cover(text, *found.span())
    if found := _GLOG.search(text, 0, _HEAD) if "]" in text else None:
        text = cover(text, *found.span())
    elif found := _DATE.search(text, 0, _HEAD):
        line.wall_time = unix_seconds(found.group())
        line.marks.append(Mark(*found.span(), "wall_time"))
        text = cover(text, *found.span())
        if found := _LOGGER.match(text, found.end()):
            text = cover(text, *found.span())
    elif found := _CLOCK.match(text, len(text) - len(text.lstrip("| \t"))):
        text = cover(text, *found.span())
    if _SOURCE_SIGN.search(text, 0, _HEAD) and (found := _SOURCE.search(text, 0, _HEAD)):
        text = cover(text, *found.span())
    return text


def _later_place(text: str, at: int) -> bool:
    return bool(_STEP.search(text, at) or _EPOCH.search(text, at) or _DATE.match(text, at))


def interleaved(text: str, line: Line) -> bool:
    """Whether the line counts two steps or two epochs: two lines written into each other."""
    low = text.lower()
    if sum(map(low.count, ("step", "epoch", "iter"))) < 2:
        return False
    found = [m for m in _COUNTERS.finditer(text) if not _other(text, m.start())]
    if len(found) < 2:
        return False
    seen: dict[str, tuple[str, int]] = {}
    for m in found:
        before, word, value = m.group(1).lower(), m.group(2).lower(), int(m.group(3))
        if before.endswith("_"):
            continue
        # What the numbers are only matters where one counter stands there twice.
        line.fixed = line.fixed and word not in seen
        other = seen.setdefault(word, (before, value))
        if other[1] != value and (not other[0] or not before):
            return True
    return False


def _other(text: str, start: int) -> bool:
    return bool(_OTHER_COUNTER.search(text[max(0, start - 16) : start]))


def heading(text: str) -> str | None:
    """The split that a line of nothing else announces: ``Test Error:``."""
    found = _HEADING.fullmatch(text) if len(text) < 200 else None
    return known_split(found.group(1)) if found else None


def take_place(text: str, line: Line) -> str:
    """Read epoch and step; what names them is masked, so that no name reaches across."""
    low = text.lower()
    if "[" in text and (found := _TWO_COUNTERS.search(text, 0, _HEAD)):
        return _two_counters(text, line, found)
    if "ep" in low or "[" in text or "ép" in low or "Batch" in text:
        text = _take_epoch(text, line)
    if "step" in low or "iter" in low or "update" in low or "up. " in low:
        text = _take_step(text, line)
    slash = line.step is None and "/" in text
    if slash and (found := _FRACTION.search(text) or _AT_END.search(text)):
        text = _counted(text, line, found, 1, 2)
    if line.step is None and line.epoch is not None and (found := _BATCH.search(text)):
        text = _counted(text, line, found, 1, 2)
    return text


def _two_counters(text: str, line: Line, found: re.Match[str]) -> str:
    first, second = (1, 3) if found.group(1) else (5, 6)
    line.epoch = float(found.group(first))
    line.marks.append(Mark(*found.span(first), "epoch"))
    if found.group(2):
        line.epochs = int(found.group(2))
        line.marks.append(Mark(*found.span(2), "epochs"))
    return _counted(text, line, found, second, 4 if found.group(4) else 0)


def _take_epoch(text: str, line: Line) -> str:
    if found := _EPOCH_OF_SPLIT.match(text):
        line.split = known_split(found.group(1))
        line.epoch = float(found.group(2))
        line.marks.append(Mark(*found.span(2), "epoch"))
        return _counted(text, line, found, 3, 4)
    if found := _COUNT_FIRST.search(text):
        return _count_first(text, line, found)
    if "Batch" in text and (found := _EPOCH_BATCH.search(text)):
        line.split = "train" if found.group(1) == "TRAIN" else "val"
        line.marks.append(Mark(*found.span(1), "name"))
        line.epoch = float(found.group(2))
        line.marks.append(Mark(*found.span(2), "epoch"))
        text = _counted(text, line, found, 3, 0)
        # Validation counts its own batches.
        line.steps = None if line.split == "train" else line.step
        return text
    found = _EPOCH.search(text)
    while found and (_other(text, found.start()) or _is_plan(text, found, 3)):
        found = _EPOCH.search(text, found.end())
    if not found:
        return text
    line.epoch = float(found.group(2))
    line.marks.append(Mark(*found.span(2), "epoch"))
    line.split = known_split(found.group(1))
    if found.group(1):
        line.marks.append(Mark(*found.span(1), "name"))
    if found.group(3):
        line.epochs = int(found.group(3))
        line.marks.append(Mark(*found.span(3), "epochs"))
    if found.group(4):
        return _counted(text, line, found, 4, 5)
    return cover(text, *found.span())


def _count_first(text: str, line: Line, found: re.Match[str]) -> str:
    """``3epoch:train:101-200batch:`` of ESPnet."""
    line.epoch = float(found.group(1))
    line.marks.append(Mark(*found.span(1), "epoch"))
    if not found.group(2):
        return cover(text, *found.span())
    line.split = known_split(found.group(2))
    line.marks.append(Mark(*found.span(2), "name"))
    return _counted(text, line, found, 3, 0)


def _is_plan(text: str, found: re.Match[str], total: int) -> bool:
    """Whether ``epochs = 90`` says how many there will be: no total behind it, no line's head."""
    if found.group(total) or not _TOTAL.match(text, found.start()):
        return False
    before = text[: found.start()]
    if before[-9:].strip().lower() == "total":
        return not text[found.end() :].strip("| \t")
    return bool(_OF_PLAN.search(before[-24:])) or (
        text[found.start() : found.start() + 6].lower() == "epochs"
        and any(sign.isalnum() for sign in before)
    )


def _take_step(text: str, line: Line) -> str:
    if line.step is not None and "step" not in text.lower() and "updates" not in text.lower():
        return text
    found = [
        m
        for m in _STEP.finditer(text)
        if not _is_other(text, m.start()) and not _is_plan(text, m, 4)
    ]
    # A counter of the whole training beats one that may start again with each epoch.
    exact = [m for m in found if m.group(1).lower().startswith(("global", "num_", "train", "acc_"))]
    if line.step is None and not found:
        return text
    best = exact[0] if exact else found[0] if line.step is None else None
    if best is None:
        return text
    if line.step is not None:
        line.marks = [m for m in line.marks if m.role not in ("step", "steps")]
        line.step = line.steps = None
    text = _counted(text, line, best, 3, 4)
    line.fixed = line.fixed and not best.group(5)
    if split := known_split(best.group(2)):
        line.split = split
        line.marks.append(Mark(*best.span(2), "name"))
        # The size of the data, not a step: it stands where training stands.
        line.steps = line.steps or (None if split == "train" else line.step)
    for other in found:
        if other is not best and (exact or other.group(1).lower() == best.group(1).lower()):
            text = cover(text, *other.span())
    if exact:
        for fraction in _FRACTION.finditer(text):
            text = cover(text, *fraction.span())
    return text


def _is_other(text: str, start: int) -> bool:
    return bool(
        re.search(r"(?:per|skipped|nan|of|every)[\W_]{1,3}$", text[max(0, start - 12) : start])
    )


def take_low_place(text: str, line: Line) -> str:
    """Read a step from words and places that count steps only beside known metrics."""
    found = _LOW_STEP.search(text)
    if found:
        return _counted(text, line, found, 1, 2)
    if found := _LEAD.match(text):
        return _counted(text, line, found, 1 if found.group(1) else 2, 0)
    return text


def _counted(text: str, line: Line, found: re.Match[str], step: int, steps: int) -> str:
    text_of = found.group(step)
    thousands = text_of[-1] in "kK"
    plain = text_of.rstrip("kK").replace(",", "")
    line.step = round(float(plain) * 1000) if thousands else int(plain)
    line.fixed = line.fixed and text_of.isdecimal()
    line.marks.append(Mark(*found.span(step), "step"))
    if steps and found.group(steps):
        line.steps = int(found.group(steps))
        line.marks.append(Mark(*found.span(steps), "steps"))
    return cover(text, *found.span())


def take_split(text: str, line: Line) -> tuple[str, list[tuple[int, str | None]]]:
    """Read the words that name a split; several of them divide the line: places and splits."""
    low = text.lower()
    if not any(word in low for word in _SPLIT_WORDS):
        return text, []
    if found := _NET.search(text):
        return cover(text, *found.span()), [(found.start(), known_split(found.group(1)))]
    if found := _SUBSET.search(text):
        line.split = known_split(found.group(1)) or line.split
        text = cover(text, *found.span())
    if found := _SAVED.search(text):
        line.split = "val"
        text = cover(text, *found.span())
    if found := _SPLIT_AT.match(text):
        word = "eval" if found.group(1).lower() == "evaluating" else found.group(1)
        line.split = known_split(word)
        line.marks.append(Mark(*found.span(1), "name"))
        text = cover(text, *found.span())
    sections: list[tuple[int, str | None]] = []
    for found in _SPLIT.finditer(text):
        if found.group().endswith(":") and _BARE.match(text, found.end()):
            continue
        sections.append((found.start(), known_split(found.group(1)) or "val"))
        text = cover(text, *found.span())
    if len({split for _, split in sections}) > 1:
        return text, sections
    if sections:
        line.split = line.split or sections[0][1]
    return text, []
