"""Short, unique names for runs, from their paths."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path

from trainlens.readers.base import Source
from trainlens.remote.shown import shown

# File and folder names that say what the file is, not which run it is.
_GENERIC = frozenset(
    {
        "events", "history", "log", "logs", "metrics", "output", "progress", "results", "run",
        "scalars", "stdout", "tensorboard", "tb", "train", "train_log", "trainer_state",
        "training", "training_log", "vis_data",
    }
)  # fmt: skip

_PACKED = (".gz", ".zst", ".xz", ".bz2")


def name_runs(sources: Sequence[Source], roots: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Names of runs, one a source, in order, all different.

    Parameters
    ----------
    sources : sequence of Source
    roots : sequence of path-like
        The paths that the user gave; a name begins below the one that holds it.

    Returns
    -------
    list of str
    """
    mirrors = [shown(s.path) for s in sources]
    tops = {Path(os.path.abspath(os.fspath(r))) for r in roots}
    tops |= {Path(m.root) for m in mirrors if m}
    siblings = Counter(_place(s).parent for s in sources)
    names = [_short(s, tops, siblings) for s in sources]
    for make in (_whole, _numbered):
        twice = {name for name, n in Counter(names).items() if n > 1}
        if not twice:
            break
        names = make(sources, names, twice)
    return [m.name(name) if m else name for name, m in zip(names, mirrors, strict=True)]


def _place(source: Source) -> Path:
    place = Path(os.path.abspath(source.path))
    return place.parent if place.name == ".aim" else place


def _short(source: Source, tops: Set[Path], siblings: Counter[Path]) -> str:
    place = _place(source)
    top = next((p for p in place.parents if p in tops), None)
    parts = list(place.relative_to(top).parts) if top else [place.name]
    if not source.path.is_dir():
        parts[-1] = _stem(parts[-1])
    elif source.name and not source.key:
        # A folder that is named by a hash or a date (W&B, MLflow) holds a name for people.
        return "/".join([*parts[:-1], source.name])
    if source.key:
        own = source.name or source.key[:8]
        return "/".join([*parts, own]) if top else own
    if parts[-1].lower() in _GENERIC and siblings[place.parent] == 1:
        # run-7/metrics.jsonl is run-7; a lone metrics.jsonl is named after its folder.
        parts = parts[:-1] or [place.parent.name or parts[-1]]
    return "/".join(parts)


def _stem(name: str) -> str:
    for suffix in (*_PACKED, ".jsonl", ".ndjson", ".json", ".log", ".txt", ".csv", ".tsv", ".npz"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _whole(sources: Sequence[Source], names: list[str], twice: set[str]) -> list[str]:
    def full(source: Source, name: str) -> str:
        shown = os.path.relpath(source.path).replace(os.sep, "/")
        return f"{shown}:{source.key}" if source.key else shown

    return [full(s, n) if n in twice else n for s, n in zip(sources, names, strict=True)]


def _numbered(sources: Sequence[Source], names: list[str], twice: set[str]) -> list[str]:
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(f"{name} ({seen[name]})" if name in twice and seen[name] > 1 else name)
    return result
