"""The labelled benchmark in small: scores that must not drop, and the scoring itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.diagnosis import faults, metamorphic, others, pages, peers, real
from benchmarks.diagnosis.__main__ import options
from benchmarks.diagnosis.judge import judged, specs
from benchmarks.diagnosis.labelled import HEALTHY, Labelled, Span
from benchmarks.diagnosis.noise import OPEN, SEALED, error_of_mean
from benchmarks.diagnosis.others import Said, matched
from benchmarks.diagnosis.score import Outcome, outcome
from benchmarks.diagnosis.sizes import sizes
from benchmarks.diagnosis.summary import RuleScore, by_kind, overall
from benchmarks.diagnosis.synthetic import kinds, make
from benchmarks.diagnosis.tiers import load_tier_c
from trainlens.rules import all_rules
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Run, Series, unknown

LONGEST = 2000
FLOOR = 5 / 6
FLOORS = {"stagnation": 4 / 6}
"""Recalls that six small runs of a kind have had at least; more often missed ones are lower."""


@pytest.fixture(scope="module")
def outcomes():
    """Of 160 healthy runs and six of each kind."""
    return [judged(spec.make()) for spec in specs(160, 6, longest=LONGEST)]


def test_healthy_runs_are_left_alone(outcomes):
    whole = overall(outcomes)
    warned = [(one.seed, one.false) for one in outcomes if one.kind == HEALTHY and one.false]
    assert whole.healthy_share <= 0.02, warned


def test_faults_are_found(outcomes):
    whole = overall(outcomes)
    scores = {row.kind: round(row.recall, 2) for row in by_kind(outcomes) if row.judged}
    assert whole.macro_recall >= 0.95, scores
    low = {kind: r for kind, r in scores.items() if r < FLOORS.get(kind, FLOOR) - 0.01}
    assert not low


def test_faulty_runs_get_no_wrong_findings(outcomes):
    wrong = [(one.kind, one.seed, one.false) for one in outcomes if one.kind != HEALTHY
             and one.false]  # fmt: skip
    assert overall(outcomes).wrong_share <= 0.05, wrong


def test_the_unit_of_the_loss_changes_no_verdict():
    wanted = specs(10, 1, longest=600)
    assert not [line for spec in wanted for line in metamorphic.changed(spec.make().run)]


def test_real_healthy_logs_are_left_alone():
    if not real.backgrounds():
        pytest.skip(f"no real logs at {real.FOLDER}")
    healthy = [judged(case) for case in real.cases(0)]
    assert len(healthy) >= 5
    assert not [(one.families, one.false) for one in healthy if one.false]


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("sealed", [False, True])
def test_runs_are_given_by_kind_and_seed(kind, sealed):
    one, again, other = (make(kind, s, sealed=sealed, longest=300) for s in (5, 5, 6))
    assert _same(one, again)
    assert not _same(one, other)
    assert bool(one.spans) == (kind != HEALTHY)
    first, last = one.run.steps or (0, 0)
    assert all(first <= span.first <= span.last <= last for span in one.spans)
    assert all(np.isfinite(series.step).all() for series in one.run.series.values())
    assert np.isfinite(one.strength)


def _same(a: Labelled, b: Labelled) -> bool:
    return a.run.series.keys() == b.run.series.keys() and all(
        np.array_equal(a.run.series[k].value, b.run.series[k].value, equal_nan=True)
        and np.array_equal(a.run.series[k].step, b.run.series[k].step)
        for k in a.run.series
    )


def test_sealed_runs_have_families_of_their_own():
    drawn = {make(HEALTHY, s, sealed=sealed, longest=200).families["noise"]
             for s in range(40) for sealed in (True,)}  # fmt: skip
    assert drawn & set(SEALED)
    assert not {make(HEALTHY, s, longest=200).families["noise"] for s in range(40)} & set(SEALED)


@pytest.mark.parametrize("name", [*OPEN, *SEALED])
def test_noise_has_unit_width(name):
    rng = np.random.default_rng(3)
    drawn = (OPEN | SEALED)[name](200_000, 500, rng)
    assert abs(float(drawn.mean())) < 0.1
    if name in ("shrinking", "growing", "epoch-means"):
        assert 0.05 < float(drawn.std()) <= 1.0
    else:
        assert float(drawn.std()) == pytest.approx(1.0, abs=0.12)


def test_error_of_a_mean_knows_the_memory_of_the_noise():
    rng = np.random.default_rng(4)
    white, slow = (OPEN[name](100_000, 100, rng) for name in ("white", "ar9"))
    assert error_of_mean(white, 1000) == pytest.approx(1000**-0.5, rel=0.25)
    assert error_of_mean(slow, 1000) == pytest.approx((19 / 1000) ** 0.5, rel=0.25)


def test_every_kind_names_rules_and_says_what_it_is():
    known = set(all_rules())
    for kind, fault in faults.kinds().items():
        assert fault.accepts, kind
        assert set(fault.accepts) <= known, kind
        assert set(fault.brings) <= known, kind
        assert fault.title != kind


def _case(**changes) -> Labelled:
    n = 1000
    step = np.arange(n)
    series = Series("loss", "train", step, np.ones(n), unknown(n), unknown(n))
    run = Run("r", "r", "synthetic", {("loss", "train"): series})
    made = Labelled(run, "k", ("right",), (Span(500, 510),), ("after",), 10, point=True)
    return replace(made, **changes)


def _found(rule="right", first=500, last=510, severity=Severity.WARNING, status=Status.FAIL):
    return Finding(rule, status, severity, "loss", "train", first, last, "said")


@pytest.mark.parametrize(
    ("finding", "hits", "false"),
    [
        (_found(), 1, 0),
        (_found(first=490), 1, 0),
        (_found(first=520), 1, 0),
        (_found(first=489), 0, 1),  # an event begins at its span, give or take the tolerance
        (_found(first=521, last=600), 0, 1),
        (_found(first=0, last=999), 0, 1),
        (_found(rule="after", first=505, last=700), 0, 0),
        (_found(rule="after", first=100, last=200), 0, 1),  # no consequence comes before
        (_found(rule="other"), 0, 1),
        (_found(severity=Severity.INFO), 0, 0),
        (_found(rule="other", severity=Severity.INFO), 0, 0),
        (_found(status=Status.INCONCLUSIVE), 0, 0),
    ],
)
def test_matching_of_an_event(finding, hits, false):
    one = outcome(_case(), [finding], {"right"})
    assert (one.hits, len(one.false)) == (hits, false)


def test_a_state_is_met_where_both_overlap():
    state = _case(point=False, spans=(Span(500, 999),))
    assert outcome(state, [_found(first=700, last=999)]).hits == 1
    assert outcome(state, [_found(first=100, last=499)]).hits == 1  # within the tolerance
    assert outcome(state, [_found(first=100, last=480)]).false == ("right",)


def test_one_hit_a_label_and_no_alarm_twice():
    two = _case(spans=(Span(100, 110), Span(500, 510)))
    one = outcome(two, [_found(first=100, last=105), _found(first=104, last=110)])
    assert (one.labels, one.hits, one.false) == (2, 1, ())
    one = outcome(two, [_found(first=100, last=105), _found(first=500)])
    assert (one.hits, one.delays) == (2, (0.0, 0.0))


def test_what_is_only_told_is_no_hit_unless_the_kind_says_so():
    quiet = _found(severity=Severity.INFO)
    one = outcome(_case(), [quiet])
    assert (one.hits, one.told) == (0, 1)
    assert outcome(_case(least=Severity.INFO), [quiet]).hits == 1


def test_inconclusive_is_counted():
    one = outcome(_case(), [_found(status=Status.INCONCLUSIVE)])
    assert one.unsure
    assert by_kind([one])[0].unsure == 1


def test_overall_figures():
    def of(kind, hits, false=()):
        return Outcome(kind, 0, {}, 1.0, 1000, True, int(kind != HEALTHY), hits, 0, false=false)

    whole = overall([of(HEALTHY, 0), of(HEALTHY, 0, ("x", "x")), of("a", 1), of("a", 0, ("y",)),
                     of("b", 1)])  # fmt: skip
    assert whole.macro_recall == pytest.approx((0.5 + 1.0) / 2)
    assert (whole.healthy_warned, whole.healthy, whole.alarms_per_run) == (1, 2, 1.0)
    assert whole.per_100k == pytest.approx(100.0)
    assert whole.wrong_share == pytest.approx(1 / 3)


def test_peers_are_scored_generously():
    hit = Said(("right", "x"), loud=False, name="check")
    wrong = Said(("x",), loud=True, name="other")
    one = matched(_case(), [hit, wrong, Said(("x",), loud=False)])
    assert (one.hits, one.false) == (1, ("other",))
    known = set(all_rules())
    assert all(set(means) <= known for checks in others.MEANING.values()
               for means in checks.values())  # fmt: skip
    assert set(others.COMMON) <= set(kinds())


def test_runs_for_peers_are_json_lines(tmp_path):
    case = make("non-finite", 1, longest=200)
    rows = [json.loads(line) for line in
            peers.write(tmp_path / "run.jsonl", case.run).read_text().splitlines()]  # fmt: skip
    values = [row["loss"] for row in rows if "loss" in row]
    series = case.run.main("loss", "train")
    assert series is not None
    np.testing.assert_array_equal(values, series.effective.value)
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})


def test_sizes_cover_every_test_and_correlation():
    rows = sizes(20)
    assert {row.rho for row in rows} == {0.0, 0.5, 0.9}
    assert all(0 <= row.rate <= 1 for row in rows)
    assert len({row.test for row in rows}) >= 5


def test_pages(tmp_path):
    begin, end = pages.marks("scores")
    page = tmp_path / "page.md"
    page.write_text(f"above\n{begin}\nold\n{end}\nbelow\n")
    pages.replace(page, "scores", "new")
    assert page.read_text() == f"above\n{begin}\nnew\n{end}\nbelow\n"
    with pytest.raises(ValueError, match="add both"):
        pages.replace(page, "other", "text")


def test_figures_of_the_rules():
    rows = [RuleScore("divergence", 9, 1, 10, 8, 12), RuleScore("no-rule", 1, 0, 1, 1, 1),
            RuleScore("outlier", 0, 0, 0, 0, 0)]  # fmt: skip
    held = json.loads(pages.measured(rows, "2026-01-31"))
    assert held["rules"] == {"divergence": {"precision": 0.9, "recall": 0.8, "runs": 12}}
    assert held["date"] == "2026-01-31"


def test_arguments(capsys):
    assert options(["--tier", "A", "--quick"]).tier == ["A"]
    for wrong in (["--write", "--quick"], ["--tier", "D"], ["--show", "nonsense", "1"]):
        with pytest.raises(SystemExit):
            options(wrong)
        assert "error:" in capsys.readouterr().err


def test_recorded_trainings_are_labelled():
    for case in load_tier_c():
        assert case.kind == HEALTHY or (case.accepted and case.spans)
