"""Samplers and loaders: mixed batches, validation data that stays the same, data ahead of time."""

from trainlens_torch.data.cached import CachedDataset, CacheStats
from trainlens_torch.data.fingerprint import Fingerprint, fingerprint
from trainlens_torch.data.prefetch import Prefetcher
from trainlens_torch.data.sampler_check import check_sampler
from trainlens_torch.data.sampler_report import Remark, SamplerReport
from trainlens_torch.data.seeded import seeded_loader
from trainlens_torch.data.stratified import StratifiedBatchSampler

__all__ = [
    "CacheStats",
    "CachedDataset",
    "Fingerprint",
    "Prefetcher",
    "Remark",
    "SamplerReport",
    "StratifiedBatchSampler",
    "check_sampler",
    "fingerprint",
    "seeded_loader",
]
