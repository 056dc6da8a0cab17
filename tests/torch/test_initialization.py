"""First values of weights: known deviations, variance through depth, and nothing left unnamed."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from trainlens_torch.initialization import initialize  # noqa: E402
from trainlens_torch.initialization.first_values import GAINS  # noqa: E402
from trainlens_torch.patterns import Unknown  # noqa: E402

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def deep(activation, width=512, depth=20):
    return nn.Sequential(
        *[m for _ in range(depth) for m in (nn.Linear(width, width), ACTIVATIONS[activation]())]
    )


def growth(net, seed, width=512):
    """Second moment of the last activations as a share of that of the first."""
    moments = []
    with torch.no_grad():
        h = torch.randn(64, width, generator=seeded(seed + 100))
        for layer in net:
            h = layer(h)
            if not isinstance(layer, nn.Linear):
                moments.append(h.square().mean().item())
    return moments[-1] / moments[0]


@pytest.mark.parametrize("scheme", ["kaiming", "orthogonal"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_keep_their_variance_through_twenty_layers(activation, scheme):
    shares, width = [], {"kaiming": 512, "orthogonal": 256}[scheme]
    for seed in range(5):
        net = deep(activation, width)
        initialize(net, scheme, nonlinearity=activation, generator=seeded(seed))
        shares.append(growth(net, seed, width))
    # The width is finite: a single draw wanders, their median does not.
    assert 0.5 < sorted(shares)[2] < 2.0
    # A silu net leaves unit variance faster than the others, once it is off it.
    most = 20.0 if activation == "silu" else 5.0
    assert all(1 / most < share < most for share in shares)


def test_without_it_they_collapse_and_with_twice_the_gain_they_explode():
    torch.manual_seed(0)
    assert growth(deep("relu"), 0) < 0.01
    net = deep("relu")
    initialize(net, nonlinearity=2 * GAINS["relu"], generator=seeded())
    assert growth(net, 0) > 1e9


def test_gains_keep_unit_variance():
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    weight = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    for name in ("relu", "gelu", "silu"):
        after = getattr(nn.functional, name)(GAINS[name] * z).square()
        assert (after * weight).sum().item() == pytest.approx(1.0, abs=1e-6)


LAYERS = {
    "linear": (lambda: nn.Linear(300, 200), 300, 200),
    "conv1d": (lambda: nn.Conv1d(32, 48, 5), 160, 240),
    "conv2d": (lambda: nn.Conv2d(32, 48, 3), 288, 432),
    "conv3d": (lambda: nn.Conv3d(8, 16, 3), 216, 432),
    "grouped": (lambda: nn.Conv2d(64, 128, 3, groups=4), 144, 288),
    "transposed": (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2), 64 * 16 // 4, 32 * 16),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_standard_deviations_follow_the_formulas(layer):
    make, fan_in, fan_out = LAYERS[layer]
    expected = {
        "kaiming": math.sqrt(2 / fan_in),
        "xavier": math.sqrt(2) * math.sqrt(2 / (fan_in + fan_out)),
    }
    for scheme, std in expected.items():
        module = make()
        weight, bias = initialize(module, scheme, generator=seeded())
        assert weight.std == pytest.approx(std, rel=1e-12)
        assert weight.gain == math.sqrt(2)
        # 5 standard errors of a standard deviation.
        entries = module.weight.numel()
        assert module.weight.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * entries))
        assert (bias.kind, module.bias.abs().max().item()) == ("bias", 0.0)


def test_equals_torch_bit_for_bit_where_torch_has_it():
    for make in (lambda: nn.Linear(7, 5), lambda: nn.Conv2d(3, 8, 3)):
        ours, theirs = make(), make()
        initialize(ours, generator=seeded(3))
        nn.init.kaiming_normal_(theirs.weight, nonlinearity="relu", generator=seeded(3))
        assert torch.equal(ours.weight, theirs.weight)
        initialize(ours, "orthogonal", generator=seeded(3))
        nn.init.orthogonal_(theirs.weight, math.sqrt(2), generator=seeded(3))
        assert torch.equal(ours.weight, theirs.weight)


def test_transposed_convolution_keeps_the_variance_that_torch_shrinks():
    def inner(layer):
        with torch.no_grad():
            x = torch.randn(4, 64, 16, 16, generator=seeded(1))
            return layer(x)[:, :, 4:-4, 4:-4].square().mean().item()

    layer = nn.ConvTranspose2d(64, 32, 4, stride=2)
    initialize(layer, nonlinearity="linear", generator=seeded())
    assert inner(layer) == pytest.approx(1.0, rel=0.1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear", generator=seeded())
    assert inner(layer) == pytest.approx(0.5, rel=0.1)


def test_depthwise_orthogonal_keeps_the_variance():
    layer = nn.Conv2d(64, 64, 3, groups=64, padding=1)
    initialize(layer, "orthogonal", nonlinearity="linear", generator=seeded())
    rows = layer.weight.detach().reshape(64, 9)
    assert torch.allclose(rows.square().sum(1), torch.ones(64), atol=1e-5)


def test_attention_projects_query_key_and_value_apart():
    layer = nn.MultiheadAttention(64, 4)
    rows = {row.name: row for row in initialize(layer, "orthogonal", generator=seeded())}
    assert rows["in_proj_weight"].kind == "attention"
    assert rows["in_proj_weight"].gain == rows["out_proj.weight"].gain == 1.0
    for block in layer.in_proj_weight.detach().chunk(3):
        assert torch.allclose(block @ block.T, torch.eye(64), atol=1e-5)
    rows = {row.name: row for row in initialize(layer, "xavier")}
    assert rows["in_proj_weight"].std == pytest.approx(math.sqrt(2 / 128))
    assert layer.in_proj_bias.abs().max() == 0
    apart = nn.MultiheadAttention(64, 4, kdim=32, vdim=16)
    rows = {row.name: row for row in initialize(apart)}
    assert rows["k_proj_weight"].std == pytest.approx(1 / math.sqrt(32))
    assert rows["v_proj_weight"].std == pytest.approx(1 / math.sqrt(16))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 50, bias=False)
        self.embed = nn.Embedding(50, 16, padding_idx=3)
        self.head.weight = self.embed.weight
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16)) for _ in "ab"
        )
        self.rnn = nn.GRU(16, 16)
        self.slope = nn.PReLU()


def test_every_parameter_is_in_the_table_once_and_only_named_ones_stay():
    model = Model()
    before = {name: p.clone() for name, p in model.named_parameters()}
    table = initialize(model, skip=["blocks.1"], generator=seeded())
    listed = [name for row in table for name in (row.name, *row.also)]
    assert sorted(listed) == sorted(n for n, _ in model.named_parameters(remove_duplicate=False))
    kinds = {row.name: row.kind for row in table}
    for name, parameter in model.named_parameters():
        stays = kinds[name] in ("unchanged", "skipped")
        assert stays == (name.startswith(("rnn", "slope", "blocks.1")))
        if stays:
            assert torch.equal(parameter, before[name])
    assert torch.equal(model.blocks[0][1].weight, torch.ones(16))
    lines = str(table).splitlines()
    assert len(lines) == len(table) + 1
    assert lines[1].startswith("head.weight = embed.weight  embedding")


def test_shared_weights_count_as_embedding_and_are_drawn_once():
    model = Model()
    row = next(row for row in initialize(model, generator=seeded()) if row.kind == "embedding")
    assert (row.name, row.also, row.std) == ("head.weight", ("embed.weight",), 0.02)
    assert model.head.weight is model.embed.weight
    assert model.embed.weight[3].abs().max() == 0
    assert model.embed.weight[4:].std().item() == pytest.approx(0.02, rel=0.15)


def test_same_seed_same_weights_whatever_the_global_state():
    models = [Model(), Model()]
    for seed, model in enumerate(models):
        torch.manual_seed(seed)
        initialize(model, skip=["rnn", "slope"], generator=seeded(7))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    initialize(models[0], generator=seeded(7))
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(models[0].blocks.parameters(), models[1].blocks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_half_precision_is_drawn_in_single():
    half, single = nn.Linear(8, 8).to(torch.bfloat16), nn.Linear(8, 8)
    for layer in (half, single):
        initialize(layer, "orthogonal", generator=seeded())
    assert torch.equal(half.weight, single.weight.to(torch.bfloat16))


def residual():
    return nn.ModuleDict({"fc1": nn.Linear(8, 8), "fc2": nn.Linear(8, 8), "bn2": nn.BatchNorm1d(8)})


def test_branches_begin_scaled():
    net, plain = residual(), residual()
    table = initialize(net, branches=["fc2"], branch_scale=0.25, generator=seeded())
    initialize(plain, generator=seeded())
    assert torch.allclose(net["fc2"].weight, 0.25 * plain["fc2"].weight, rtol=1e-6)
    assert torch.equal(net["fc1"].weight, plain["fc1"].weight)
    row = next(row for row in table if row.name == "fc2.weight")
    assert row.gain == pytest.approx(0.25 * math.sqrt(2))
    initialize(net, branches=["bn2"], branch_scale=0.0)
    assert net["bn2"].weight.abs().max() == 0


def test_default_scheme_keeps_what_is_there_but_branches():
    net = residual()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    table = initialize(net, "default", branches=["fc2"], branch_scale=0.5)
    assert torch.equal(net["fc1"].weight, before["fc1.weight"])
    assert torch.equal(net["fc2"].weight, before["fc2.weight"] * 0.5)
    assert {row.name: row.kind for row in table}["fc1.weight"] == "unchanged"


def test_parametrised_weights_are_set_through_their_parametrisation():
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(64, 32)), nn.Linear(32, 4))
    plain = nn.Linear(64, 32)
    rows = initialize(net, generator=seeded())
    initialize(plain, generator=seeded())
    assert torch.allclose(net[0].weight, plain.weight, atol=1e-6)
    assert sorted(row.name for row in rows) == ["0.bias", "0.weight", "1.bias", "1.weight"]
    with pytest.raises(ValueError, match=r"0\.weight is parametrised and cannot be 0"):
        initialize(net, branches=["0"], branch_scale=0.0)
    skipped = {row.name: row.kind for row in initialize(net, skip=["0"])}
    assert skipped["0.weight"] == "skipped"


def test_a_parametrisation_that_cannot_be_inverted_is_left_alone():
    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    layer = nn.Linear(4, 4)
    nn.utils.parametrize.register_parametrization(layer, "weight", Double())
    before = layer.weight.detach().clone()
    kinds = {row.name: row.kind for row in initialize(layer)}
    assert kinds["parametrizations.weight.original"] == "unchanged"
    assert torch.equal(layer.weight, before)


BAD = [
    ({"scheme": "he"}, "scheme is one of kaiming"),
    ({"nonlinearity": "relu6"}, "nonlinearity is one of"),
    ({"nonlinearity": math.nan}, "the gain must be finite"),
    ({"skip": ["fc1", "fc9"]}, "'fc9' matches nothing"),
    ({"branches": ["fc2"]}, "belong together"),
    ({"branch_scale": 0.5}, "belong together"),
    ({"branches": ["fc2"], "branch_scale": -1.0}, "branch_scale must be finite"),
    ({"embedding_std": -1.0}, "embedding_std must be finite"),
]


@pytest.mark.parametrize(("given", "says"), BAD)
def test_bad_input_changes_nothing(given, says):
    net = residual()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ValueError, match=says):
        initialize(net, **given)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_parameters_without_values_are_refused():
    with pytest.raises(Unknown):
        initialize(nn.Linear(2, 2), skip=["decoder"])
    net = nn.Sequential(nn.Linear(4, 4), nn.LazyLinear(3))
    before = net[0].weight.clone()
    with pytest.raises(ValueError, match=r"1\.weight has no shape yet: run one batch"):
        initialize(net)
    with pytest.raises(ValueError, match=r"1\.weight is on the meta device"):
        initialize(nn.Sequential(net[0], nn.Linear(4, 4, device="meta")))
    assert torch.equal(net[0].weight, before)
