"""Tables of the terminal: boxes of names and values, and columns under a heading."""

from __future__ import annotations

import re

from trainlens.readers._text.line import Line, Pair
from trainlens.readers._text.pairs import is_telling
from trainlens.readers._values import number, whole
from trainlens.roles import parse_name

_RULE = re.compile(r"\s{0,40}[|+]?[-=+]{5,500}[|+]?\s*")
_ROW = re.compile(
    r"\s{0,40}\|\s{0,2}(\s{0,60})([^|\s][^|]{0,100}?)\s{0,99}\|\s{0,60}([^|\s]*)\s{0,99}\|\s*"
)
_STEPS = (
    "total timesteps",
    "total_timesteps",
    "timesteps",
    "totalenvinteracts",
    "total_num_steps",
    "steps",
    "step",
    "global_step",
    "num timesteps",
    "serial_timesteps",
    "timesteps_total",
    "nupdates",
    "n_updates",
    "iterations",
    "iteration",
    "itr",
    "episodes",
)
_EPOCHS = ("epoch", "epochs")
_HEADS = frozenset({"epoch", "epochs", "step", "steps", "iter", "iters", "iteration", "round"})
_MAY_HEAD = re.compile(
    r"[\s|]*(?:e|epochs?|steps?|iters?|iteration|round)(?![^\s|])", re.IGNORECASE
)
"""A line that may be a heading, spaCy's ``E    #`` among them: most lines are none."""

_OF = re.compile(r"(\d{1,12})(?:/(\d{1,12}))?")
_CELL = re.compile(
    r"([+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,4})?|[+-]?(?:nan|inf|NaN))"
    r"(%|[GMK]i?B?|ms|s)?"
)
_BAR = re.compile(r":\s{0,4}(\d{1,3})%\s?(?:\||[━╸╺─]{3})")
_COPY = re.compile(r"(?<!\w)copypaste: (.{1,400})")
_MOST = 200


class Tables:
    """Follows tables over their lines."""

    def __init__(self) -> None:
        self._box: list[tuple[str, str]] | None = None
        self._section = ""
        self._head: list[str] = []
        self._bars = False
        self._classes: list[str] = []
        self._copied: list[str] = []
        self._task = ""

    @property
    def open(self) -> bool:
        """Whether a box has begun and not ended."""
        return bool(self._box)

    def feed(self, text: str) -> tuple[bool, Line | None]:
        """Take a line: whether it belongs to a table, and what the table says by now."""
        if "|" in text or (text and text.lstrip()[:1] in ("-", "=", "+")):
            taken, line = self._boxed(text)
            if taken:
                return taken, line
        if "copypaste: " in text and (found := _COPY.search(text)):
            return True, self._copy(found.group(1).strip())
        return self._column(text)

    def rest(self) -> Line | None:
        """What an unfinished box holds, if it says where training stands."""
        line = self._close()
        return line if line and line.placed else None

    def _boxed(self, text: str) -> tuple[bool, Line | None]:
        if _RULE.fullmatch(text):
            line = self._close()
            self._box, self._section = [], ""
            return line is not None, line
        if self._box is None or not (found := _ROW.fullmatch(text)):
            return False, None
        indent, name, value = found.groups()
        if not value and name.endswith("/"):
            self._section = name
        elif indent and self._section:
            self._box.append((self._section + name, value))
        else:
            self._section = ""
            self._box.append((name, value))
        if len(self._box) > _MOST:
            self._box = None
        return True, None

    def _close(self) -> Line | None:
        """The line that a box stands for."""
        rows, self._box = self._box, None
        if not rows:
            return None
        line = Line(fixed=False, filled=True)
        step = _best(rows, _STEPS)
        epoch = _best(rows, _EPOCHS)
        for i, (name, text) in enumerate(rows):
            found = _CELL.fullmatch(text)
            if i == step:
                line.step = whole(text)
            elif i == epoch:
                line.epoch = number(text)
            elif found:
                line.pairs.append(Pair(name, float(found[1]), found[1], found[2] or ""))
        line.telling = any(is_telling(parse_name(pair.name)[0]) for pair in line.pairs)
        # Without a counter it is a box of a training only where a metric is in it.
        return line if line.pairs and (line.placed or line.telling) else None

    def _copy(self, text: str) -> Line | None:
        """Detectron2 prints its results once more in three lines to be copied."""
        if text.startswith("Task: "):
            self._task, self._copied = text[6:].strip(), []
            return None
        cells = text.split(",")
        if not self._copied:
            self._copied = cells
            return None
        names, self._copied = self._copied, []
        values = [number(cell) for cell in cells]
        if len(names) != len(values) or None in values:
            return None
        pairs = [
            Pair(f"{self._task}/{name}", value, cell)
            for name, value, cell in zip(names, values, cells, strict=True)
            if value is not None
        ]
        return Line(split="val", pairs=pairs, telling=True, filled=True, fixed=False)

    def _column(self, text: str) -> tuple[bool, Line | None]:
        if self._classes or "Class " in text:
            taken, line = self._of_classes(text)
            if taken:
                return taken, line
        if not self._head and not _MAY_HEAD.match(text):
            return False, None
        cells = _cells(text, ("|" in text and not self._head) or self._bars)
        if cells[:2] == ["E", "#"]:
            # spaCy's epoch and step.
            cells = ["epoch", "step", *cells[2:]]
        if len(cells) >= 2 and self._is_head(cells, text):
            self._head, self._bars = cells, " | " in text
            return True, None
        if not self._head:
            return False, None
        return self._row(_cells(_before_bar(text), self._bars), text)

    def _of_classes(self, text: str) -> tuple[bool, Line | None]:
        """YOLO's results: ``Class Images Labels P R mAP@.5 ...``, then a row for all of them."""
        words = _before_bar(text).split()
        if words and words[0] == "Class" and "Images" in words and len(words) > 3:
            self._classes = words
            return True, None
        names, found = self._classes, [_CELL.fullmatch(word) for word in words[1:]]
        if not words or words[0] != "all" or len(words) != len(names) or None in found:
            return False, None
        pairs = [
            Pair(name.removeprefix("Box(").rstrip(")"), float(cell[1]), cell[1], cell[2] or "")
            for name, cell in zip(names[1:], found, strict=True)
            if cell and name not in ("Images", "Labels", "Instances")
        ]
        return True, Line(
            split="val", pairs=pairs, telling=True, filled=True, fixed=False, open_end=True
        )

    def _is_head(self, cells: list[str], text: str) -> bool:
        names = [cell for cell in cells if re.fullmatch(r"[A-Za-z][\w .:@/()%-]{0,40}", cell)]
        if len(names) != len(cells) or ": " in text or "=" in text:
            return False
        return cells[0].lower() in _HEADS and any(
            is_telling(parse_name(cell)[0]) for cell in cells[1:]
        )

    def _row(self, cells: list[str], text: str) -> tuple[bool, Line | None]:
        bar = _BAR.search(text)
        place = _OF.fullmatch(cells[0]) if cells else None
        if not place or len(cells) != len(self._head):
            if text.strip() and not _RULE.fullmatch(text) and not bar and ":" in text:
                self._head = []
            return False, None
        if bar and bar.group(1) != "100":
            return True, None
        line = Line(fixed=False, filled=True, telling=True)
        counts_epochs = self._head[0].lower().startswith("epoch")
        if counts_epochs:
            line.epoch, line.epochs = float(place[1]), int(place[2]) if place[2] else None
        else:
            line.step, line.steps = int(place[1]), int(place[2]) if place[2] else None
        for name, cell in zip(self._head[1:], cells[1:], strict=True):
            if name.lower() == "epoch":
                line.epoch = number(cell)
            elif name.lower() == "step" and counts_epochs:
                line.step = whole(cell)
            elif found := _CELL.fullmatch(cell):
                line.pairs.append(Pair(name, float(found[1]), found[1], found[2] or ""))
        line.open_end = True
        line.bar = "table" if bar else ""
        return True, line if line.pairs else None


def _before_bar(text: str) -> str:
    found = _BAR.search(text)
    return text[: found.start()] if found else text


def _cells(text: str, bars: bool) -> list[str]:
    if bars:
        return [cell.strip() for cell in text.strip().strip("|").split("|")]
    return re.split(r"\s{2,}|\t", text.strip()) if len(text) < 2000 else []


def _best(rows: list[tuple[str, str]], names: tuple[str, ...]) -> int | None:
    """Which row counts: the first of `names` that a row has with a whole number."""
    places: dict[str, int] = {}
    for i, (name, text) in enumerate(rows):
        if whole(text) is not None:
            places.setdefault(name.rsplit("/", 1)[-1].lower(), i)
    return next((places[name] for name in names if name in places), None)
