"""From blocks of lines to points: tables, bars, ranks, layouts and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.chunk import Floats
from trainlens.readers._damage import Damage
from trainlens.readers._events import Events
from trainlens.readers._json.axes import StepCounter
from trainlens.readers._text.block import Block
from trainlens.readers._text.faults import OVERFLOW, Faults, LineNumbers
from trainlens.readers._text.known import Silent
from trainlens.readers._text.layout import Layout, Layouts
from trainlens.readers._text.line import GAP, LONGEST, Line, Pair
from trainlens.readers._text.many import (
    Groups,
    Many,
    agree,
    of_found,
    of_texts,
    rising,
    tells_training,
)
from trainlens.readers._text.place import Place
from trainlens.readers._text.points import Points
from trainlens.readers._text.program import COMPILED, Found, find_lines
from trainlens.readers._text.ranks import Ranks
from trainlens.readers._text.settings import Settings
from trainlens.readers._text.sniff import column_name, two_columns
from trainlens.readers._text.tables import Tables
from trainlens.roles import parse_name

_OPEN = re.compile(r"[\w.,%µ+-]\s*$")
_CONFLICT = re.compile(r"(?:<{7} |>{7} |\|{7} )\S|={7}$")
_BLANK = re.compile(rb"(?:[ \t]{0,4000}[\r\n]){1,100000}")
_QUOTE = re.compile(
    r".{0,80}\bbest (?:iteration|epoch|step|score)(?: is)?\s?:\s{0,9}", re.IGNORECASE
)
_SOME = 64
"""Lines that are matched one by one before the compiled matcher is asked again."""

_FEW = 4
"""Lines of one layout that are not worth a batch."""


class Follower:
    """The state of a text log between two polls.

    Parameters
    ----------
    path : Path
    damage : Damage
    events : Events
    """

    def __init__(self, path: Path, damage: Damage, events: Events) -> None:
        self.counter = StepCounter()
        self.points = Points(self.counter)
        self.ranks = Ranks()
        self.settings = Settings()
        self.planned: dict[str, Any] = {}
        self.conflicts = 0
        self._quotes = False
        self._seen_beside: dict[str, str] = {}
        self._damage = damage
        self._events = events
        self._faults = Faults()
        self._numbers = LineNumbers(path)
        self._trace = (0, 0)
        self._last: tuple[int | None, float | None] = (None, None)
        self._name, self._split = column_name(path)
        self._columns: bool | None = None
        self._tables = Tables()
        self._layouts = Layouts()
        self._silent = Silent()
        self._bar: Line | None = None
        self._shown: dict[str, tuple[Any, ...]] = {}

    @property
    def nameless(self) -> str:
        """The name given to the numbers of a log without names; empty for other logs."""
        return self._name if self._columns else ""

    def read(self, block: Block) -> None:
        """Take complete lines."""
        data, at = block.data, 0
        while at < len(data):
            if data[at] not in b"\r\n" and self._quotes:
                # The line below "Best iteration:" repeats a record.
                self._quotes = False
                at = block.stop(at) + 1
                continue
            if data[at] in b"\r\n \t" and (blank := _BLANK.match(data, at)):
                at = blank.end()
                continue
            after = self._fast(block, at)
            if after > at:
                at = after
                continue
            stop = block.stop(at)
            if stop > at and not (line := block.text(at, stop)).isspace():
                self._slow(line, block, at)
            at = stop + 1

    def read_torn(self, block: Block) -> None:
        """Take a last line that has no end and will get none."""
        begin, end = block.where(0)
        text = block.data.decode().rstrip("\r\n")
        # Backspaces divide states of a bar within a line.
        *states, last = text.split("\r")
        if fault := self._faults.read(last[:LONGEST]):
            self._fault(fault, begin, end)
        for state in states:
            if state.strip() and (line := self._understand(state)) and not line.clash:
                self._take(line, state)
        line = self._understand(last)
        if line is None or line.clash:
            return
        if _OPEN.search(last) and not self._trust(line, last.rstrip().endswith(",")):
            what = "the last line has no end; its last number was left out"
            self._damage.add("torn-tail", what, begin, end, 1)
            if not line.pairs:
                return
        line.fixed = False
        self._take(line, last)

    def finish(self) -> None:
        """Give what waits for more: the last state of a bar, a table without its end."""
        self._flush_bar()
        if fault := self._faults.finish():
            self._fault(fault, *self._trace)
        if self._tables.open and (line := self._tables.rest()):
            self._place_line(line)

    def _trust(self, line: Line, comma: bool) -> bool:
        """Whether a torn line needs no cut: its last number is taken away where it is not whole.

        A comma at the end may divide thousands.
        """
        if not line.pairs or not (line.open_end or comma):
            line.pairs = []
            return False
        if not comma and self.points.certain(line.pairs[-1]):
            return True
        line.pairs.pop()
        return False

    def _fast(self, block: Block, at: int) -> int:
        """Read lines of known layouts from `at` on; where they end."""
        first = ""
        for i, layout in enumerate(self._layouts.known):
            if layout.program and COMPILED:
                lines = find_lines(block.data, layout.program, at, len(layout.roles))
                if n := len(lines.start):
                    self._layouts.prefer(i)
                    if n > _FEW:
                        self._found(layout, lines)
                    else:
                        self._each(layout, [layout.of_text(lines.line(k)) for k in range(n)])
                    return lines.end
            first = first or block.text(at, block.stop(at) + 1)
            found = layout.match(first, 0)
            if found is None:
                continue
            if i:
                self._layouts.prefer(i)
            rows, begin = [], at
            while found is not None:
                rows.append(found.groups())
                at = block.stop(at) + 1
                done = at >= len(block.data) or (COMPILED and len(rows) >= _SOME)
                found = None if done else layout.match(block.text(at, block.stop(at) + 1), 0)
            texts = list(zip(*rows, strict=True))
            try:
                values = layout.values(texts)
            except ValueError:
                layout.harden()
                return begin
            self._matched(layout, rows, texts, values)
            return at
        return at

    def _matched(
        self,
        layout: Layout,
        rows: list[Groups],
        texts: list[Groups],
        values: list[Floats],
    ) -> None:
        """Take lines by the groups of each."""
        if (
            not layout.bar
            and len(rows) > _FEW
            and self._batches(layout)
            and self._agree(layout, texts)
        ):
            self._flush_bar()
            # The first line may end the settings, the last one tells the plan as it is by now.
            self._place_line(layout.line(rows[0]))
            if self._batches(layout):
                self._batch(layout, of_texts(layout, texts, values))
                rows = rows[-1:]
            else:
                rows = rows[1:]
        self._each(layout, map(layout.line, rows))

    def _each(self, layout: Layout, lines: Iterable[Line]) -> None:
        """Take lines of a layout one by one."""
        if layout.bar:
            for line in lines:
                self._take_bar(line)
            return
        self._flush_bar()
        for line in lines:
            self._place_line(line)

    def _found(self, layout: Layout, lines: Found) -> None:
        """Take lines that the compiled matcher found."""
        n = len(lines.start)
        if layout.bar:
            self._bars(layout, lines)
            return
        self._flush_bar()
        rest = range(n)
        if self._batches(layout) and agree(layout, lines):
            self._place_line(layout.of_text(lines.line(0)))
            rest = range(1, n)
            if self._batches(layout):
                self._batch(layout, of_found(layout, lines, np.arange(1, n - 1)))
                rest = range(n - 1, n)
        for i in rest:
            self._place_line(layout.of_text(lines.line(i)))

    def _bars(self, layout: Layout, lines: Found) -> None:
        """Take states of one bar."""
        place = self.ranks.place("")
        plain = not layout.rank and tells_training(layout) and agree(layout, lines)
        for states in rising(layout, lines):
            if not plain or len(states) <= _FEW:
                for i in states.tolist():
                    self._take_bar(layout.of_text(lines.line(i)))
                continue
            self._take_bar(layout.of_text(lines.line(int(states[0]))))
            self._flush_bar()
            if place.counts(layout.bar):
                self._batch(layout, of_found(layout, lines, states[1:-1]))
            self._take_bar(layout.of_text(lines.line(int(states[-1]))))

    def _batches(self, layout: Layout) -> bool:
        """Whether many lines of a layout can be placed at once, as things are."""
        return layout.batches and ("step" in layout.roles or self.ranks.place("").stepless)

    @staticmethod
    def _agree(layout: Layout, texts: list[Groups]) -> bool:
        """Whether all lines count to the same totals."""
        totals = (layout.at("steps"), layout.at("epochs"))
        return all(at is None or texts[at].count(texts[at][0]) == len(texts[at]) for at in totals)

    def _batch(self, layout: Layout, many: Many) -> None:
        """Place many lines at once."""
        place = self.ranks.place("")
        if many.step is None:
            assert many.epoch is not None
            place.many_epochs(many.epoch, layout.split)
            self.points.add_many(layout, many, None, many.epoch)
            return
        bar = bool(layout.bar)
        step, epoch = place.many(many.step, many.epoch, many.steps, layout.split, bar)
        self._last = (int(step[-1]), None if np.isnan(epoch[-1]) else float(epoch[-1]))
        self.points.add_many(layout, many, step, epoch)

    def _fault(self, fault: str, begin: int, end: int) -> None:
        """Note a fault that the line of some bytes of the file tells."""
        step, epoch = self._standing()
        self._events.add(fault, lambda: self._numbers.place(begin, end), step)
        if self._faults.overflow and step is not None:
            pair = Pair(OVERFLOW, 1.0)
            self.points.add(Line(step=step, epoch=epoch, pairs=[pair]))

    def _standing(self) -> tuple[int | None, float | None]:
        """Step and epoch of what was read last, a bar that waits for its next state included."""
        if self._bar is None:
            return self._last
        line = replace(self._bar, pairs=list(self._bar.pairs))
        deepcopy(self.ranks.place(line.rank)).complete(line)
        return self._last if line.step is None else (line.step, line.epoch)

    def _slow(self, text: str, block: Block, at: int) -> None:
        if fault := self._faults.read(text[:LONGEST]):
            self._fault(fault, *block.where(at))
        elif self._faults.open:
            self._trace = block.where(at)
        if self._faults.used:
            return
        if _CONFLICT.match(text) and (text[0] != "=" or self.conflicts):
            self.conflicts += 1
            return
        if _QUOTE.fullmatch(text):
            self._quotes = True
            return
        line = self._understand(text)
        if GAP in text and (line is not None or "\0" in text):
            what = "a line with bytes that are no text; what they touch was left out"
            self._damage.add("corrupt", what, *block.where(at), None)
        if line is None:
            return
        if (line.clash and line.telling) or line.doubtful:
            what = "lines written into each other; what is not certain was left out"
            self._damage.add("corrupt", what, *block.where(at), 1)
        if not line.clash:
            self._take(line, text)

    def _understand(self, text: str) -> Line | None:
        if self._columns is None:
            self._columns = two_columns(text) is not None
        if self._columns:
            return two_columns(text, self._name, self._split)
        taken, line = self._tables.feed(text)
        if line is None and not taken:
            line = self._silent.parse(text)
        if line is None and not taken and not self.settings.closed:
            self.settings.feed(text[:LONGEST])
        return line

    def _take(self, line: Line, text: str) -> None:
        self._layouts.learn(line, text)
        if line.bar:
            self._take_bar(line)
            return
        self._flush_bar()
        if not self._place_line(line) and not self.settings.closed:
            self.settings.feed(text)

    def _take_bar(self, line: Line) -> None:
        """A bar shows each count several times: the last time counts."""
        last = self._bar
        if last and (last.bar, last.step, last.epoch) != (line.bar, line.step, line.epoch):
            self._flush_bar()
        self._bar = line

    def _flush_bar(self) -> None:
        line, self._bar = self._bar, None
        if line is None:
            return
        shown = (line.step, line.epoch, tuple(line.pairs))
        if self._shown.get(line.bar) == shown:
            line.pairs = []
        if len(self._shown) < 256:
            self._shown[line.bar] = shown
        line.pairs = [pair for pair in line.pairs if self._is_new(line, pair)]
        self._place_line(line)

    def _is_new(self, line: Line, pair: Pair) -> bool:
        """Whether a bar of training tells something: it shows the last validation all along."""
        if parse_name(pair.name)[1] not in ("val", "test") or len(self._seen_beside) > 256:
            return True
        old = self._seen_beside.get(pair.name)
        self._seen_beside[pair.name] = pair.text
        return old != pair.text or line.step == line.steps

    def _place_line(self, line: Line) -> bool:
        """Give a line its place; whether it holds points."""
        place = self.ranks.place(line.rank)
        self._plan(place, line)
        if not place.complete(line):
            return False
        self.settings.closed = True
        self.ranks.keep(line)
        if line.pairs:
            self.points.add(line)
        if line.step is not None:
            self._last = (line.step, line.epoch)
        return True

    def _plan(self, place: Place, line: Line) -> None:
        if not self._columns and (steps := place.planned(line)):
            self.planned["planned_steps"] = steps
        if line.epochs:
            self.planned["planned_epochs"] = line.epochs
