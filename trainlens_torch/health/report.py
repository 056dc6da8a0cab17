"""What a check-up says: numbers for the log, and words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["LEVELS", "HealthReport", "Remark"]

LEVELS = ("info", "warning", "critical")


class Remark(NamedTuple):
    """Something that a check-up noticed.

    Parameters
    ----------
    kind : str
        ``nan_loss``, ``gradient_explosion``, ...
    level : str
        One of `LEVELS`.
    message : str
    """

    kind: str
    level: str
    message: str


class HealthReport(dict[str, Any]):
    """A check-up of one step, in plain values.

    Its keys: ``step``; ``overall_status`` (``healthy``, ``warning`` or ``critical``);
    ``all_warnings``, the messages of warnings and graver ones; ``remarks``, all of them as dicts
    of ``type``, ``level`` and ``message``; ``stats``, the numbers under names that trainlens reads.
    """

    def __init__(self, step: int, stats: Mapping[str, float], remarks: Iterable[Remark]) -> None:
        found = sorted(remarks, key=lambda r: -LEVELS.index(r.level))
        grave = [r for r in found if r.level != "info"]
        super().__init__(
            step=step,
            overall_status=grave[0].level if grave else "healthy",
            all_warnings=[r.message for r in grave],
            remarks=[dict(zip(("type", "level", "message"), r, strict=True)) for r in found],
            stats=dict(stats),
        )

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to warn of."""
        return bool(self["overall_status"] == "healthy")

    @property
    def stats(self) -> dict[str, float]:
        """The numbers, to be logged."""
        found: dict[str, float] = self["stats"]
        return found

    def words(self) -> str:
        """The report as text, a remark a line."""
        stats = self.stats
        named = ("loss_variance", "grad_norm", "grad_first_last_ratio", "params_with_grad")
        numbers = ", ".join(f"{name} {stats[name]:.4g}" for name in named if name in stats)
        lines = [
            f"step {self['step']}: {self['overall_status']}{' - ' if numbers else ''}{numbers}"
        ]
        lines += [f"  {r['level']}: {r['message']}" for r in self["remarks"]]
        return "\n".join(lines)

    __str__ = words
