"""Inside the engines of PyTorch Ignite."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from trainlens_torch.adapters._framework import framework
from trainlens_torch.adapters._update import numbers
from trainlens_torch.adapters.steps import StepRecorder
from trainlens_torch.checks import whole
from trainlens_torch.record import ranks
from trainlens_torch.record.logger import RunLogger

__all__ = ["attach"]

_Events: Any = framework("attach", "pytorch-ignite", "ignite.engine").Events


def attach(
    engine: Any,
    log: RunLogger | str | os.PathLike[str],
    model: nn.Module,
    optimizer: Optimizer,
    *,
    evaluator: Any = None,
    accumulation: int = 1,
    scheduler: Any = None,
    losses: Callable[[Any], Mapping[str, Any]] | None = None,
    **options: Any,
) -> StepRecorder:
    """Record the training that an engine of ignite runs, guard it and look at it.

    A record for each update: losses, learning rates, times, epoch and progress, and ``grad_norm``
    as the optimizer gets the gradients: clipping in the update function comes before. An exception
    is the anomaly of a last record, and goes on.

    ::

        trainer = create_supervised_trainer(model, optimizer, criterion)
        attach(trainer, "runs/a", model, optimizer, evaluator=evaluator)
        trainer.run(loader, max_epochs=10)

    Parameters
    ----------
    engine : ignite.engine.Engine
        The trainer.
    log : RunLogger or path-like
    model : Module
    optimizer : Optimizer
    evaluator : ignite.engine.Engine, optional
        Its metrics are records of split ``"val"`` whenever it has completed.
    accumulation : int
        Iterations of an update, as ``gradient_accumulation_steps`` of the trainer.
    scheduler : Scheduler, optional
        Asked for its plan and for what it has applied; the engine, or you, step it.
    losses : callable, optional
        Makes numbers by name of the output of the engine. By default an output that is a number
        is ``loss``, and of a mapping all that are numbers.
    **options
        Those of `StepRecorder`: ``parts``, ``guard``, ``health``, ``system``, ``config``,
        ``every_rank``.

    Returns
    -------
    StepRecorder
        Its ``state_dict`` goes into a checkpoint, if a guard or parts have learnt something.

    Raises
    ------
    UsageError
        When it is imported without ignite.
    """
    steps = StepRecorder(log, **options)
    _Handlers(steps, whole(accumulation, "accumulation"), losses or _numbers).onto(
        engine, evaluator, lambda: (model, optimizer, scheduler)
    )
    return steps


class _Handlers:
    """What is called at the events of a trainer and of its evaluator."""

    def __init__(
        self, steps: StepRecorder, accumulation: int, losses: Callable[[Any], Mapping[str, Any]]
    ) -> None:
        self._steps, self._accumulation, self._losses = steps, accumulation, losses
        self._ending = False

    def onto(self, engine: Any, evaluator: Any, made: Callable[[], tuple[Any, Any, Any]]) -> None:
        on = engine.add_event_handler
        on(_Events.STARTED, self._begin, made)
        on(_Events.GET_BATCH_STARTED, self._steps.wait)
        on(_Events.ITERATION_STARTED, self._iteration)
        on(_Events.ITERATION_COMPLETED, self._iterated)
        on(_Events.EXCEPTION_RAISED, self._failed)
        if evaluator is not None:
            evaluator.add_event_handler(_Events.STARTED, self._steps.pause)
            evaluator.add_event_handler(_Events.COMPLETED, self._validated, engine)

    def _begin(self, engine: Any, made: Callable[[], tuple[Any, Any, Any]]) -> None:
        model, optimizer, scheduler = made()
        state = engine.state
        updates = None
        if state.epoch_length is not None and state.max_epochs is not None:
            updates = float(state.epoch_length * state.max_epochs // self._accumulation)
        step, rank = self._updates(engine), ranks.of_process()
        self._steps.begin(
            model, [optimizer], step=step, updates=updates, scheduler=scheduler, rank=rank,
            look=True,
        )  # fmt: skip
        if not self._ending:  # behind all that others do when the run is complete
            self._ending = True
            engine.add_event_handler(_Events.COMPLETED, self._steps.end)

    def _iteration(self, engine: Any) -> None:
        self._steps.arrived()
        if not self._steps.within:
            # This iteration is counted already.
            made = (engine.state.iteration - 1) // self._accumulation
            self._steps.update_begins(made, _epoch(engine, engine.state.iteration - 1))

    def _iterated(self, engine: Any) -> None:
        self._steps.losses(numbers(self._losses(engine.state.output)))
        if engine.state.iteration % self._accumulation == 0:
            self._steps.update_ends()
            self._steps.write()

    def _validated(self, evaluator: Any, engine: Any) -> None:
        found = numbers(evaluator.state.metrics)
        self._steps.validation(self._updates(engine), found, _epoch(engine, engine.state.iteration))

    def _failed(self, engine: Any, error: BaseException) -> None:
        self._steps.failed(error)
        raise error  # ignite leaves that to whoever listens

    def _updates(self, engine: Any) -> int:
        return int(engine.state.iteration // self._accumulation)


def _numbers(output: Any) -> Mapping[str, Any]:
    return output if isinstance(output, Mapping) else {"loss": output}


def _epoch(engine: Any, iterations: int) -> float:
    length = engine.state.epoch_length
    return float(max(engine.state.epoch - 1, 0)) if not length else iterations / length
