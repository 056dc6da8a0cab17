"""Of many runs the gravest, the best and a sample are drawn, and some get a page."""

import report_demo as demo

from trainlens.reporting import build, digest
from trainlens.reporting.runs import ranking_key
from trainlens.reporting.selection import detailed, drawn


def digests(n):
    held = demo.many(n)
    first = held[0]
    return held if hasattr(first, "told") else [digest(d, runs=n, now=demo.NOW) for d in held]


def test_few_runs_are_all_drawn():
    held = digests(20)
    assert drawn(held, None) == tuple(range(20))


def test_the_gravest_and_the_best_of_many_are_drawn_within_the_room():
    held = digests(700)
    key = ranking_key(d.lead for d in held)
    chosen = drawn(held, key)
    lines = sum(len(held[i].curves) for i in chosen)
    assert 700 <= lines <= 800
    assert chosen == tuple(sorted(set(chosen)))
    best = min(
        range(700), key=lambda i: held[i].standings[key].standing.best if key in held[i].standings
        else float("inf"),
    )  # fmt: skip
    assert best in chosen
    errors = [i for i, d in enumerate(held) if d.told.verdict == "failing"]
    assert set(chosen) & set(errors)
    assert sum(not held[i].told.flagged for i in chosen) > len(chosen) // 4


def test_pages_go_to_the_best_and_the_gravest():
    held = digests(300)
    key = ranking_key(d.lead for d in held)
    chosen = detailed(held, key, 10)
    assert len(chosen) == 10
    assert sum(not held[i].told.flagged for i in chosen) == 3
    assert all(held[i].told.verdict == "failing" for i in chosen if held[i].told.flagged)
    assert detailed(held, key, 0) == ()


def test_what_is_not_drawn_is_still_told():
    held = digests(700)
    report = build(held, title="", command="x", now=demo.NOW, version="0")
    assert len(report.runs) == 700
    assert report.many
    lines = [line.run for c in report.charts for line in c.lines]
    assert set(lines) == set(report.drawn)
    assert len(report.items) == sum(len(d.told.findings) for d in held)
