"""What is worth telling about how an AIM run was read."""

from __future__ import annotations

from collections.abc import Callable

from trainlens.readers._aim.cells import Points
from trainlens.readers._aim.meta import Meta
from trainlens.readers._aim.store import Damage, Store
from trainlens.run import Notice
from trainlens.words import plural

_REST = "everything else of this run, and every other run, was read"


def of_run(
    folder: Callable[[str], str],
    points: list[Points],
    meta: Meta,
    stores: tuple[Store, Store],
    skipped: int,
    *,
    ended: bool,
    final: bool,
    settled: bool,
) -> list[Notice]:
    """Everything to tell about a run.

    Parameters
    ----------
    folder : callable
        From an area (``meta``, ``seqs``) to the folder to show.
    points : list of Points
    meta : Meta
    stores : (Store, Store)
        Of ``meta`` and of ``seqs``, after they were read.
    skipped : int
        Sequences that hold no numbers.
    ended : bool
        The repository says that the run was closed, even if the run itself does not.
    final : bool
        Nothing more will come.
    settled : bool
        Nothing was written while the run was read.
    """
    found: list[Notice] = []
    damaged = any(s.damage for s in stores)
    for area, store in zip(("meta", "seqs"), stores, strict=True):
        found += [_damage(folder(area), d, store.opened) for d in store.damage]
        found += [_torn(folder(area), d) for d in store.torn if final]
    if final:
        found += _incomplete(folder("seqs"), points, damaged)
    if final and settled:
        found += _cut_short(folder("seqs"), points, meta, damaged)
    if not stores[0].opened and not stores[0].damage and any(len(p.step) for p in points):
        text = "the store of parameters and contexts is missing; the index was used instead"
        found.append(Notice("corrupt", folder("meta"), text, None))
    if skipped:
        what = plural(skipped, "sequence")
        verb = "holds" if skipped == 1 else "hold"
        text = f"{what} that {verb} no numbers (text, images, distributions) left undecoded"
        found.append(Notice("skipped", folder("seqs"), text, 0))
    if final and not any(len(p.step) for p in points) and not damaged:
        found.append(Notice("empty", folder("seqs"), "this run has logged no metric", 0))
    if final and meta.end_time is None and not ended and not damaged:
        text = "the run was not closed: it is still being written, or was killed"
        found.append(Notice("unfinished", folder("meta"), text, 0))
    return found


def rebuilt(folder: str, gained: int) -> Notice:
    """Points of tables that the store itself does not list."""
    text = (
        f"the list of tables (MANIFEST) is incomplete; {plural(gained, 'point')} recovered "
        "from tables that it does not name"
    )
    return Notice("corrupt", folder, text, 0)


def _damage(folder: str, damage: Damage, opened: bool) -> Notice:
    where = f"{folder}/{damage.file}" if damage.file else folder
    if damage.span:
        where += f", bytes {damage.span[0]}-{damage.span[1]}"
    what = f"damaged run: {damage.problem}; "
    if not opened:
        what += "nothing of this part can be read"
    else:
        what += "every point was read" if damage.lost == 0 else f"what lay there is lost, {_REST}"
    return Notice("corrupt", where, what, damage.lost)


def _torn(folder: str, damage: Damage) -> Notice:
    start, end = damage.span or (0, 0)
    where = f"{folder}/{damage.file}, bytes {start}-{end}"
    return Notice("torn-tail", where, "the last write is unfinished and was left out", 1)


def _incomplete(folder: str, points: list[Points], damaged: bool) -> list[Notice]:
    lost = sum(p.incomplete for p in points)
    if not lost:
        return []
    names = sorted({p.name for p in points if p.incomplete})
    shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    text = f"{plural(lost, 'point')} of {shown} without a value or a step left out"
    return [Notice("corrupt" if damaged else "torn-tail", folder, text, lost)]


def _cut_short(folder: str, points: list[Points], meta: Meta, damaged: bool) -> list[Notice]:
    # The last step is written before its point: a killed run may lack one point, a closed run
    # none, so more than that was lost in the store of the points.
    last = {(p.context, p.name): int(p.step.max()) for p in points if len(p.step)}
    short = sorted(
        name
        for (context, name), trace in meta.traces.items()
        if meta.is_number(context, name)
        and isinstance(trace.get("last_step"), int)
        and trace["last_step"] > last.get((context, name), -1)
    )
    if damaged or len(short) <= (2 if meta.end_time is None and last else 0):
        return []
    shown = ", ".join(short[:3]) + (" and others" if len(short) > 3 else "")
    text = f"{shown}: the last points that the run recorded are missing from its store"
    return [Notice("corrupt", folder, text, None)]
