"""From which values on a check-up warns."""

from __future__ import annotations

from dataclasses import dataclass, fields

from trainlens_torch.checks import number

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of a `HealthCheck`. They are of a single look; a log is judged by trainlens.

    Parameters
    ----------
    loss : float
        How many times its recent median a loss may be.
    variance : float
        Variance of the recent losses below which they may stand still.
    gradient : float
        Largest norm of the whole gradient.
    vanishing : float
        Smallest norm of the whole gradient.
    depth : float
        Smallest share of the last layers' gradient that the first ones may get.
    update, update_least : float
        Largest and smallest size of an update relative to the weights.
    dead, saturated : float
        Largest share of dead units, and of saturated activations, of a layer.
    lr, lr_least : float
        Largest and smallest learning rate.

    Raises
    ------
    TypeError, ValueError
        A bound that is not a finite number of 0 or more.
    """

    loss: float = 10.0
    variance: float = 0.001
    gradient: float = 100.0
    vanishing: float = 1e-7
    depth: float = 1e-3
    update: float = 0.1
    update_least: float = 1e-5
    dead: float = 0.5
    saturated: float = 0.5
    lr: float = 1.0
    lr_least: float = 1e-8

    def __post_init__(self) -> None:
        for field in fields(self):
            number(getattr(self, field.name), field.name)
