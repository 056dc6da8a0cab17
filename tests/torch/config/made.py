"""A small model and a configuration for the tests of what is made."""

import torch
from torch import nn

from trainlens_torch.config import TrainingConfig


def a_model():
    return nn.ModuleDict(
        {
            "encoder": nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.3), nn.Linear(4, 4)),
            "head": nn.Linear(4, 2),
        }
    )


def config_of(**values):
    """``optimizer__lr=0.1``: the defaults with other settings."""
    return TrainingConfig().changed({k.replace("__", "."): v for k, v in values.items()})


def with_gradients(model):
    model["head"](model["encoder"](torch.ones(3, 4))).square().mean().backward()
