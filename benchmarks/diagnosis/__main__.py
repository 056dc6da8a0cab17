"""How often the diagnosis is right, with one command: ``python -m benchmarks.diagnosis``.

Tier A are synthetic runs, tier B faults put into the noise of real logs, tier C tiny trainings
with real faults. ``--write`` (which takes all) fills the tables of docs/diagnosis.md and README,
and the figures that ``trainlens rules`` shows.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence

from benchmarks.diagnosis import others, pages, peers, real_steps, tables
from benchmarks.diagnosis import strata as spikes
from benchmarks.diagnosis.judge import Spec, judged, specs
from benchmarks.diagnosis.labelled import HEALTHY
from benchmarks.diagnosis.metamorphic import changed
from benchmarks.diagnosis.score import Outcome
from benchmarks.diagnosis.sizes import sizes
from benchmarks.diagnosis.summary import Overall, by_kind, by_rule, by_strength, overall, strata
from benchmarks.diagnosis.synthetic import kinds
from benchmarks.diagnosis.tiers import FULL, QUICK, Measured, Size, tier_a, tier_b, tier_c
from trainlens.rules import PROFILES, all_rules, diagnose

Block = dict[str, str]
"""Markdown by the name of its markers."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tier", choices="ABC", action="append", help="only these tiers")
    parser.add_argument("--sealed", action="store_true", help="the seeds nobody tunes on: rarely")
    parser.add_argument("--quick", action="store_true", help="a fifth of the runs")
    parser.add_argument("--peers", action="store_true", help="other diagnosers on the same runs")
    parser.add_argument("--sizes", action="store_true", help="the statistical tests alone")
    parser.add_argument("--strata", action="store_true", help="recall by family and by strength")
    parser.add_argument(
        "--spike-strata", action="store_true", help="spikes alone, by noise, width and length"
    )
    parser.add_argument(
        "--real-steps", action="store_true", help="spikes alone, in trainings run on the spot"
    )
    parser.add_argument(
        "--misses", action="store_true", help="name the runs that were judged wrong"
    )
    parser.add_argument("--show", nargs=2, metavar=("KIND", "SEED"), help="one run: what was said")
    parser.add_argument("--write", action="store_true", help="write the pages and figures")
    asked = parser.parse_args(arguments)
    if asked.write and (asked.quick or asked.tier or asked.sealed):
        parser.error("--write takes all tiers in full; leave --quick, --tier and --sealed out")
    if asked.show and asked.show[0] not in kinds():
        parser.error(f"no kind {asked.show[0]!r}; there are: {', '.join(kinds())}")
    return asked


def main() -> int:
    """Measure, print and write."""
    asked = options()
    if asked.show:
        return show(asked.show[0], int(asked.show[1]), asked.sealed)
    if asked.sizes:
        print(tables.text(tables.sizes(sizes())))
        return 0
    if asked.spike_strata or asked.real_steps:
        print("\n\n".join(map(tables.text, _of_spikes(asked).values())))
        return 0
    size = QUICK if asked.quick else FULL
    tiers = asked.tier or ["A", "B", "C"]
    begin = time.perf_counter()
    held = measure(tiers, size, sealed=asked.sealed or asked.write)
    blocks: Block = {}
    for one in held:
        print(report(one, strata_too=asked.strata, misses=asked.misses), flush=True)
    if "A" in tiers:
        print(unit_of_loss(size))
    if asked.peers or asked.write:
        compared = comparison(size)
        blocks["compared"] = tables.markdown(tables.whole(compared))
        print(f"\nThe same runs of {len(others.COMMON) - 1} kinds\n"
              f"{tables.text(tables.whole(compared))}")  # fmt: skip
    print(f"\n{time.perf_counter() - begin:.0f} s")
    if asked.write:
        blocks |= {name: tables.markdown(table) for name, table in _of_spikes(asked).items()}
        write(held, blocks)
    return 0


def _of_spikes(asked: argparse.Namespace) -> dict[str, tables.Table]:
    """The tables about spikes that are asked for; all with ``--write``."""
    found: dict[str, tables.Table] = {}
    if asked.spike_strata or asked.write:
        each = 4 if asked.quick else 24
        for size in spikes.Size:
            held = spikes.score(spikes.cells(each, size=size, sealed=asked.sealed))
            found[f"spikes-{size.value}"] = tables.spike_strata(spikes.worst(held))
    if asked.real_steps or asked.write:
        from benchmarks.diagnosis.trainings.every_step import recipes

        judged_trainings = list(real_steps.measure(recipes()))
        found["real-steps"] = tables.real_steps(real_steps.totals(judged_trainings))
    return found


def measure(tiers: Sequence[str], size: Size, *, sealed: bool) -> list[Measured]:
    """The tiers asked for; with `sealed`, the sealed synthetic runs beside the open ones."""
    held = []
    if "A" in tiers:
        held.append(tier_a(size))
        if sealed:
            held.append(tier_a(size, sealed=True))
    if "B" in tiers:
        held.append(tier_b(size))
    if "C" in tiers:
        held.append(tier_c())
    return held


def report(one: Measured, *, strata_too: bool = False, misses: bool = False) -> str:
    """A tier as text."""
    if one.skipped:
        return f"\n{one.title}: skipped, {one.skipped}"
    some = one.outcomes
    parts = [
        f"\n{one.title}: {len(some)} runs",
        tables.text(tables.kinds(by_kind(some))),
        "",
        tables.text(tables.rules(by_rule(some, one.accepts))),
        "",
        tables.text(tables.whole({one.title: overall(some)})),
    ]
    if strata_too:
        parts += ["", *_strata(some)]
    if misses:
        parts += ["", *_misses(some)]
    return "\n".join(parts)


def _strata(some: Sequence[Outcome]) -> list[str]:
    lines = ["Recall by family: labels, runs with a wrong finding"]
    lines += [
        f"  {name:40} {tables.share(recall)} {labels:6d} {wrong:5d}"
        for name, recall, labels, wrong in strata([o for o in some if o.judged])
    ]
    lines.append("Recall by strength: from, to, recall, labels")
    for kind in sorted({o.kind for o in some if o.kind != HEALTHY and o.judged}):
        for low, high, recall, labels in by_strength([o for o in some if o.kind == kind]):
            lines.append(f"  {kind:24} {low:10.3g} {high:10.3g} {tables.share(recall)} {labels:5d}")
    return lines


def _misses(some: Sequence[Outcome]) -> list[str]:
    lines = ["Judged wrong: kind, seed, hits of labels, false alarms"]
    return lines + [
        f"  {o.kind:24} {o.seed:8d} {o.hits}/{o.labels} {' '.join(sorted(set(o.false)))}"
        for o in some
        if o.judged and (o.false or o.hits < o.labels)
    ]


def unit_of_loss(size: Size) -> str:
    """Whether another unit of the loss changes a verdict, in some runs of every kind."""
    wanted = specs(max(20, size.healthy // 10), max(2, size.each // 12), longest=5000)
    said = [line for spec in wanted for line in changed(spec.make().run)]
    head = f"\nVerdicts changed by the unit of the loss (1e-6 to 1e6): {len(said)} in {len(wanted)}"
    return "\n".join([f"{head} runs", *(f"  {line}" for line in said[:20])])


def comparison(size: Size) -> dict[str, Overall]:
    """The profiles and the installed peers on the same runs of the kinds that peers know."""
    healthy, each = max(30, size.healthy // 10), max(5, size.each // 4)
    wanted = [
        spec
        for spec in specs(healthy, each, longest=5000, first=500_000)
        if spec.kind in others.COMMON
    ]
    found = {}
    for profile in PROFILES:
        if all_rules(profile):
            mine = [_by_profile(spec, profile) for spec in wanted]
            found[f"trainlens, {profile}"] = overall(mine)
    found |= {name: overall(some) for name, some in peers.outcomes(wanted).items()}
    return found


def _by_profile(spec: Spec, profile: str) -> Outcome:
    """As peers are scored: by what it may mean, wherever it points."""
    case = spec.make()
    results = diagnose(case.run, profile=profile).findings
    heard = [
        others.Said(others.OF_PROFILES.get(f.rule, (f.rule,)), f.severity.value != "info", f.rule)
        for f in results
    ]
    return others.matched(case, heard)


def show(kind: str, seed: int, sealed: bool) -> int:
    """One run: what is wrong with it and what the rules say."""
    case = Spec(kind, seed, sealed).make()
    one = judged(case)
    print(f"{case.run}\n{dict(case.families)}")
    print(f"accepted: {', '.join(case.accepted) or '-'}; also fine: {', '.join(case.consequences)}")
    print(f"at {[(s.first, s.last) for s in case.spans]}, {case.tolerance} steps of tolerance, "
          f"strength {case.strength:.3g}")  # fmt: skip
    print(f"{one.hits} of {one.labels} found; false: {', '.join(one.false) or 'none'}")
    for message in one.messages:
        print(f"  {message}")
    return 0


def write(held: Sequence[Measured], blocks: Block) -> None:
    """Fill docs/diagnosis.md, README and the figures of the rules."""
    judged_tiers = [one for one in held if not one.skipped]
    totals = {one.title: overall(one.outcomes) for one in judged_tiers}
    blocks["scores"] = tables.markdown(tables.whole(totals))
    tested = sizes()
    blocks["sizes"] = tables.markdown(tables.sizes(tested))
    for one in judged_tiers:
        word = one.title.lower().replace(", ", "-").replace(" ", "-")
        blocks[f"kinds-{word}"] = tables.markdown(tables.kinds(by_kind(one.outcomes)))
    sealed = next(one for one in held if one.title.endswith("sealed"))
    rows = by_rule(sealed.outcomes, sealed.accepts)
    blocks["rules"] = tables.markdown(tables.rules([r for r in rows if r.runs]))
    page = pages.ROOT / "docs" / "diagnosis.md"
    for name, text in blocks.items():
        pages.replace(page, name, text)
    pages.replace(pages.ROOT / "README.md", "diagnosis", blocks["scores"])
    today = datetime.date.today().isoformat()
    pages.MEASURED.write_text(pages.measured(rows, today), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
