"""Labels of any kind as numbers of classes."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.errors import UsageError

__all__ = ["Classes", "classes", "plain"]


@dataclass(frozen=True, eq=False)
class Classes:
    """The class of each sample.

    Parameters
    ----------
    codes : ndarray of shape (samples,), int64
        Place of the class of each sample in `names`.
    names : tuple
        The classes, in the order in which they first come.
    """

    codes: NDArray[np.int64]
    names: tuple[Hashable, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Samples of each class, of shape (classes,)."""
        return np.bincount(self.codes, minlength=len(self.names)).astype(np.int64)

    def digest(self) -> str:
        """16 hexadecimal digits that change with any label."""
        held = hashlib.sha256(repr(self.names).encode())
        held.update(self.codes.astype("<i8").tobytes())
        return held.hexdigest()[:16]


def classes(labels: Any) -> Classes:
    """Read labels.

    Parameters
    ----------
    labels : sequence, ndarray or Tensor of shape (samples,)
        Anything that can be a key: integers, texts, tensors of one element, None.

    Raises
    ------
    UsageError
        None at all, several numbers a sample, NaN, or what can be no key.
    """
    found = _listed(labels)
    names: dict[Hashable, int] = {}
    codes = np.empty(len(found), dtype=np.int64)
    for place, given in enumerate(found):
        try:
            codes[place] = names[given]
        except (KeyError, TypeError):  # a class that is new, or a label that is no key
            codes[place] = names.setdefault(_key(given, place), len(names))
    if not len(codes):
        raise UsageError("there are no samples: the labels are empty")
    return Classes(codes, tuple(names))


def plain(label: Any) -> Hashable:
    """A label as a plain value: the number in a tensor or array of one element, else itself."""
    if hasattr(label, "item") and getattr(label, "shape", None) in ((), (1,)):
        given: Hashable = label.item()
        return given
    return label  # type: ignore[no-any-return]  # `_key` refuses what is not hashable


def _listed(labels: Any) -> list[Any]:
    if isinstance(labels, str | bytes):
        raise UsageError("labels must be one for each sample, not a single text")
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    shape = getattr(labels, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        labels, shape = labels.reshape(-1), shape[:1]
    if shape is not None and len(shape) != 1:
        raise UsageError(
            f"labels have the shape {tuple(shape)}; one class for each sample is needed: "
            "labels.argmax(1) for one-hot rows"
        )
    return list(labels.tolist() if hasattr(labels, "tolist") else labels)


def _key(label: Any, place: int) -> Hashable:
    found = plain(label)
    if found != found:
        raise UsageError(f"the label of sample {place} is NaN; leave the sample out, or name it")
    try:
        hash(found)
    except TypeError:
        raise UsageError(
            f"the label of sample {place} is a {type(found).__name__}, which can be no class; one "
            "number or text for each sample is needed"
        ) from None
    return found
