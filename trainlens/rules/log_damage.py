"""The rule ``log-damage``: parts of the log that could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.rules.base import Finding, fail, passed, rule
from trainlens.run import Notice, Run

_DAMAGE = frozenset({"torn-tail", "corrupt", "unreadable", "lfs-pointer"})


@rule(
    "log-damage",
    severity="warning",
    about="log",
    source="damage among public logs: torn tails, flipped bytes, missing files",
)
def log_damage(run: Run, *, share: float = 0.01) -> Iterator[Finding]:
    """Records of this log are lost: torn, overwritten, unreadable, or never fetched.

    All that is intact was read and is judged. An information where nothing is lost but the record
    that was being written when the log ended, or less than a `share` of all records; a warning
    where more is lost, or nobody can say how much.

    What to do: copy the log again from where it was written, if that is intact; look for a full
    disk, for two processes that write one file, or for files that Git LFS has not fetched. The
    places are listed under data quality.

    Settings
    --------
    share : share of the records
        Lost: from there on it is a warning.
    """
    found = [n for n in run.notices if n.kind in _DAMAGE or n.lost]
    if not found:
        yield passed("Every record was read.")
        return
    yield _judge(run, found, share)


def _judge(run: Run, found: list[Notice], share: float) -> Finding:
    held = max((len(s) for s in run.series.values()), default=0)
    lost = sum(n.lost or 0 for n in found)
    uncounted = [n for n in found if n.lost is None]
    part = lost / max(lost + held, 1)
    kinds = " and ".join(sorted({n.kind for n in found}))
    torn = all(n.kind == "torn-tail" and (n.lost or 0) <= 1 for n in found)
    places = words.plural(len(found), "place")
    evidence = {"lost": lost, "records": held, "share": part, "places": len(found)}
    if uncounted and not torn:
        counted = f"at least {words.step(lost)}" if lost else "an unknown number of"
        said = f"Lost: {counted} records at {places} ({kinds})"
    elif lost:
        said = (
            f"Lost: {words.plural(lost, 'record')} at {places} ({kinds}), beside "
            f"{words.step(held)} that were read"
        )
    else:
        said = f"Damage at {places} ({kinds}), of which every record was recovered"
    grave = not torn and (bool(uncounted) or part >= share)
    return fail(
        f"{said}.", evidence=evidence, severity="warning" if grave else "info", confidence=0.95
    )
