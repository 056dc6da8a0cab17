"""What every reader of one growing file does: notice growth, replacement and loss of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.errors import NotFound
from trainlens.readers._lines import Tail

TOO_LONG = "a line too long to be a record, passed over"
REPLACED = "the file was replaced or cut; read anew from its beginning"
GONE = "the file is gone; what was read of it is kept"


class Follow:
    """A file that is followed, and what there is to say about it as a whole.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    tail : Tail
    """

    def __init__(self, path: Path) -> None:
        self.tail = Tail(path)
        self._name = path.name
        self._notices: list[Notice] = []
        self._told: set[tuple[str, str]] = set()

    def read(
        self, final: bool, take: Callable[[bool], object], anew: Callable[[], object] | None = None
    ) -> None:
        """What a poll begins with: take what is new, if there may be any.

        Parameters
        ----------
        final : bool
        take : callable
            Given `final`, reads on in `tail`.
        anew : callable, optional
            Called before where what was read is no longer there, which is said; None where that
            is for `take` to find out.

        Raises
        ------
        NotFound, Unreadable
            See `reading`.
        """
        with self.reading():
            if self.grown(final):
                if anew is not None and self.begins_anew():
                    anew()
                take(final)

    def grown(self, final: bool) -> bool:
        """Whether there may be something new; always with `final`."""
        return final or self.tail.changed()

    def replaced(self) -> bool:
        """Whether what was read is no longer there; the next byte is then the file's first."""
        return bool(self.tail.offset) and self.tail.replaced()

    def begins_anew(self) -> bool:
        """As `replaced`, and says so."""
        if not self.replaced():
            return False
        self.note("replaced", REPLACED, again=True)
        return True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Reads within; a file that is gone after it was read is a notice, not an error.

        A log that was moved away may come back: rotation, a remote folder.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened and never was.
        """
        try:
            yield
        except NotFound:
            if not self.tail.offset:
                raise
            self.note("unreadable", GONE)

    def note(
        self, kind: str, message: str, lost: int | None = 0, *, key: str = "", again: bool = False
    ) -> None:
        """Say something about the file, once for a key (else the message) unless `again`.

        `lost` as in `Notice`.
        """
        told = (kind, key or message)
        if again or told not in self._told:
            self._told.add(told)
            self._notices.append(Notice(kind, self._name, message, lost))

    def forget(self) -> None:
        """What was said may be said once more: the content is another."""
        self._told.clear()

    def add(self, notice: Notice) -> None:
        """Pass on what was noticed elsewhere, about a part of the file or one beside it."""
        self._notices.append(notice)

    def take(self) -> tuple[Notice, ...]:
        """What was noted since the last call."""
        notices, self._notices = tuple(self._notices), []
        return notices


def no_numbers(names: Sequence[str], most: int = 20) -> str:
    """What holds no numbers, as one line.

    Parameters
    ----------
    names : sequence of str
        Names, with what they hold where that is known.
    most : int
        Names to show.
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"no numbers in: {', '.join(names[:most])}{more}"
