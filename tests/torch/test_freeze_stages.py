"""What is frozen is a function of progress; stages that make no sense are one clear error."""

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from tests.torch.freezing import BACKBONE, Net, outside, trainable  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.freeze import ProgressiveFreezing  # noqa: E402

PLACES = st.sampled_from([i / 10 for i in range(11)])
PAIRS = st.tuples(PLACES, PLACES).map(sorted)
STAGES = st.dictionaries(
    st.sampled_from(["backbone", "backbone.1", "neck", "head", "neck.0"]),
    st.one_of(PLACES, PAIRS, st.lists(PAIRS, min_size=1, max_size=3)),
    min_size=1,
)


@settings(deadline=None, max_examples=60)
@given(STAGES, st.lists(st.floats(0, 1), max_size=6), st.floats(0, 1), st.data())
def test_the_same_progress_gives_the_same_state_whatever_came_before(stages, visited, p, data):
    by_hand = data.draw(st.sets(st.sampled_from(sorted(BACKBONE)), max_size=2))
    models = [Net(), Net()]
    for model in models:
        for name in by_hand:
            model.get_parameter(name).requires_grad_(False)
    walked, fresh = (ProgressiveFreezing(model, stages) for model in models)
    for each in visited:
        walked.apply(each)
        models[0].train()
    walked.apply(p)
    fresh.apply(p)
    assert outside(models[0]) == outside(models[1])
    assert walked.frozen(p) == fresh.frozen(p)
    assert trainable(models[0]) == {
        n for n, _ in Net().named_parameters()
    } - by_hand - fresh.frozen(p)
    once = outside(models[0])
    walked.apply(p)
    assert outside(models[0]) == once
    walked.close()
    models[0].train()
    untouched = Net()
    for name in by_hand:
        untouched.get_parameter(name).requires_grad_(False)
    assert outside(models[0]) == outside(untouched)


@pytest.mark.parametrize(
    ("stage", "frozen_at"),
    [
        (0.3, [0, 1, 2]),
        (0.0, []),
        (0, []),
        (1.0, range(11)),
        ((0.3, 0.5), [3, 4]),
        ((0.8, 1.0), [8, 9, 10]),
        ((0, 0.2), [0, 1]),
        ([(0.0, 0.1), (0.4, 0.6)], [0, 4, 5]),
        ([(0.4, 0.6)], [4, 5]),
        (["0.2dur", "0.4dur"], [2, 3]),
        ("0.2dur", [0, 1]),
    ],
)
def test_windows(stage, frozen_at):
    freezing = ProgressiveFreezing(Net(), {"backbone": stage})
    found = [i for i in range(11) if freezing.frozen(i / 10)]
    assert found == list(frozen_at)
    assert all(freezing.frozen(i / 10) == BACKBONE for i in found)


def test_places_by_a_clock():
    clock = Clock("10ep", updates_per_epoch=100)
    freezing = ProgressiveFreezing(
        Net(), {"backbone": "3ep", "neck": ["200ba", "20ep"], "head": 500}
    )
    with pytest.raises(ValueError, match=r"3ep can only be told by a clock: call resolve\(clock\)"):
        freezing.frozen(0.1)
    assert freezing.resolve(clock) is freezing
    heads = [{name.split(".")[0] for name in freezing.frozen(p)} for p in (0.0, 0.2, 0.3, 0.5, 1.0)]
    assert heads == [
        {"backbone", "head"},
        {"backbone", "neck", "head"},
        {"neck", "head"},
        {"neck"},
        {"neck"},
    ]
    with pytest.raises(ValueError, match="write samples here"):
        freezing.resolve(Clock("100sp"))
    assert freezing.frozen(0.5) == {"neck.0.weight", "neck.0.bias"}


def test_more_specific_stages_decide():
    freezing = ProgressiveFreezing(model := Net(), {"backbone": 0.5, "backbone.1": 0.2})
    assert freezing.frozen(0.3) == {"backbone.0.weight", "backbone.0.bias"}
    freezing.apply(0.3)
    assert model.backbone[1].training
    freezing.apply(0.1)
    assert not model.backbone[1].training


def test_shared_parameters():
    model = nn.ModuleDict({"embed": nn.Embedding(4, 3), "head": nn.Linear(3, 4, bias=False)})
    model["head"].weight = model["embed"].weight
    assert ProgressiveFreezing(model, {"head": 0.5}).frozen(0.0) == {"embed.weight"}
    with pytest.raises(ValueError, match=r"embed\.weight and head\.weight are one shared"):
        ProgressiveFreezing(model, {"embed": 0.5, "head": 0.2})


# Bad input.


@pytest.mark.parametrize(
    ("progress", "error"),
    [(math.nan, ValueError), (-0.1, ValueError), (1.1, ValueError), (math.inf, ValueError),
     ("0.1", TypeError), (None, TypeError), (True, TypeError)],
)  # fmt: skip
def test_no_progress_changes_nothing(progress, error):
    model = Net()
    freezing = ProgressiveFreezing(model, {"backbone": 0.5})
    freezing.apply(0.2)
    before = outside(model)
    for call in (freezing.apply, freezing.frozen):
        with pytest.raises(error, match="progress must"):
            call(progress)
    assert outside(model) == before


@pytest.mark.parametrize(
    ("stages", "error", "text"),
    [
        ({}, ValueError, "no stages"),
        (["backbone"], TypeError, "stages map components to places"),
        ({"bakbone": 0.3}, ValueError, "'bakbone' matches nothing .* 'backbone'"),
        ({"backbone": 1.5}, ValueError, "more than the whole training"),
        ({"backbone": math.nan}, ValueError, "0 or more and finite"),
        ({"backbone": None}, TypeError, "a place is a number"),
        ({"backbone": "soon"}, ValueError, "is no place"),
        ({"backbone": (0.5, 0.2)}, ValueError, "frozen from 0.5dur until 0.2dur: it ends before"),
        ({"backbone": (0.1, 0.2, 0.3)}, ValueError, "or between two of them"),
        ({"backbone": []}, ValueError, "or between two of them"),
        ({"backbone": 0.3, "1": 0.4}, ValueError, r"backbone\.1\.weight is in two components"),
    ],
)
def test_bad_stages_are_one_clear_error(stages, error, text):
    model = Net()
    before = outside(model)
    with pytest.raises(error, match=text) as caught:
        ProgressiveFreezing(model, stages)
    assert "\n" not in str(caught.value)
    assert outside(model) == before


def test_other_bad_input():
    with pytest.raises(ValueError, match='"hold" or "train"'):
        ProgressiveFreezing(Net(), {"backbone": 0.5}, norms="eval")
    with pytest.raises(TypeError, match="Net is not an optimizer"):
        ProgressiveFreezing(Net(), {"backbone": 0.5}, optimizer=Net())
