"""How much processor time looks may take: a debt that is paid off by waiting."""

from __future__ import annotations


class Budget:
    """Work is allowed while its debt is paid.

    Parameters
    ----------
    share : float
        Of a core, over time.
    reserve : float
        Seconds of work that may be done before the first wait.
    """

    def __init__(self, share: float, reserve: float = 0.0) -> None:
        self._share = share
        self._reserve = self._credit = reserve
        self._tick: float | None = None

    def allows(self, tick: float) -> bool:
        """Whether work may be done now; `tick` are seconds of a clock that never jumps."""
        if self._tick is not None and tick > self._tick:
            earned = self._share * (tick - self._tick)
            self._credit = min(self._reserve, self._credit + earned)
        self._tick = tick if self._tick is None else max(tick, self._tick)
        return self._credit >= 0

    def spend(self, seconds: float) -> None:
        """Note seconds of processor time that work has taken."""
        self._credit -= seconds
