"""Schedules: pure functions of progress, one a file.

Each gives the factor of a base value at a share of the training; `Scheduler` applies them, `plot`
draws them, `Schedule.spec` writes them to the header of a log and `schedule_from_spec` reads them
there. Adding a schedule = adding one file to this folder: `ALL` finds it by its ``kind``, which
needs a formula of that name in `trainlens.stats.formulas`, so that trainlens can check it.
"""

from __future__ import annotations

from trainlens_torch.schedules._plot import plot
from trainlens_torch.schedules._spec import every_schedule, schedule_from_spec
from trainlens_torch.schedules.base import Schedule
from trainlens_torch.schedules.chain import Chain, Part
from trainlens_torch.schedules.constant import Constant
from trainlens_torch.schedules.cosine import Cosine
from trainlens_torch.schedules.cosine_restarts import CosineRestarts
from trainlens_torch.schedules.custom import Custom
from trainlens_torch.schedules.exponential import Exponential
from trainlens_torch.schedules.inverse_sqrt import InverseSqrt
from trainlens_torch.schedules.linear import Linear
from trainlens_torch.schedules.linear_warmup import LinearWarmup
from trainlens_torch.schedules.one_cycle import OneCycle
from trainlens_torch.schedules.piecewise import Piecewise
from trainlens_torch.schedules.polynomial import Polynomial
from trainlens_torch.schedules.ramp import Ramp
from trainlens_torch.schedules.step import Step
from trainlens_torch.schedules.warmup_stable_decay import WarmupStableDecay

__all__ = [
    "ALL",
    "Chain",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Custom",
    "Exponential",
    "InverseSqrt",
    "Linear",
    "LinearWarmup",
    "OneCycle",
    "Part",
    "Piecewise",
    "Polynomial",
    "Ramp",
    "Schedule",
    "Step",
    "WarmupStableDecay",
    "plot",
    "schedule_from_spec",
]

ALL = every_schedule()
"""Every schedule of this folder by its kind."""
