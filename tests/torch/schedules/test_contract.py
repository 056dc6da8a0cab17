"""What holds for every schedule: plain values, trainlens reads the same from its spec."""

import dataclasses
import json
import pickle
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import assume, given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from trainlens.stats.planned import KINDS, parse  # noqa: E402
from trainlens_torch import schedules as s  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402

SHARE = st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.1, 0.3, 1 / 3, 0.7, 0.1 + 0.2, 1.0])
SOME = st.floats(0.01, 1.0)
VALUE = st.floats(-2.0, 3.0)
PLACES = st.lists(SHARE, min_size=1, max_size=5).map(sorted)


@st.composite
def piecewise(draw):
    at, between = draw(PLACES), draw(st.sampled_from(["constant", "linear"]))
    count = len(at) + (between == "constant")
    return s.Piecewise(at, draw(st.lists(VALUE, min_size=count, max_size=count)), between)


@st.composite
def restarts(draw):
    growth, height, end = draw(st.floats(0.4, 3.0)), draw(st.floats(0.2, 1.5)), draw(VALUE)
    if draw(st.booleans()):
        return s.CosineRestarts(draw(st.integers(1, 12)), growth, height, end)
    first = draw(SOME)
    assume(growth >= 1.0 or first / (1.0 - growth) > 1.1)  # else it never reaches the end
    assume(height <= 1.0 or first > 0.05)
    return s.CosineRestarts(growth=growth, height=height, end=end, first=first)


@st.composite
def chains(draw):
    ends = sorted(set(draw(st.lists(st.floats(0.02, 0.98), max_size=3))))
    assume(all(b - a > 1e-3 for a, b in pairwise(ends)))
    parts = [(draw(PLAIN | chains_of_one), end, draw(st.floats(0.1, 2.0))) for end in ends]
    return s.Chain(*parts, draw(PLAIN))


MAKE = {
    "constant": st.builds(s.Constant, VALUE),
    "linear-warmup": st.builds(s.LinearWarmup, SHARE, VALUE),
    "linear": st.builds(s.Linear, VALUE, VALUE),
    "cosine": st.builds(s.Cosine, VALUE),
    "cosine-restarts": restarts(),
    "polynomial": st.builds(s.Polynomial, st.floats(0.0, 5.0), VALUE),
    "exponential": st.builds(s.Exponential, st.floats(1e-6, 100.0)),
    "step": st.builds(s.Step, PLACES, st.floats(0.0, 1.5)),
    "inverse-sqrt": st.builds(s.InverseSqrt, SOME),
    "warmup-stable-decay": st.builds(
        s.WarmupStableDecay, SHARE, SHARE, st.floats(-1.0, 1.0),
        st.sampled_from(["linear", "cosine", "root"])),
    "one-cycle": st.builds(
        s.OneCycle, SHARE, VALUE, VALUE, st.sampled_from(["cosine", "linear"])),
    "ramp": st.builds(s.Ramp, SHARE, SHARE, VALUE, VALUE),
    "piecewise": piecewise(),
}  # fmt: skip
PLAIN = st.one_of(*MAKE.values())
chains_of_one = st.builds(lambda a, b: s.Chain((a, 0.5), b), PLAIN, PLAIN)
MAKE["chain"] = chains()


def edges(schedule, begin=0.0, length=1.0):
    """Every place at which something happens, as a share of the training."""
    if isinstance(schedule, s.Chain):
        start = 0.0
        for part in schedule.parts:
            end = 1.0 if part.until is None else part.until
            yield begin + end * length
            yield from edges(part.schedule, begin + start * length, (end - start) * length)
            start = end
        return
    found = []
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        found += value if field.name == "at" else [value] if isinstance(value, float) else []
    if isinstance(schedule, s.CosineRestarts):
        found += schedule._edges[:50]
    found += [1.0 - one for one in found] + [sum(found[:2])]
    yield from (begin + one * length for one in found if 0.0 <= one <= 1.0)


def looked_at(schedule):
    hairs = (0.0, 2e-16, -2e-16, 3e-13, -3e-13, 1e-9, -1e-9)
    near = [place + hair for place in edges(schedule) for hair in hairs]
    even = [k / 61 for k in range(62)]
    return sorted(p for p in {*near, *even} if 0.0 <= p <= 1.0)


def test_every_kind_of_the_schema_has_one_schedule_and_is_tested():
    assert set(s.ALL) == set(KINDS) | {"chain", "custom"} == set(MAKE) | {"custom"}
    assert {one.__name__ for one in s.ALL.values()} <= set(s.__all__)
    assert all(dataclasses.is_dataclass(one) and one.__dataclass_params__.frozen
               for one in s.ALL.values())  # fmt: skip


@pytest.mark.parametrize("kind", sorted(MAKE))
@settings(max_examples=60)
@given(data=st.data())
def test_the_spec_gives_trainlens_the_same_values(kind, data):
    schedule = data.draw(MAKE[kind])
    at = looked_at(schedule)
    spec = json.loads(json.dumps(schedule.spec()))
    ours, theirs = np.array([schedule.factor(p) for p in at]), parse(spec).factor(at)
    scale = max(1.0, float(np.abs(theirs).max()))
    assert np.abs(ours - theirs).max() <= 1e-12 * scale
    assert all(type(value) is float for value in map(schedule.factor, at))


@pytest.mark.parametrize("kind", sorted(MAKE))
@settings(max_examples=25)
@given(data=st.data())
def test_it_is_a_plain_value(kind, data):
    schedule = data.draw(MAKE[kind])
    schedule.factor(0.3)  # what is worked out once must not count
    again = s.schedule_from_spec(json.loads(json.dumps(schedule.spec())))
    for other in (again, pickle.loads(pickle.dumps(schedule)), dataclasses.replace(schedule)):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert [other.factor(p) for p in (0.0, 0.3, 1.0)] == [
            schedule.factor(p) for p in (0.0, 0.3, 1.0)
        ]
    assert schedule.resolved(Clock(10).share) is schedule
    assert schedule(0.3) == schedule.factor(0.3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.kind = "x"


@pytest.mark.parametrize("progress", [-1e-9, 1.0 + 1e-9, float("nan"), float("inf")])
def test_progress_outside_of_the_training_is_refused(progress):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        s.Cosine()(progress)


@settings(max_examples=60)
@given(
    total=st.integers(2, 200_000), share=st.floats(0.0, 1.0), cut=st.integers(1, 50),
    kind=st.sampled_from(["step", "piecewise", "chain", "ramp", "restarts"]),
)  # fmt: skip
def test_the_update_at_a_place_has_reached_it_whatever_the_rounding(total, share, cut, kind):
    k = max(1, min(total - 1, round(share * total)))
    given = {
        "step": s.Step([k], 0.5),
        "piecewise": s.Piecewise([k], [1.0, 0.5]),
        "chain": s.Chain((s.Constant(1.0), k), s.Constant(0.5)),
        "ramp": s.Ramp(k, 0, 1.0, 0.5),
        "restarts": s.CosineRestarts(first=k, height=0.5),
    }[kind]
    assume(kind != "restarts" or k * 9000 > total)
    schedule = given.resolved(Clock(total).share)
    assert schedule.factor(k / total) == 0.5
    assert schedule.factor((k - 1) / total) != 0.5
    # The same place, as a share that was rounded on the way.
    rounded = s.Step([(k / cut) / (total / cut)], 0.5)
    assert [rounded.factor((k + i) / total) for i in (-1, 0)] == [1.0, 0.5]


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_updates_in_a_spec_are_what_the_clock_makes_of_them(kind):
    made = {
        "linear-warmup": s.LinearWarmup("70ba"),
        "step": s.Step(["100ba", "900ba"]),
        "inverse-sqrt": s.InverseSqrt(50),
        "warmup-stable-decay": s.WarmupStableDecay("30ba", "333ba", shape="root"),
        "one-cycle": s.OneCycle("301ba"),
        "ramp": s.Ramp("70ba", "7ba"),
        "piecewise": s.Piecewise(["70ba", "77ba"], [1, 2], "linear"),
        "cosine-restarts": s.CosineRestarts(first="70ba", growth=2),
        "chain": s.Chain(s.LinearWarmup("70ba"), (s.Step(["100ba"]), "333ba", 0.5), s.Cosine()),
    }
    if kind not in made:
        assert not [f for f in dataclasses.fields(s.ALL[kind]) if f.metadata.get("place")]
        return
    schedule, clock = made[kind], Clock(1000)
    spec = schedule.spec()
    assert "_steps" in json.dumps(spec)
    assert s.schedule_from_spec(spec) == schedule
    plan = parse({**spec, "total_steps": 1000}).value(np.arange(1001))
    resolved = schedule.resolved(clock.share)
    assert [resolved.factor(k / 1000) for k in range(1001)] == pytest.approx(plan, abs=1e-12)
    assert resolved.is_resolved
    assert not schedule.is_resolved
    with pytest.raises(ValueError, match=r"can only be told by a clock.*clock\.share"):
        schedule(0.5)


@pytest.mark.parametrize("growth", [1e-299, 0.01, 1e9, 1e200])
def test_cycles_that_shrink_to_nothing(growth):
    schedule = s.CosineRestarts(12, growth, end=0.25)
    at = [0.0, 1e-13, 0.3, 0.9, 1 - 1e-13, 1.0]
    values = [schedule.factor(p) for p in at]
    assert values == pytest.approx(parse(schedule.spec()).factor(at), abs=1e-12)
    assert values[-1] == 0.25
