"""Detectors on the entries of a log while they come: anomalies at the entry that shows them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Literal, TypeAlias

from trainlens.detect.base import Event
from trainlens.detect.named import Named, Names
from trainlens_torch.record._watched import EXPLOSIONS, SPIKES, always
from trainlens_torch.record._watching import Anomaly, Foremost, Watched
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.past import entries

__all__ = ["Anomaly", "Callback", "Watcher"]

Callback: TypeAlias = Callable[[Entry, Anomaly], object]
_Key: TypeAlias = tuple[str, str, str]


class Watcher:
    """Finds anomalies in the entries of a log, one after the other.

    ============================ ============================== ===============================
    type                         profile "default"              profile "seed"
    ============================ ============================== ===============================
    loss_spike, loss_outlier     `SpikeDetector` (robust)       3 sigma above the mean of 100
    gradient_explosion           10 times the median, z > 8     norm > 100
    slow_batch                   5 times the median, z > 8      over 300 s
    alpha_polarized              below 0.1 or above 0.9         the same
    low_coverage                 below 0.3                      the same
    non_finite                   any loss or statistic          the same
    out_of_memory                the count rose                 the same
    skipped_update               the count of `UpdateGuard` rose  the same
    ============================ ============================== ===============================

    An anomaly is told once, at the entry at which its detector first knows of it; it may go on
    from there. A single high loss is a ``loss_outlier``, and a ``loss_spike`` as soon as it lasts.

    What a series means is told by its name, as for the rules of ``trainlens diagnose``: of the
    losses and of the gradient norms the most telling one so far is watched (a total before its
    parts), of batch times, gates, coverages and counts each one, of all but readings of the
    machine whether they are finite.

    At each entry the detectors know what they know of the written log up to there. So the same
    entries give the same anomalies, read back or live, and the events are those on which
    ``diagnose`` judges: spikes, outliers, surges and what is not finite are the very same. Where
    the step of a series goes back, the training was started again from there, and the points from
    that step on are forgotten. A value for the very same step is looked at only for NaN and
    infinities. A process that goes on with a log lets its watcher `recall` it.

    What takes more than the past is left to ``diagnose``: whether a gradient norm grows for good
    and what layers make of it, whether a slow batch was a lasting slowdown, whether a gate or a
    coverage stays where it is (here each stretch beyond the limit is told).

    Parameters
    ----------
    profile : {"default", "seed"}
    callback : callable, optional
        Is given the entry and the anomaly, in the thread that calls `see`. What it raises is
        counted in `faults` and warned about once; the log goes on.
    loss : str, optional
        Name of the training loss to watch.

    Attributes
    ----------
    faults : int
        Calls of the callback that raised.

    Raises
    ------
    ValueError
        Unknown profile.

    Examples
    --------
    >>> watcher = Watcher()
    >>> watcher.see(Entry(5, 0.0, {"loss": 1.0}, {"valid_ratio": 0.2}))
    [{'type': 'low_coverage', 'value': 0.2, 'message': 'valid_ratio is 0.2, below 30 %'}]
    """

    def __init__(
        self,
        profile: Literal["default", "seed"] = "default",
        *,
        callback: Callback | None = None,
        loss: str | None = None,
    ) -> None:
        if profile not in ("default", "seed"):
            raise ValueError(f'profile is "default" or "seed", not {profile!r}')
        self.profile, self._callback, self._loss = profile, callback, loss
        self._names = Names()
        self._series: dict[_Key, Watched] = {}
        self._main, self._norm = Foremost(SPIKES[profile]), Foremost(EXPLOSIONS[profile])
        self.faults = 0

    def see(self, entry: Entry) -> list[Anomaly]:
        """What is new and odd at this entry.

        Parameters
        ----------
        entry : Entry
            The next one of the log.

        Returns
        -------
        list of dict
            For the ``anomalies`` of the entry.
        """
        found = self._seen(entry)
        if self._callback is not None:
            for one in found:
                self._call(entry, one)
        return found

    def recall(self, path: str | PathLike[str]) -> int:
        """See what a log holds already, before its training goes on; nothing is told of it.

        Without it the detectors of a resumed training begin with no past, and say nothing until
        they have one.

        Parameters
        ----------
        path : path-like
            A native log, or the folder of a run that holds one; there or not.

        Returns
        -------
        int
            Entries that were seen.

        Raises
        ------
        OSError
            It is there and cannot be read.
        """
        count = 0
        for entry in entries(path):
            self._seen(entry)
            count += 1
        return count

    def events(self) -> Iterator[tuple[str, str, str, Event]]:
        """Split, name, type and event of all that is known, open events as they are."""
        for (split, _, name), series in self._series.items():
            for kind, event in series.events():
                yield split, name, kind, event

    def _seen(self, entry: Entry) -> list[Anomaly]:
        found: list[Anomaly] = []
        for family, values in (("losses", entry.losses), ("stats", entry.stats)):
            for name, value in values.items():
                series = self._series.get((entry.split, family, name))
                if series is None:
                    series = self._new(entry.split, family, name)
                found += series.see(entry.step, float(value))
        return found

    def _new(self, split: str, family: str, name: str) -> Watched:
        of = None if split == "train" else split
        named = self._names.of(name, of, loss=family == "losses")
        series = self._series[split, family, name] = Watched(name, always(named, self.profile))
        if self._is_loss(name, named):
            self._main.offer(named.place, series)
        if named.role.name == "gradient-norm":
            self._offer_norm(named, series)
        return series

    def _is_loss(self, name: str, named: Named) -> bool:
        found = named.role.name == "loss" if self._loss is None else name == self._loss
        return found and named.split == "train"

    def _offer_norm(self, named: Named, series: Watched) -> None:
        if self.profile == "seed":
            self._norm.offer(named.place, series)
        elif named.role.priority >= 0:  # of the norms of layers the rule makes one
            self._norm.offer((named.split != "train", *named.place), series)

    def _call(self, entry: Entry, anomaly: Anomaly) -> None:
        assert self._callback is not None
        try:
            self._callback(entry, anomaly)
        except Exception as error:  # the caller's own code must not end the writing of the log
            self.faults += 1
            if self.faults == 1:
                warnings.warn(
                    f"the callback for anomalies raised {type(error).__name__}: {error}; "
                    "further faults of it are only counted",
                    RuntimeWarning,
                    stacklevel=2,
                )
