"""What the first batches of a sampler say about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Remark", "SamplerReport"]

_MOST = 20


class _Logger(Protocol):
    def log(self, step: int, losses: Any = None, stats: Any = None) -> None:
        """Record one step."""


@dataclass(frozen=True)
class Remark:
    """One thing that was seen.

    Parameters
    ----------
    kind : str
        ``single-class``, ``same-class``, ``imbalance``, ``skewed``, ``missing-class``,
        ``duplicates``, ``sharded-twice``, ``no-batches``, ``cannot-judge``.
    level : str
        ``fault``, ``note`` or ``unknown``.
    message : str
    """

    kind: str
    level: str
    message: str


@dataclass(frozen=True, eq=False)
class SamplerReport:
    """What the first batches of a sampler hold, and what to make of it.

    Parameters
    ----------
    batches : tuple of Counter
        Samples of each class in each batch.
    data : Mapping or None
        Samples of each class in the data set, where the labels are known.
    remarks : tuple of Remark
    duplicates : int or None
        Samples that came again within these batches; None where only their labels were seen.
    """

    batches: tuple[Counter[Hashable], ...]
    data: Mapping[Hashable, int] | None
    remarks: tuple[Remark, ...]
    duplicates: int | None

    @property
    def verdict(self) -> str:
        """``fault``, ``unknown`` where it cannot be judged, or ``good``."""
        levels = {remark.level for remark in self.remarks}
        return "fault" if "fault" in levels else "unknown" if "unknown" in levels else "good"

    def words(self) -> str:
        """All of it in lines."""
        return "\n".join(self._lines())

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain values, classes as texts."""
        return {
            "schema": "trainlens.sampler/1",
            "verdict": self.verdict,
            "batches": [{str(k): n for k, n in batch.items()} for batch in self.batches],
            "data": None if self.data is None else {str(k): n for k, n in self.data.items()},
            "duplicates": self.duplicates,
            "remarks": [vars(remark) for remark in self.remarks],
        }

    def stats(self, batch: int) -> dict[str, float]:
        """Numbers of one batch under the names that the rules of trainlens read.

        Parameters
        ----------
        batch : int

        Returns
        -------
        dict
            ``batch_classes``, ``majority_share`` (of the batch), and where the labels of the data
            set are known ``class_share/NAME``.
        """
        counts = self.batches[batch]
        total = sum(counts.values())
        out = {"batch_classes": float(len(counts)), "majority_share": max(counts.values()) / total}
        if self.data is not None:
            size = sum(self.data.values())
            out |= {f"class_share/{name}": n / size for name, n in self.data.items()}
        return out

    def log_to(self, logger: _Logger, step: int = 0) -> None:
        """Log the numbers of each batch, as steps from `step` on; best into a log of its own.

        Parameters
        ----------
        logger : RunLogger
        step : int
        """
        for number in range(len(self.batches)):
            logger.log(step + number, stats=self.stats(number))

    def _lines(self) -> Iterator[str]:
        for number, counts in enumerate(self.batches):
            classes = "1 class" if len(counts) == 1 else f"{len(counts)} classes"
            yield f"Batch {number}: {sum(counts.values())} samples of {classes} ({_listed(counts)})"
        if self.data is not None:
            size = sum(self.data.values())
            shares = [f"{k}: {n} ({100 * n / size:.0f} %)" for k, n in _by_size(self.data)]
            yield f"Data: {size} samples; {_short(shares)}"
        for remark in self.remarks:
            yield f"{remark.level.upper()}: {remark.message}"
        if self.verdict == "good":
            yield "Good: the batches mix the classes as random ones would, or better"


def _by_size(counts: Mapping[Hashable, int]) -> list[tuple[Hashable, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _listed(counts: Mapping[Hashable, int]) -> str:
    return _short([f"{name}: {n}" for name, n in _by_size(counts)])


def _short(texts: list[str]) -> str:
    more = f", {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return ", ".join(texts[:_MOST]) + more
