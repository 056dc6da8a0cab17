"""What must hold after damage, by the kind of a file. Each check returns complaints."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.robustness.mutations import Damaged
from tests.robustness.reading import Found
from tests.robustness.truth import Log, LogFile, Point, Record

Places = list[tuple[int, Record]]
_SIGNS = re.compile(rb"[{=:, \t]")
_LOUD = ("corrupt", "torn-tail", "unreadable", "skipped", "assumed")


def complaints(
    log: Log, which: int, other: Log, now: Damaged, found: dict[str, Found]
) -> list[str]:
    """What is wrong with how a damaged log was read.

    Parameters
    ----------
    log : Log
    which : int
        Number of the file that was damaged.
    other : Log
        Whose file was glued behind, where that happened.
    now : Damaged
    found : dict
        See `reading.read`.
    """
    file = log.files[which]
    if file.kind == "store":
        return list(_store(log, file, found))
    if file.kind == "pages":
        run = _together(found)
        return [] if run.points or run.told else ["everything is gone without a word"]
    run = _together(found)
    rest = [p for f in log.files if f is not file for r in f.records for p in r.points]
    rest += log.whole.get("", ())
    if not file.records:
        return list(_aside(file, rest, run))
    check = {"checksummed": _checksummed, "lines": _lines, "document": _document}[file.kind]
    held = (file.records, other.files[which].records)
    return [*check(file, held, now, _without(run, rest)), *_whole(rest, run)]


def _together(found: dict[str, Found]) -> Found:
    """What was read, as of one run: a damaged table may look like several."""
    whole = Found()
    for run in found.values():
        whole.notices += run.notices
        whole.error = whole.error or run.error
        for key, points in run.columns.items():
            whole.columns.setdefault(key, []).extend(points)
    return whole


def _without(run: Found, rest: Iterable[Point]) -> Found:
    """A run without the points of files that were not damaged."""
    left = Counter(rest)
    if not left:
        return run
    kept = Found({}, run.notices, run.error)
    for key, points in run.columns.items():
        for p in points:
            if left[p]:
                left[p] -= 1
            else:
                kept.columns.setdefault(key, []).append(p)
    return kept


def _whole(rest: Sequence[Point], run: Found) -> Iterator[str]:
    missing = Counter(rest) - Counter(run.points)
    if missing:
        yield f"points of an undamaged file are gone: {_some(missing)}"


def _aside(file: LogFile, rest: Sequence[Point], run: Found) -> Iterator[str]:
    """A file without points was damaged: all points stay, or the loss is told."""
    if file.helps:
        yield from _whole(rest, run)
    elif Counter(rest) - Counter(run.points) and not run.told:
        yield "points were lost without a word"


def intact(file_records: Sequence[Sequence[Record]], now: Damaged, lines: bool) -> Places:
    """Records that still stand whole, with their places, in the order of the damaged file."""
    found: Places = []
    for source, records in enumerate(file_records):
        for record in records:
            for at in now.places(source, record.begin, record.end):
                if not lines or at == 0 or now.data[at - 1] == 10:
                    found.append((at, record))
    return sorted(found, key=lambda place: place[0])


def _checksummed(
    file: LogFile, held: Sequence[Sequence[Record]], now: Damaged, run: Found
) -> Iterator[str]:
    places = intact(held, now, False)
    headed = [(at, r) for at, r in places if understood(held, places, at, r)]
    expected = Counter(p for _, r in headed for p in r.points)
    most: Counter[Point] = Counter()
    for source, records in enumerate(held):
        for record in records:
            if record.points:
                # Right values from a record of which only the frame was hit are no invention.
                times = max(_times(record, source, file, now), 1)
                most.update(dict.fromkeys(record.points, times))
    got = Counter(run.points)
    if expected - got:
        yield f"intact records are gone: {_some(expected - got)}"
    # Without its header, right values may stand at places that were assumed, where that is told.
    begun = all(any(h is r for _, r in places) for h in held[0] if h.header)
    if got - most and len(headed) == len(places) and (begun or not run.told):
        yield f"invented: {_some(got - most)}"
    # Where the cut runs between two records, or from one place in a record to the same place in
    # the next, nothing is left that could tell.
    known = [(i, r) for i, records in enumerate(held) for r in records]
    whole = sum(_times(r, i, file, now) * (r.end - r.begin) for i, r in known)
    if whole < len(now) and _missing(held, run) and not run.told:
        yield "what is no record was passed over without a word"


def _times(record: Record, source: int, file: LogFile, now: Damaged) -> int:
    if source == 0:
        return now.data.count(file.data[record.begin : record.end])
    return len(now.places(source, record.begin, record.end))


def _lines(
    file: LogFile, held: Sequence[Sequence[Record]], now: Damaged, run: Found
) -> Iterator[str]:
    places = intact(held, now, True)
    pointed = [(at, r) for at, r in places if r.points]
    known = [(at, r) for at, r in pointed if understood(held, places, at, r)]
    known = _under_whole_headers(file, known, places, now.data)
    yield from _in_order(known, run)
    residue = list(_residue(places, now.data))
    if len(known) == len(pointed):
        yield from _not_too_many(held, known, residue, run)
    if file.broken and any(map(file.broken, residue)) and _missing(held, run) and not run.told:
        yield f"broken lines cost points without a word: {residue[:3]}"


def _under_whole_headers(file: LogFile, known: Places, places: Places, data: bytes) -> Places:
    """Records that no damaged header stands before: what it calls their cells cannot be known."""
    heads = [file.data[r.begin : r.end] for r in file.records if r.header]
    if not heads or heads[0].startswith(b"{"):
        return known  # every record of JSON says its own names
    words = {word for head in heads for word in re.findall(rb"[a-z_]{4,}", head)}
    kept, spoilt, end = [], False, 0
    for at, record in places:
        spoilt = spoilt or any(word in data[end:at] for word in words)
        spoilt = spoilt and not record.header
        end = at + record.end - record.begin
        if not spoilt and any(at == where and record is r for where, r in known):
            kept.append((at, record))
    return kept


def _not_too_many(
    held: Sequence[Sequence[Record]], places: Places, residue: list[bytes], run: Found
) -> Iterator[str]:
    """Whatever damaged bytes yield, it is no more than they have room for."""
    each = max(len(r.points) for records in held for r in records)
    extra = len(run.points) - sum(len(r.points) for _, r in places)
    if extra > sum(2 * each + len(_SIGNS.findall(part)) for part in residue):
        yield f"{extra} points too many, {len(residue)} damaged stretches"


def understood(held: Sequence[Sequence[Record]], places: Places, at: int, record: Record) -> bool:
    """Whether a record is no header, has none, or a header begins the file and its own came."""
    own = next(records for records in held if any(record is r for r in records))
    needed = [h for h in own if h.header and h.begin < record.begin]
    before = [r for where, r in places if where < at]
    begun = any(where == 0 and r.header for where, r in places)
    return not needed or (begun and all(any(h is r for r in before) for h in needed))


def _residue(places: Places, data: bytes) -> Iterator[bytes]:
    """Lines, or parts of lines, that are no intact record."""
    end = 0
    for at, record in [*places, (len(data), Record(0, 0))]:
        yield from (line for line in data[end:at].split(b"\n") if line.strip())
        end = max(end, at + record.end - record.begin)


def _in_order(places: Places, run: Found) -> Iterator[str]:
    """Complaints where the points of records do not come in their order."""
    expected: dict[tuple[str, str | None], list[Point]] = {}
    for _, record in places:
        for p in record.points:
            expected.setdefault((p.name, p.split), []).append(p)
    for key, wanted in expected.items():
        rest = iter(run.columns.get(key, ()))
        gone = [p for p in wanted if not any(p == q for q in rest)]
        if gone:
            missing = Counter(wanted) - Counter(run.columns.get(key, ()))
            yield f"untouched records of {key} are gone or out of order: {_some(missing or gone)}"


def _document(
    file: LogFile, held: Sequence[Sequence[Record]], now: Damaged, run: Found
) -> Iterator[str]:
    first = now.pieces[0] if now.pieces else None
    clean = len(first.data) if first and (first.source, first.begin) == (0, 0) else 0
    places = intact(held, now, False)
    told = bool(run.notices or run.error)
    headed = all(r.end <= clean for r in held[0] if r.header)
    before = [r for at, r in places if at + r.end - r.begin <= clean]
    wanted = before if told else [r for _, r in places]
    gone = Counter(p for r in wanted for p in r.points) - Counter(run.points)
    # A changed name in the header, in text that is valid still, can be any name.
    if gone and (headed or not (told or _is_json(now.data))):
        yield f"complete entries are gone: {_some(gone)}"
    if _missing(held, run) and not told and not _is_json(now.data):
        yield "broken text cost points without a word"
    if headed:
        kept = _without(run, [p for _, r in places for p in r.points])
        residue = [part.strip(b", \t{}[]") for part in _residue(places, now.data)]
        yield from _not_too_many(held, [], [part for part in residue if part], kept)


def _missing(held: Sequence[Sequence[Record]], run: Found) -> bool:
    """Whether points of the log are not there."""
    return bool(Counter(p for r in held[0] for p in r.points) - Counter(run.points))


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _store(log: Log, file: LogFile, found: dict[str, Found]) -> Iterator[str]:
    for key, run in found.items():
        truth, got = Counter(log.whole[key]), Counter(run.points)
        if got - truth:
            yield f"invented in {key}: {_some(got - truth)}"
        if key != file.run and truth - got:
            yield f"run {key}, which is not damaged, lost {_some(truth - got)}"
        said = [n for n in run.notices if n.kind in _LOUD and key in n.where]
        if truth - got and not said and not run.error:
            yield f"run {key} lost {_some(truth - got)} without a word"


def _some(points: Iterable[Point] | Counter[Point]) -> str:
    held = list(points.elements()) if isinstance(points, Counter) else list(points)
    return f"{len(held)} points, such as {held[:3]}"
