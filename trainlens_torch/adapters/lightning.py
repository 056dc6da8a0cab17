"""Inside the Trainer of PyTorch Lightning."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from trainlens_torch.adapters._framework import framework
from trainlens_torch.adapters._update import numbers
from trainlens_torch.adapters.steps import StepRecorder
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.scheduler import Scheduler

__all__ = ["TrainlensCallback"]

# The package is there under two names, and a program uses one of them.
_pl: Any = framework("TrainlensCallback", "lightning", "lightning.pytorch", "pytorch_lightning")


class TrainlensCallback(_pl.Callback):  # type: ignore[misc]  # its types depend on which of the two
    """Records a training of Lightning, guards it and looks at it.

    A record for each update of the optimizer: ``loss`` and the other numbers that
    ``training_step`` returns, learning rates, ``grad_norm`` before clipping and after unscaling,
    times, epoch and progress. What the module gives to ``self.log`` in training is added every
    ``log_every_n_steps`` updates; that of a validation is a record of split ``"val"``, without
    ``val_`` in front. The sanity check is not recorded, nor is a run with ``fast_dev_run``. An
    exception is the anomaly of a last record.

    ::

        trainer = Trainer(callbacks=[TrainlensCallback("runs/a")])

    A `Scheduler` that ``configure_optimizers`` returns is found: what it applies is recorded, and
    its plan stands at the head of the log.

    Parameters
    ----------
    log : RunLogger or path-like
    **options
        Those of `StepRecorder`: ``parts``, ``guard``, ``health``, ``system``, ``config``,
        ``every_rank``.

    Raises
    ------
    UsageError
        When it is imported without Lightning.
    """

    def __init__(self, log: RunLogger | str | os.PathLike[str], **options: Any) -> None:
        super().__init__()
        self.steps = StepRecorder(log, **options)
        self._before: dict[str, Any] = {}

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the log; the optimizers are there, their states are not loaded yet."""
        configs = [one.scheduler for one in trainer.lr_scheduler_configs]
        self.steps.begin(
            pl_module,
            trainer.optimizers,
            updates=_updates(trainer),
            scheduler=next((one for one in configs if isinstance(one, Scheduler)), None),
            rank=trainer.global_rank,
            record=not trainer.fast_dev_run,
        )

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Wait for the first batch."""
        self.steps.step = trainer.global_step
        self.steps.wait()

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Begin an update with the first of its micro-batches."""
        self.steps.arrived()
        if not self.steps.within:
            self.steps.update_begins(trainer.global_step, _epoch(trainer, batch_idx))

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Show the loss to the guard."""
        self.steps.seen(loss)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Look at the gradients: they are unscaled, and not clipped yet."""
        scaler: Any = getattr(trainer.precision_plugin, "scaler", None)
        late = scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False)
        self.steps.gradients(optimizer, scaler.get_scale() if late else 1.0)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the update that this micro-batch completed, if it did."""
        self.steps.losses(_losses(outputs, trainer))
        if trainer.global_step > self.steps.step:
            if trainer.global_step % max(trainer.log_every_n_steps, 1) == 0:
                self.steps.stats(self._fresh(trainer))
            self.steps.update_ends()
            self.steps.write()
        self.steps.wait()

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Stop the times; know what was there before."""
        self.steps.pause()
        self._fresh(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Record what was measured, but for the sanity check."""
        found = self._fresh(trainer)
        if not trainer.sanity_checking and self.steps.log is not None:
            self.steps.validation(trainer.global_step, found, _epoch(trainer, None))
        self.steps.wait()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Have everything written."""
        self.steps.pause()
        self.steps.write()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Record why the training ends, and close the log."""
        self.steps.failed(exception)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Close the log."""
        if stage == "fit":
            self.steps.end()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoints of Lightning."""
        return self.steps.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint of Lightning."""
        self.steps.load_state_dict(state_dict)

    def _fresh(self, trainer: Any) -> dict[str, Any]:
        """What the module has logged since the last look; the trainer keeps older values."""
        before, self._before = self._before, dict(trainer.callback_metrics)
        new = {k: v for k, v in self._before.items() if v is not before.get(k)}
        # With on_step and on_epoch a value has two names.
        return numbers(
            {k: v for k, v in new.items() if k.removesuffix("_step") not in {*new} - {k}}
        )


def _losses(outputs: Any, trainer: Any) -> dict[str, Any]:
    if isinstance(outputs, Tensor):  # manual optimization
        return numbers({"loss": outputs})
    found = numbers(outputs) if isinstance(outputs, Mapping) else {}
    over = trainer.accumulate_grad_batches
    # Lightning divides the loss, as its gradients are to add up to a mean.
    if over > 1 and "loss" in found and trainer.lightning_module.automatic_optimization:
        found["loss"] = found["loss"] * over
    return found


def _updates(trainer: Any) -> float | None:
    found = trainer.estimated_stepping_batches
    return float(found) if math.isfinite(found) and found > 0 else None


def _epoch(trainer: Any, batch_idx: int | None) -> float:
    """Epochs that are done when a batch begins; `None` stands for the one after the last."""
    length = trainer.num_training_batches
    if not math.isfinite(length) or length < 1:
        return float(trainer.current_epoch)
    done = trainer.fit_loop.batch_idx + 1 if batch_idx is None else batch_idx
    return float(trainer.current_epoch + done / length)
