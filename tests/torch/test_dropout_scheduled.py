"""Layers whose rate is a tensor: the numbers of torch, whatever the rate, type and layer."""

import copy
import io
import math
import pickle

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.dropout import (  # noqa: E402
    ScheduledAlphaDropout,
    ScheduledDropout,
    ScheduledDropout1d,
    ScheduledDropout2d,
    ScheduledDropout3d,
    ScheduledFeatureAlphaDropout,
    prepare_dropout,
    set_dropout_rate,
)

ALL = [
    (ScheduledDropout, (8, 6, 5)),
    (ScheduledDropout1d, (8, 6, 5)),
    (ScheduledDropout2d, (8, 6, 3, 3)),
    (ScheduledDropout3d, (8, 6, 2, 2, 2)),
    (ScheduledAlphaDropout, (8, 6, 5)),
    (ScheduledFeatureAlphaDropout, (8, 6, 5)),
]
PLAIN = [kind for kind, _ in ALL[:4]]
layers = pytest.mark.parametrize(("kind", "shape"), ALL, ids=[kind.__name__ for kind, _ in ALL])


def uniform(seed, shape):
    """The draws that a layer makes after `manual_seed`."""
    torch.manual_seed(seed)
    return torch.rand(shape)


@layers
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("inplace", [False, True])
def test_rate_zero_changes_no_bit_of_outputs_and_gradients(kind, shape, dtype, inplace):
    x = torch.randn(shape, dtype=dtype)
    x.view(-1)[:3] = torch.tensor([1e-4, -6e4, 3.14159], dtype=dtype)
    leaf = x.clone().requires_grad_()
    out = kind(0.0, inplace=inplace)(leaf * 1)
    assert out.dtype == dtype
    assert torch.equal(out, x)
    gradient = torch.randn(shape, dtype=dtype)
    out.backward(gradient)
    assert torch.equal(leaf.grad, gradient)


@layers
@pytest.mark.parametrize("inplace", [False, True])
def test_rate_one_gives_zeros_and_finite_gradients(kind, shape, inplace):
    leaf = torch.randn(shape, requires_grad=True)
    out = kind(1.0, inplace=inplace)(leaf * 1)
    out.sum().backward()
    assert torch.equal(out, torch.zeros(shape))
    assert torch.equal(leaf.grad, torch.zeros(shape))


@layers
def test_evaluation_returns_the_input_itself_and_draws_nothing(kind, shape):
    x, before = torch.randn(shape), torch.get_rng_state()
    assert kind(0.7).eval()(x) is x
    assert torch.equal(torch.get_rng_state(), before)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1, width=32), st.integers(0, 10**6))
def test_the_numbers_are_those_of_torch_for_the_same_mask(rate, seed):
    torch.manual_seed(seed)
    x = torch.randn(7, 11)
    kept = (uniform(seed, x.shape) >= rate).float()
    torch.manual_seed(seed)
    out = ScheduledDropout(rate)(x)
    # What torch.nn.functional.dropout does on a CPU: mask / (1 - p), then times x.
    expected = x * kept.div(1 - rate) if rate < 1 else torch.zeros_like(x)
    assert torch.equal(out, expected)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_takes_the_two_values_of_torch(rate):
    x = torch.full((4000,), 0.7)
    torch.manual_seed(0)
    ours, theirs = ScheduledAlphaDropout(rate)(x), nn.AlphaDropout(rate)(x)
    assert len(ours.unique()) == len(theirs.unique()) == 2
    torch.testing.assert_close(ours.unique(), theirs.unique(), rtol=1e-5, atol=1e-6)
    normal = torch.randn(400_000)
    out = ScheduledAlphaDropout(rate)(normal)
    # Standard errors of mean and variance of 400,000 draws are below 0.01.
    assert abs(out.mean().item()) < 0.02
    assert out.var().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.8])
def test_share_mean_and_variance_of_what_is_kept(rate):
    torch.manual_seed(1)
    n = 400_000
    out = ScheduledDropout(rate)(torch.ones(n))
    # Five standard errors of a share of n draws.
    bound = 5 * math.sqrt(rate * (1 - rate) / n)
    assert abs((out == 0).float().mean().item() - rate) < bound
    assert abs(out.mean().item() - 1) < bound / (1 - rate)
    assert out.var().item() == pytest.approx(rate / (1 - rate), rel=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_unbiased(dtype):
    # In bfloat16 itself 1 / 0.9 is 1.1094, 0.16 % too low.
    torch.manual_seed(2)
    layer = ScheduledDropout(0.1)
    out = layer(torch.full((1000,), 256.0, dtype=dtype))
    expected = torch.tensor(256 / 0.9).to(dtype)
    assert set(out.tolist()) == {0.0, expected.item()}


def test_channels_are_dropped_whole():
    torch.manual_seed(3)
    for kind, shape in ALL[1:4]:
        out = kind(0.5)(torch.ones(shape)).flatten(2)
        per_channel = out[:, :, 0]
        assert torch.equal(out, per_channel[..., None].expand_as(out))
        assert 0 < (per_channel == 0).float().mean() < 1
    unbatched = ScheduledDropout1d(0.5)(torch.ones(50, 4))
    assert torch.equal(unbatched, unbatched[:, :1].expand(50, 4))
    with pytest.raises(ValueError, match=r"Dropout3d takes 4 or 5 dimensions"):
        ScheduledDropout3d(0.5)(torch.ones(2, 2))


@layers
def test_the_random_stream_does_not_depend_on_the_rate(kind, shape):
    after = []
    for rates in ([0.0] * 4, [0.1, 0.5, 0.9, 1.0]):
        torch.manual_seed(4)
        layer = kind(0.5)
        for rate in rates:
            layer.p = rate
            layer(torch.ones(shape))
        after.append(torch.get_rng_state())
    assert torch.equal(*after)


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_dropped_stays_dropped_at_a_higher_rate(a, b):
    low, high = sorted((a, b))
    x, dropped = torch.ones(64), []
    for rate in (low, high):
        torch.manual_seed(5)
        dropped.append(ScheduledDropout(rate)(x) == 0)
    assert not (dropped[0] & ~dropped[1]).any()


@pytest.mark.parametrize("kind", [ScheduledDropout, ScheduledAlphaDropout])
def test_gradients_agree_with_differences(kind):
    layer = kind(0.4)
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)

    def same_mask(x):
        torch.manual_seed(6)
        return layer(x)

    assert torch.autograd.gradcheck(same_mask, (x,))
    assert torch.autograd.gradgradcheck(same_mask, (x,))


@layers
def test_copies_pickles_and_states(kind, shape):
    model = nn.Sequential(nn.Linear(5, 5), kind(0.25))
    plain = nn.Sequential(nn.Linear(5, 5), nn.Dropout(0.25))
    assert list(model.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(model.state_dict())
    model.load_state_dict(plain.state_dict())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        other[1].p = 0.75
        assert (model[1].p, other[1].p) == (0.25, 0.75)
        assert (model[1].keep_from.item(), other[1].keep_from.item()) == (0.25, 0.75)
    assert "p=0.25" in repr(model)


@layers
def test_rates_stay_float32_and_right_whatever_happens_to_the_model(kind, shape):
    layer = kind(0.1)
    fresh = {name: b.clone() for name, b in layer.named_buffers()}
    for other in (
        layer.to(torch.bfloat16),
        layer.double(),
        copy.deepcopy(layer).to("meta").to_empty(device="cpu"),
    ):
        for name, buffer in other.named_buffers():
            assert buffer.dtype == torch.float32
            assert torch.equal(buffer, fresh[name])
        assert other.p == 0.1


def test_setting_a_rate_fills_the_same_tensors_and_bad_ones_change_nothing():
    layer = ScheduledDropout(0.5)
    tensor = layer.keep_from
    layer.p = 0.25
    assert layer.keep_from is tensor
    assert (tensor.item(), layer.p) == (0.25, 0.25)
    for bad, error in ((1.5, ValueError), (math.nan, ValueError), ("0.1", TypeError)):
        with pytest.raises(error, match="dropout rate"):
            layer.p = bad
    assert (tensor.item(), layer.p) == (0.25, 0.25)
    version = tensor._version
    set_dropout_rate(layer, 0.25)
    assert tensor._version == version, "a rate that is there is not written"


def test_a_rate_that_changes_before_the_backward_pass_leaves_the_gradients_as_they_were():
    layer = ScheduledDropout(0.5)
    x = torch.ones(64, requires_grad=True)
    out = (layer(x) * x).sum()
    layer.p = 0.1
    out.backward()
    torch.testing.assert_close(x.grad.sum(), 2 * out.detach())


def test_a_rate_on_another_device_than_the_input():
    with pytest.raises(ValueError, match="lies on cpu, its input on meta"):
        ScheduledDropout(0.5)(torch.ones(3, device="meta"))


@layers
def test_no_host_sync(kind, shape):
    layer = kind(0.3)
    x = torch.randn(shape, requires_grad=True)
    with counted() as reads:
        for rate in (0.0, 0.2, 1.0):
            set_dropout_rate(layer, rate)
            layer(x).sum().backward()
            assert layer.p == rate
    assert reads.count == 0


def test_autocast_keeps_the_type_of_the_input():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = nn.Sequential(nn.Linear(4, 4), ScheduledDropout(0.5))(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16


def test_prepared_layers_are_the_same_objects():
    shared = nn.Dropout(0.4)
    calls = []
    shared.register_forward_hook(lambda *_: calls.append(1))
    model = nn.Sequential(shared, nn.Dropout2d(0.3), shared, nn.LSTM(4, 4, 2, dropout=0.2))
    found = prepare_dropout(model)
    assert (found.scheduled, found.plain) == (("0", "1"), ("3",))
    assert model[0] is model[2] is shared
    assert [model[0].p, model[1].p, model[3].dropout] == [0.4, 0.3, 0.2]
    assert "p" not in vars(shared)
    shared(torch.ones(3))
    assert calls == [1]
    assert prepare_dropout(model) == found, "twice is once"
    assert set_dropout_rate(model, 0.1) == 3


def test_preparing_a_model_with_a_bad_rate_or_no_model_changes_nothing():
    model = nn.Sequential(nn.Dropout(0.1), nn.Dropout(0.1))
    model[1].p = 7
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        prepare_dropout(model)
    assert [type(layer) for layer in model] == [nn.Dropout, nn.Dropout]
    with pytest.raises(TypeError, match="list is no torch module"):
        prepare_dropout([model])


def test_subclasses_with_a_forward_of_their_own_are_left_alone():
    class Loud(nn.Dropout):
        def forward(self, input):
            return super().forward(input) + 1

    model = nn.Sequential(Loud(0.1), nn.Dropout(0.1))
    assert prepare_dropout(model).plain == ("0",)
    assert type(model[0]) is Loud


def test_a_rate_goes_to_the_device_of_the_model():
    model = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Dropout(), nn.MultiheadAttention(4, 2))
    prepare_dropout(model)
    assert model[1].keep_from.device.type == "meta"
    assert model[2].keep_from.device.type == "cpu"
