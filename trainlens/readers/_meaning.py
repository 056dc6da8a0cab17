"""What a value means whatever reader it came from: -1 where a measure was not computed.

The COCO evaluation gives -1 for the AP and AR of object sizes that do not occur, and others give
it for an accuracy or a Dice score without a case. A measure that lies in 0 to 1 (or 0 to 100)
cannot be -1: such a point says that there is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from trainlens.chunk import Chunk, Column, Notice
from trainlens.readers.base import Reader
from trainlens.roles import normalise, parse_name, role_of

SENTINEL = -1.0

_FEW = 16
"""Values below which numpy does not pay."""

# Measures that cannot be negative. Not among them: rewards, correlations, MCC, kappa, R2, losses.
_BOUNDED = re.compile(
    r"_(m_?aps?|aps?|ap[smlrcf]|ars?|ar[sml]|average_precision|[a-z]*precision|[a-z]*recall"
    r"|[a-z0-9]*acc(uracy|uracies)?|top|sensitivity|specificity|[tf]pr|[tf]nr"
    r"|[a-z]*f[12]|f_?score|f_?measure|f_?beta|[mfw]?_?iou|io_u|jaccard|dice|pseudo_dice"
    r"|[a-z]*auc|auroc|auprc|aucpr|roc|pck[a-z]?|oks|ndcg|mrr|hits?|hr|exact_match|p_?q|nds"
    r"|lddt|gdt|tm_?score|success_rate|win_rate)(?=[_@\d])"
)


class Sentinels:
    """Leaves out points that say "not computed"; keeps count over the polls of a run.

    Parameters
    ----------
    where : str
        File or folder to name in notices.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._count: dict[str, int] = {}
        self._told: set[str] = set()

    def clean(
        self, columns: Sequence[Column], final: bool = False
    ) -> tuple[tuple[Column, ...], tuple[Notice, ...]]:
        """The columns of one poll without such points, and one notice for each metric.

        Parameters
        ----------
        columns : sequence of Column
        final : bool
            Nothing more will come.

        Returns
        -------
        columns : tuple of Column
            The same objects where nothing is left out; what is left out of one does not depend
            on the others, nor on how the log was cut into polls.
        notices : tuple of Notice
        """
        kept = tuple([c for c in map(self._without, columns) if len(c.value)])
        if len(self._told) == len(self._count):
            return kept, ()
        new = [name for name in self._count if name not in self._told]
        self._told.update(new)
        return kept, tuple(self._notice(name, final) for name in new)

    def _without(self, column: Column) -> Column:
        value = column.value
        # A list is through with a few values before numpy has begun.
        if len(value) < _FEW and SENTINEL not in value.tolist():
            return column
        found = value == SENTINEL
        if not found.any() or not is_bounded(column.name, column.split):
            return column
        name = f"{column.split}/{column.name}" if column.split else column.name
        self._count[name] = self._count.get(name, 0) + int(found.sum())
        keep = ~found
        return replace(
            column,
            step=column.step[keep],
            value=column.value[keep],
            wall_time=column.wall_time[keep],
            epoch=column.epoch[keep],
        )

    def _notice(self, name: str, final: bool) -> Notice:
        n = self._count[name]
        # While a log grows there may be more of them, and one word about it is enough.
        count = f"{n} {'point' if n == 1 else 'points'} left out" if final else "left out"
        return Notice("skipped", self._where, f"{name}: -1 means not computed, {count}", 0)


@lru_cache(maxsize=65536)
def is_bounded(name: str, split: str | None = None) -> bool:
    """Whether a metric is a measure that lies in 0 to 1, or in 0 to 100.

    Parameters
    ----------
    name : str
        As it stands in the log.
    split : str or None
        None where the name holds it.

    Examples
    --------
    >>> is_bounded("coco/AP (M)"), is_bounded("val_mcc"), is_bounded("episode_reward")
    (True, False, False)
    """
    metric = parse_name(name)[0] if split is None else name
    role = role_of(metric)
    # A reward for precision is a reward, a loss of the Dice score a loss.
    if role.name != "metric" or re.search(r"rew|return|corr(?!ect)", metric, re.I):
        return False
    return _BOUNDED.search(normalise(metric[:256])) is not None


class Cleaned:
    """A reader whose points all say something.

    Parameters
    ----------
    reader : Reader
    where : str
        File or folder to name in notices.
    """

    def __init__(self, reader: Reader, where: str) -> None:
        self._reader = reader
        self._sentinels = Sentinels(where)

    def poll(self, final: bool = False) -> Chunk:
        """Everything new; see `Reader.poll`."""
        chunk = self._reader.poll(final)
        if not chunk.columns:
            return chunk
        columns, notices = self._sentinels.clean(chunk.columns, final)
        return replace(chunk, columns=columns, notices=(*chunk.notices, *notices))
