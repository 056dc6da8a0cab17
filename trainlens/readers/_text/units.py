"""Units behind numbers: one unit for one metric, whatever the lines choose."""

from __future__ import annotations

UNIT = (
    r"\s?%|\s?(?:GiB|MiB|KiB|TiB|GB|MB|KB|TB|[GMK]|ms|us|µs|ns|min|mm|cm|sec|s|"
    r"(?!(?:train|val|valid|eval|test|dev)/)[A-Za-z]{1,8}/[A-Za-z]{1,8})(?!\s{0,3}=)"
)
"""Pattern of a unit; a blank may stand before it. ``val/acc``, and what has a value, is a name."""

_SCALES: tuple[dict[str, float], ...] = (
    {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0},
    {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40},
    {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
    {"k": 1e3, "m": 1e6, "g": 1e9},
    {"mm": 1e-3, "cm": 1e-2},
)


class Units:
    """Holds the first unit of every metric and converts the others into it."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str | None], str] = {}

    def of(self, name: str, split: str | None, unit: str) -> tuple[str, float]:
        """Unit of a metric and the factor that brings a value with `unit` to it.

        A number without a unit is taken to be in the metric's; a unit that cannot be converted
        stays as it is.
        """
        known = self._first.setdefault((name, split), unit)
        if known == unit or not unit:
            return known, 1.0
        if not known:
            return unit, 1.0
        for scale in _SCALES:
            if known.lower() in scale and unit.lower() in scale:
                return known, scale[unit.lower()] / scale[known.lower()]
        return unit, 1.0
