"""Components that are frozen for a part of the training, as a function of progress."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from trainlens_torch.clock import Clock
from trainlens_torch.freeze.component import Component, components_of
from trainlens_torch.freeze.stages import Stage, need_clock, read_stages, shares_of, within
from trainlens_torch.gradients.ranks import world_size
from trainlens_torch.patterns import parameter_names
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["ProgressiveFreezing"]

_VERSION = 1
_MODES = ("hold", "train")


class ProgressiveFreezing:
    """Freezes components of a model for parts of the training.

    What is frozen is a pure function of progress: `apply` with the same progress leaves the same
    state whatever came before, so a run that resumes needs nothing but its progress. Frozen
    parameters get no gradient and have none (``grad`` is None), so that no optimizer moves them,
    decays them or touches their state; normalisation layers keep their running statistics.

    Apply it before the forward pass of each update, as `Scheduler.apply` does::

        freezing = ProgressiveFreezing(model, {"clip_backbone": 0.3}, optimizer=optimizer)
        for batch in loader:
            freezing.apply(clock.progress)
            loss(batch).backward()
            optimizer.step()
            optimizer.zero_grad()
            clock.tick()

    Parameters
    ----------
    model : torch.nn.Module
        In its final form; wrapped or not. Parameters that do not require a gradient now count as
        frozen by hand: they never thaw.
    stages : mapping of str to place, pair of places, or list of pairs
        By pattern (`trainlens_torch.patterns.matches`). A place: frozen until there (0.3, "3ep").
        A pair: frozen from the first until the second. A component is frozen at the start of a
        window and trains from its end on; a window that ends with the training has no end.
    norms : "hold" or "train"
        Whether normalisation layers with running statistics stay in evaluation mode while they are
        frozen, also after ``model.train()``, or go on collecting.
    optimizer : torch.optim.Optimizer, optional
        See `attach`. Needed under data parallelism.

    Raises
    ------
    TypeError, ValueError
        An unknown component, a parameter in two of them, a window that ends before it begins.

    Notes
    -----
    Under `DistributedDataParallel`, and in any process group of more than one rank, parameters
    keep ``requires_grad``: its reducer expects the gradients that it knew when it was built.
    Gradients of frozen parameters are dropped instead, before each step of the optimizer
    (`attach`) and in `apply`. They are computed in vain; what is frozen is the same. Where
    gradients are clipped or unscaled, call `drop_gradients` first, so that they do not count.

    A model can be copied and pickled while a part is frozen. Of a whole model that was pickled so,
    those parameters look frozen by hand: load the state of this object as well. Hooks are not
    pickled with an optimizer; `attach` it again. `torch.compile` compiles once for each frozen set
    that it has not seen; a CUDA graph keeps the set that it was captured with. Sharded models
    (FSDP) are untested.

    Examples
    --------
    >>> model = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    >>> freezing = ProgressiveFreezing(model, {"backbone": 0.3})
    >>> sorted(freezing.frozen(0.1)), sorted(freezing.frozen(0.3))
    (['backbone.bias', 'backbone.weight'], [])
    >>> freezing.apply(0.1)
    >>> model["backbone"].weight.requires_grad, model["head"].weight.requires_grad
    (False, True)
    """

    def __init__(
        self,
        model: nn.Module,
        stages: Mapping[str, Stage],
        *,
        norms: Literal["hold", "train"] = "hold",
        optimizer: Optimizer | None = None,
    ) -> None:
        if norms not in _MODES:
            raise ValueError(f'norms must be "hold" or "train", not {norms!r}')
        self.norms = norms
        self.stages = read_stages(stages)
        self._shares = None if need_clock(self.stages) else shares_of(self.stages)
        names = parameter_names(model)
        self._components = components_of(model, names, list(self.stages))
        self._by_hand = frozenset(
            name for name, p in self._parameters().items() if not p.requires_grad
        )
        self._total = sum(p.numel() for p in names)
        self._fixed = sum(p.numel() for p in names if not p.requires_grad)
        self._parallel = any(isinstance(m, DistributedDataParallel) for m in model.modules())
        self._hooks: dict[Optimizer, RemovableHandle] = {}
        self._frozen: tuple[Component, ...] = ()
        self._progress: float | None = None
        if optimizer is not None:
            self.attach(optimizer)

    def resolve(self, clock: Clock) -> ProgressiveFreezing:
        """Tell places in updates, epochs, samples or tokens by a clock; returns this object.

        Raises
        ------
        ValueError
            A place that the clock cannot tell, or a window that ends before it begins.
        """
        self._shares = shares_of(self.stages, clock.share)
        return self

    def attach(self, optimizer: Optimizer) -> None:
        """Have an optimizer drop the gradients of frozen parameters before each of its steps.

        Whatever left them there: a stale gradient, even of 0, lets AdamW move a weight. A closure
        that the step is given is followed, too. Attaching it again changes nothing.

        Raises
        ------
        TypeError
            Not an optimizer of torch.
        """
        inner = getattr(optimizer, "optimizer", optimizer)  # wrapped by accelerate or Lightning
        if not isinstance(inner, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an optimizer of torch")
        if inner not in self._hooks:
            self._hooks[inner] = inner.register_step_pre_hook(self._before_step)

    def frozen(self, progress: float) -> frozenset[str]:
        """Names of the parameters that are frozen at a share of the training; changes nothing.

        Parameters
        ----------
        progress : float in [0, 1]

        Returns
        -------
        frozenset of str
            Without the components of wrappers. A shared parameter stands under its first name.

        Raises
        ------
        TypeError, ValueError
            `progress` is no number, NaN or outside [0, 1], or `resolve` is needed.
        """
        return frozenset(name for part in self._at(progress) for name in part.parameters)

    def apply(self, progress: float) -> None:
        """Freeze and thaw what belongs to a share of the training. Repeating it changes nothing.

        Parameters
        ----------
        progress : float in [0, 1]

        Raises
        ------
        TypeError, ValueError
            As `frozen`; the model is unchanged then.

        Warns
        -----
        UserWarning
            Under data parallelism without an attached optimizer, once.
        """
        frozen = self._at(progress)
        keep = self._keeps_graph()
        for part in self._components:
            part.be(part in frozen, self._by_hand, keep_graph=keep, hold_norms=self.norms == "hold")
        if keep and not self._hooks and self._progress is None:
            warnings.warn(
                "with several ranks, gradients of frozen parameters have to be dropped before each "
                "step: give ProgressiveFreezing the optimizer, or attach it",
                UserWarning,
                stacklevel=2,
            )
        self._frozen, self._progress = frozen, float(progress)

    def drop_gradients(self) -> None:
        """Set the gradients of all that is frozen now to None."""
        for part in self._frozen:
            part.drop_gradients()

    def close(self) -> None:
        """Leave the model as it was before: nothing frozen but by hand, no hook, nothing held."""
        for handle in self._hooks.values():
            handle.remove()
        self._hooks.clear()
        for part in self._components:
            part.be(False, self._by_hand)
        self._frozen = ()

    def logged(self) -> dict[str, float]:
        """What to log: ``params_with_grad`` and ``params_total``, numbers of scalar parameters."""
        frozen = sum(
            p.numel()
            for part in self._frozen
            for name, p in part.parameters.items()
            if name not in self._by_hand
        )
        return {
            "params_with_grad": float(self._total - self._fixed - frozen),
            "params_total": float(self._total),
        }

    def config(self) -> dict[str, Any]:
        """Stages and handling of normalisation, in plain values: compared when a run resumes."""
        stages = {
            pattern: [[str(start), str(stop)] for start, stop in own]
            for pattern, own in self.stages.items()
        }
        return {"stages": stages, "norms": self.norms}

    def state_dict(self) -> dict[str, Any]:
        """Plain values: the progress applied last, and which parameters were frozen by hand."""
        return packed(
            "ProgressiveFreezing",
            _VERSION,
            self.config(),
            progress=self._progress,
            by_hand=sorted(self._by_hand),
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, and apply it at once.

        Parameters that were frozen by hand in the saved run are so here, others thaw in their time
        even if they came frozen.

        Raises
        ------
        StateMismatch
            Other stages, another version, or parameters that the model does not have. Nothing was
            changed then.
        """
        keys = ("progress", "by_hand")
        progress, by_hand = unpacked(state, "ProgressiveFreezing", _VERSION, self.config(), *keys)
        known = self._parameters()
        missing = [name for name in by_hand if name not in known]
        if missing:
            raise StateMismatch(f"{missing[0]} was frozen by hand; the model has no such parameter")
        if progress is not None:
            self._at(progress)
        self._adopt(frozenset(by_hand), known)
        if progress is not None:
            self.apply(progress)

    def __repr__(self) -> str:
        frozen = ", ".join(repr(part.pattern) for part in self._frozen)
        return f"ProgressiveFreezing({len(self.stages)} stages; frozen: {frozen or 'nothing'})"

    def _at(self, progress: float) -> tuple[Component, ...]:
        """Components that are frozen at a progress."""
        if isinstance(progress, bool) or not isinstance(progress, Real):
            raise TypeError(f"progress must be a number, not {progress!r}")
        if not 0.0 <= progress <= 1.0:  # false for NaN, too
            raise ValueError(f"progress must lie in [0, 1], not {progress!r}")
        shares = self._shares if self._shares is not None else shares_of(self.stages)
        return tuple(part for part in self._components if within(shares[part.pattern], progress))

    def _keeps_graph(self) -> bool:
        """Whether parameters have to require gradients while they are frozen.

        A wrapper that was built around the model later cannot be seen from inside, several ranks
        can.
        """
        return self._parallel or world_size() > 1

    def _before_step(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        self.drop_gradients()
        # The arguments begin with the optimizer itself.
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            return None

        def followed() -> Any:
            loss = closure()
            self.drop_gradients()
            return loss

        if len(args) > 1:
            return (args[0], followed, *args[2:]), kwargs
        return args, {**kwargs, "closure": followed}

    def _adopt(self, by_hand: frozenset[str], known: Mapping[str, nn.Parameter]) -> None:
        """Take over from a saved state which parameters are frozen by hand."""
        for name, parameter in known.items():
            if (name in by_hand) != (name in self._by_hand):
                change = parameter.numel() if name in by_hand else -parameter.numel()
                self._fixed += change
                parameter.requires_grad_(name not in by_hand)
            if name in by_hand:
                parameter.grad = None
        self._by_hand = by_hand

    def _parameters(self) -> dict[str, nn.Parameter]:
        """All parameters that any stage names."""
        return {name: p for part in self._components for name, p in part.parameters.items()}
