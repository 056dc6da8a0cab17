"""Parts of records that are no metrics: configurations repeated in each, descriptions of media."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainlens.readers._json.rows import Cells, Name, Object, leaves

_SETTINGS = frozenset({"config", "args", "hparams", "hyperparameters", "hyper_parameters"})
_MEDIA = "/_type"


def take_settings(cells: dict[Name, Cells], rows: Sequence[Object]) -> dict[str, Any]:
    """Remove the configuration that the records of Ray, RLlib and others carry along.

    Parameters
    ----------
    cells : dict of Name to Cells
        Changed: what is left are candidates for metrics.
    rows : sequence of dict
        The records that the cells are made of.

    Returns
    -------
    dict
        Each configuration as it first stands.
    """
    nested = (name.name for name in cells if not name.section and "/" in name.name)
    groups = {name.partition("/")[0] for name in nested}
    found: dict[str, Any] = {}
    for group in sorted(groups & _SETTINGS):
        held = (row[group] for row in rows if isinstance(row.get(group), dict))
        first = next(filter(None, held), None)
        if first is None:
            continue  # a name with a slash of its own
        found.update(first)
        for name in [n for n in cells if not n.section and n.name.startswith(f"{group}/")]:
            del cells[name]
    return found


def holds_none(row: Object) -> bool:
    """Whether records of these keys hold neither configurations nor media."""
    if any(isinstance(row.get(group), dict) for group in _SETTINGS):
        return False
    return not any(name.endswith(_MEDIA) for name, _ in leaves(row))


def take_media(cells: dict[Name, Cells]) -> dict[str, str]:
    """Remove images, tables and histograms as Weights & Biases writes them; what they were."""
    found = {}
    for name in [n for n in cells if n.name.endswith(_MEDIA)]:
        if name not in cells:
            continue  # within another one
        above = name.name.removesuffix(_MEDIA)
        kind = cells[name].in_order()[1][0]
        found[above] = kind if isinstance(kind, str) and len(kind) < 40 else "media"
        for part in [n for n in cells if n.name.startswith(f"{above}/")]:
            del cells[part]
    return found
