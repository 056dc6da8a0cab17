"""Text from logs in Markdown: it shows as it stands, formats nothing and calls nobody."""

from __future__ import annotations

import re

from trainlens.render._visible import visible

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
# What would begin a list or a heading rule.
_LIST = re.compile(r"^([-+=]|\d+(?=[.)](?:\s|$)))")
# What GitHub and GitLab make a link, a mention, a reference or a picture of after Markdown has
# been read, so that no backslash keeps them from it: only code is left alone.
_ACTIVE = re.compile(
    r"""(?:[a-z][a-z0-9+.-]{1,19}://|www\.)[^\s|<>`]+     # addresses
    |(?:mailto|xmpp):[^\s|<>`]+
    |[\w.+/-]*@[\w/][\w./@-]*                             # mentions and mail
    |[\w./-]*\#\d+                                        # issues, also of other projects
    |\bGH-\d+|(?<![\w.])[!%&$~]\d+\b                      # merge requests, milestones, ...
    |:(?:[a-z0-9_+-]*[a-z][a-z0-9_+-]*|100|1234|[+-]1):   # emoji
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BREAKS = re.compile(r"\s*[\r\n\t]+\s*")


def escaped(text: str) -> str:
    r"""Text that shows as it stands in a line of Markdown.

    What would become a link or call somebody is shown as code.

    Examples
    --------
    >>> escaped("a|b <i> val_loss, see #12")
    'a\\|b \\<i\\> val\\_loss, see `#12`'
    """
    flat = visible(_BREAKS.sub(" ", text)).strip()
    parts, end = [], 0
    for hit in _ACTIVE.finditer(flat):
        parts += [_SPECIAL.sub(r"\\\1", flat[end : hit.start()]), code(hit[0])]
        end = hit.end()
    told = "".join([*parts, _SPECIAL.sub(r"\\\1", flat[end:])])
    # Digits cannot be escaped, the mark behind them can.
    return _LIST.sub(lambda m: f"{m[1]}\\" if m[1].isdigit() else f"\\{m[1]}", told)


def coded(text: str) -> str:
    r"""Words of ours, in which what stands between backticks is code; else `escaped`.

    Examples
    --------
    >>> coded("use `trainlens ls` <run>")
    'use `trainlens ls` \\<run\\>'
    """
    parts = quoted(text)
    if not parts:
        return escaped(text)
    told = [code(p) if i % 2 else _spaced(p) for i, p in enumerate(parts) if p]
    return "".join(told).strip()


def quoted(text: str) -> list[str]:
    """Words of ours cut at their backticks: every second part is code.

    Empty where the backticks are no pairs: one of them came from a name in a log.
    """
    parts = text.split("`")
    return parts if len(parts) % 2 else []


def _spaced(text: str) -> str:
    # Between pieces of code the spaces at both ends count.
    told = escaped(text)
    return f"{' ' * text[:1].isspace()}{told}{' ' * (told != '' and text[-1:].isspace())}"


def code(text: str) -> str:
    """Text as inline code, with as many backticks around it as it needs."""
    flat = visible(re.sub(r"[\r\n]+", " ", text))
    longest = max((len(m) for m in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or flat != flat.strip() else ""
    return f"{fence}{pad}{flat}{pad}{fence}"
