"""Attention with a rate that is a tensor: the results of torch's layer."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.dropout import (  # noqa: E402
    ScheduledAttention,
    prepare_dropout,
    set_dropout_rate,
)

LAYERS = {
    "plain": {},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "learned key": {"add_bias_kv": True, "batch_first": True},
    "zeros": {"add_zero_attn": True},
    "all added": {"add_bias_kv": True, "add_zero_attn": True},
    "own widths": {"kdim": 6, "vdim": 10, "batch_first": True},
    "own widths, no bias": {"kdim": 6, "vdim": 10, "bias": False},
    "float64": {"dtype": torch.float64},
}
MASKS = ("none", "causal", "boolean", "float", "each head", "padding", "both")
N, L, S, E, H = 3, 5, 7, 8, 2


def pair(**given):
    """Torch's layer, and the same prepared."""
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(E, H, **given).train()
    nn.init.normal_(plain.in_proj_bias) if plain.in_proj_bias is not None else None
    ours = copy.deepcopy(plain)
    assert prepare_dropout(ours).scheduled == ("",)
    assert type(ours) is ScheduledAttention
    return plain, ours


def inputs(given, *, batched=True):
    """Query, key and value with gradients."""
    dtype = given.get("dtype", torch.float32)
    widths = (E, given.get("kdim", E), given.get("vdim", E))
    out = [
        torch.randn(N, length, width, dtype=dtype)
        for length, width in zip((L, S, S), widths, strict=True)
    ]
    if not batched:
        out = [x[0] for x in out]
    elif not given.get("batch_first"):
        out = [x.transpose(0, 1).contiguous() for x in out]
    return [x.requires_grad_() for x in out]


def masks(kind, dtype, *, batched=True):
    """Arguments of a forward pass."""
    attn = torch.rand(L, S) < 0.3
    attn[:, 0] = False
    padding = torch.zeros(N, S, dtype=torch.bool)
    padding[0, 4:] = padding[1, 6:] = True
    padding = padding if batched else padding[0]
    return {
        "none": {},
        "causal": {"attn_mask": torch.ones(L, S, dtype=torch.bool).triu(1), "is_causal": True},
        "boolean": {"attn_mask": attn},
        "float": {"attn_mask": torch.randn(L, S, dtype=dtype)},
        "each head": {"attn_mask": attn.expand((N if batched else 1) * H, L, S).clone()},
        "padding": {"key_padding_mask": padding},
        "both": {"attn_mask": attn, "key_padding_mask": padding},
    }[kind]


def compare(plain, ours, given, mask, **options):
    batched = options.pop("batched", True)
    one = inputs(given, batched=batched)
    two = [x.detach().clone().requires_grad_() for x in one]
    expected, weights = plain(*one, **mask, **options)
    out, own = ours(*two, **mask, **options)
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(out, expected, **close)
    if weights is None:
        assert own is None
    else:
        torch.testing.assert_close(own, weights, **close)
    gradient = torch.randn_like(out)
    expected.backward(gradient)
    out.backward(gradient)
    for a, b in zip([*one, *plain.parameters()], [*two, *ours.parameters()], strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("need_weights", [False, True])
def test_at_rate_zero_it_is_the_layer_of_torch(layer, mask, need_weights):
    given = LAYERS[layer]
    if mask == "causal" and {"add_bias_kv", "add_zero_attn"} & given.keys():
        # Without weights torch drops the mask for its hint here, which hides the keys it added.
        need_weights = True
    plain, ours = pair(**given)
    arguments = masks(mask, given.get("dtype", torch.float32))
    compare(plain, ours, given, arguments, need_weights=need_weights)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("average", [True, False])
def test_without_a_batch(mask, average):
    arguments = masks(mask, torch.float32, batched=False)
    compare(*pair(), {}, arguments, batched=False, average_attn_weights=average)


@pytest.mark.parametrize("training", [True, False])
def test_self_attention(training):
    plain, ours = pair(batch_first=True)
    x = torch.randn(N, L, E)
    with torch.set_grad_enabled(training):  # in evaluation this is torch's fast path
        a, b = plain.train(training)(x, x, x), ours.train(training)(x, x, x)
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    if not training:
        assert torch.equal(a[0], b[0])


def test_weights_are_dropped_and_scaled():
    torch.manual_seed(1)
    layer = ScheduledAttention(E, H, 0.4, batch_first=True).train()
    x = torch.randn(64, 16, E)
    full, dropped = copy.deepcopy(layer), []
    full.dropout = 0.0
    _, before = full(x, x, x, average_attn_weights=False)
    _, after = layer(x, x, x, average_attn_weights=False)
    dropped = after == 0
    # 32,768 weights: five standard errors of a share are 0.0136.
    assert dropped.float().mean().item() == pytest.approx(0.4, abs=0.0136)
    torch.testing.assert_close(after[~dropped], before[~dropped] / 0.6)


def test_a_query_that_may_attend_to_nothing_gets_zeros_and_spoils_no_gradient():
    plain, ours = pair(batch_first=True)
    for module in (plain, ours):
        x = torch.ones(2, L, E).requires_grad_()
        padding = torch.tensor([[False] * L, [True] * L])
        out, _ = module(x, x, x, key_padding_mask=padding, need_weights=False)
        out[0].sum().backward()
        assert torch.isfinite(x.grad).all()
        assert torch.equal(out[1], module.out_proj.bias.expand(L, E))


def test_rates_and_names():
    layer = ScheduledAttention(E, H, 0.25)
    assert list(layer.state_dict()) == list(nn.MultiheadAttention(E, H).state_dict())
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert set_dropout_rate(other, 0.5) == 1
        assert (layer.dropout, other.dropout, other.keep_from.item()) == (0.25, 0.5, 0.5)
    assert layer.to(torch.bfloat16).keep_from.dtype == torch.float32
    assert ScheduledAttention(E, H, 0.1, device="meta").keep_from.device.type == "meta"
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        ScheduledAttention(E, H, 1.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    plain, ours = pair(batch_first=True)
    x = torch.randn(N, L, E)
    with torch.autocast("cpu", dtype=dtype):
        a, b = plain(x, x, x)[0], ours(x, x, x)[0]
        set_dropout_rate(ours, 0.5)
        assert torch.isfinite(ours(x, x, x)[0]).all()
    assert a.dtype == b.dtype
    torch.testing.assert_close(a, b, rtol=0.05, atol=0.02)


def test_gradients_agree_with_differences():
    layer = ScheduledAttention(4, 2, 0.3, dtype=torch.float64)

    def same_mask(q, k, v):
        torch.manual_seed(2)
        return layer(q, k, v)[0]

    x = [torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(same_mask, x)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"attn_mask": torch.zeros(1, S)}, r"attn_mask must have shape \(5, 7\) or \(6, 5, 7\)"),
        ({"attn_mask": torch.zeros(N, L, S)}, "attn_mask must have shape"),
        ({"key_padding_mask": torch.zeros(1, S)}, r"key_padding_mask must have shape \(3, 7\)"),
        ({"is_causal": True}, "attn_mask, which is missing"),
    ],
)
def test_masks_of_a_wrong_shape(mask, message):
    with pytest.raises(ValueError, match=message):
        ScheduledAttention(E, H)(*inputs({}), **mask)


def test_no_host_sync_and_the_same_stream_at_every_rate():
    layer, x, after = ScheduledAttention(E, H), torch.randn(L, N, E), []
    padding = torch.zeros(N, L, dtype=torch.bool)
    for rate in (0.0, 0.3, 1.0):
        torch.manual_seed(3)
        with counted() as reads:
            set_dropout_rate(layer, rate)
            layer(x, x, x, key_padding_mask=padding)[0].sum().backward()
        assert reads.count == 0
        after.append(torch.get_rng_state())
    assert torch.equal(after[0], after[1])
    assert torch.equal(after[0], after[2])
