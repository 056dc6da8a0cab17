"""What differs in the configurations of runs, and whether it is more than a seed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainlens.comparison.model import Arm, Setting
from trainlens.leaves import IDENTITY, leaves
from trainlens.run import Run

_OWN = "run|exp|experiment|job|project|group|wandb|mlflow|aim|logger|logging|trial|version"
_LABELS = re.compile(
    rf"(?:{_OWN})(?:s|_(?:name|id|notes|tags?|desc(?:ription)?|title|group|project|dir))?|"
    r"(?:name|id|notes|tags?|desc(?:ription)?|title|comment|project|entity)|"
    r"(?:log|logging|out|output|save|work|working|checkpoint|ckpt|results?|cache|tmp|temp|root|home|"
    r"artifacts?|snapshot|dump|tensorboard|tb|summary|default_root)"
    r"(?:_?(?:dir|path|folder|root|uri|file|filename|name|prefix|to))?|"
    r"host(?:name)?|user(?:name)?|pid|time(?:stamp)?|date|created(?:_at)?|start_?time|git\w*|"
    r"commit|sha|branch|command|cmd|argv|(?:local_|node_)?rank|master_(?:addr|port)|port|uuid|hash",
    re.IGNORECASE,
)
"""Last parts of settings that say which run it is and where it lies, not how it trains. Where the
data or the first weights lie is none of them: another place may hold others."""
_OWNER = re.compile(_OWN, re.IGNORECASE)
_SEED = re.compile(r"(?:^|[._/-])(?:(?!val|eval|test|split|data)\w+_)?seeds?$", re.IGNORECASE)
_VALIDATION = re.compile(
    r"(?:^|[._/-])(?:val|valid|validation|eval|evaluation|test|dev)(?:[._/-]|$).*"
    r"(?:seed|data|dataset|set|file|files|path|split|shards?|urls?|size|samples|fingerprint|sampler|limit|batches)|"
    r"(?:^|[._/-])(?:validation|val|valid)(?:_data|_set)?$",
    re.IGNORECASE,
)
_ABSENT = object()


def config_diff(arms: Sequence[Arm]) -> tuple[Setting, ...]:
    """The settings that are not the same in all arms, by dotted name, without what a run is called.

    Within an arm of several runs a setting in which these differ has a text that says so.

    Parameters
    ----------
    arms : sequence of Arm

    Returns
    -------
    tuple of Setting, those that matter for the training first, else in the order of the files
    """
    held = [_of_arm(arm.runs) for arm in arms]
    names = [n for n in dict.fromkeys(name for one in held for name in one) if n not in IDENTITY]
    found = [
        Setting(name, {a.name: one.get(name) for a, one in zip(arms, held, strict=True)})
        for name in names
        if _differ([one.get(name, _ABSENT) for one in held])
    ]
    return tuple(sorted(found, key=lambda s: is_label(s.key) or is_seed(s.key)))


def _of_arm(runs: Sequence[Run]) -> dict[str, Any]:
    first, *others = [dict(leaves(run.config)) for run in runs]
    for name, value in first.items():
        values = [value, *(other.get(name) for other in others)]
        if others and _differ(values):
            first[name] = "; ".join(dict.fromkeys(str(v) for v in values))
    return first


def _differ(values: Sequence[object]) -> bool:
    return len({said_value(value) for value in values}) > 1


def said_value(value: object) -> str:
    """A setting as the same text in whatever format it was logged: 1, 1.0 and "1" are one."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def is_label(key: str) -> bool:
    """Whether a setting only names a run or a place; the name of an optimizer is no label."""
    *above, last = re.split(r"[./]", key)
    if not _LABELS.fullmatch(last):
        return False
    named = last.lower() in ("name", "id", "title", "version")
    return not named or not above or bool(_OWNER.fullmatch(above[-1]))


def is_seed(key: str) -> bool:
    """Whether a setting is the seed of the training (not of its validation data)."""
    return bool(_SEED.search(key)) and not is_validation(key)


def is_validation(key: str) -> bool:
    """Whether a setting says on which data is validated."""
    return bool(_VALIDATION.search(key))


def told(config: Mapping[str, Any]) -> bool:
    """Whether a configuration says how is trained, not only what the run is called."""
    return any(not is_label(key) and not is_seed(key) for key, _ in leaves(config))


def substantial(diff: Iterable[Setting], first: str, second: str) -> tuple[Setting, ...]:
    """The settings in which two arms differ and that are more than a name, a place or a seed."""
    return tuple(
        s
        for s in diff
        if _differ([s.values.get(first), s.values.get(second)])
        and not is_label(s.key)
        and not is_seed(s.key)
    )
