"""Command line: ``python -m benchmarks.recovery``."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.recovery.cases import Case, damaged
from benchmarks.recovery.peers import PEERS, Peer
from benchmarks.recovery.score import Score, percent
from benchmarks.recovery.worker import Worker

BATCH = 25
"""Runs that a server is given at once."""

TITLES = {
    "tensorboard": "TensorBoard event files",
    "aim": "AIM repositories",
    "jsonl": "JSON Lines",
    "csv": "CSV",
}

ABOUT = """\
# What is left of damaged logs

Written by `python -m benchmarks.recovery -o docs/recovery.md{options}`. Small logs are damaged in
seeded ways (bits flipped; ranges deleted, inserted, zeroed, overwritten, duplicated; files cut,
glued together; up to three of these at once), and every reader reads the same damaged files, in a
process of its own. *Intact kept*: of the points in records that were not touched, the share that
came back. *Invented*: points that were never logged; a line format has no checksum, so there a
flipped digit is a wrong value for every reader. *Errors*: files for which the reader raised an
exception and gave nothing.
"""


_OF_AIM = (
    "Each repository holds three runs, in one of whose files the damage is: one is closed and "
    "indexed, one closed and not indexed yet, one was killed. AIM's SDK, reading, shows nothing "
    "of runs that are not indexed, damaged or not. *Intact* counts all points of all runs."
)


def fingerprint(folder: Path) -> str:
    """Names, contents and times of everything in a folder."""
    sums = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        sums.update(f"{path}{path.lstat().st_mtime_ns}".encode())
        sums.update(path.read_bytes() if path.is_file() else b"")
    return sums.hexdigest()


def batches(cases: Iterator[Case], size: int) -> Iterator[list[Case]]:
    """Cases in groups."""
    while group := list(islice(cases, size)):
        yield group


def measure(name: str, number: int, peer: Peer, count: int, seed: int) -> Score:
    """Let one reader read all cases of a format."""
    score = Score()
    with tempfile.TemporaryDirectory() as place, Worker(name, number) as worker:
        cases = damaged(name, count, seed, Path(place))
        for group in batches(cases, BATCH if peer.batch else 1):
            before = [fingerprint(case.path) if case.other else "" for case in group]
            paths = [_apart(case.path, Path(place) / "batch", len(group)) for case in group]
            answers = worker.read(paths)
            if len(group) > 1 and not isinstance(answers[0], list):
                # One run took the others with it: each gets its own chance.
                answers = [_single(worker, path, Path(place) / "alone") for path in paths]
            for case, answer, was in zip(group, answers, before, strict=True):
                score.add(case, answer, bool(was) and fingerprint(case.path) != was)
                _remove(case.path, Path(place))
            shutil.rmtree(Path(place) / "batch", ignore_errors=True)
    return score


def _apart(path: Path, folder: Path, group: int) -> Path:
    """A run that is read together with others, in the folder of its group."""
    if group == 1:
        return path
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    shutil.copytree(path, target)
    return target


def _single(worker: Worker, path: Path, folder: Path) -> object:
    folder.mkdir()
    try:
        shutil.copytree(path, folder / path.name)
        return worker.read([folder / path.name])[0]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path, place: Path) -> None:
    top = next(p for p in (path, *path.parents) if p.parent == place)
    shutil.rmtree(top, ignore_errors=True)


def table(name: str, count: int, seed: int) -> str:
    """The Markdown table of a format."""
    repository = name == "aim"
    heads = ["reader", "intact kept", "invented", "errors", "crashes", "hangs"]
    heads[2:2] = ["other runs kept", "changed the files"] if repository else []
    rows, points = [], 0
    notes = [_OF_AIM] if repository else []
    for number, peer in enumerate(PEERS[name]):
        if reason := peer.missing():
            notes.append(f"{peer.name} is left out: {reason}.")
            continue
        s = measure(name, number, peer, count, seed)
        points = s.intact
        row = [peer.title(), percent(s.kept, s.intact)]
        row += [percent(s.other_kept, s.other), str(s.touched)] if repository else []
        rows.append([*row, *(f"{n:,}" for n in (s.invented, s.errors, s.crashes, s.hangs))])
        print(f"{name}: {' | '.join(rows[-1])}", flush=True)
    lines = [f"## {TITLES[name]}: {count:,} damaged, {points:,} intact points", ""]
    lines += ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recovery",
        description=__doc__,
        epilog="The peers come with `pip install -e .[dev]`; those that are missing are left out.",
    )
    parser.add_argument("--mutations", type=int, default=1000, help="damaged logs a format")
    parser.add_argument("--repositories", type=int, default=100, help="damaged AIM repositories")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", action="append", choices=PEERS, help="only this one")
    parser.add_argument("-o", "--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    counts = dict.fromkeys(PEERS, options.mutations) | {"aim": options.repositories}
    names = options.format or list(PEERS)
    tables = [table(name, counts[name], options.seed) for name in names]
    extra = "" if options.seed == 0 else f" --seed {options.seed}"
    text = "\n".join([ABOUT.format(options=extra), *tables])
    print("\n" + text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
