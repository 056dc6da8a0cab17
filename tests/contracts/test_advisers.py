"""What holds for every adviser: values, a way to verify, and a number to expect or a reason."""

import pytest

from benchmarks.diagnosis import faults, synthetic
from trainlens.expectation import Expectation, measure, parse
from trainlens.prescribe import Case, advise
from trainlens.prescribe.base import advisers
from trainlens.prescribe.vocabulary import problem
from trainlens.rules import PROFILES, all_rules, diagnose

KINDS = sorted(faults.kinds())
_held = {}


def advices(kind, profile="default"):
    """Every advice on what the rules find in three runs with one kind of fault."""
    if (kind, profile) not in _held:
        _held[kind, profile] = list(_advices(kind, profile))
    return _held[kind, profile]


def _advices(kind, profile):
    for seed in (1, 2, 3):
        found = diagnose(synthetic.make(kind, seed, longest=2000).run, profile=profile)
        for finding in found.results:
            advice = advise(Case(found.run, found.results), finding)
            if advice is not None:
                yield found.run, finding, advice


def now(run, one):
    """Whether the present run meets an expectation; None where it cannot be measured."""
    held = measure(run, one)
    return None if any(m.why for m in held) else all(one.met(m.value) for m in held)


def test_every_rule_has_an_adviser():
    assert advices("divergence")  # advisers register themselves when the first is asked
    assert {name for profile in PROFILES for name in all_rules(profile)} <= set(advisers)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", KINDS)
def test_advice_has_values_a_check_and_an_expectation_or_a_reason(kind, profile):
    for _, finding, advice in advices(kind, profile):
        assert advice.verify, finding.rule
        assert advice.remedies or advice.ranked[0].weight > 0.9, finding.rule
        assert advice.expect or advice.unmeasured, finding.rule
        for text, patch in advice.remedies:
            assert text
            assert not [p for k, v in patch.items() if (p := problem(k, v))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_present_run_misses_what_the_next_one_should_show(kind):
    for run, finding, advice in advices(kind):
        met = [now(run, one) for one in advice.expect]
        assert None not in met, (finding.rule, [str(e) for e in advice.expect])
        assert not met or False in met, (finding.rule, [str(e) for e in advice.expect])


@pytest.mark.parametrize("kind", KINDS)
def test_expectations_are_read_as_they_are_written(kind):
    for _, _, advice in advices(kind):
        for one in advice.expect:
            assert Expectation.of(one.mapping) == one
            assert parse(str(one)) == one


NO_NUMBER = {"class-imbalance", "log-damage", "stalled-log", "step-rewind", "loss-spike"}
"""Rules whose faults here show in no value of a series, or need no change."""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_a_number_of_the_log_is_expected(kind):
    for _, finding, advice in advices(kind):
        assert advice.expect or finding.rule in NO_NUMBER, finding.rule
