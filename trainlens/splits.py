"""Which split a logged name belongs to: ``val_loss``, ``eval/loss``, ``train/box_loss``."""

from __future__ import annotations

import re
from functools import lru_cache

SPLITS = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "learn": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "validate": "val",
    "cv": "val",
    "eval": "val",
    "evaluation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Words that name a split, and the split they name."""

_WORDS = "|".join(sorted(SPLITS, key=len, reverse=True))
_BEFORE = "epoch|batch|best|avg|average|mean|min|max|final|reduced|running|ema|total"


# In the order in which they are tried; `left` and `rest` together are the metric.
@lru_cache(maxsize=1)
def _places() -> tuple[re.Pattern[str], ...]:
    # Not at import: most names hold no word that could be a split.
    return tuple(
        re.compile(pattern, flags)
        for flags, pattern in (
            # valid_0_l2, validation_0-logloss, valid_0's auc
            (
                re.I,
                rf"^(?P<split>{_WORDS})_\d+(?:'s\s+|[-/]|(?<=valid_\d)_(?!shot|way|fold|hop))(?P<rest>.+)",
            ),
            # val_loss, training's auc, [val] loss, Train Loss
            (re.I, rf"^[\[(]?(?P<split>{_WORDS})(?:'s\s+|[\])]?[/_.: -]+)(?P<rest>.+)"),
            (0, r"^(?P<split>train|val|valid|eval|test)(?P<rest>[A-Z][a-z0-9].*)"),
            # epoch_val_loss
            (
                re.I,
                rf"^(?P<left>(?:{_BEFORE})_)(?P<split>train|val|valid|validation|eval|test)_(?P<rest>.+)",
            ),
            # loss/train, acc_val, loss (val), lossTrain
            (re.I, rf"^(?P<rest>.*[^/_.: (\[-])[/_.: (\[-]+(?P<split>{_WORDS})[\])]?$"),
            (0, r"^(?P<rest>.*[a-z0-9])(?P<split>Train|Val|Valid|Test)$"),
            # metrics/val/loss, losses/train_ce
            (re.I, rf"^(?P<left>.*?[/.])(?P<split>{_WORDS})[/_.](?P<rest>.+)"),
            # loss_val_epoch
            (
                re.I,
                r"^(?P<left>.+_)(?P<split>train|val|valid|eval|test)_(?P<rest>epoch|step|avg|mean)$",
            ),
        )
    )


@lru_cache(maxsize=1)
def _no_split() -> re.Pattern[str]:
    # Words that look like a split and are none: an adjective, a count, a value, a deviation.
    return re.compile(
        r"^(?:valid_(?:ratio|fraction|count|points|mask|share|rate|pixels|tokens|samples|frames|num)"
        r"|test_time_|learn_?(?:rate|lr)|_*system)"
        rf"|(?:^|[/_. ])(?:n|num|nb|frac|fraction|percent|pct|ratio|is|has|size|min|max|mean|std"
        rf"|abs|standard|init|default|cross|q|v|state|action)[_ -](?:{_WORDS})$",
        re.IGNORECASE,
    )


_STEMS = ("tr", "learn", "val", "cv", "dev", "test")
"""One of these is in every name that the patterns of a split could match."""

_TRAIN_GROUP = re.compile(r"^(?:main|rollout)/(?=.)")
"""Groups of Chainer and of Stable-Baselines3 that hold what happens while training."""


@lru_cache(maxsize=65536)
def parse_name(name: str) -> tuple[str, str]:
    """Split a logged name into metric and split.

    Parameters
    ----------
    name : str

    Returns
    -------
    metric : str
    split : str
        Empty where the name does not tell.

    Examples
    --------
    >>> parse_name("val_loss"), parse_name("train/box_loss"), parse_name("loss/validation")
    (('loss', 'val'), ('box_loss', 'train'), ('loss', 'val'))
    >>> parse_name("validation/main/loss"), parse_name("valid_0's auc"), parse_name("valid_ratio")
    (('loss', 'val'), ('auc', 'val'), ('valid_ratio', ''))
    """
    folded = name.casefold()
    split = any(stem in folded for stem in _STEMS)
    if split and _no_split().search(name):
        return name, ""
    if group := _TRAIN_GROUP.match(name):
        return name[group.end() :], "train"
    for pattern in _places() if split else ():
        if found := pattern.match(name):
            parts = found.groupdict(default="")
            rest = parts["rest"].removeprefix("main/") or parts["rest"]
            return parts.get("left", "") + rest, SPLITS[parts["split"].lower()]
    return name, ""
