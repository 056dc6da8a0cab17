"""Dropout that changes while a model trains."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real

from torch import nn
from torch.nn.modules.dropout import _DropoutNd


def set_dropout_rate(module: nn.Module, rate: float) -> int:
    """Give every dropout inside a module the same rate.

    Reaches the ``Dropout*`` and ``AlphaDropout`` layers, and the rates that
    `torch.nn.MultiheadAttention` and the recurrent layers keep as a plain number; hence also all
    of a `torch.nn.Transformer` and of layers wrapped by `torch.compile` or a parallel wrapper.
    Only rates that differ are written: an unchanged rate makes no compiled graph compile again.

    Parameters
    ----------
    module : torch.nn.Module
    rate : float in [0, 1]
        Probability with which an element is set to zero.

    Returns
    -------
    int
        How many places in the module hold a dropout rate, changed or not. 0 means that the
        module has no dropout that could be set.

    Raises
    ------
    TypeError
        `rate` is not a real number.
    ValueError
        `rate` is NaN or outside [0, 1].

    Examples
    --------
    >>> layer = nn.TransformerEncoderLayer(8, 2)
    >>> set_dropout_rate(layer, 0.0), layer.dropout.p, layer.self_attn.dropout
    (4, 0.0, 0.0)
    """
    checked = _checked(rate)
    count = 0
    for owner, attribute in _places(module):
        count += 1
        if getattr(owner, attribute) != checked:
            setattr(owner, attribute, checked)
    return count


class ProgressiveDropout:
    """No dropout while features form, the full rate afterwards.

    The rate is a pure function of the step: there is no state to save, and a run that resumes at
    any step continues with the rate of the uninterrupted run.

    Parameters
    ----------
    module : torch.nn.Module
        Holds at least one dropout layer.
    target : float in [0, 1]
        Rate from `start_step` on.
    start_step : int
        First step (optimizer updates so far) with dropout; 0 means from the beginning.

    Raises
    ------
    TypeError, ValueError
        A rate or a step outside its range, or a module without dropout.

    Examples
    --------
    >>> schedule = ProgressiveDropout(nn.Dropout(0.5), target=0.1, start_step=10_000)
    >>> schedule.rate(9_999), schedule.apply(10_000), schedule.module.p
    (0.0, 0.1, 0.1)
    """

    def __init__(self, module: nn.Module, target: float = 0.1, start_step: int = 10_000) -> None:
        self.module = module
        self.target = _checked(target)
        if isinstance(start_step, bool) or not isinstance(start_step, int):
            raise TypeError(f"start_step must be an integer, not {start_step!r}")
        if start_step < 0:
            raise ValueError(f"start_step must be 0 or more, not {start_step}")
        if next(_places(module), None) is None:
            raise ValueError(f"{type(module).__name__} holds no dropout layer to schedule")
        self.start_step = start_step

    def rate(self, step: int) -> float:
        """Dropout rate at a step, without touching the module."""
        return self.target if step >= self.start_step else 0.0

    def apply(self, step: int) -> float:
        """Set the module to the rate of a step, and return it. Repeating it changes nothing."""
        rate = self.rate(step)
        set_dropout_rate(self.module, rate)
        return rate


def _places(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Each submodule with a rate, once, and the attribute that holds it."""
    for child in module.modules():
        if isinstance(child, _DropoutNd):
            yield child, "p"
        elif isinstance(child, (nn.MultiheadAttention, nn.RNNBase)):
            yield child, "dropout"


def _checked(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise TypeError(f"a dropout rate must be a number, not {rate!r}")
    if not 0.0 <= rate <= 1.0:  # false for NaN, too
        raise ValueError(f"a dropout rate must lie in [0, 1], not {rate}")
    return float(rate)
