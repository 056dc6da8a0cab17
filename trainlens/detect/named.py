"""What the rules call the series of a log, for those who feed detectors while it is written."""

from __future__ import annotations

from typing import NamedTuple

from trainlens.roles import Role, role_of
from trainlens.run import Key, key_of

__all__ = ["Named", "Names"]


class Named(NamedTuple):
    """A series as a `Run` of the log will have it.

    Parameters
    ----------
    metric, split : str
    role : Role
    """

    metric: str
    split: str
    role: Role

    @property
    def place(self) -> tuple[int, int, str]:
        """Sorts series of a role as `Run.with_role` does: `Run.main` is the first of them."""
        return self.role.place(self.metric)


class Names:
    """Gives the names of a log their meaning, in the order in which they first appear.

    Examples
    --------
    >>> names = Names()
    >>> names.of("val_loss")[:2], names.of("mpjpe", "validation")[:2]
    (('loss', 'val'), ('mpjpe', 'val'))
    >>> names.of("num_ooms").role.name
    'out-of-memory'
    """

    def __init__(self) -> None:
        self._owner: dict[Key, str] = {}

    def of(self, name: str, split: str | None = None, *, loss: bool = False) -> Named:
        """A name that was not asked about before.

        Parameters
        ----------
        name : str
            As it is logged.
        split : str, optional
            Of the record; None for a record of training, where a name may tell another one.
        loss : bool
            Whether it stands among the losses of a record.
        """
        key = key_of(name, split, self._owner)
        self._owner.setdefault(key, name)
        return Named(*key, role_of(key[0], "loss" if loss else ""))
