"""Clipping at a fixed norm: torch's results where torch is right, and the cases where it is not."""

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.gradients.clip import clip_gradients  # noqa: E402


def with_gradients(seed=0, size=1.0, dtype=torch.float32):
    """A model whose gradients are random, and whose last bias has none."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3)).to(dtype)
    for parameter in list(model.parameters())[:-1]:
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.grad = (size * drawn).to(dtype)
    return model


def grads(model):
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def same(left, right):
    """Equal bits; NaN equals NaN."""
    pairs = zip(left, right, strict=True)
    return all(
        (a is None and b is None) or torch.equal(a.nan_to_num(9.5), b.nan_to_num(9.5))
        for a, b in pairs
    )


@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([1e-8, 1e-3, 1.0, 1e4]),
    limit=st.sampled_from([1e-3, 0.5, 1.0, 100.0]),
    order=st.sampled_from([1.0, 2.0, 3.5, math.inf]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_same_bits_as_torch(seed, size, limit, order, dtype):
    ours, theirs = with_gradients(seed, size, dtype), with_gradients(seed, size, dtype)
    norm = clip_gradients(ours.parameters(), limit, norm_type=order)
    expected = nn.utils.clip_grad_norm_(theirs.parameters(), limit, norm_type=order)
    assert torch.equal(norm, expected)
    assert same(grads(ours), grads(theirs))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_gradients_that_are_not_finite_stay_as_they_are(bad):
    model = with_gradients()
    model[0].weight.grad[1, 2] = bad
    before = grads(model)
    norm = clip_gradients(model, 1.0)
    assert not norm.isfinite()
    assert same(grads(model), before)
    # torch: every healthy gradient of the other layers is lost.
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    lost = model[1].weight.grad
    assert lost.isnan().all() or (lost == 0).all()


def test_half_precision_does_not_overflow():
    # Finite gradients whose norm, 94868, is beyond the range of float16: torch zeroes them.
    weight = nn.Parameter(torch.zeros(1000, dtype=torch.float16))
    weight.grad = torch.full((1000,), 3000.0, dtype=torch.float16)
    torch_norm = nn.utils.get_total_norm([weight.grad])
    assert torch_norm.isinf()
    norm = clip_gradients([weight], 1000.0)
    assert norm.dtype == torch.float32
    assert float(norm) == pytest.approx(3000 * math.sqrt(1000), rel=1e-6)
    assert float(weight.grad.float().norm()) == pytest.approx(1000, rel=2e-3)


def test_bfloat16_norm_has_the_digits_of_float32():
    model = with_gradients(dtype=torch.bfloat16)
    exact = math.sqrt(sum(float(g.double().pow(2).sum()) for g in grads(model) if g is not None))
    assert float(clip_gradients(model, None)) == pytest.approx(exact, rel=1e-6)


def test_mixed_types_are_one_vector():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0], dtype=torch.bfloat16)
    assert float(clip_gradients([a, b], 2.5)) == 5.0
    assert (float(a.grad), float(b.grad)) == (pytest.approx(1.5), 2.0)


def test_a_sparse_gradient_counts_repeated_rows_once():
    table = nn.Embedding(5, 3, sparse=True)
    table(torch.tensor([1, 2, 1])).sum().backward()
    dense = table.weight.grad.to_dense()
    assert float(clip_gradients(table, 1.0)) == pytest.approx(float(dense.norm()))
    torch.testing.assert_close(table.weight.grad.to_dense(), dense / dense.norm())


def test_nothing_to_clip():
    frozen = nn.Linear(2, 2)
    assert clip_gradients(frozen, 1.0).equal(torch.zeros(()))
    assert clip_gradients([], 1.0).equal(torch.zeros(()))
    assert clip_gradients([{"params": frozen.bias}], 1.0, groups={"0": 1.0}) == 0
    assert all(p.grad is None for p in frozen.parameters())


@pytest.mark.parametrize("limit", [None, math.inf])
def test_without_a_limit_it_measures(limit):
    model = with_gradients(size=1e3)
    before = grads(model)
    assert clip_gradients(model, limit) > 1e3
    assert same(grads(model), before)


def groups_of(model):
    return [
        {"params": list(model[0].parameters()), "name": "backbone"},
        {"params": list(model[1].parameters()), "name": "decoder"},
    ]


def test_groups_have_limits_of_their_own():
    model, before = with_gradients(), with_gradients()
    norm = clip_gradients(groups_of(model), 10.0, groups={"backbone": 0.1})
    torch.testing.assert_close(
        norm, nn.utils.get_total_norm([g for g in grads(before) if g is not None])
    )
    nn.utils.clip_grad_norm_(before[0].parameters(), 0.1)
    nn.utils.clip_grad_norm_(before.parameters(), 10.0)
    for ours, theirs in zip(grads(model), grads(before), strict=True):
        if ours is not None:
            torch.testing.assert_close(ours, theirs)


def test_a_group_limit_acts_before_the_whole():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([300.0]), torch.tensor([4.0])
    named = [{"params": [a], "name": "a"}, {"params": [b], "name": "b"}]
    clip_gradients(named, 2.5, groups={"a": 3.0})
    assert (float(a.grad), float(b.grad)) == (pytest.approx(1.5), pytest.approx(2.0))


def test_a_group_that_is_not_finite_holds_all_back():
    model = with_gradients(size=100.0)
    model[1].weight.grad[0, 0] = math.nan
    before = grads(model)
    assert clip_gradients(groups_of(model), 1.0, groups={"backbone": 0.1}).isnan()
    assert same(grads(model), before)


@pytest.mark.parametrize(
    ("limit", "options", "error", "words"),
    [
        (0.0, {}, ValueError, "max_norm must be above 0"),
        (-1.0, {}, ValueError, "max_norm must be above 0"),
        (math.nan, {}, ValueError, "max_norm must be above 0"),
        ("1", {}, TypeError, "max_norm must be a number"),
        (True, {}, TypeError, "max_norm must be a number"),
        (1.0, {"norm_type": 0}, ValueError, "norm_type must be above 0"),
        (1.0, {"groups": {"head": 1.0}}, ValueError, "no parameter group is called 'head'; there"),
        (1.0, {"groups": {"decoder": -1}}, ValueError, r"groups\['decoder'\] must be above 0"),
    ],
)
def test_bad_input_changes_nothing(limit, options, error, words):
    model = with_gradients(size=1e3)
    before = grads(model)
    with pytest.raises(error, match=words):
        clip_gradients(groups_of(model), limit, **options)
    assert same(grads(model), before)


def test_group_limits_need_groups():
    with pytest.raises(ValueError, match="give parameter groups instead of parameters"):
        clip_gradients(with_gradients(), 1.0, groups={"decoder": 1.0})


def test_what_is_no_parameter():
    with pytest.raises(TypeError, match="not str"):
        clip_gradients(["weight"], 1.0)


def test_nothing_waits_for_the_device():
    model = with_gradients(size=100.0)
    with counted() as syncs:
        clip_gradients(model, 1.0)
        clip_gradients(groups_of(model), 1.0, groups={"backbone": 0.1, "decoder": 0.2})
    assert syncs.count == 0
    # The counter sees what torch does where it is asked to look.
    with counted() as syncs:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
    assert syncs.count > 0


def test_no_graph_break():
    torch._dynamo.reset()
    model, twin = with_gradients(size=100.0), with_gradients(size=100.0)
    compiled = torch.compile(clip_gradients, backend="eager", fullgraph=True)
    assert torch.equal(compiled(list(model.parameters()), 1.0), clip_gradients(twin, 1.0))
    assert same(grads(model), grads(twin))
