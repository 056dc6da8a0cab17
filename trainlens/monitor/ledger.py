"""Which findings were told: a finding is known again although a look moves its edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from trainlens.judged import Judged
from trainlens.monitor.look import Print
from trainlens.monitor.model import AGAIN, CLOSED, MILDER, OPENED, WORSE, Change
from trainlens.rules.base import Finding, Severity, Status, gravity

_PATIENCE = 2
"""So many looks in a row must miss a finding, or find it milder, before that is told."""
_NEAR = 0.01
"""Events of one step are the same where they lie so near, as share of the run."""
_EVENTS = frozenset({"loss-spike", "outlier", "validation-jump", "lr-jump", "step-rewind"})
"""Rules whose findings are moments: several of them may stand side by side."""
_CERTAIN = _EVENTS | {
    "non-finite", "out-of-memory", "reported-anomaly", "log-damage", "stalled-log", "slow-batch",
    "single-class-batch", "plan-deviation",
}  # fmt: skip
"""Rules whose findings later points cannot undo. All others judge how a curve ends, and a spike
that goes on looks like a divergence: they are told when they have lasted."""
_LASTED, _EVALUATIONS = 10, 1
"""For so many points of a training metric, or of a validation metric."""
_AGAIN = 3
"""A finding that comes and goes more often is told of no longer."""
_CLOSED = 200
"""Closed findings that are remembered of a run."""


@dataclass
class Entry:
    """A finding that was told.

    Parameters
    ----------
    number : int
    finding : Finding
        As it was last.
    open : bool
    told : bool
        False while it has to prove that it lasts.
    since : int
        Points that its metric had when it was found first.
    misses, milder : int
        Looks in a row that did not find it, or found it milder.
    returns : int
        How often it came again.
    """

    number: int
    finding: Finding
    open: bool = True
    told: bool = True
    since: int = 0
    misses: int = 0
    milder: int = 0
    returns: int = 0


@dataclass
class Account:
    """What was told of one run.

    Parameters
    ----------
    prints : dict of (metric, split) to str
        First points of its metrics, by which it is known again.
    entries : list of Entry
    """

    prints: dict[tuple[str, str], str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    @property
    def open(self) -> list[Entry]:
        """Findings that were told and have not ended, the gravest first."""
        held = (e for e in self.entries if e.open and e.told)
        return sorted(held, key=lambda e: gravity(e.finding))

    @property
    def suspected(self) -> list[Entry]:
        """Findings that have to prove that they last, the gravest first."""
        held = (e for e in self.entries if e.open and not e.told)
        return sorted(held, key=lambda e: gravity(e.finding))

    def is_of(self, prints: Sequence[Print]) -> bool:
        """Whether a run with these first points may be the one of this account."""
        return all(self.prints.get((m, s), told) == told for m, s, told in prints)


Said = tuple[str, Entry, Severity | None]
"""What happened to a finding, and the severity that it had before."""


class Ledger:
    """What was told of all runs.

    Parameters
    ----------
    accounts : dict of key to Account, optional
        From an earlier watch.
    last : int
        Number of the last finding that was told.
    """

    def __init__(self, accounts: dict[str, Account] | None = None, last: int = 0) -> None:
        self.accounts = accounts or {}
        self.last = last

    @property
    def suspected(self) -> frozenset[tuple[str, str, str, str, int]]:
        """What has to prove that it lasts: key of the run, rule, metric, split, and since when."""
        return frozenset(
            (key, e.finding.rule, e.finding.metric, e.finding.split, e.since)
            for key, account in self.accounts.items()
            for e in account.suspected
        )

    def account(self, key: str) -> Account:
        """The account of a run."""
        return self.accounts.setdefault(key, Account())

    def see(
        self,
        key: str,
        told: Judged,
        prints: Sequence[Print],
        at: float,
        points: Callable[[Finding], int],
        *,
        settled: bool = False,
        final: bool = False,
    ) -> list[Change]:
        """Enter what a look has found, and say what is new.

        Parameters
        ----------
        key : str
            Of the run.
        told : Judged
        prints : sequence of Print
            First points of the run: with others it is another run, of which nothing was told.
        at : float
            Unix seconds.
        points : callable
            How many points the metric of a finding has.
        settled : bool
            Whether the run stands still: nothing has to prove that it lasts.
        final : bool
            Whether there may be no further look: so, too, and what was not found has ended.

        Returns
        -------
        list of Change
        """
        if not self.account(key).is_of(prints):
            self.accounts[key] = Account()
        account = self.account(key)
        account.prints.update({(m, s): text for m, s, text in prints})
        said, met = self._found(account, told, points, settled, final)
        for entry in [e for e in account.entries if e.open and all(e is not m for m in met)]:
            if not entry.told:
                account.entries.remove(entry)
            elif _over(entry, told, final):
                entry.open = False
                said.append((CLOSED, entry, None))
        _forget(account)
        return [
            Change(kind, entry.number, told.name, told.source, entry.finding, at, before)
            for kind, entry, before in said
        ]

    def _found(
        self,
        account: Account,
        told: Judged,
        points: Callable[[Finding], int],
        settled: bool,
        final: bool,
    ) -> tuple[list[Said], list[Entry]]:
        """Enter the findings of a look; what is to be told of them, and their entries."""
        said: list[Said] = []
        met: list[Entry] = []
        for finding, entry in _matched(account.entries, told):
            if entry is None:
                entry = Entry(0, finding, told=False, since=points(finding))
                account.entries.append(entry)
            if entry.told:
                said += [(k, entry, before) for k, before in _entered(entry, finding, final)]
            else:
                entry.finding = finding
                if settled or final or _lasts(entry, points(finding)):
                    self.last += 1
                    entry.number, entry.told = self.last, True
                    said.append((OPENED, entry, None))
            met.append(entry)
        return said, met


def _lasts(entry: Entry, points: int) -> bool:
    if entry.finding.rule in _CERTAIN:
        return True
    needed = _LASTED if entry.finding.split in ("", "train") else _EVALUATIONS
    return points >= entry.since + needed


def _entered(entry: Entry, finding: Finding, final: bool) -> Iterator[tuple[str, Severity | None]]:
    """Bring an entry up to date; yields what is to be told of it."""
    before, entry.misses = entry.finding.severity, 0
    rank = finding.severity.rank
    entry.milder = entry.milder + 1 if entry.open and rank < before.rank else 0
    if not entry.open:
        entry.open, entry.finding = True, finding
        entry.returns += 1
        if entry.returns <= _AGAIN:
            yield AGAIN, None
    elif rank > before.rank:
        entry.finding = finding
        yield WORSE, before
    elif entry.milder >= (1 if final else _PATIENCE):
        entry.finding, entry.milder = finding, 0
        yield MILDER, before
    else:
        entry.finding = replace(finding, severity=before) if entry.milder else finding


def _over(entry: Entry, told: Judged, final: bool) -> bool:
    """Whether a finding that a look did not find has ended."""
    if final:
        return True
    results = [f for f in told.results if f.rule == entry.finding.rule]
    unsure = all(f.status in (Status.SKIP, Status.INCONCLUSIVE) for f in results)
    # Of many events a rule lists the largest and counts the rest.
    crowded = any(f.evidence.get("unlisted") for f in results)
    if unsure or crowded:
        return False
    entry.misses += 1
    return entry.misses >= _PATIENCE


# --- which is which ---------------------------------------------------------------------------

Group = tuple[str, str, str]


def _matched(entries: Sequence[Entry], told: Judged) -> list[tuple[Finding, Entry | None]]:
    """The findings of a look, each with the entry that it has already."""
    first, last = told.steps or (0, 0)
    free: dict[Group, list[Entry]] = {}
    for entry in entries:
        free.setdefault(_group(entry.finding), []).append(entry)
    found: dict[int, Entry | None] = {}
    # What fits exactly is taken first, so that a neighbour does not take it.
    for near in (0.0, _NEAR * (last - first), float("inf")):
        for i, finding in enumerate(told.findings):
            if found.get(i) is None and (near <= last - first or finding.rule not in _EVENTS):
                found[i] = _take(free.get(_group(finding), []), finding, near)
    return [(finding, found.get(i)) for i, finding in enumerate(told.findings)]


def _group(finding: Finding) -> Group:
    return finding.rule, finding.metric, finding.split


def _take(free: list[Entry], finding: Finding, near: float) -> Entry | None:
    """The nearest open entry, else the nearest closed one; taken out of the list.

    However far the edges of a state move with the looks, it is the same one (`near` infinite).
    """
    fits = [e for e in free if _distance(e.finding, finding) <= near]
    if not fits:
        return None
    best = min(fits, key=lambda e: (not e.open, _distance(e.finding, finding)))
    free.remove(best)
    return best


def _distance(a: Finding, b: Finding) -> float:
    if a.first_step is None or b.first_step is None:
        return 0.0 if a.first_step == b.first_step else float("inf")
    return abs(a.first_step - b.first_step)


def _forget(account: Account) -> None:
    closed = [e for e in account.entries if not e.open]
    for entry in closed[: len(closed) - _CLOSED]:
        account.entries.remove(entry)
