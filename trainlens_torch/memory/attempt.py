"""One attempt of an update: it goes through, or leaves word of why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainlens.errors import UsageError
from trainlens_torch.gradients.accumulation import Accumulation
from trainlens_torch.gradients.ranks import Ranks, wide, world_size
from trainlens_torch.memory.kept import Kept, Marks, moving
from trainlens_torch.memory.ran_out import bare
from trainlens_torch.system.oom import is_out_of_memory

__all__ = ["ELSEWHERE", "Attempt", "Done", "Failure"]

ELSEWHERE = "another rank"

_NEVER = 2**30
"""Micro-batches of an update, so many that none is ever the one at which ranks exchange."""

_KINDS = (MemoryError, RuntimeError)


@dataclass(frozen=True)
class Failure:
    """Memory ran out, here or on another rank.

    Parameters
    ----------
    where : str
        As in `RanOut`.
    error : BaseException
        Without frames.
    """

    where: str
    error: BaseException

    @property
    def said(self) -> str:
        """First line of the error."""
        lines = str(self.error).splitlines()
        return lines[0][:200] if lines else type(self.error).__name__


@dataclass(frozen=True)
class Done:
    """What an attempt that went through has to tell.

    Parameters
    ----------
    loss : Tensor
    told : dict of str to Tensor
    pieces : int
        Of this rank.
    samples : int
        Of all ranks.
    """

    loss: Tensor
    told: dict[str, Tensor]
    pieces: int
    samples: int


class Attempt:
    """Gradients of all pieces, agreement of the ranks, and the optimizer step.

    Parameters
    ----------
    model, loss, optimizer, scaler, step
        As for `SplitOnOOM`.
    always : bool
        Whether every step is protected by copies.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[[Any], Any], optimizer: torch.optim.Optimizer,
        scaler: Any, step: Callable[[], object] | None, always: bool,
    ) -> None:  # fmt: skip
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._scaler, self._always = scaler, always
        self._step = self._plain_step if step is None else step
        _check(model, optimizer)
        self._ranks = Ranks(model)
        self.device = next(iter(model.parameters())).device
        self._stepped: set[Tensor] = set()
        self._where = ""
        if self._ranks.count > 1:
            # The one exchange that a forward pass would make, for which other ranks would wait.
            model.require_forward_param_sync = False  # type: ignore[assignment]

    def __call__(
        self, pieces: Callable[[], list[tuple[Any, Tensor | float]]], samples: int, usual: float
    ) -> Done | Failure:
        """Try the update.

        Parameters
        ----------
        pieces : callable
            Returns a list of (piece, weight).
        samples : int
            Of this rank.
        usual : float
            About the weight of all pieces; the same on all ranks.
        """
        self.clear()
        accumulate = Accumulation(
            self._model, steps=_NEVER, expected=usual / _NEVER, scaler=self._scaler
        )
        told: list[tuple[Mapping[str, Any], Any]] = []
        failure = self._gradients(pieces, accumulate, told)
        failed, everyone = self._ranks.summed(
            self.device, 0.0 if failure is None else 1.0, float(samples)
        )
        if failed:
            return failure or _elsewhere()
        found = self._finished(accumulate, told)
        if isinstance(found, Failure):
            return found
        failure = self._steps()
        return failure or Done(*found, len(told), int(everyone))

    def clear(self) -> None:
        """Drop all gradients, and have the scaler forget that it has seen them."""
        self._model.zero_grad(set_to_none=True)
        self._optimizer.zero_grad(set_to_none=True)

    def _gradients(
        self, pieces: Callable[[], list[tuple[Any, Tensor | float]]], accumulate: Accumulation,
        told: list[Any],
    ) -> Failure | None:  # fmt: skip
        self._where = "forward"
        try:
            for piece, weight in pieces():
                self._where = "forward"
                with accumulate.micro():
                    loss, more = _parts(self._loss(piece))
                    self._where = "backward"
                    accumulate.backward(loss, weight)
                told.append((more, weight))
        except _KINDS as error:
            return self._failed(error)
        return None

    def _finished(
        self, accumulate: Accumulation, told: list[tuple[Mapping[str, Any], Any]]
    ) -> tuple[Tensor, dict[str, Tensor]] | Failure:
        self._where = "exchange"
        try:
            return accumulate.finish(), self._means(told)
        except _KINDS as error:
            if self._ranks.count > 1:
                raise  # the others wait in an exchange that this rank cannot join any more
            return self._failed(error)

    def _means(self, told: list[tuple[Mapping[str, Any], Any]]) -> dict[str, Tensor]:
        names = list(told[0][0])
        if not names:
            return {}
        sums = [sum(wide(torch.as_tensor(more[name])) * w for more, w in told) for name in names]
        total, *summed = self._ranks.summed(self.device, sum(w for _, w in told), *sums)
        whole = torch.as_tensor(total)
        return {name: one / whole for name, one in zip(names, summed, strict=True)}

    def _steps(self) -> Failure | None:
        """The step; where it fails, parameters and state are as before."""
        moved = set(moving(self._optimizer))
        protected = self._always or moved != self._stepped
        kept = Kept(self._optimizer) if protected else None
        scale = self._scaler.state_dict() if protected and self._scaler is not None else None
        failure = self._step_once(None if protected else Marks(self._optimizer))
        if kept is not None:
            (failed,) = self._ranks.summed(self.device, 0.0 if failure is None else 1.0)
            if failed:
                kept.put_back()
                if scale:  # other ranks have gone through their step
                    self._scaler.load_state_dict(scale)
                return failure or _elsewhere("step")
        if failure is None:
            self._stepped = moved
        return failure

    def _step_once(self, marks: Marks | None) -> Failure | None:
        self._where = "step"
        try:
            self._step()
        except _KINDS as error:
            if marks is not None and is_out_of_memory(error):
                self._check_untouched(marks, error)
            return self._failed(error)
        return None

    def _check_untouched(self, marks: Marks, error: BaseException) -> None:
        if self._ranks.count > 1 or marks.moved():
            raise RuntimeError(
                "memory ran out within the optimizer step, and part of the parameters or of the "
                'state may have moved: go on from a checkpoint, with protect="always"'
            ) from error

    def _failed(self, error: BaseException) -> Failure:
        """Let go of all that the failed passes hold."""
        if not is_out_of_memory(error):
            raise error
        failure = Failure(self._where, bare(error))
        self.clear()
        if self._scaler is not None and self._scaler.is_enabled():
            # A scaler refuses to unscale a second time before its next update; this one leaves
            # its scale, and the count of steps until it grows, as they are.
            self._scaler.scale(torch.zeros((), device=self.device))
            self._scaler.update(new_scale=self._scaler.get_scale())
        return failure

    def _plain_step(self) -> None:
        if self._scaler is None:
            self._optimizer.step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()


def _check(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    own = set(model.parameters())
    if not own:
        raise UsageError("the model has no parameters")
    if any(p not in own for group in optimizer.param_groups for p in group["params"]):
        raise UsageError(
            "the optimizer has parameters that are not in the model: put both in one "
            "torch.nn.ModuleDict, so that all gradients are divided"
        )
    if hasattr(model, "set_requires_gradient_sync") or (
        hasattr(model, "no_sync") and not isinstance(model, DistributedDataParallel)
    ):
        raise UsageError(
            f"a sharded {type(model).__name__} exchanges parameters within its passes: a rank that "
            "runs out of memory cannot be waited for; take smaller batches from the start"
        )
    if world_size() > 1 and any(isinstance(one, nn.SyncBatchNorm) for one in model.modules()):
        raise UsageError(
            "SyncBatchNorm exchanges statistics within the forward pass: a rank that runs out of "
            "memory cannot be waited for; use BatchNorm or GroupNorm"
        )


def _parts(returned: Any) -> tuple[Tensor, Mapping[str, Any]]:
    """A loss, and what else the loss function tells, without graphs."""
    if not isinstance(returned, tuple):
        return returned, {}
    loss, more = returned
    return loss, {
        name: value.detach() if isinstance(value, Tensor) else value for name, value in more.items()
    }


def _elsewhere(where: str = ELSEWHERE) -> Failure:
    return Failure(where, torch.OutOfMemoryError("memory ran out on another rank"))
