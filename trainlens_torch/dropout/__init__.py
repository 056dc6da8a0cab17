"""Dropout that changes while a model trains."""

from trainlens_torch.dropout.attention import ScheduledAttention
from trainlens_torch.dropout.prepare import Prepared, prepare_dropout
from trainlens_torch.dropout.progressive import ProgressiveDropout, progressive_dropout
from trainlens_torch.dropout.rates import set_dropout_rate
from trainlens_torch.dropout.scheduled import (
    ScheduledAlphaDropout,
    ScheduledDropout,
    ScheduledDropout1d,
    ScheduledDropout2d,
    ScheduledDropout3d,
    ScheduledFeatureAlphaDropout,
)

__all__ = [
    "Prepared",
    "ProgressiveDropout",
    "ScheduledAlphaDropout",
    "ScheduledAttention",
    "ScheduledDropout",
    "ScheduledDropout1d",
    "ScheduledDropout2d",
    "ScheduledDropout3d",
    "ScheduledFeatureAlphaDropout",
    "prepare_dropout",
    "progressive_dropout",
    "set_dropout_rate",
]
