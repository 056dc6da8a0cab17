"""Chains: where parts begin and end, whose lengths are told in which unit."""

import json

import pytest

torch = pytest.importorskip("torch")

from trainlens.stats.planned import parse  # noqa: E402 - after the skip
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.schedules import (  # noqa: E402
    Chain,
    Constant,
    Cosine,
    Linear,
    LinearWarmup,
    Part,
    Ramp,
    Step,
    schedule_from_spec,
)


def test_a_warmup_of_updates_and_a_cosine_over_the_rest():
    chain = Chain(LinearWarmup("500ba"), Cosine(end=0.01)).resolved(Clock(10_000).share)
    values = [chain.factor(k / 10_000) for k in (0, 250, 499, 500, 5250, 10_000)]
    assert values == pytest.approx([0, 0.5, 0.998, 1, 0.505, 0.01], abs=1e-12)
    assert values[3] == 1.0
    assert chain.spec()["parts"][0]["until"] == 0.05


def test_a_part_that_says_its_length_is_the_part_that_is_told_its_end():
    assert Chain(LinearWarmup(0.2), Cosine()) == Chain((LinearWarmup(), 0.2), Cosine())
    assert Chain(Ramp(0.1, 0.3), Cosine()) == Chain((Ramp(0.25, 0.75), 0.4), Cosine())
    assert Chain(LinearWarmup("50ba"), LinearWarmup("30ba"), Cosine()) == Chain(
        (LinearWarmup(), "50ba"), (LinearWarmup(), "80ba"), Cosine()
    )


def test_a_length_behind_a_place_in_another_unit_waits_for_the_clock():
    chain = Chain((Constant(0.1), "2ep"), LinearWarmup("500ba"), Cosine())
    clock = Clock("10ep", updates_per_epoch=1000)
    assert chain.resolved(clock.share) == Chain(
        (Constant(0.1), 0.2), (LinearWarmup(), 0.25), Cosine()
    )
    assert not chain.is_resolved
    with pytest.raises(ValueError, match="resolve"):
        chain.spec()
    assert "length='500ba'" in repr(chain)


def test_places_within_a_part_relate_to_it():
    """100 updates and a half, from the beginning of a part of 400."""
    for place in ("100ba", 0.25):
        chain = Chain((Constant(), "600ba"), (Step([place], 0.5), "1000ba"), Constant(0.0))
        chain = chain.resolved(Clock(2000).share)
        assert [chain.factor(k / 2000) for k in (699, 700, 999, 1000)] == [1.0, 0.5, 0.5, 0.0]


def test_a_chain_within_a_chain():
    inner = Chain((Linear(0, 1), "100ba"), Linear(1, 0))
    outer = Chain((Constant(2.0), "500ba"), (inner, 0.7, 3.0), Constant(7.0))
    spec = {**outer.spec(), "total_steps": 1000}
    resolved = outer.resolved(Clock(1000).share)
    values = [resolved.factor(k / 1000) for k in (0, 500, 550, 600, 650, 699, 700, 1000)]
    assert values == pytest.approx([2, 0, 1.5, 3, 1.5, 0.03, 7, 7])
    assert parse(spec).value([0, 500, 550, 600, 650, 699, 700, 1000]) == pytest.approx(values)
    assert schedule_from_spec(json.loads(json.dumps(outer.spec()))) == outer
    assert outer.depth == 2


def test_a_warmup_of_nothing_is_passed_over():
    assert [Chain(LinearWarmup(0), Cosine())(p) for p in (0, 0.5, 1)] == [1.0, 0.5, 0.0]
    nothing = Chain((Step([0.5]), 0.0), Cosine())
    assert nothing(0.0) == 1.0
    assert parse(nothing.spec()).factor([0.0])[0] == 1.0


def test_a_training_that_ends_within_the_warmup():
    """A short trial of a long plan: half of the warmup, no error."""
    chain = Chain(LinearWarmup("500ba"), Cosine()).resolved(Clock(250).share)
    assert [chain.factor(k / 250) for k in (0, 125, 250)] == pytest.approx([0, 0.25, 0.5])
    assert len(chain.parts) == 1
    assert parse(chain.spec()).factor([1.0]) == pytest.approx([0.5])
    assert schedule_from_spec(chain.spec()) == chain


def test_the_last_part_stays_where_it_ended():
    chain = Chain((Constant(), 0.5), (Cosine(end=0.25), 0.75))
    assert [chain(p) for p in (0.75, 0.9, 1.0)] == [0.25] * 3
    assert parse(chain.spec()).factor([0.75, 0.9, 1.0]).tolist() == [0.25] * 3
    assert Chain((Cosine(), 1.0)) == Chain(Cosine())


def test_bases_of_parts():
    chain = Chain((Constant(), 0.5, 3.0), Part(Cosine(), base=2.0))
    assert [chain(p) for p in (0.0, 0.5, 1.0)] == [3.0, 2.0, 0.0]
    assert [part.get("base") for part in chain.spec()["parts"]] == [3.0, 2.0]


def test_jumps():
    assert Chain(LinearWarmup(0.1), Cosine()).jumps() == ()
    assert Chain((Constant(), 0.25), (Linear(), 0.5), Constant(0.5)).jumps() == ((0.5, 0.0, 0.5),)
    with pytest.raises(ValueError, match="only be told by a clock"):
        Chain(LinearWarmup("9ba"), Cosine()).jumps()


def test_what_it_was_made_with_can_be_read():
    chain = Chain((LinearWarmup(), "500ba"), (Cosine(), 0.5, 2.0), Constant())
    assert repr(chain) == (
        "Chain((LinearWarmup(warmup=1.0, start=0.0), '500ba'), (Cosine(end=0.0), 0.5, 2.0), "
        "Constant(value=1.0))"
    )
    assert eval(repr(chain)) == chain


@pytest.mark.parametrize(
    ("parts", "error", "reason"),
    [
        ((), ValueError, "at least one part"),
        ((Cosine(), Cosine()), ValueError, r"part 1 .* told where it ends: \(Cosine"),
        ((LinearWarmup(), Cosine()), ValueError, "nothing is left for part 2"),
        (((Cosine(), 0.5), (Cosine(), 0.4), Cosine()), ValueError, "part 2 .* before it begins"),
        (((Cosine(), "9ba"), (Cosine(), "3ba"), Cosine()), ValueError, "part 2 .* before"),
        (((Cosine(), 1.5), Cosine()), ValueError, "more than the whole training"),
        (((Cosine(), -0.5), Cosine()), ValueError, "0 or more"),
        (((Cosine(), 0.5, float("nan")), Cosine()), ValueError, "finite"),
        ((Ramp("5ba", 0.1), Cosine()), ValueError, "told where it ends"),
        (((Cosine(), 0.5, 1.0, 1.0),), TypeError, "a part of a chain is"),
        (("cosine",), TypeError, "a part of a chain is"),
        ((("cosine", 0.5), Cosine()), TypeError, "is a schedule, not 'cosine'"),
        ((Part,), TypeError, "a part of a chain is"),
    ],
)
def test_bad_parts(parts, error, reason):
    with pytest.raises(error, match=reason):
        Chain(*parts)


def test_ends_that_turn_out_not_to_ascend():
    chain = Chain((Constant(), 0.5), (Linear(), "100ba"), Cosine())
    assert chain.resolved(Clock(150).share)(0.6) < 1.0
    with pytest.raises(ValueError, match=r"part 2 of the chain \(linear\) .* before it begins"):
        chain.resolved(Clock(1000).share)


def test_an_end_and_a_length_are_one_too_many():
    with pytest.raises(ValueError, match="not both"):
        Part(Cosine(), until=0.5, length=0.2)


def test_chains_too_deep():
    chain = Chain(Cosine())
    for _ in range(7):
        chain = Chain(chain)
    assert parse(chain.spec()).factor([0.5]) == pytest.approx([0.5])
    with pytest.raises(ValueError, match="8 chains deep"):
        Chain(chain)
    with pytest.raises(ValueError, match="deep"):
        schedule_from_spec({"kind": "chain", "parts": [chain.spec()]})
