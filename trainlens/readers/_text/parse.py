"""One line of a text log, understood."""

from __future__ import annotations

import re

from trainlens.readers._text.dialects import dialect
from trainlens.readers._text.line import GAP, LONGEST, Line, Mark, cover
from trainlens.readers._text.pairs import filled, take_pairs
from trainlens.readers._text.where import (
    heading,
    interleaved,
    take_head,
    take_low_place,
    take_place,
    take_split,
)

_WORTH = re.compile(r"\d|\bnan\b", re.IGNORECASE)
_FOREIGN = ":::ML"
"""MLPerf events: a format of its own."""

_BAR = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,9})?%\s?\|[^|\r\n]{0,500}\|\s{0,8}(\d{1,15})/(\d{1,15})(?![\w.])"
)
_RATE = re.compile(
    r"\[[\d:?]{1,12}(?: days?, [\d:]{1,12})?<[^\],]{1,40}"
    r"(?:,\s{0,4}[\d.?]{1,20}\s?\w{1,20}/\w{1,20})?"
)
_KERAS = re.compile(r"^[|\s]{0,300}(\d{1,15})/(\d{1,15}|Unknown) (?:\[[=>.]{3,200}\]|[━╸╺]{3,200})")
_RICH = re.compile(r"(?<=\s)[━╸╺╶─]{3,300}(?=\s)")
_OUTER = re.compile(r"(?:^|[|\s\[(])epochs?\s{0,4}:?[|\s\])]{0,300}$", re.IGNORECASE)
_TRAINING = re.compile(r"epoch|train|iter|step|fit", re.IGNORECASE)
_LABEL = re.compile(r"[|\s]{0,300}(train|valid|eval|test)(?:ing|ation|uating)?\b", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[^A-Za-z]+")
_LETTER = re.compile(r"[^\W\d_]")
_COLON = re.compile(r"\s?:\s{0,4}$")
_OTHER_BAR = re.compile(r"sanity check", re.IGNORECASE)
_REPEATED = re.compile(
    r"[^\w\ufffd]{0,300}(?:resum\w{1,6}\b|load(?:ed|ing)\b|restor\w{1,6}\b|early stop"
    r"|(?:the |overall )?best\b(?=.{0,200}(?:epoch|step|iter)))",
    re.IGNORECASE,
)
"""What is said of a checkpoint or of the best epoch was recorded when it happened."""

_STAR = re.compile(r"(?:[|\s]{0,300}|.{0,120}\bINFO\s{1,4})\*\s")


def parse(text: str, line: Line | None = None) -> Line | None:
    """What a line says; None where it says nothing about training.

    Parameters
    ----------
    text : str
        A line of what `decode` gives; only the first `LONGEST` characters count.
    line : Line, optional
        An empty one that is filled: its `fixed` also counts where None is returned.
    """
    # Most lines of most files end here.
    if not _WORTH.search(text) or _FOREIGN in text:
        split = heading(text)
        return Line(split=split) if split else None
    if "Namespace(" in text:
        return None
    if line := dialect(text):
        return line
    line = Line() if line is None else line
    line.damaged = GAP in text
    text = take_head(text[:LONGEST], line)
    if found := _KERAS.match(text):
        return _keras(text, found, line)
    if "|" in text and (found := _BAR.search(text)):
        return _bar(text, found, line)
    line.clash = interleaved(text, line)
    if not text.isascii():
        text = _RICH.sub(lambda m: "|" * len(m.group()), text)
    return _plain(text, line)


def _plain(text: str, line: Line) -> Line | None:
    if _REPEATED.match(text):
        return None
    text = take_place(text, line)
    text, sections = take_split(text, line)
    covered = take_pairs(text, line, sections)
    if not line.split and not line.placed and _STAR.match(text):
        line.split = "val"
    line.filled = filled(covered, 6 if line.split and line.telling else 2)
    if not line.placed and line.telling:
        _low_place(text, line)
    return line if line.placed or line.pairs else None


def _low_place(text: str, line: Line) -> None:
    """``[10] train-rmse:0.5``, ``100: loss 2.3``, ``batch 10 loss 2.3``."""
    before = text
    for mark in line.marks:
        if mark.role == "pair":
            text = cover(text, mark.start, mark.end)
    other = Line()
    text = take_low_place(text, other)
    if other.step is None or not (line.filled or text[:20] == before[:20]):
        return
    line.step, line.steps = other.step, other.steps
    line.marks += other.marks


def _bar(text: str, found: re.Match[str], line: Line) -> Line | None:
    """A bar of tqdm: its label, its count, and the pairs before and behind it."""
    label, total = text[: found.start()], found.group(2)
    if _OTHER_BAR.search(label):
        return None
    line.clash = bool(_BAR.search(text, found.end())) or interleaved(text, line)
    line.bar = f"{_NO_LETTERS.sub(' ', label).strip()}/{total}"
    line.marks.append(Mark(found.start(), found.start(1), "fill"))
    line.marks.append(Mark(*found.span(2), "name"))
    text = cover(text, *found.span())
    if rate := _RATE.search(text, found.end()):
        text = cover(text, *rate.span())
    if colon := _COLON.search(label):
        text = cover(text, *colon.span())
    return _labelled(text, found, line, label)


def _labelled(text: str, found: re.Match[str], line: Line, label: str) -> Line | None:
    outer = _OUTER.search(label)
    if outer:
        line.marks.append(Mark(*found.span(1), "epoch"))
        line.epoch, line.epochs = float(found.group(1)), int(found.group(2))
    text = take_place(text, line)
    if not outer and line.step is None:
        line.step, line.steps = int(found.group(1)), int(found.group(2))
        line.marks.append(Mark(*found.span(1), "step"))
    text, sections = take_split(text, line)
    covered = take_pairs(text, line, sections)
    line.filled = filled(covered)
    if not line.split:
        word = _LABEL.match(label)
        line.split = (
            {"train": "train", "test": "test"}.get(word[1].lower(), "val") if word else None
        )
    bare = not _LETTER.search(label)
    if bare:
        line.bar = f"/{found.group(2)}"
    if not line.pairs and not bare and not _TRAINING.search(label) and not line.split:
        return None
    return line


def _keras(text: str, found: re.Match[str], line: Line) -> Line | None:
    """A bar of Keras: only the last one of an epoch, those before it show running means."""
    line.fixed = False
    done, total = found.groups()
    if done != total or "ETA:" in text:
        return None
    line.bar = f"keras/{total}"
    line.step, line.steps = int(done), int(total)
    line.marks.append(Mark(*found.span(1), "step"))
    covered = take_pairs(cover(text, *found.span()), line, [])
    line.filled = filled(covered)
    line.clash = bool(_KERAS.search(text[found.end() :]))
    return line
