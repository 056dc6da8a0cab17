"""Identities: values to the bit, gradients exactly scaled or stopped."""

import pytest

torch = pytest.importorskip("torch")

from torch._dynamo.testing import CompileCounter  # noqa: E402 - after the skip

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.losses.gradient_scale import gate_gradient, scale_gradient  # noqa: E402


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1 / 3, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_values_are_the_same_bits_and_gradients_are_scaled_once(ratio, dtype):
    x = torch.randn(1000, dtype=dtype)
    x[:2] = torch.tensor([0.0, -0.0])
    x.requires_grad_()
    arriving = torch.randn(1000, dtype=dtype)
    y = scale_gradient(x, ratio)
    assert y.detach().view(torch.uint8).equal(x.detach().view(torch.uint8))
    y.backward(arriving)
    assert torch.equal(x.grad, arriving * ratio)


def test_the_sum_of_two_paths_would_round_the_values():
    x = torch.randn(1000)
    assert not torch.equal(0.1 * x + 0.9 * x.detach(), x)
    assert torch.equal(scale_gradient(x, 0.1), x)


def test_ratio_zero_stops_even_nan():
    x = torch.ones(2, requires_grad=True)
    scale_gradient(x, 0.0).backward(torch.tensor([float("nan"), float("inf")]))
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_values_that_are_not_finite_stay(ratio):
    x = torch.tensor([float("inf"), -float("inf"), float("nan"), 1.0], requires_grad=True)
    y = scale_gradient(x, ratio)
    torch.testing.assert_close(y, x, equal_nan=True, rtol=0, atol=0)
    y.sum().backward()
    assert x.grad[3] == ratio


def test_second_derivatives_are_scaled_as_well():
    x = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad((scale_gradient(x, 0.25) ** 3).sum(), x, create_graph=True)
    assert first.tolist() == pytest.approx([0.25 * 3 * 4, 0.25 * 3 * 9])
    (second,) = torch.autograd.grad(first.sum(), x)
    # The path back through the argument of the square is scaled too: each pass scales once.
    assert second.tolist() == pytest.approx([0.25**2 * 6 * 2, 0.25**2 * 6 * 3])


def test_gated_gradients_are_exact_zeros_where_they_are_not_kept():
    x = torch.tensor([0.0, 2.0, 3.0], requires_grad=True)
    keep = torch.tensor([False, True, True])
    y = gate_gradient(x, keep)
    assert torch.equal(y, x)
    y.backward(torch.tensor([float("nan"), 5.0, -1.0]))
    assert x.grad.tolist() == [0.0, 5.0, -1.0]
    wide = torch.ones(2, 3, requires_grad=True)
    gate_gradient(wide, keep).sum().backward()
    assert wide.grad.tolist() == [[0.0, 1.0, 1.0]] * 2


def test_a_gated_gradient_can_be_differentiated_again():
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    keep = torch.tensor([True, False, True, True])
    assert torch.autograd.gradgradcheck(lambda v: gate_gradient(v * 1.0, keep.new_ones(4)).exp(), x)
    (first,) = torch.autograd.grad(gate_gradient(x, keep).pow(2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.tolist() == [2.0, 0.0, 2.0, 2.0]


def test_both_compile_whole_and_read_nothing():
    def work(x, keep):
        return (gate_gradient(scale_gradient(x, 0.5), keep) ** 2).sum()

    x, keep = torch.randn(5, requires_grad=True), torch.tensor([True, False, True, True, True])
    torch._dynamo.reset()
    frames = CompileCounter()
    torch.compile(work, backend=frames, fullgraph=True)(x, keep).backward()
    assert frames.frame_count == 1
    assert torch.equal(x.grad, torch.where(keep, x.detach(), torch.zeros(5)))
    with counted() as syncs:
        work(x, keep).backward()
    assert syncs.count == 0


def test_under_vmap_and_grad():
    x = torch.randn(3, 2)
    each = torch.func.vmap(torch.func.grad(lambda v: (scale_gradient(v, 0.5) ** 2).sum()))(x)
    assert torch.equal(each, x)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), float("inf")])
def test_other_ratios_are_refused(ratio):
    with pytest.raises(ValueError, match="ratio of a gradient must be 0 or more and at most 1"):
        scale_gradient(torch.ones(1), ratio)


def test_a_ratio_is_a_number():
    with pytest.raises(TypeError, match="must be a number"):
        scale_gradient(torch.ones(1), "all")
