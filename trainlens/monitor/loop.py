"""The rounds of the monitor: read on, look, tell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens.errors import OutputError
from trainlens.monitor import state
from trainlens.monitor.following import Followed
from trainlens.monitor.ledger import Ledger
from trainlens.monitor.look import Looked, Wanted
from trainlens.monitor.looks import Looks
from trainlens.monitor.model import ENDED, QUIET, Change, Standing, Trail, Update
from trainlens.monitor.standing import standing, trails_of
from trainlens.monitor.tree import Found, Tree
from trainlens.readers._naming import name_runs
from trainlens.readers._rotation import older
from trainlens.readers.base import Source
from trainlens.remote.shown import as_shown
from trainlens.remote.url import public
from trainlens.reporting.digest import Digest
from trainlens.work import Judging

if TYPE_CHECKING:
    from trainlens.monitor.outlook import Target

_SETTLED = 60.0
"""Seconds without growth after which an unfinished last record is taken for lost."""
_STALLED, _LONG_OVER = "stalled-log", 6 * 3600.0
"""Of a run that was silent for so many seconds when the watch began, silence is not told."""


@dataclass(frozen=True)
class Clocks:
    """Where time comes from.

    Parameters
    ----------
    now : callable
        Unix seconds; may jump.
    tick : callable
        Seconds that never jump.
    """

    now: Callable[[], float] = time.time
    tick: Callable[[], float] = time.monotonic


@dataclass
class _Held:
    """A run, what was seen of it last, and what it looked like when it was asked last."""

    run: Followed
    looked: Looked | None = None
    trails: tuple[Trail, ...] = ()
    shown: int = -1
    notices: tuple[str, ...] = ()


class Monitor:
    """Watches the runs in some paths.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, glob patterns or URLs; they need not exist yet.
    judge : Judging
    ledger : Ledger, optional
        What was told before.
    file : Path or None
        Where what was told is kept.
    pages : bool
        Whether the digests of the runs are wanted.
    target : Target or None
        Whose chance is asked for.
    looks : Looks, optional
    clocks : Clocks
    patient : bool
        Whether it is waited for runs; otherwise it is an error if there are none.

    Attributes
    ----------
    lost : bool
        Whether a record of any run was lost.
    missing : bool
        Whether one of the paths led to no run when they were searched last.
    """

    def __init__(
        self,
        paths: Sequence[str],
        judge: Judging,
        *,
        ledger: Ledger | None = None,
        file: Path | None = None,
        pages: bool = False,
        target: Target | None = None,
        looks: Looks | None = None,
        clocks: Clocks | None = None,
        patient: bool = True,
    ) -> None:
        self._paths, self._judge, self._patient = paths, judge, patient
        self._ledger = ledger or Ledger()
        self._file, self._pages, self._target = file, pages, target
        self._looks = looks or Looks()
        self._clocks = clocks or Clocks()
        self._tree = Tree(paths)
        self._runs: dict[str, _Held] = {}
        self._rounds = 0
        self._said: set[str] = set()
        self._suspected = self._ledger.suspected
        self._waiting = ""
        self.lost = self.missing = False

    @property
    def digests(self) -> list[Digest]:
        """What a page shows of the runs that were looked at, where `pages` was asked for."""
        held = (h.looked.digest for h in self._runs.values() if h.looked is not None)
        return [digest for digest in held if digest is not None]

    @property
    def pending(self) -> bool:
        """Whether a look is under way, or a run has not been looked at yet."""
        waiting = (h.looked is None and h.run.points for h in self._runs.values())
        return self._looks.away or any(waiting)

    def round(
        self, *, stirred: bool = False, everything: bool = False, final: bool = False
    ) -> Update:
        """Read what is new in all runs, look at what is due, and say what there is to know.

        Parameters
        ----------
        stirred : bool
            Whether the system has said that files came, went or were renamed.
        everything : bool
            Whether every run is looked at that is not as it was at its last look, whatever that
            costs.
        final : bool
            Whether nothing more will come: an unfinished last record is one that is lost, and
            what a look does not find any more has ended.

        Raises
        ------
        SourceError, MissingExtra
            There is no run, and it is not waited for any.
        """
        self._rounds += 1
        tick, now = self._clocks.tick(), self._clocks.now()
        notices = self._search(tick, stirred or everything or final)
        for key, held in self._runs.items():
            self._poll(key, held, tick, now, final)
        changes = self._look(tick, now, everything or final, final)
        notices += self._keep(changes)
        runs = tuple(self._standing(key, held, tick) for key, held in self._runs.items())
        path = ", ".join(map(public, self._paths))
        return Update(self._rounds, now, path, runs, tuple(changes), tuple(notices))

    def close(self) -> None:
        """End what is under way."""
        self._looks.close()

    # --- which runs there are ---------------------------------------------------------------

    def _search(self, tick: float, stirred: bool) -> list[str]:
        must = any(h.run.outdated for h in self._runs.values())
        found = self._tree.look(tick, stirred=stirred, must=must)
        if found is None:
            return []
        self._tree.took(self._clocks.tick() - tick)
        self.missing = bool(found.missing)
        if found.missing and not (found.sources or self._patient):
            raise found.missing[0]
        self._follow(found.sources)
        return self._news(found)

    def _follow(self, sources: Sequence[Source]) -> None:
        names = name_runs(sources, self._paths)
        taken = {h.run.name for h in self._runs.values()}
        places = {source.path for source in sources}
        places |= {part.path for source in sources for part in source.places}
        for source, name in zip(sources, names, strict=True):
            key = _key(source)
            held = self._runs.get(key)
            if held is None and self._rotates(source):
                continue
            if held is None:
                name = _free(name, taken)
                taken.add(name)
                self._runs[key] = _Held(Followed(source, name, self._judge.roles))
            elif held.run.source != source or held.run.outdated:
                held.run.follow(source)
                self._looks.forget(key)
        for key in set(self._runs) - {_key(source) for source in sources}:
            if self._runs[key].run.source.path in places:
                del self._runs[key]  # it proved to be several runs, or a part of another one

    def _rotates(self, source: Source) -> bool:
        """Whether it is an older part of a log that we know and that is being rotated just now."""
        part = older(source.path.name)
        log = source.path.with_name(part.log) if part is not None else None
        return any(h.run.source.path == log for h in self._runs.values()) if log else False

    def _news(self, found: Found) -> list[str]:
        """What is said of the search, once."""
        said = [n for n in found.notices if n not in self._said]
        self._said.update(said)
        waiting, self._waiting = self._waiting, found.waiting
        return said + ([found.waiting] if found.waiting and found.waiting != waiting else [])

    # --- one run ----------------------------------------------------------------------------

    def _poll(self, key: str, held: _Held, tick: float, now: float, final: bool) -> None:
        fresh = held.run.poll(tick, now, final)
        held.notices = fresh.notices
        self.lost |= fresh.lost
        if fresh.anew:
            self._looks.forget(key)
            held.looked = None
        age = held.run.age(tick)
        urgent = fresh.alarming or fresh.anew or final
        if held.run.points or fresh.notices:
            self._looks.note(key, held.run.points, urgent=urgent, age=age, tick=tick)

    def _look(self, tick: float, now: float, everything: bool, final: bool) -> list[Change]:
        def wanted(key: str) -> Wanted:
            run = self._runs[key].run
            age = run.age(tick) or 0.0
            settled = final or run.ended or age >= _SETTLED
            pages = len(self._runs) if self._pages else 0
            silence = age if self._may_stall(key, age) else 0.0
            return Wanted(self._judge, now, silence, settled, pages, self._target)

        changes: list[Change] = []
        runs = [(key, held.run) for key, held in self._runs.items() if not held.run.failure]
        for key, found in self._looks.taken(runs, wanted, tick, everything=everything):
            if isinstance(found, Looked) and key in self._runs:
                self._runs[key].looked = found
                run = self._runs[key].run
                changes += self._ledger.see(
                    key, found.told, found.prints, now, run.points_of,
                    settled=run.state(tick) in (QUIET, ENDED), final=final,
                )  # fmt: skip
        return changes

    def _may_stall(self, key: str, age: float) -> bool:
        """Whether the silence of a run is news: not that of one that was over long before."""
        told = any(e.finding.rule == _STALLED for e in self._ledger.account(key).open)
        return self._runs[key].run.grew or age <= _LONG_OVER or told

    def _standing(self, key: str, held: _Held, tick: float) -> Standing:
        if held.shown != held.run.points:
            held.trails, held.shown = trails_of(held.run), held.run.points
        account = self._ledger.account(key)
        return standing(held.run, held.looked, account, tick, held.trails, held.notices)

    # --- what was told ----------------------------------------------------------------------

    def _keep(self, changes: Sequence[Change]) -> list[str]:
        suspected, before = self._ledger.suspected, self._suspected
        self._suspected = suspected
        if self._file is None or not (changes or suspected != before):
            return []
        try:
            state.save(self._file, self._ledger)
        except OutputError as error:
            text = f"what was told cannot be kept: {error}"
            new = text not in self._said
            self._said.add(text)
            return [text] if new else []
        return []


def _key(source: Source) -> str:
    path = os.path.abspath(source.path)
    # The copy of a log that lies elsewhere may have another path the next time.
    return "\n".join((source.format, as_shown(source.path, path), source.key))


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
