"""Writes lddt_answers.json: run with biotite >= 1.2 installed, from the root of the repository.

``python -m tests.torch.metrics.make_lddt_answers``
"""

from __future__ import annotations

import json
from pathlib import Path

import biotite
import numpy as np
from biotite.structure import AtomArray, lddt

from tests.torch.metrics.made import atoms

HERE = Path(__file__).parent


def arrays(seed):
    """Structures as biotite has them."""
    target, pred, residue = atoms(seed)
    out = []
    for points in (target, pred):
        array = AtomArray(len(points))
        array.coord = points.astype(np.float32)
        array.res_id = residue + 1
        array.chain_id[:] = "A"
        array.res_name[:] = "ALA"
        array.atom_name[:] = "C"
        out.append(array)
    return out


def answers(seed):
    """Scores of one pair of structures, as biotite gives them."""
    target, pred = arrays(seed)
    first = np.flatnonzero(np.diff(target.res_id, prepend=0))
    given = {"exclude_same_residue": True, "exclude_same_chain": False}
    return {
        "all": float(lddt(target, pred, **given)),
        "residue": lddt(target, pred, aggregation="residue", **given).tolist(),
        "one_atom": float(lddt(target[first], pred[first], **given)),
        "cutoff_8": float(lddt(target, pred, inclusion_radius=8, **given)),
        "thresholds_3": float(lddt(target, pred, distance_bins=(0.3, 1.5, 3.0), **given)),
    }


if __name__ == "__main__":
    found = {"biotite": biotite.__version__, "seeds": {seed: answers(seed) for seed in range(4)}}
    (HERE / "lddt_answers.json").write_text(json.dumps(found, indent=1) + "\n")
