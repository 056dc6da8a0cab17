"""Messages for chats in Slack's form, which Mattermost and Discord take too."""

from __future__ import annotations

import re
from typing import Any

from trainlens import words
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import (
    Told,
    advice,
    heading,
    held_back,
    line,
    summary,
)

_TEXT = 1900
"""Letters of the whole text: Discord takes 2000."""
_BLOCK = 2900
"""Letters of one block: Slack takes 3000."""

# Text of a log stays text: no mention (Mattermost and Discord read plain ones), no link, no code.
_PLAIN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "\uff20", "`": "'"}
_SPECIAL = re.compile("[&<>@`]")


def body(message: Message) -> dict[str, Any]:
    """A message as Slack's incoming webhooks take it.

    Parameters
    ----------
    message : Message

    Returns
    -------
    dict
        ``text`` tells all, for notifications and for chats that know no blocks; ``blocks`` the
        same with room for the messages of the rules.
    """
    title = f"trainlens: {summary(message.told)}"
    more = held_back(message.held) if message.held else ""
    lines = [f"*{title}*", *(_brief(one) for one in message.told)]
    blocks = [_section(f"*{title}*"), *(_section(_whole(one)) for one in message.told)]
    if more:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": more}]})
    return {"text": _joined(lines, more), "blocks": blocks}


def escaped(text: str, length: int = 300) -> str:
    """Text of a log for a chat: one line that mentions nobody and links nowhere.

    Examples
    --------
    >>> escaped("<!channel> [x](http://y) `z`")
    "&lt;!channel&gt; [x] (http: //y) 'z'"
    """
    shown = line(text, length).replace("](", "] (").replace("://", ": //")
    return _SPECIAL.sub(lambda hit: _PLAIN[hit[0]], shown)


def _brief(one: Told) -> str:
    return f"• {escaped(heading(one.change))} (run {escaped(one.change.run, 60)})"


def _whole(one: Told) -> str:
    parts = [
        f"*{escaped(heading(one.change))}*, run {escaped(one.change.run, 60)}",
        escaped(one.change.finding.message, 800),
    ]
    todo = advice(one.change)
    if todo:
        parts.append(f"_What to do:_ {escaped(todo)}")
    return "\n".join(filter(None, parts))


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_BLOCK], "verbatim": True}}


def _joined(lines: list[str], more: str) -> str:
    """As many of the lines as there is room for, and how many are left out."""
    kept: list[str] = []
    room = _TEXT - len(more) - 60
    for text in lines:
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    left = len(lines) - len(kept)
    rest = [f"and {words.plural(left, 'more finding')}"] if left else []
    return "\n".join([*kept, *rest, *([more] if more else [])])
