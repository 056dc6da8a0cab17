"""The normalising block against numpy, and at the ends of what floats hold."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.losses.normalized_features import NormalizedFeatures  # noqa: E402

NAN = float("nan")


def oracle(x, eps=1e-4, layer_norm=True, l2=True, gain=1.0, bias=0.0):
    """The formula, in numpy."""
    y = x
    if layer_norm:
        y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
        y = gain * y + bias
    return y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), np.sqrt(eps)) if l2 else y


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.floats(-4, 4))
def test_the_block_is_the_formula(seed, layer_norm, l2, magnitude):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 3, 8)) * 10**magnitude + rng.normal()
    block = NormalizedFeatures(8, layer_norm=layer_norm, l2=l2).double()
    gain, bias = rng.normal(size=(2, 8))
    if layer_norm:
        with torch.no_grad():
            block.norm.weight.copy_(torch.from_numpy(gain))
            block.norm.bias.copy_(torch.from_numpy(bias))
    found = block(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, oracle(x, 1e-4, layer_norm, l2, gain, bias), rtol=1e-7)


def test_it_is_torchs_own_two_steps_for_features_that_are_not_tiny():
    x = torch.randn(5, 512, dtype=torch.float64) * 3 + 1
    block = NormalizedFeatures(512, 1e-5).double()
    both = nn.functional.normalize(nn.LayerNorm(512, dtype=torch.float64)(x), dim=1)
    torch.testing.assert_close(block(x), both)
    assert torch.linalg.vector_norm(block(x), dim=1).tolist() == pytest.approx([1.0] * 5)


def test_modalities_of_any_scale_come_to_the_same_scale():
    torch.manual_seed(0)
    x = torch.randn(4, 100, 64) * torch.tensor([1e-2, 1.0, 1e2, 1e4]).view(4, 1, 1)
    lengths = torch.linalg.vector_norm(NormalizedFeatures(64)(x), dim=-1)
    torch.testing.assert_close(lengths, torch.ones(4, 100))


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_zero_constant_tiny_and_huge_vectors(layer_norm, dtype):
    small = torch.finfo(dtype).smallest_normal
    x = torch.zeros(6, 16, dtype=dtype)
    x[1], x[2], x[3, 0], x[4, 3] = 1.0, 60000.0, small, 5e-5
    x[5, ::2] = 60000.0
    x.requires_grad_()
    block = NormalizedFeatures(16, layer_norm=layer_norm).to(dtype)
    out = block(x)
    assert out.dtype == dtype
    # The largest gradient that can arrive at each element is 1 here.
    out.backward(torch.ones_like(out).copysign(torch.randn(6, 16)))
    assert torch.all(out.isfinite())
    assert torch.all(x.grad.isfinite())
    assert x.grad.float().norm(dim=1).max() <= 4.01 / block.eps  # |arriving| is 4
    assert torch.all(out[0] == 0)


def test_torchs_normalize_gives_infinity_there():
    x = torch.zeros(1, 16, dtype=torch.float16)
    x[0, 0] = 6e-8
    x.requires_grad_()
    nn.functional.normalize(x).backward(torch.ones_like(x))
    assert not torch.all(x.grad.isfinite())
    y = x.detach().clone().requires_grad_()
    NormalizedFeatures(16, layer_norm=False)(y).backward(torch.ones_like(y))
    assert torch.all(y.grad.isfinite())


def test_nan_stays_within_its_vector():
    x = torch.randn(3, 4)
    x[1, 2] = NAN
    found = NormalizedFeatures(4)(x)
    assert found.isnan().any(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("l2", [True, False])
def test_gradcheck(layer_norm, l2):
    torch.manual_seed(0)
    block = NormalizedFeatures(5, layer_norm=layer_norm, l2=l2).double()
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x)
    short = (1e-3 * torch.randn(3, 5, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(block, short, eps=1e-8, atol=1e-4)
    assert torch.autograd.gradgradcheck(block, x)


def test_temperatures():
    u, v = torch.randn(3, 4), torch.randn(5, 4)
    block = NormalizedFeatures(4, temperature=0.5)
    torch.testing.assert_close(block.logits(u, v), u @ v.T / 0.5)
    block.set_temperature(0.1)
    torch.testing.assert_close(block.logits(u, v), u @ v.T / 0.1)
    assert "temperature" not in "".join(block.state_dict())
    learned = NormalizedFeatures(4, temperature=0.07, learn_temperature=True)
    assert learned.temperature.item() == pytest.approx(0.07)
    learned.logits(u, v).sum().backward()
    assert learned.log_temperature.grad is not None
    learned.set_temperature(1e-5)
    assert learned.temperature.item() == pytest.approx(0.01)
    assert "log_temperature" in learned.state_dict()
    assert block.logits(u.half(), v.half()).dtype == torch.float32


def test_compiled_once_while_the_temperature_changes_and_nothing_is_read():
    block, x = NormalizedFeatures(8, temperature=0.5), torch.randn(4, 8, requires_grad=True)

    def work(x):
        unit = block(x)
        return block.logits(unit, unit).square().sum()

    torch._dynamo.reset()
    frames = CompileCounter()
    fast = torch.compile(work, backend=frames, fullgraph=True)
    for heat in (0.5, 0.2, 1.0):
        block.set_temperature(heat)
        assert fast(x).item() == pytest.approx(work(x).item(), rel=1e-5)
    assert frames.frame_count == 1
    torch._dynamo.reset()
    torch.compile(work, backend="aot_eager", fullgraph=True)(x).backward()
    compiled, x.grad = x.grad, None
    with counted() as syncs:
        work(x).backward()
        block.set_temperature(0.3)
    assert syncs.count == 0
    torch.testing.assert_close(x.grad, compiled)


def test_parameters_follow_the_switches():
    assert len(list(NormalizedFeatures(4).parameters())) == 2
    assert not list(NormalizedFeatures(4, affine=False).parameters())
    assert NormalizedFeatures(4, layer_norm=False).norm is None
    x = torch.randn(2, 4)
    assert torch.equal(NormalizedFeatures(4, layer_norm=False, l2=False)(x), x)


def test_empty_batches():
    assert NormalizedFeatures(4)(torch.zeros(0, 4)).shape == (0, 4)


@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        ((0,), ValueError, "dim must be 1 or more"),
        ((4.0,), TypeError, "dim must be an integer"),
        ((4, 0.0), ValueError, "eps must be above 0"),
        ((4, 1e-4, 0.0), ValueError, "temperature must be above 0"),
        ((4, 1e-4, NAN), ValueError, "temperature must be above 0"),
    ],
)
def test_other_settings_are_refused(given_, error, message):
    with pytest.raises(error, match=message):
        NormalizedFeatures(*given_)


def test_other_input_is_refused():
    with pytest.raises(ValueError, match=r"shape \(..., 4\), not shape \(2, 3\)"):
        NormalizedFeatures(4)(torch.zeros(2, 3))
    with pytest.raises(TypeError, match="floating point"):
        NormalizedFeatures(4)(torch.zeros(2, 4, dtype=torch.int64))
