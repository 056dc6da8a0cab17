"""Lines in which numbers stand before their names, or without any: each has a shape of its own."""

from __future__ import annotations

import re

from trainlens.readers._text.line import Line, Mark, Pair

_REAL = r"([+-]?\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,3})?|-?nan|-?inf)"
_DARKNET = re.compile(
    rf"\s{{0,8}}(\d{{1,9}}): {_REAL}, {_REAL} avg(?: loss)?, {_REAL} rate, {_REAL} seconds, "
    r"\d{1,15} images.{0,80}"
)
_DARKNET_NAMES = ("loss", "avg loss", "learning rate", "seconds")
_CATBOOST = re.compile(
    rf"\s{{0,8}}(\d{{1,9}}):\s{{1,4}}learn: {_REAL}(?:\s{{1,4}}test: {_REAL})?"
    r"(?:\s{1,4}best: .{1,40})?\s{1,4}total: .{1,40}"
)
_CATBOOST_SPLITS = ("train", "val")


def dialect(text: str) -> Line | None:
    """What a line of Darknet or CatBoost says; None for other lines.

    CatBoost names no metric beside its numbers: by default it shows the loss.
    """
    if " avg" in text and (found := _DARKNET.fullmatch(text)):
        return _line(found, [(name, None) for name in _DARKNET_NAMES])
    if "learn: " in text and (found := _CATBOOST.fullmatch(text)):
        return _line(found, [("loss", split) for split in _CATBOOST_SPLITS])
    return None


def _line(found: re.Match[str], names: list[tuple[str, str | None]]) -> Line:
    line = Line(step=int(found.group(1)), telling=True, filled=True)
    line.marks.append(Mark(*found.span(1), "step"))
    for at, (name, split) in enumerate(names, 2):
        if text := found.group(at):
            line.pairs.append(Pair(name, float(text), text, "", split))
            line.marks.append(Mark(*found.span(at), "pair"))
    # What stands behind them differs in more than its numbers.
    line.fixed = False
    return line
