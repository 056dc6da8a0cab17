"""How often the comparison is right, with one command: ``python -m benchmarks.comparison``.

Single runs of one code that are called different (noise, and real trainings), intervals from a few
seeds, the aggregates of rliable on the same arrays, and a hundred runs compared. ``--write`` fills
the tables of docs/comparison.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec

from benchmarks.comparison import pairs, published, replicates, seeds, speed
from benchmarks.diagnosis import pages, tables

Blocks = Mapping[str, str]
"""Tables as Markdown by the name of their markers."""
PAGE = pages.ROOT / "docs" / "comparison.md"


def of_pairs(quick: bool) -> dict[str, tables.Table]:
    """Single runs: how often two of one code are called different."""
    rows = pairs.sizes(200 if quick else 1000)
    return {"pair-sizes": pairs.table(rows), "pair-sizes-worst": pairs.worst(rows)}


def of_seeds(quick: bool) -> dict[str, tables.Table]:
    """Arms of several runs: how often intervals hold the truth."""
    few = 600 if quick else 3000
    return {
        "seed-coverage": seeds.table(seeds.coverages(few)),
        "seed-intervals": seeds.improvements(few // 5),
    }


def of_replicates(quick: bool) -> dict[str, tables.Table]:
    """Real trainings that differ in their seed alone, and trainings that differ truly."""
    if find_spec("torch") is None:
        print("replicates: skipped, torch is not installed")
        return {}
    import_module("torch").set_num_threads(1)  # small networks: threads only wait for each other
    made = list(replicates.trials(seeds=4 if quick else replicates.SEEDS))
    return {"replicates": replicates.table(replicates.rates(made))}


def of_published(quick: bool) -> dict[str, tables.Table]:
    """The same arrays by rliable."""
    why = published.why_not()
    if why:
        print(f"rliable: {why}")
        return {}
    return {"rliable": published.table()}


def of_speed(quick: bool) -> dict[str, tables.Table]:
    """A hundred runs."""
    return {"comparison-speed": speed.table()}


PARTS: Mapping[str, Callable[[bool], dict[str, tables.Table]]] = {
    "pairs": of_pairs,
    "replicates": of_replicates,
    "seeds": of_seeds,
    "rliable": of_published,
    "speed": of_speed,
}


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="only these")
    parser.add_argument("--quick", action="store_true", help="a fifth of the simulations")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    asked = parser.parse_args(arguments)
    if asked.write and asked.quick:
        parser.error("--write takes all simulations; leave --quick out")
    return asked


def main() -> int:
    """Measure, print and write."""
    asked = options()
    for part in asked.part or PARTS:
        begin = time.perf_counter()
        found = PARTS[part](asked.quick)
        for name, table in found.items():
            print(f"\n{name}\n{tables.text(table)}", flush=True)
            if asked.write:
                pages.replace(PAGE, name, tables.markdown(table))
        print(f"\n{part}: {time.perf_counter() - begin:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
