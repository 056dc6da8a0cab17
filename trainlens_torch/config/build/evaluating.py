"""When and on what a model is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

T = TypeVar("T")


@dataclass(frozen=True)
class EvaluationPlan:
    """When and on what is evaluated.

    Parameters
    ----------
    every : int or None
        Updates between evaluations; None leaves it to the loop (the end of an epoch).
    samples : int or None
        Of an evaluation; None takes all.
    batch_size : int
        Samples of a batch.
    on_train_batch : bool
        Whether one training batch is evaluated as well.
    metric : str
        What to judge by.

    Examples
    --------
    >>> plan = EvaluationPlan(every=100, samples=5, batch_size=2, on_train_batch=True)
    >>> plan.due(0), plan.due(200), plan.due(250)
    (False, True, False)
    >>> {split: list(held) for split, held in plan.splits("abcdef", train="xyz")}
    {'val': ['a', 'b', 'c'], 'train_batch': ['x']}
    """

    every: int | None = None
    samples: int | None = None
    batch_size: int = 1
    on_train_batch: bool = False
    metric: str = "loss"

    def due(self, updates: int) -> bool:
        """Whether it is time after so many updates."""
        return self.every is not None and updates > 0 and updates % self.every == 0

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """As many batches as `samples` asks for."""
        most = None if self.samples is None else -(-self.samples // self.batch_size)
        return islice(loader, most)

    def splits(self, loader: Iterable[T], train: Iterable[T] = ()) -> Iterator[tuple[str, Any]]:
        """Name of each split and its batches.

        The loss of a training batch in evaluation mode, logged as split ``train_batch``, must be
        near that of training; if it is not, the evaluation is at fault.
        """
        yield "val", self.batches(loader)
        if self.on_train_batch:
            yield "train_batch", islice(train, 1)


def evaluation(config: TrainingConfig) -> EvaluationPlan:
    """The plan of evaluations."""
    own = config.validation
    return EvaluationPlan(
        own.every_steps, own.samples, config.batch.size, own.on_train_batch, own.metric
    )
