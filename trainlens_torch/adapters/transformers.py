"""Inside the Trainer of Hugging Face transformers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from trainlens_torch.adapters._framework import framework
from trainlens_torch.adapters._update import numbers
from trainlens_torch.adapters.steps import StepRecorder
from trainlens_torch.record.logger import RunLogger

__all__ = ["TrainlensCallback"]

_hf: Any = framework("TrainlensCallback", "transformers", "transformers")

# Of the trainer itself, and told by others: where training stands, what an evaluation cost.
_OWN = re.compile(r"^(epoch|learning_rate|total_flos)$|(runtime|_per_second|_time)$|^num_input_tok")


class TrainlensCallback(_hf.TrainerCallback):  # type: ignore[misc]  # not installed everywhere
    """Records a training of transformers' Trainer, guards it and looks at it.

    A record for each update: learning rates, times, epoch and progress. The Trainer tells its
    callbacks of losses every ``logging_steps`` updates; so with ``logging_steps=1`` every record
    has ``loss`` and ``grad_norm``, else those at which the Trainer logs, where ``loss`` is the mean
    since it did so last. An evaluation is a record of split ``"val"``, without ``eval_`` in front.

    The Trainer has no word for an exception: use the callback in a ``with`` block, which records
    it and closes the log. ::

        with TrainlensCallback("runs/a") as recording:
            Trainer(model, arguments, train_dataset=data, callbacks=[recording]).train()

    Unless ``logging_nan_inf_filter=False`` the Trainer puts other numbers in the place of losses
    that are not finite. With ``max_grad_norm`` above 0 gradients reach a guard clipped.

    Parameters
    ----------
    log : RunLogger or path-like
    **options
        Those of `StepRecorder`: ``parts``, ``guard``, ``health``, ``system``, ``config``,
        ``every_rank``. What a guard has learnt is not in the checkpoints of the Trainer.

    Raises
    ------
    UsageError
        When it is imported without transformers.
    """

    def __init__(self, log: RunLogger | str | os.PathLike[str], **options: Any) -> None:
        self.steps = StepRecorder(log, **options)

    def __enter__(self) -> TrainlensCallback:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.steps.failed(error)
        self.steps.end()

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None,
        lr_scheduler: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        """Open the log."""
        self.steps.begin(
            model,
            [optimizer],
            step=state.global_step,
            updates=float(state.max_steps) if state.max_steps > 0 else None,
            # accelerate wraps it where it steps it itself
            scheduler=getattr(lr_scheduler, "scheduler", lr_scheduler),
            rank=args.process_index,
        )
        self.steps.wait()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin an update; the one before has all that it will get."""
        self.steps.arrived()
        self.steps.write()
        self.steps.update_begins(state.global_step, state.epoch)

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Look at the gradients, if nobody has clipped or scaled them."""
        if not args.max_grad_norm and getattr(optimizer, "scaler", None) is None:
            self.steps.gradients(optimizer)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End an update, before its gradients are cleared."""
        self.steps.update_ends()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait for data."""
        self.steps.wait()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Add losses and what else the Trainer logs to the update that has ended."""
        found = _named(logs or {})
        if "loss" in found:
            of_loss = {name: value for name, value in found.items() if "loss" in name}
            rest = {name: value for name, value in found.items() if name not in of_loss}
            self.steps.add(of_loss, rest)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:  # fmt: skip
        """Record what an evaluation measured."""
        self.steps.pause()
        self.steps.validation(state.global_step, _named(metrics or {}), state.epoch)
        self.steps.wait()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the time of a checkpoint out; have the log on the disk that led to it."""
        self.steps.pause()
        self.steps.write()
        if self.steps.log is not None:
            self.steps.log.flush()
        self.steps.wait()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the log."""
        self.steps.end()


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in numbers(values).items() if not _OWN.search(name)}
