"""The methods of `TrainingConfig` that surround updates: data, evaluations, logs, checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trainlens_torch.config.making import Making

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.utils.data import DataLoader

    from trainlens_torch.clock import Clock
    from trainlens_torch.config.build.evaluating import EvaluationPlan
    from trainlens_torch.loop import Checkpointer, EarlyStopping, Resumed
    from trainlens_torch.memory import AdaptiveBatch, Freed, SplitOnOOM
    from trainlens_torch.record.logger import RunLogger
    from trainlens_torch.system import SystemMonitor

__all__ = ["MakingRuns"]


class MakingRuns(Making):
    """Makes what surrounds the updates of a training.

    Each method raises `UsageError` where a setting does not fit what it is given.
    """

    def evaluation(self) -> EvaluationPlan:
        """When and on what is evaluated. Reads `validation`, `batch.size`."""
        from trainlens_torch.config.build import evaluating

        return evaluating.evaluation(self._own)

    def logger(self, path: str | os.PathLike[str], schedules: Any = None, **more: Any) -> RunLogger:
        """The recorder, with these settings at the head of its log. Reads `logging`.

        Parameters
        ----------
        path : path-like
        schedules : Scheduler or mapping, optional
            The plan for the head of the log.
        **more
            For `RunLogger`, in place of the settings; ``config`` is added to them.
        """
        from trainlens_torch.config.build import recording

        return recording.logger(self._own, path, schedules, **more)

    def log_due(self, step: int) -> bool:
        """Whether a step is recorded. Reads `logging.every`."""
        from trainlens_torch.config.build import recording

        return recording.log_due(self._own, step)

    def system_monitor(
        self, folder: str | os.PathLike[str] = ".", **more: Any
    ) -> SystemMonitor | None:
        """What reads the machine; None where `logging.system_every` is 0."""
        from trainlens_torch.config.build import recording

        return recording.system_monitor(self._own, folder, **more)

    def timed(self, loader: Iterable[Any], monitor: SystemMonitor | None = None) -> Iterator[Any]:
        """The batches of a loader, the waiting for them timed. Reads `logging.data_time`."""
        from trainlens_torch.config.build import recording

        return recording.timed(self._own, loader, monitor)

    def gradient_stats(self, model: nn.Module) -> dict[str, Tensor]:
        """Norms of gradients for the log. Reads `logging.gradient_norm`, `gradients`."""
        from trainlens_torch.config.build import recording

        return recording.gradient_stats(self._own, model)

    def train_loader(
        self,
        dataset: Any,
        labels: Any = None,
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> Any:
        """Batches for training, brought to the device ahead of the loop. Reads `data`, `batch`.

        Batches of `batch.size`; with `memory.on_oom=split` those of whole updates, which
        `recovery` cuts up.

        Parameters
        ----------
        dataset : Dataset
        labels : sequence, optional
            Class of each sample, for the stratified sampler.
        device : device or str
        **options
            Of `torch.utils.data.DataLoader`, such as `collate_fn`. Its `batch_sampler` is taken
            where `data.sampler` is ``own``; any other setting takes its place.

        Returns
        -------
        Prefetcher, or a loader where `data.prefetch` is 0
        """
        from trainlens_torch.config.build import loading

        return loading.train_loader(self._own, dataset, labels, device, **options)

    def validation_loader(self, dataset: Any, **options: Any) -> DataLoader[Any]:
        """The same validation batches in every run. Reads `validation.seed`, `samples`.

        Without a seed other samples in another order at every pass, from the global random state.
        """
        from trainlens_torch.config.build import loading

        return loading.validation_loader(self._own, dataset, **options)

    def adaptive_batch(self) -> AdaptiveBatch | None:
        """The micro-batch that follows memory; None where `memory.adaptive_batch` is off."""
        from trainlens_torch.config.build import loading

        return loading.adaptive_batch(self._own)

    def recovery(
        self,
        model: nn.Module,
        loss: Callable[[Any], Any],
        optimizer: Optimizer,
        clock: Clock | None = None,
        **more: Any,
    ) -> SplitOnOOM | None:
        """What repeats an update in smaller pieces; None where `memory.on_oom` is not split.

        ``step=guard.step`` among the options of `SplitOnOOM` has the guard make the update.
        """
        from trainlens_torch.config.build import loading

        return loading.recovery(self._own, model, loss, optimizer, clock, **more)

    def clean_up(self, step: int) -> Freed | None:
        """Free memory every `memory.cleanup_every` updates."""
        from trainlens_torch.config.build import loading

        return loading.clean_up(self._own, step)

    def without_skipped(self, loader: Iterable[Any], clock: Clock | None = None) -> Iterable[Any]:
        """A loader without the batches of `data.skip_steps`; iterate it once an epoch."""
        from trainlens_torch.config.build import batches

        return batches.without_skipped(self._own, loader, clock)

    def shorten(self, batch: Any, dim: int = 1) -> Any:
        """A batch whose tensors are `data.sequence_length` long at most."""
        from trainlens_torch.config.build import batches

        return batches.shorten(self._own, batch, dim)

    def standardize(self, batch: Tensor) -> nn.Module:
        """What normalises inputs, by a first batch. Reads `data.normalize`."""
        from trainlens_torch.config.build import batches

        return batches.standardize(self._own, batch)

    def resume_step(self, steps: Iterable[int]) -> int | None:
        """Of the steps of all checkpoints, the one to go on from. Reads `resume`."""
        from trainlens_torch.config.build import resuming

        return resuming.resume_step(self._own, steps)

    def restored(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Of the parts of a training, by name, those to restore. Reads `resume`."""
        from trainlens_torch.config.build import resuming

        return resuming.restored(self._own, parts)

    def resume_from(self, saver: Checkpointer, parts: Mapping[str, Any]) -> Resumed | None:
        """Go on from the checkpoint that `resume` asks for; None where nothing was saved yet.

        Parameters
        ----------
        saver : Checkpointer
        parts : mapping of str to object
            Those of the checkpointer, by the same names. What is not to be restored
            (`restored`) is afterwards as it was before.
        """
        from trainlens_torch.config.build import resuming

        return resuming.resume_from(self._own, saver, parts)

    def checkpointer(
        self, folder: str | os.PathLike[str], parts: Mapping[str, Any], **more: Any
    ) -> Checkpointer:
        """What saves a training below the folder of its run. Reads `checkpoints`."""
        from trainlens_torch.config.build import resuming

        return resuming.checkpointer(self._own, folder, parts, **more)

    def checkpoint_due(self, step: int) -> bool:
        """Whether it is time to save. Reads `checkpoints.every`."""
        from trainlens_torch.config.build import resuming

        return resuming.checkpoint_due(self._own, step)

    def early_stop(self, clock: Clock | None = None, **more: Any) -> EarlyStopping | None:
        """When to give up; None where no patience is set. Reads `early_stopping`."""
        from trainlens_torch.config.build import resuming

        return resuming.early_stop(self._own, clock, **more)

    def watched(self, values: Mapping[str, float]) -> float:
        """Of values by ``split/metric`` that of `early_stopping.monitor`."""
        from trainlens_torch.config.build import resuming

        return resuming.watched(self._own, values)
