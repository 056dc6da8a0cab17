"""Names of layers within names of metrics, their order from input to output, and joint norms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats

_SHARE = "fraction|share|ratio|percent|pct|rate"


@lru_cache(maxsize=1)
def _family() -> re.Pattern[str]:
    # Not at import: most logs hold no quantity of a single layer.
    words = "|".join(
        (
            r"(?:l2[_/])?grad(?:ient)?s?_(?:l?\d+(?:\.\d+)?_)?norms?",
            r"(?:l\d_)?norms?/(?:grad(?:ient)?s?|params?|weights?)",
            r"(?:weights?|params?|parameters?)_(?:l?\d+(?:\.\d+)?_)?(?:norms?|std)",
            r"activations?_(?:mean|avg|average|std|stddev)",
            r"zero_fraction|fraction_of_zero_values",
            rf"dead_(?:(?:units?|neurons?|relus?)_)?(?:{_SHARE})|dead_relus?",
            rf"saturat(?:ed|ion)_(?:{_SHARE})|saturat(?:ed|ion)",
            r"update_ratios?|updates?_to_(?:weights?|params?|data)(?:_ratio)?",
            r"unchanged_(?:params?|parameters?|weights|tensors|layers)",
            r"class_(?:shares?|counts?|fractions?|freq(?:uency)?|proportions?)",
            r"(?:samples|counts?)_per_class",
        )
    )
    return re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", re.IGNORECASE)


_AROUND = re.compile(
    r"(?:^|/)(?:grad(?:ient)?s?|params?|weights?|activations?)[/_.](?P<layer>.+)[/_.]"
    r"(?:norms?|mean|std|stddev)$",
    re.IGNORECASE,
)
_SEPARATORS = "/_.:- "


def layer_name(metric: str) -> str:
    """The layer, or the class, that a metric is about; empty where it is about all of them.

    Parameters
    ----------
    metric : str
        Name without its split.

    Examples
    --------
    >>> layer_name("grad_norm/encoder.0"), layer_name("gradients/head.weight/norm")
    ('encoder.0', 'head.weight')
    >>> layer_name("dnn/hidden_0/fraction_of_zero_values"), layer_name("update_ratio")
    ('dnn/hidden_0', '')
    """
    rest, found = _family().subn("", metric, count=1)
    if not found and (around := _AROUND.search(metric)):
        rest = around["layer"]
    return rest.strip(_SEPARATORS).replace("//", "/")


_SMALL_PART = re.compile(
    r"(?:^|[._/])(?:b|bias(?:es)?|beta|gamma|scale)$|norm|(?:^|[._/])(?:bn|ln)_?\w?\d*(?:[._/]|$)",
    re.IGNORECASE,
)


def is_weight(layer: str) -> bool:
    """Whether a layer's name speaks of weights: no bias, no normalisation.

    Biases before a normalisation and those of attention keys have no gradient by construction.
    """
    return not _SMALL_PART.search(layer)


def in_depth(names: Sequence[str]) -> list[int]:
    """Places of layer names, in the order from input to output as far as it can be told.

    Logs list layers as the model does. Where they stand in alphabetical order instead, numbers
    are put in theirs.

    Examples
    --------
    >>> in_depth(["layer.0", "layer.1", "layer.10", "layer.2"])
    [0, 1, 3, 2]
    >>> in_depth(["stem", "body", "head"])
    [0, 1, 2]
    """
    order = list(range(len(names)))
    if list(names) != sorted(names):
        return order
    return sorted(order, key=lambda i: _natural(names[i]))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(p.isdigit(), int(p) if p.isdigit() and len(p) < 19 else 0, p) for p in parts]


def joint_norm(norms: Sequence[Floats]) -> Floats:
    """Norm of all layers together: the root of the sum of squares.

    Parameters
    ----------
    norms : sequence of ndarray, each of shape (n,)
        Finite.

    Returns
    -------
    ndarray of shape (n,); infinite where it fits no float

    Examples
    --------
    >>> joint_norm([np.array([3.0, 1e300]), np.array([4.0, 0.0])])
    array([5.e+000, 1.e+300])
    """
    total = np.zeros(len(norms[0]))
    with np.errstate(over="ignore"):
        for norm in norms:
            np.hypot(total, norm, out=total)
    return total


def rank_correlation(value: Floats) -> float:
    """Spearman's correlation of values with their place, 0 for fewer than 3 values.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 10.0, 100.0])), rank_correlation(np.array([2.0, 1.0]))
    (1.0, 0.0)
    """
    n = len(value)
    if n < 3 or bool((value == value[0]).all()):
        return 0.0
    rank = np.argsort(np.argsort(value, kind="stable"), kind="stable") - (n - 1) / 2
    place = np.arange(n) - (n - 1) / 2
    return float(rank @ place) / float(place @ place)


def resolution(value: Floats) -> float:
    """Step of the decimals that values were rounded to, 0 where they have more than six.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite; of many values some 2,000 are looked at. Zeros tell nothing, nor does a single
        value that comes again and again.

    Examples
    --------
    >>> resolution(np.array([0.02, 0.01, 0.0, 0.05])), resolution(np.array([0.0213, 1 / 3, 2.0]))
    (0.01, 0.0)
    """
    some = np.abs(value[:: max(1, len(value) // 2000)])
    some = some[some > 0]
    if (
        not len(some)
        or float(some.max()) > 1e9
        or (some[0] > 0.5 and bool((some == some[0]).all()))
    ):
        return 0.0
    for digits in range(7):
        scaled = some * 10.0**digits
        whole = np.round(scaled)
        if float(whole.min()) >= 1 and bool((np.abs(scaled - whole) < 1e-6).all()):
            return 10.0**-digits
    return 0.0


def lasting_since(beyond: NDArray[np.bool_]) -> int:
    """Index since which points have lain beyond a limit, one of four aside.

    Parameters
    ----------
    beyond : ndarray of bool, shape (n,)
        At least one point.

    Examples
    --------
    >>> lasting_since(np.array([True, False, False, True, True, True, False, True, True]))
    3
    """
    score = np.where(beyond, 1, -3)[::-1].cumsum()[::-1]
    return int(np.argmax(score))
