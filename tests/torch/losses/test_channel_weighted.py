"""The channel-weighted loss against loops over channels."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.losses.channel_weighted import ChannelWeightedLoss  # noqa: E402

NAN = float("nan")
DECODE = (1, 1, 1, 1, 1, 0.5)


def softplus(x):
    return np.logaddexp(0, x)


ELEMENTS = {
    "mse": lambda p, t: (p - t) ** 2,
    "l1": lambda p, t: np.abs(p - t),
    "smooth_l1": lambda p, t: np.where(np.abs(p - t) < 1, 0.5 * (p - t) ** 2, np.abs(p - t) - 0.5),
    "bce": lambda p, t: t * softplus(-p) + (1 - t) * softplus(p),
}


def oracle(p, t, weights, name, axis=1, mask=None, reduction="mean", by="count", positive=None):
    """A loop over channels."""
    total, each = 0.0, []
    for c, weight in enumerate(weights):
        a, b = p.take(c, axis), t.take(c, axis)
        lost = ELEMENTS[name](a, b)
        if positive is not None:
            lost = positive[c] * b * softplus(-a) + (1 - b) * softplus(a)
        if mask is not None:
            lost = lost[mask.take(c, axis)]
        kept = lost.sum() if reduction == "sum" else (lost.mean() if lost.size else 0.0)
        each.append(lost.sum() if reduction == "sum" else lost.mean() if lost.size else NAN)
        total += weight * kept
    norm = {"count": len(weights), "weights": sum(weights)}[by]
    return total if reduction == "sum" else total / norm, each


@settings(max_examples=80)
@given(
    st.integers(0, 10**6),
    st.sampled_from(sorted(ELEMENTS)),
    st.sampled_from(["mean", "sum"]),
    st.sampled_from(["count", "weights"]),
    st.sampled_from([0, 1, 2, -1]),
    st.booleans(),
)
def test_the_loss_is_a_loop_over_channels(seed, name, reduction, by, axis, masked):
    rng = np.random.default_rng(seed)
    p = 2 * rng.normal(size=(3, 6, 4))
    t = rng.random(p.shape) if name == "bce" else rng.normal(size=p.shape)
    mask = rng.random(p.shape) < rng.random() if masked else None
    # Values that float32, the type of the buffer, holds exactly.
    weights = (rng.integers(1, 8, p.shape[axis]) / 4).tolist()
    loss = ChannelWeightedLoss(weights, name, None, reduction, axis, normalisation=by)
    found = loss(*map(torch.from_numpy, (p, t)), None if mask is None else torch.from_numpy(mask))
    expected, each = oracle(p, t, weights, name, axis, mask, reduction, by)
    assert found.item() == pytest.approx(expected, rel=1e-10)
    assert loss.channels.tolist() == pytest.approx(each, rel=1e-10, nan_ok=True)


def test_by_count_is_the_mean_of_the_weighted_elements():
    p, t = torch.randn(2, 2, 6, 5, 5, dtype=torch.float64)
    w = torch.tensor(DECODE, dtype=torch.float64).view(1, 6, 1, 1)
    assert ChannelWeightedLoss()(p, t).item() == pytest.approx((w * (p - t) ** 2).mean().item())
    assert ChannelWeightedLoss(DECODE)(p, t).item() == ChannelWeightedLoss()(p, t).item()


def test_the_configuration_of_decode_is_taken_as_it_is():
    config = {"channel_weights": list(DECODE), "pos_weight": 1.0, "reduction": "mean"}
    p, t = torch.randn(2, 2, 6, 5, 5)
    assert torch.equal(ChannelWeightedLoss(**config)(p, t), ChannelWeightedLoss()(p, t))


def test_by_weights_is_an_average():
    p, t = torch.full((2, 6, 3), 2.0), torch.zeros(2, 6, 3)
    assert ChannelWeightedLoss(normalisation="weights")(p, t).item() == pytest.approx(4.0)
    assert ChannelWeightedLoss()(p, t).item() == pytest.approx(4.0 * 5.5 / 6)


def test_no_reduction_keeps_the_elements():
    p, t = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    mask = torch.rand(2, 6, 5) < 0.5
    found = ChannelWeightedLoss(reduction="none")(p, t, mask)
    w = torch.tensor(DECODE, dtype=torch.float64).view(1, 6, 1)
    torch.testing.assert_close(found, w * (p - t) ** 2 * mask)
    total = ChannelWeightedLoss(reduction="sum")(p, t, mask)
    assert found.sum().item() == pytest.approx(total.item())


@pytest.mark.parametrize("positive", [3.0, [0.5, 1.0, 2.0]])
def test_positive_weights_of_bce(positive):
    rng = np.random.default_rng(0)
    p, t = rng.normal(size=(4, 3, 5)), (rng.random((4, 3, 5)) < 0.3).astype(float)
    loss = ChannelWeightedLoss((1, 2, 0.5), "bce", positive)
    each = [positive] * 3 if isinstance(positive, float) else positive
    expected, _ = oracle(p, t, (1, 2, 0.5), "bce", positive=each)
    assert loss(*map(torch.from_numpy, (p, t))).item() == pytest.approx(expected)
    # Targets of bce are often bool.
    asked = loss(torch.from_numpy(p), torch.from_numpy(t > 0.5)).item()
    assert asked == pytest.approx(expected)


def test_a_function_of_ones_own():
    def charbonnier(p, t):
        return ((p - t) ** 2 + 1e-6).sqrt()

    p, t = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    found = ChannelWeightedLoss((1, 1, 1), charbonnier)(p, t).item()
    assert found == pytest.approx(charbonnier(p, t).mean().item())
    with pytest.raises(ValueError, match="one value an element"):
        ChannelWeightedLoss((1, 1, 1), torch.nn.functional.mse_loss)(p, t)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 1, 5, 4), (1, 1, 5, 4), (5, 4), (2, 6, 5, 4)])
def test_masks_of_every_shape(shape):
    p, t = torch.randn(2, 2, 6, 5, 4, dtype=torch.float64)
    mask = torch.rand(shape) < 0.5
    whole = mask.unsqueeze(1) if shape == (2, 5, 4) else mask
    expected, _ = oracle(p.numpy(), t.numpy(), DECODE, "mse", mask=whole.expand(p.shape).numpy())
    assert ChannelWeightedLoss()(p, t, mask).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(ELEMENTS))
@pytest.mark.parametrize("by", ["count", "weights"])
def test_gradcheck(name, by):
    torch.manual_seed(0)
    p, t = torch.randn(2, 3, 4, dtype=torch.float64), torch.rand(2, 3, 4, dtype=torch.float64)
    loss = ChannelWeightedLoss((1, 0, 0.5), name, normalisation=by)
    mask = torch.rand(2, 3, 4) < 0.7
    assert torch.autograd.gradcheck(lambda x: loss(x, t, mask), p.requires_grad_())
    each = ChannelWeightedLoss((1, 0, 0.5), name, reduction="none")
    assert torch.autograd.gradcheck(lambda x: each(x, t, mask), p)


@pytest.mark.parametrize("name", [*sorted(ELEMENTS), "log"])
def test_nan_in_masked_elements_and_channels_of_weight_zero_reaches_no_gradient(name):
    p, t = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 0] = False
    p[0, 0, 0], t[0, 0], t[:, 1] = float("inf"), NAN, NAN
    kind = name if name != "log" else lambda x, y: x - y * torch.log(x)
    for reduction in ("mean", "sum", "none"):
        x = p.clone().requires_grad_()
        loss = ChannelWeightedLoss((1, 0, 0.5), kind, reduction=reduction)
        value = loss(x, t, mask).sum()
        value.backward()
        assert value.isfinite()
        assert torch.all(x.grad[0, 0] == 0)
        assert torch.all(x.grad[:, 1] == 0)
        assert torch.all(x.grad[1, 0] != 0)
        assert loss.channels.isnan().tolist() == [False, True, False]


def test_a_channel_of_weight_zero_is_still_logged():
    p, t = torch.ones(2, 3), torch.zeros(2, 3)
    loss = ChannelWeightedLoss((1, 0, 1))
    assert loss(p, t).item() == pytest.approx(2 / 3)
    assert loss.channels.tolist() == [1, 1, 1]


def test_weights_can_be_scheduled():
    p, t = torch.ones(2, 2), torch.zeros(2, 2)
    loss = ChannelWeightedLoss((1, 0.5))
    loss.set_channel_weights((1, 1))
    assert loss(p, t).item() == 1.0
    with pytest.raises(ValueError, match="2 channels, not 3"):
        loss.set_channel_weights((1, 1, 1))
    with pytest.raises(ValueError, match=r"channel_weights\[1\] must be 0 or more"):
        loss.set_channel_weights((2, -1))
    assert loss.channel_weights.tolist() == [1, 1]
    loss.set_channel_weights((0, 0))
    for by in ("count", "weights"):
        nothing = ChannelWeightedLoss((0, 0), normalisation=by)
        assert nothing(p, t).item() == 0.0
    assert not loss.state_dict()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_computes_in_float32(dtype):
    p = torch.full((2, 6, 3), 300.0, dtype=dtype, requires_grad=True)
    value = ChannelWeightedLoss()(p, torch.zeros_like(p))
    value.backward()
    assert value.item() == pytest.approx(300**2 * 5.5 / 6, rel=1e-5)  # beyond float16
    assert torch.all(p.grad.isfinite())
    assert p.grad.dtype == dtype


def test_empty_batches_and_empty_masks_are_zero():
    loss = ChannelWeightedLoss()
    p = torch.zeros(0, 6, 3, requires_grad=True)
    assert loss(p, torch.zeros(0, 6, 3)).item() == 0.0
    assert torch.all(loss.channels.isnan())
    p = torch.ones(2, 6, 3, requires_grad=True)
    value = loss(p, torch.zeros(2, 6, 3), torch.zeros(2, 3, dtype=torch.bool))
    value.backward()
    assert value.item() == 0.0
    assert torch.all(p.grad == 0)


def test_one_axis_alone():
    loss = ChannelWeightedLoss((1, 3), channel_dim=0)
    assert loss(torch.tensor([1.0, 2.0]), torch.zeros(2)).item() == pytest.approx((1 + 12) / 2)


@pytest.mark.parametrize("name", sorted(ELEMENTS))
def test_compiled_once_while_weights_change_and_nothing_is_read(name):
    p, t, mask = torch.randn(2, 6, 3, requires_grad=True), torch.rand(2, 6, 3), torch.ones(2, 3) > 0
    loss = ChannelWeightedLoss(loss=name, pos_weight=2.0 if name == "bce" else None)
    torch._dynamo.reset()
    frames = CompileCounter()
    fast = torch.compile(loss, backend=frames, fullgraph=True)
    for first in (1.0, 0.0, 0.3):
        loss.set_channel_weights((first, 1, 1, 1, 1, 0.5))
        assert fast(p, t, mask).item() == pytest.approx(loss(p, t, mask).item(), rel=1e-5)
    assert frames.frame_count == 1
    torch._dynamo.reset()
    torch.compile(loss, backend="aot_eager", fullgraph=True)(p, t, mask).backward()
    compiled, p.grad = p.grad, None
    with counted() as syncs:
        loss(p, t, mask).backward()
        loss.set_channel_weights(DECODE)
    assert syncs.count == 0
    torch.testing.assert_close(p.grad, compiled)


@pytest.mark.parametrize(
    ("settings_", "error", "message"),
    [
        ({"channel_weights": ()}, ValueError, "at least one channel"),
        ({"channel_weights": (1, NAN)}, ValueError, r"channel_weights\[1\] must be 0 or more"),
        ({"channel_weights": (1, "2")}, TypeError, r"channel_weights\[1\] must be a number"),
        ({"loss": "l3"}, ValueError, "loss must be a function or one of mse, l1"),
        ({"reduction": "median"}, ValueError, "reduction must be one of mean, sum, none"),
        ({"normalisation": "no"}, ValueError, "normalisation must be one of count, weights"),
        ({"pos_weight": 2.0}, ValueError, 'pos_weight belongs to loss="bce"'),
        ({"loss": "bce", "pos_weight": (1, 2)}, ValueError, "2 values for 6 channels"),
        ({"loss": "bce", "pos_weight": -1}, ValueError, "pos_weight"),
        ({"channel_dim": 1.0}, TypeError, "channel_dim must be an integer"),
    ],
)
def test_other_settings_are_refused(settings_, error, message):
    with pytest.raises(error, match=message):
        ChannelWeightedLoss(**settings_)


def test_other_input_is_refused():
    loss, p = ChannelWeightedLoss(), torch.randn(2, 6, 3)
    for given_, error, message in (
        ((p, p[:1]), ValueError, r"prediction has shape \(2, 6, 3\), target shape \(1, 6, 3\)"),
        ((p[:, :5], p[:, :5]), ValueError, "6 channel_weights, and 5 channels along axis 1"),
        ((p[0, :, 0], p[0, :, 0]), ValueError, "no axis 1"),
        ((p, p, torch.ones(2, 3)), TypeError, "mask > 0.5"),
        ((p, p, torch.ones(4) > 0), ValueError, r"the mask has shape \(4,\)"),
        ((p.int(), p.int()), TypeError, "floating point"),
    ):
        with pytest.raises(error, match=message):
            loss(*given_)
    assert loss.channels is None
