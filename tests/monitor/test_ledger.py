"""Findings are told when they open, change or close, once each, however their edges move."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.judged import Judged
from trainlens.monitor.ledger import Ledger
from trainlens.rules.base import Finding, Severity, Status, gravity

PRINTS = (("loss", "train", "3.0 1.0"),)


def finding(rule="loss-spike", step=100, severity="warning", metric="loss", split="train", **more):
    last = None if step is None else step + 5
    return Finding(
        rule, Status.FAIL, Severity(severity), metric, split, step, last, f"{rule} there", **more
    )


def said_of(rule, status=Status.PASS):
    return Finding(rule, status, message="looked at")


def judged(*found, others=(), steps=(0, 1000)):
    results = (*found, *others)
    failed = tuple(sorted((f for f in found if f.failed), key=gravity))
    return Judged(
        "run", "run.jsonl", "jsonl", steps, 1, "warning", "", "", "", "default", results, failed, ()
    )


class Told:
    """A ledger, and what it says of one run look after look."""

    def __init__(self):
        self.ledger, self.points = Ledger(), 1000

    def __call__(self, *found, others=(), prints=PRINTS, grow=100, **more):
        self.points += grow
        changes = self.ledger.see(
            "a", judged(*found, others=others), prints, 1.0, lambda f: self.points, **more
        )
        return [(c.kind, c.number, c.finding.rule) for c in changes]


def test_a_finding_is_told_once():
    told = Told()
    assert told(finding()) == [("opened", 1, "loss-spike")]
    assert told(finding()) == []
    assert told(finding(), finding(step=500)) == [("opened", 2, "loss-spike")]


def test_it_is_over_when_two_looks_in_a_row_do_not_find_it():
    told = Told()
    told(finding())
    assert told(others=[said_of("loss-spike")]) == []
    assert told(finding()) == []
    assert told(others=[said_of("loss-spike")]) == []
    assert told(others=[said_of("loss-spike")]) == [("closed", 1, "loss-spike")]
    assert told(finding()) == [("again", 1, "loss-spike")]


def test_at_the_end_it_is_over_at_once():
    told = Told()
    told(finding())
    assert told(others=[said_of("loss-spike")], final=True) == [("closed", 1, "loss-spike")]


@pytest.mark.parametrize("status", [Status.SKIP, Status.INCONCLUSIVE])
def test_a_rule_that_cannot_judge_ends_nothing(status):
    told = Told()
    told(finding())
    for _ in range(3):
        assert told(others=[said_of("loss-spike", status)]) == []
    assert told(others=[said_of("loss-spike", status)], final=True) != []


def test_a_spike_that_larger_ones_push_off_the_list_goes_on():
    told = Told()
    told(finding(step=100))
    larger = finding(step=900, evidence={"unlisted": 1})
    assert told(larger) == [("opened", 2, "loss-spike")]
    assert told(larger) == []
    assert told(larger) == []


def test_the_edges_of_a_state_move():
    told = Told()
    assert told(finding("stagnation", 500)) == []
    assert told(finding("stagnation", 620)) == [("opened", 1, "stagnation")]
    assert told(finding("stagnation", 300)) == []


def test_a_moment_is_known_again_within_a_hundredth_of_the_run():
    told = Told()
    told(finding(step=500))
    assert told(finding(step=508)) == []
    assert told(finding(step=540)) == [("opened", 2, "loss-spike")]


def test_neighbours_keep_their_numbers():
    told = Told()
    told(finding(step=500), finding(step=505))
    assert told(finding(step=505), finding(step=500)) == []
    open_ = told.ledger.account("a").open
    assert sorted((e.number, e.finding.first_step) for e in open_) == [(1, 500), (2, 505)]


@pytest.mark.parametrize(
    ("rule", "split", "at_once"),
    [
        ("non-finite", "train", True),
        ("out-of-memory", "", True),
        ("divergence", "train", False),
        ("stagnation", "train", False),
        ("overfitting", "val", False),
    ],
)
def test_what_judges_the_end_of_a_curve_has_to_last(rule, split, at_once):
    told = Told()
    assert bool(told(finding(rule, split=split))) is at_once
    assert bool(told(finding(rule, split=split), grow=0)) is False
    assert bool(told(finding(rule, split=split), grow=10)) is not at_once


def test_what_does_not_last_is_never_told():
    told = Told()
    told(finding("divergence"))
    assert told(finding("divergence"), grow=8) == []
    assert told(grow=2) == []
    assert told(finding("divergence"), grow=1) == []
    assert told.ledger.account("a").open == []


def test_at_the_end_nothing_has_to_last():
    assert Told()(finding("divergence"), final=True) == [("opened", 1, "divergence")]


def test_of_a_run_that_stands_still_nothing_has_to_last():
    told = Told()
    assert told(finding("divergence"), settled=True) == [("opened", 1, "divergence")]
    unsure = [said_of("divergence", Status.SKIP)]
    assert told(others=unsure, settled=True) == []


def test_worse_is_told_at_once_and_milder_when_it_lasts():
    told = Told()
    told(finding())
    assert told(finding(severity="error")) == [("worse", 1, "loss-spike")]
    assert told(finding()) == []
    assert told.ledger.account("a").open[0].finding.severity is Severity.ERROR
    assert told(finding()) == [("milder", 1, "loss-spike")]
    assert told.ledger.account("a").open[0].finding.severity is Severity.WARNING


def test_what_comes_and_goes_is_told_of_no_longer():
    told, kinds = Told(), []
    for _ in range(8):
        kinds += [kind for kind, *_ in told(finding())]
        for _ in range(2):
            kinds += [kind for kind, *_ in told(others=[said_of("loss-spike")])]
    assert kinds.count("opened") == 1
    assert kinds.count("again") == 3


def test_another_run_at_the_same_place_is_told_of_anew():
    told = Told()
    told(finding())
    assert told(finding(), prints=(("loss", "train", "2.5 9.0"),)) == [("opened", 2, "loss-spike")]


def test_a_new_metric_makes_no_other_run():
    told = Told()
    told(finding())
    assert told(finding(), prints=(*PRINTS, ("a", "train", "1.0 2.0"))) == []


def test_suppressed_findings_are_none():
    assert Told()(finding(suppressed="known")) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["loss-spike", "stagnation", "non-finite"]),
                      st.sampled_from([100, 103, 500]), st.sampled_from(["warning", "error"])),
            max_size=4, unique_by=lambda t: t[:2]),
        max_size=12),
)  # fmt: skip
def test_the_ledger_ends_where_the_last_look_stands(looks):
    """Whatever came before: after a final look what is open is what it found, each once."""
    told, opened = Told(), {}
    for look in looks:
        for kind, number, _ in told(*(finding(r, s, v) for r, s, v in look)):
            opened.setdefault(number, []).append(kind)
    last = [finding(r, s, v) for r, s, v in (looks[-1] if looks else [])]
    others = [said_of(r) for r in ("loss-spike", "stagnation", "non-finite")]
    told(*last, others=others, final=True)
    open_ = [(e.finding.rule, e.finding.first_step) for e in told.ledger.account("a").open]
    assert sorted(open_) == sorted((f.rule, f.first_step) for f in last)
    for kinds in opened.values():
        assert kinds.count("opened") <= 1


def test_entries_are_bounded():
    told = Told()
    for i in range(400):
        told(finding(step=10 * i))
        told(others=[said_of("loss-spike")], final=True)
    assert len(told.ledger.account("a").entries) <= 201


def test_a_finding_is_shown_as_it_was_found_last():
    told = Told()
    told(finding())
    told(replace(finding(), message="more", evidence={"z": 9.0}))
    assert told.ledger.account("a").open[0].finding.message == "more"
