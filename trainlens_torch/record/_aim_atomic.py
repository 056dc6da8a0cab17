"""Tracking in an AIM run where an entry is one write: a kill leaves it whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from trainlens_torch.record._aim_library import stores
from trainlens_torch.record._quiet import quiet_import

__all__ = ["AtomicTracker"]


class AtomicTracker:
    """The tracker of the SDK, on trees that gather what it writes.

    The SDK keeps a metric as arrays (values, steps, epochs, times) and writes an element of each by
    a write of its own. Between two of them a kill leaves arrays of different lengths, and its
    reader pairs steps with the values of others. Here all that an entry writes goes to a store by
    one write of RocksDB, which is in its log whole or not at all.

    A run has two stores. The one with the arrays is written first: a kill before the other leaves
    metrics that have their new element, and new ones that nothing names yet. The other way round,
    there would be names and last steps without their elements.

    Parameters
    ----------
    run : aim.Run
        Open for writing.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        self._make: Any = quiet_import("aim.sdk.tracker").RunTracker
        self._tracker: Any = None
        self._drafts: tuple[_Draft, ...] = ()

    def track(
        self,
        values: Mapping[str, float],
        time: float,
        step: int,
        epoch: float | None,
        context: Mapping[str, str],
    ) -> None:
        """Track the values of one entry.

        Parameters
        ----------
        values : mapping of str to float
            By metric; NaN and infinities are kept.
        time : float
            Unix seconds.
        step : int
        epoch : float or None
        context : mapping

        Raises
        ------
        aimrocks.errors.RocksIOError
            A store did not take it; the entry may be given again.
        """
        # The tracker remembers what it has written. Where a store did not take that, a new one has
        # to read what is there: so it is kept only once all is written.
        tracker, self._tracker = self._tracker or self._opened(), None
        tracker._track(values, time, None, step, epoch, context=context)
        for draft in self._drafts:
            draft.commit()
        self._tracker = tracker

    def _opened(self) -> Any:
        run = self._run
        arrays, names = self._drafts = tuple(_Draft(store) for store in stores(run))
        series: dict[int, Any] = run.series_run_trees
        return self._make(
            SimpleNamespace(
                hash=run.hash,
                repo=run.repo,
                read_only=False,
                meta_tree=_Tree(run.meta_tree, names),
                meta_run_tree=_Tree(run.meta_run_tree, names),
                series_run_trees={version: _Tree(tree, arrays) for version, tree in series.items()},
            )
        )


class _Draft:
    """What a store gets by its next write."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._batch = store.batch()
        self.put = self._batch.put

    def commit(self) -> None:
        if self._batch.count():
            self._store.commit(self._batch)
            self._batch.clear()


class _Tree:
    """A tree of the SDK with the methods that its tracker uses; reads see what is committed.

    The SDK clears a place and all below it before it writes there. That is left out: a tracker
    writes a number where a number was, and a context where the same context was.
    """

    def __init__(self, tree: Any, draft: _Draft) -> None:
        self._tree = tree
        self._draft = draft
        self._prefix: bytes = tree.container.absolute_path()
        encoding = quiet_import("aim.storage.encoding")
        self._path, self._number = encoding.encode_path, encoding.encode
        self._nodes = quiet_import("aim.storage.treeutils").encode_tree
        self.get = tree.get

    def __getitem__(self, path: Any) -> Any:
        return self._tree[path]

    def __setitem__(self, path: Any, value: Any) -> None:
        place = self._prefix + self._path(path)
        if isinstance(value, dict | list):
            for key, node in self._nodes(value):
                self._draft.put(place + key, node)
        else:
            self._draft.put(place, self._number(value))

    def subtree(self, path: Any) -> _Tree:
        return _Tree(self._tree.subtree(path), self._draft)

    def array(self, name: str, dtype: str | None = None) -> _Tree:
        """An array is a tree by numbers; `dtype` is for those who read it."""
        return self.subtree(name)

    def allocate(self) -> _Tree:
        """Mark an array as one: what the SDK calls it before the first element."""
        self[()] = []
        return self
