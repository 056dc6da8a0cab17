"""What flows back from the gated consistency loss, and what must not."""

import pytest

torch = pytest.importorskip("torch")

from tests.torch.losses.consistency import NAN, drawn, tensors  # noqa: E402 - after the skip
from trainlens_torch.losses.clip_consistency import CLIPConsistencyLoss  # noqa: E402


@pytest.mark.parametrize("is_soft", [True, False])
def test_gradcheck_with_all_of_the_gradient(is_soft):
    a, b, valid, present = tensors(*drawn(5))
    loss = CLIPConsistencyLoss(1.0, use_soft_coverage_gate=is_soft, gradient_flow_ratio=1.0)
    valid[0] = True
    inputs = a.requires_grad_(), b.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: loss(x, y, valid, 0.18, present=present), inputs)
    small = a[:1, :3].detach().requires_grad_(), b[:1, :3].detach().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, y: loss(x, y, None, 1.0), small)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1 / 3, 0.9])
@pytest.mark.parametrize(
    ("protected", "sides"),
    [("fusion", (1, 0)), ("backbone", (1, 0)), ("clip", (0, 1)), ("both", (1, 1))],
)
def test_the_protected_side_gets_its_share_and_the_value_stays(ratio, protected, sides):
    a, b, valid, _ = drawn(6)
    values, found = [], []
    for r in (1.0, ratio):
        ta, tb, tv = tensors(a, b, valid)
        loss = CLIPConsistencyLoss(gradient_flow_ratio=r, protected=protected)
        value = loss(ta.requires_grad_(), tb.requires_grad_(), tv, 1.0)
        value.backward()
        values.append(value)
        found.append((ta.grad, tb.grad))
    assert torch.equal(*values)
    for whole, part, guarded in zip(*found, sides, strict=True):
        assert whole.norm() > 0
        torch.testing.assert_close(part, whole * ratio if guarded else whole, rtol=1e-14, atol=0)
        assert not guarded or part.norm() <= ratio * whole.norm() * (1 + 1e-14)


@pytest.mark.parametrize("is_soft", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_nothing_flows_into_closed_samples_invalid_points_and_from_a_weight_of_zero(is_soft, dtype):
    a, b, *_ = (x.to(dtype) if x.is_floating_point() else x for x in tensors(*drawn(7)))
    valid = torch.zeros(4, 10, dtype=torch.bool)
    for sample, count in enumerate((10, 8, 3, 0)):
        valid[sample, :count] = True
    # Not a number, wherever nothing may flow.
    a[1, 8:], b[1, 8:], a[2:], b[2:] = NAN, float("inf"), NAN, NAN
    loss = CLIPConsistencyLoss(use_soft_coverage_gate=is_soft, gradient_flow_ratio=1.0)
    ta, tb = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = loss(ta, tb, valid, 1.0)
    value.backward()
    assert value.isfinite()
    for grad in (ta.grad, tb.grad):
        assert torch.all(grad[~valid] == 0)
        assert torch.all(grad[2:] == 0)
        assert torch.all(grad[0].float().norm(dim=-1) > 0)
        assert torch.all(grad.isfinite())
    # While the weight is 0, nothing at all: not even from NaN at points that count.
    a[0] = NAN
    for progress in (0.0, 0.07, 0.1, torch.tensor(0.1)):
        ta = a.clone().requires_grad_()
        value = loss(ta, b, valid, progress)
        value.backward()
        assert value.item() == 0.0
        assert torch.all(ta.grad == 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_zero_tiny_and_huge_vectors(dtype):
    most = torch.finfo(dtype).max
    a = torch.tensor([[0.0, 0], [1e-7, 0], [2e-4, 0], [most, most], [1, 1]], dtype=dtype)
    b = torch.tensor([[1.0, 0], [1, 0], [1, 0], [most, most], [0, 0]], dtype=dtype)
    a, b = a.requires_grad_(), b.requires_grad_()
    loss = CLIPConsistencyLoss(5.0, gradient_flow_ratio=1.0)
    value = loss(a, b, None, 1.0)
    value.backward()
    # Without a direction a point counts as 1; the third and fourth agree.
    assert value.item() == pytest.approx(3.0, abs=1e-5)
    for x in (a, b):
        assert torch.all(x.grad.isfinite())
        assert torch.all(x.grad[[0, 1, 4]] == 0)
        assert x.grad.abs().max() <= 5.0 / loss.eps


@pytest.mark.parametrize("size", [(0, 5, 3), (2, 0, 3), (2, 5, 0), (0, 0, 0)])
def test_empty_batches(size):
    a = torch.zeros(size, requires_grad=True)
    loss = CLIPConsistencyLoss(1.0, coverage_threshold=0.0)
    value = loss(a, torch.zeros(size), None, 1.0)
    value.backward()
    assert value.isfinite()
    assert a.grad is not None
    assert value.item() == (1.0 if size == (2, 5, 0) else 0.0)  # no direction at all counts as 1


def test_no_valid_point_at_all():
    a, b, *_ = tensors(*drawn(10))
    for is_soft in (True, False):
        loss = CLIPConsistencyLoss(coverage_threshold=0.0, use_soft_coverage_gate=is_soft)
        a.grad = None
        value = loss(a.requires_grad_(), b, torch.zeros(4, 10, dtype=torch.bool), 1.0)
        value.backward()
        assert value.item() == 0.0
        assert torch.all(a.grad == 0)
        assert loss.last["valid_ratio"].item() == 0.0


def test_compiled_backward_is_that_of_eager():
    a, b, valid = (x.float() if x.is_floating_point() else x for x in tensors(*drawn(13)[:3]))
    loss = CLIPConsistencyLoss()
    grads = []
    torch._dynamo.reset()
    for work in (loss, torch.compile(loss, backend="aot_eager", fullgraph=True)):
        x = a.clone().requires_grad_()
        work(x, b, valid, torch.tensor(0.17)).backward()
        grads.append(x.grad)
    torch.testing.assert_close(*grads)
