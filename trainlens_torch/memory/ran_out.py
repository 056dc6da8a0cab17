"""What is told of memory that ran out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RanOut", "bare"]


@dataclass(frozen=True)
class RanOut:
    """Memory ran out within an update, which is tried again.

    Parameters
    ----------
    where : str
        ``"forward"``, ``"backward"``, ``"exchange"`` (dividing the gradients, and averaging them
        over ranks), ``"step"`` or ``"another rank"``.
    size : int
        Samples of the largest piece.
    next_size : int
        Samples of a piece of the next attempt.
    attempt : int
        Which attempt of this update it was, from 1.
    message : str
        First line of the error.
    """

    where: str
    size: int
    next_size: int
    attempt: int
    message: str

    def __str__(self) -> str:
        then = f"going on with pieces of {self.next_size}"
        return f"memory ran out ({self.where}, pieces of {self.size}): {self.message}; {then}"


def bare(error: BaseException) -> BaseException:
    """An error without the frames that it passed through, which hold the activations."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
