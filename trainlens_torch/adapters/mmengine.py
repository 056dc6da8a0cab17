"""Inside the Runner of MMEngine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from typing import Any

from torch.optim import Optimizer

from trainlens_torch.adapters._framework import framework
from trainlens_torch.adapters._stepping import take_over
from trainlens_torch.adapters._update import numbers
from trainlens_torch.adapters.steps import StepRecorder
from trainlens_torch.record.logger import RunLogger

__all__ = ["TrainlensHook"]

_mm = partial(framework, "TrainlensHook", "mmengine")
_Hook: Any = _mm("mmengine.hooks").Hook
_OptimWrapperDict: Any = _mm("mmengine.optim").OptimWrapperDict
_BaseLoop: Any = _mm("mmengine.runner").BaseLoop
_is_model_wrapper: Any = _mm("mmengine.model").is_model_wrapper

_KEY = "trainlens"


class TrainlensHook(_Hook):  # type: ignore[misc]  # not installed everywhere
    """Records a training of MMEngine, guards it and looks at it.

    A record for each update of the optimizer, after as many iterations as its `OptimWrapper`
    accumulates: ``loss`` and the other numbers that ``train_step`` returns, the learning rates that
    it was made at, ``grad_norm`` before clipping and after unscaling, times, epoch and progress.
    The metrics of a validation are a record of split ``"val"``. An exception within the train loop
    is the anomaly of a last record. Updates so far, and what a guard or parts have learnt, are in
    the checkpoints of the Runner.

    ::

        runner = Runner(model, "work", custom_hooks=[TrainlensHook("runs/a")], ...)

    In a configuration file it is ``dict(type="TrainlensHook", log="runs/a")``, once this module is
    imported (``custom_imports``).

    Parameters
    ----------
    log : RunLogger or path-like
    **options
        Those of `StepRecorder`: ``parts``, ``guard``, ``health``, ``system``, ``config``,
        ``every_rank``.

    Raises
    ------
    UsageError
        When it is imported without MMEngine.
    """

    # Behind all that changes a training, and before CheckpointHook (90): an update is in the log
    # when the checkpoint that holds it is written, and does not last as long as that takes.
    priority = 80

    def __init__(self, log: RunLogger | str | os.PathLike[str], **options: Any) -> None:
        self.steps = StepRecorder(log, **options)
        self._made, self._epoch = 0, 0.0
        self._loaded: dict[str, Any] = {}
        self._undo = ExitStack()

    def before_run(self, runner: Any) -> None:
        """Be around the run of the train loop: hooks are not told of an exception."""
        loop = runner._train_loop  # `train_loop` builds it, for a validation alone as well
        if isinstance(loop, _BaseLoop):
            loop.run = partial(self._run, loop, loop.run)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what a checkpoint says, until it is known whether training resumes from it."""
        self._loaded = checkpoint.get(_KEY, {})

    def before_train(self, runner: Any) -> None:
        """Open the log, and follow the optimizers."""
        found = runner.optim_wrapper
        several = isinstance(found, _OptimWrapperDict)
        wrappers = list(found.values()) if several else [found]
        counts = [wrapper._accumulative_counts for wrapper in wrappers]
        self._made = sum(runner.iter // count for count in counts)
        if runner.iter > 0 and self._loaded:  # else weights alone were loaded
            self._made = self._loaded["updates"]
            self.steps.load_state_dict(self._loaded)
        self.steps.begin(
            runner.model.module if _is_model_wrapper(runner.model) else runner.model,
            wrappers,
            step=self._made,
            # What is left at the end makes an update as well.
            updates=float(sum(-(-runner.max_iters // count) for count in counts)),
            rank=runner.rank,
        )
        for wrapper in wrappers:
            self._watch(wrapper)

    def before_train_epoch(self, runner: Any) -> None:
        """Wait for the first batch."""
        self.steps.wait()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Begin an update with the first of its micro-batches."""
        self.steps.arrived()
        if not self.steps.within:
            self.steps.update_begins(self._made, _epoch(runner, batch_idx))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Record the update that this micro-batch completed, if it did."""
        self._epoch = _epoch(runner, batch_idx + 1)
        self.steps.losses(numbers(outputs or {}))
        if self._made > self.steps.step:
            self.steps.update_ends()
            self.steps.write()
        self.steps.wait()

    def before_val(self, runner: Any) -> None:
        """Stop the times."""
        self.steps.pause()

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Record what was measured."""
        self.steps.validation(self._made, numbers(metrics or {}), self._epoch)

    def after_val(self, runner: Any) -> None:
        """Wait for data, in a training."""
        if self.steps.log is not None:
            self.steps.wait()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add to a checkpoint, and have the log on the disk that led to it."""
        self.steps.pause()
        if self.steps.log is not None:
            self.steps.log.flush()
        checkpoint[_KEY] = {"updates": self._made, **self.steps.state_dict()}

    def _run(self, loop: Any, run: Callable[[], Any]) -> Any:
        try:
            return run()
        except BaseException as error:
            self.steps.failed(error)
            raise
        finally:
            vars(loop).pop("run", None)
            self._undo.close()
            self.steps.end()

    def _watch(self, wrapper: Any) -> None:
        """See the losses of an optimizer, its steps and its gradients."""
        undo, own, steps = self._undo.callback, wrapper.optimizer, self.steps
        undo(_before(wrapper, "backward", lambda loss, **_: steps.seen(loss)))
        undo(_before(wrapper, "step", self._stepping))
        if wrapper.clip_grad_kwargs:
            undo(_before(wrapper, "clip_func", lambda *_, **__: steps.gradients(own)))
        elif _unscales_within(wrapper):
            scale = wrapper.loss_scaler.get_scale
            undo(_before(wrapper, "step", lambda **_: steps.gradients(own, scale())))
        else:
            undo(take_over(own, partial(self._look_and_step, own)))

    def _look_and_step(self, optimizer: Optimizer) -> None:
        self.steps.gradients(optimizer)
        optimizer.step()  # the step that was there before: see `take_over`

    def _stepping(self, **_: Any) -> None:
        self._made += 1
        # MMEngine moves learning rates after every iteration, so within an update.
        self.steps.rates()


_mm("mmengine.registry").HOOKS.register_module(module=TrainlensHook, force=True)


def _before(owner: Any, name: str, look: Callable[..., object]) -> Callable[[], None]:
    """Have `look` called before a method of an object; returns what gives the method back."""
    before, original = vars(owner).get(name), getattr(owner, name)

    @wraps(original)  # MMEngine's schedulers leave a mark on the step
    def called(*args: Any, **kwargs: Any) -> Any:
        look(*args, **kwargs)
        return original(*args, **kwargs)

    def give_back() -> None:
        if before is None:
            vars(owner).pop(name, None)
        else:
            vars(owner)[name] = before

    vars(owner)[name] = called
    return give_back


def _unscales_within(wrapper: Any) -> bool:
    """Whether it is the step of the optimizer (a fused one) that unscales the gradients."""
    scaler, own = getattr(wrapper, "loss_scaler", None), wrapper.optimizer
    return scaler is not None and getattr(own, "_step_supports_amp_scaling", False)


def _epoch(runner: Any, batch_idx: int) -> float:
    """Epochs that are done when a batch begins; training by iterations is one long epoch."""
    try:
        length = len(runner.train_dataloader)
    except TypeError:  # a stream
        return float(runner.epoch)
    return float(runner.epoch + batch_idx / length)
