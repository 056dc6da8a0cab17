"""Text from logs as matplotlib can show it: nothing interpreted, nothing invisible, no warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_DEFAULT = "DejaVu Sans"
# Fonts that hold what the default lacks, mostly Chinese, Japanese and Korean; the first that
# this machine has is used.
_FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
_MISSING = "\u25a1"


def clip(text: str, limit: int = 40) -> str:
    """A name on one line and at most `limit` characters long, cut in the middle.

    Beginning and end stay, because names of runs often differ in their last letters. Control
    characters and marks that change the direction of writing become a visible substitute.

    Examples
    --------
    >>> clip("a_rather_long_name_of_a_run_42", 15)
    'a_rathe…_run_42'
    """
    seen = "".join(_visible(c) for c in text)
    if len(seen) <= limit:
        return seen
    tail = (limit - 1) // 2
    return f"{seen[: limit - 1 - tail]}…{seen[len(seen) - tail :]}"


def _visible(character: str) -> str:
    if character.isspace() and character not in "\u202f\u2009\u00a0":
        return " "
    return character if character.isprintable() or character in "\u202f\u2009\u00a0" else "\ufffd"


def put(ax: Axes, x: float, y: float, text: str, *, limit: int = 40, **style: Any) -> Text:
    """Write a clipped text at a place in shares of the axes, or where `transform` says."""
    style.setdefault("transform", ax.transAxes)
    shown = drawable(clip(text, limit))
    return ax.text(x, y, shown, parse_math=False, fontfamily=families(shown), **style)


def beside(ax: Axes, left: Text, text: str, *, limit: int = 20, **style: Any) -> Text:
    """Write a clipped text to the right of another one, on its base line."""
    shown = drawable(clip(text, limit))
    return ax.annotate(
        shown, (1, 0), xycoords=left, xytext=(8, 0), textcoords="offset points",
        va="bottom", parse_math=False, fontfamily=families(shown), annotation_clip=False, **style,
    )  # fmt: skip


def cut_to(text: Text, whole: str, width: float, least: int = 6, middle: bool = True) -> None:
    """Cut a text that was written to so many pixels, but not below `least` letters.

    Parameters
    ----------
    text : Text
    whole : str
        What it says in full.
    width : float
    least : int
    middle : bool
        Whether it is cut in the middle, as names are, or at its end, as sentences are.
    """
    letters = len(text.get_text())
    while letters > least and (own := text.get_window_extent().width) > width:
        # Letters differ in width: a first guess, then one by one.
        letters = max(least, min(letters - 1, int(letters * width / own)))
        cut = clip(whole, letters) if middle else f"{clip(whole[: letters - 1], letters)}…"
        text.set_text(drawable(cut))


def legend(
    ax: Axes, handles: Iterable[Any], names: Iterable[str], limit: int, **style: Any
) -> None:
    """A frameless legend whose names are shown as they are."""
    held, shown = list(handles), [drawable(clip(name, limit)) for name in names]
    # matplotlib leaves out names that begin with an underscore, hence the detour.
    made = ax.legend(held, [f"run {i}" for i in range(len(held))], frameon=False, **style)
    for text, name in zip(made.get_texts(), shown, strict=True):
        text.set_parse_math(False)
        text.set_fontfamily(families(name))
        text.set_text(name)


def families(text: str) -> list[str]:
    """Fonts that together hold a text as far as this machine can."""
    return [_DEFAULT] if all(_held(_DEFAULT, c) for c in text) else [_DEFAULT, *_fallback()]


def drawable(text: str) -> str:
    """The text with a hollow square for what no font of this machine holds."""
    fonts = families(text)
    return "".join(c if any(_held(f, c) for f in fonts) else _MISSING for c in text)


@cache
def _fallback() -> list[str]:
    from matplotlib.font_manager import fontManager

    have = {font.name for font in fontManager.ttflist}
    return [name for name in _FALLBACKS if name in have][:1]


def _held(family: str, character: str) -> bool:
    return ord(character) < 127 or ord(character) in _glyphs(family)


@cache
def _glyphs(family: str) -> Mapping[int, int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    held: Mapping[int, int] = get_font(findfont(FontProperties(family=[family]))).get_charmap()
    return held
