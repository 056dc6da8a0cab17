"""Updates that are repeated in smaller pieces where memory runs out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.memory import pieces
from trainlens_torch.memory.adaptive import AdaptiveBatch
from trainlens_torch.memory.attempt import ELSEWHERE, Attempt, Done, Failure
from trainlens_torch.memory.before import Attempts, Buffers
from trainlens_torch.memory.free import forget_peak, free_memory, share_in_use
from trainlens_torch.memory.ran_out import RanOut
from trainlens_torch.state import packed, unpacked

__all__ = ["SplitOnOOM", "Updated"]

_VERSION = 1
_log = logging.getLogger("trainlens_torch.memory")


@dataclass(frozen=True)
class Updated:
    """One update that went through.

    Parameters
    ----------
    loss : Tensor of shape ()
        Mean over all samples, of all ranks.
    told : dict of str to Tensor of shape ()
        Means of what else the loss function returned; NaN where all weights are 0.
    pieces : int
        Times that the model ran, in the attempt that counted.
    attempts : int
        1 where memory did not run out.
    """

    loss: Tensor
    told: dict[str, Tensor]
    pieces: int
    attempts: int


class SplitOnOOM:
    """Makes whole updates, and makes them again in smaller pieces where memory runs out.

    A batch goes through the model in pieces of at most `batch.size` samples, whose gradients add
    up to that of the whole batch (`Accumulation`). Where memory runs out, in the forward or
    backward pass of any piece or in the optimizer step, everything that the update has changed is
    put back, memory is freed, the pieces are halved, and the update begins anew::

        split = SplitOnOOM(model, loss_of, optimizer, batch=AdaptiveBatch(64), clock=clock)
        for batch in loader:
            scheduler.apply()
            done = split.update(batch)                    # the optimizer step included
            log.log(clock.updates, {"loss": done.loss}, split.stats())

    where ``loss_of(piece)`` returns the mean loss of the samples of a piece. What holds then:

    - **gradients** equal those of the undivided batch up to rounding, if the loss is a mean over
      samples; no gradient of a failed attempt is left in them;
    - **random numbers**: each update draws one seed, whose stream all its attempts begin, and the
      generators then go on from behind that draw. They are after the update where they would be
      had memory never run out, and so is the order of batches. Dropout masks within an update
      that was cut are others: they depend on the shape of a piece. Generators of your own
      (``torch.Generator``) are not put back;
    - **buffers** (BatchNorm's statistics) are put back before each attempt; a `GradScaler` keeps
      its scale; the clock ticks once an update;
    - the **optimizer step** is taken back exactly where copies were kept, see `protect`.

    Parameters
    ----------
    model : Module
        Gives all parameters of the optimizer. Wrapped in `DistributedDataParallel`, ranks agree
        after the backward passes whether one of them ran out of memory, which waits for the
        device, and exchange gradients then: not during the backward pass, which is slower.
        Its buffers are not broadcast. The rank that ran out goes on with smaller pieces, the
        others repeat theirs. Where one gives up, its error ends the training as any other does.
    loss : callable
        ``loss(piece) -> Tensor`` of shape (), or ``(loss, told)`` with a mapping of further
        means to tell. It may be called several times, so it must not count or log by itself.
    optimizer : Optimizer
    batch : AdaptiveBatch or int
        Samples of a piece.
    clock : Clock, optional
        Ticks at the end of each update, with the samples of all ranks.
    scaler : torch.amp.GradScaler, optional
    step : callable, optional
        What follows when the gradients are there, without arguments: clipping and
        ``optimizer.step()``. By default the latter, or ``scaler.step(optimizer)`` and
        ``scaler.update()``. Called again where memory ran out in it.
    weight : callable, optional
        ``weight(piece)``: how many samples or valid tokens the loss is a mean of, a number or a
        tensor. By default the samples of the piece.
    count, cut : callable, optional
        Samples of a batch, and its pieces: see `trainlens_torch.memory.pieces`.
    separable : bool, optional
        Whether the loss is a mean over samples that do not know of each other. True promises it.
        False (a contrastive loss, say) never cuts a batch: the error goes on, with everything put
        back. By default a model with BatchNorm in training mode, which normalises by the samples
        of a piece, is warned about once, when a batch is cut.
    protect : {"first", "always"}
        When parameters and optimizer state are copied to the memory of the host before a step:
        for the first one, and when other parameters have gradients, as then state is made; or
        always. Without copies a step that failed is repeated if it had not written yet, as far as
        torch can tell (not of fused kernels), and else ends the training.
    callback : callable, optional
        Is given each `RanOut`.

    Attributes
    ----------
    out_of_memory : int
        Times that memory ran out so far, on any rank.

    Raises
    ------
    UsageError
        The optimizer has parameters that the model lacks, or the model cannot be recovered: it is
        sharded over ranks, or has SyncBatchNorm, and so exchanges data within the forward pass.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> split = SplitOnOOM(
    ...     model, lambda rows: model(rows).square().mean(), torch.optim.SGD(model.parameters()),
    ...     batch=2,
    ... )
    >>> split.update(torch.ones(5, 2)).pieces, split.stats()["oom_count"]
    (3, 0.0)
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any], Any],
        optimizer: torch.optim.Optimizer,
        *,
        batch: AdaptiveBatch | int,
        clock: Clock | None = None,
        scaler: Any = None,
        step: Callable[[], object] | None = None,
        weight: Callable[[Any], Tensor | float] | None = None,
        count: Callable[[Any], int] = pieces.count,
        cut: Callable[[Any, Sequence[int]], Sequence[Any]] = pieces.cut,
        separable: bool | None = None,
        protect: Literal["first", "always"] = "first",
        callback: Callable[[RanOut], object] | None = None,
    ) -> None:
        if protect not in ("first", "always"):
            raise UsageError(f'protect is "first" or "always", not {protect!r}')
        self.batch = batch if isinstance(batch, AdaptiveBatch) else AdaptiveBatch(batch)
        self.clock, self.separable, self.callback = clock, separable, callback
        self.out_of_memory = 0
        self._model, self._weight, self._count, self._cut = model, weight, count, cut
        self._attempt = Attempt(model, loss, optimizer, scaler, step, protect == "always")
        self._buffers = Buffers(model)
        self._pieces = 0
        self._looked = False

    def update(self, *batches: Any) -> Updated:
        """Make one update of one batch, or of several that count as one.

        Gradients that are there are cleared first; those of the update stay until the next one.

        Parameters
        ----------
        *batches : Tensor, or nested mapping, list or tuple of them
            Each is cut for itself, so they may differ in their other dimensions.

        Returns
        -------
        Updated

        Raises
        ------
        UsageError
            There is no batch.
        torch.OutOfMemoryError, or what else said that memory ran out
            Pieces of `batch.floor` samples do not fit either, or the step failed twice.
            Gradients are cleared; all else is as it was before.
        RuntimeError
            Memory ran out within a step that had begun to write, without copies: parameters are
            not to be trusted, go on from a checkpoint.
        """
        if not batches:
            raise UsageError("update() needs a batch")
        samples = [self._count(batch) for batch in batches]
        self._buffers.take()
        randomness = Attempts()
        try:
            done, attempts = self._repeated(batches, samples, randomness)
        except BaseException:
            self._undo()
            randomness.undo()
            raise
        randomness.end()
        self._pieces = done.pieces
        self.batch.worked(share_in_use(self._attempt.device) if self.batch.due else None)
        if self.clock is not None:
            self.clock.tick(samples=done.samples, update=True)
        return Updated(done.loss, done.told, done.pieces, attempts)

    def stats(self) -> dict[str, float]:
        """Numbers for the log; trainlens reads ``oom_count`` (rule out-of-memory)."""
        return {
            "oom_count": float(self.out_of_memory),
            "micro_batch_size": float(self.batch.size),
            "micro_batches": float(self._pieces),
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes, between two updates."""
        return packed(
            "SplitOnOOM", _VERSION, {}, out_of_memory=self.out_of_memory,
            batch=self.batch.state_dict(),
        )  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Another version, or an `AdaptiveBatch` made with other bounds; nothing was changed.
        """
        count, batch = unpacked(state, "SplitOnOOM", _VERSION, {}, "out_of_memory", "batch")
        self.batch.load_state_dict(batch)
        self.out_of_memory = count

    def __repr__(self) -> str:
        return f"SplitOnOOM({self.batch!r}, ran out {self.out_of_memory} times)"

    def _repeated(self, batches: Any, samples: list[int], randomness: Attempts) -> tuple[Done, int]:
        """Attempts until one goes through."""
        attempt, steps = 0, 0
        while True:
            attempt += 1
            sizes = [self._sizes(n) for n in samples]
            randomness.begin()
            given = partial(self._cut_all, batches, sizes)
            found = self._attempt(given, sum(samples), float(self.batch.ceiling * len(batches)))
            if not isinstance(found, Failure):
                return found, attempt
            self.out_of_memory += 1
            steps += found.where == "step"
            self._undo()
            largest = max(max(some) for some in sizes)
            if not self._another(found, largest, steps):
                raise found.error
            free_memory()
            forget_peak(self._attempt.device)
            self._tell(RanOut(found.where, largest, self.batch.size, attempt, found.said))

    def _another(self, found: Failure, largest: int, steps: int) -> bool:
        """Whether there is another attempt to make, at a size that is then set."""
        if found.where == "step":  # which does not depend on the size of pieces
            return steps < 2
        if found.where == ELSEWHERE:
            return True
        return self.separable is not False and self.batch.failed(largest)

    def _undo(self) -> None:
        """What an attempt has changed before its step is put back, and its gradients are gone."""
        self._attempt.clear()
        self._buffers.put_back()

    def _sizes(self, samples: int) -> list[int]:
        sizes = [samples] if self.separable is False else self.batch.pieces(samples)
        if len(sizes) > 1 and self.separable is None and not self._looked:
            self._look()
        return sizes

    def _look(self) -> None:
        self._looked = True
        for name, module in self._model.named_modules():
            if isinstance(module, _BatchNorm) and module.training:
                warnings.warn(
                    f"{name} normalises by the samples of a piece, not of the batch: a batch that "
                    "is cut trains another function; use GroupNorm, or pieces that are not smaller "
                    "than the batch (separable=False), or say that it is wanted (separable=True)",
                    UserWarning,
                    stacklevel=5,
                )
                return

    def _cut_all(self, batches: Any, sizes: list[list[int]]) -> list[tuple[Any, Tensor | float]]:
        """Pieces, with the weight of each."""
        found: list[tuple[Any, Tensor | float]] = []
        for batch, some in zip(batches, sizes, strict=True):
            for piece, size in zip(self._cut(batch, some), some, strict=True):
                found.append((piece, float(size) if self._weight is None else self._weight(piece)))
        return found

    def _tell(self, event: RanOut) -> None:
        _log.warning("%s", event)
        if self.callback is not None:
            self.callback(event)
