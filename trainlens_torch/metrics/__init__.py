"""Domain metrics: poses and structures, in batches, with masks, on the device."""

from trainlens_torch.metrics.adapter import as_torchmetrics
from trainlens_torch.metrics.calibration import Calibration, ConfidenceCalibration, calibration
from trainlens_torch.metrics.decomposition import LossDecomposition, decompose_loss
from trainlens_torch.metrics.gdt import (
    GDT,
    GDTFound,
    gdt_ha,
    gdt_ha_bound,
    gdt_search,
    gdt_ts,
    gdt_ts_bound,
)
from trainlens_torch.metrics.gradient_shares import GradientShares, gradient_shares
from trainlens_torch.metrics.lddt import LDDT, lddt, lddt_per_residue
from trainlens_torch.metrics.mpjpe import MPJPE, mpjpe
from trainlens_torch.metrics.n_mpjpe import NMPJPE, n_mpjpe
from trainlens_torch.metrics.pa_mpjpe import PAMPJPE, pa_mpjpe
from trainlens_torch.metrics.rmsd import RMSD, rmsd
from trainlens_torch.metrics.sample_mean import SampleMean
from trainlens_torch.metrics.smooth_lddt import SmoothLDDT, smooth_lddt
from trainlens_torch.metrics.superposition import Superposition, superpose

__all__ = [
    "GDT",
    "LDDT",
    "MPJPE",
    "NMPJPE",
    "PAMPJPE",
    "RMSD",
    "Calibration",
    "ConfidenceCalibration",
    "GDTFound",
    "GradientShares",
    "LossDecomposition",
    "SampleMean",
    "SmoothLDDT",
    "Superposition",
    "as_torchmetrics",
    "calibration",
    "decompose_loss",
    "gdt_ha",
    "gdt_ha_bound",
    "gdt_search",
    "gdt_ts",
    "gdt_ts_bound",
    "gradient_shares",
    "lddt",
    "lddt_per_residue",
    "mpjpe",
    "n_mpjpe",
    "pa_mpjpe",
    "rmsd",
    "smooth_lddt",
    "superpose",
]
