"""How good predictions are, and whether the confidence in them is to be trusted."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from examples.diffold_guarded.data import USUAL, Chains
from examples.diffold_guarded.model import losses
from trainlens_torch.metrics import GDT, LDDT, RMSD, ConfidenceCalibration, lddt_per_residue


@torch.no_grad()
def scores(model: nn.Module, batches: Iterable[Chains]) -> tuple[float, dict[str, float]]:
    """Loss and measures of all chains of a loader.

    Returns
    -------
    (float, dict)
        ``rmsd`` in Å; ``gdt_ts_bound`` (the search for GDT-TS itself would take longer than the
        training) and ``lddt``; ``long_lddt``, of the long chains alone; ``mean_confidence``, 0 to
        1; and ``confidence_mae``, by how much confidence and lDDT of a residue differ.
    """
    measures = (RMSD(), GDT(bound=True), LDDT())
    long, calibration = LDDT(), ConfidenceCalibration(scale=1.0)
    told, sure = [], []
    for chains in batches:
        places, confidence = model(chains)
        target, mask = chains["trace"], chains["mask"]
        for measure in measures:
            measure.update(places, target, mask)
        rows = mask.sum(1) > USUAL
        long.update(places[rows], target[rows], mask[rows])
        calibration.update(confidence, lddt_per_residue(places, target, mask), mask)
        told.append(losses(chains, places, confidence)[0].expand(len(mask)))
        sure.append(confidence[mask])
    found = {measure.name: float(measure.compute()) for measure in measures}
    found["long_lddt"] = float(long.compute())
    found["mean_confidence"] = float(torch.cat(sure).mean())
    found["confidence_mae"] = calibration.compute().mae
    return float(torch.cat(told).mean()), found
