"""Parameter groups: every parameter once, ratios by component, no decay for what has none."""

import math
import re
import warnings

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from trainlens_torch.groups import FUSION_RATIOS, REST, describe, parameter_groups  # noqa: E402


class Block(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, 2, add_bias_kv=True)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))


class Vit(nn.Module):
    """Named as the vision transformers of timm are."""

    def __init__(self, depth: int = 3, width: int = 4) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_embed = nn.Sequential(nn.Conv2d(3, width, 2), nn.BatchNorm2d(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))


class Fusion(nn.Module):
    """The components of a CLIP and 3D fusion model."""

    def __init__(self) -> None:
        super().__init__()
        self.clip_backbone = Vit()
        self.clip_heads = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)])
        self.backbone3d = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), nn.GroupNorm(1, 2))
        self.decoder = nn.TransformerDecoderLayer(4, 2, dim_feedforward=4)


def group_of(groups, parameter):
    (found,) = [g for g in groups if any(p is parameter for p in g["params"])]
    return found


def rates(model, groups):
    return {name: group_of(groups, p)["lr_ratio"] for name, p in model.named_parameters()}


def test_the_ratios_of_a_fusion_model():
    model = Fusion()
    groups = parameter_groups(model, 1e-4, FUSION_RATIOS, weight_decay=0.05)
    assert [g["name"] for g in groups] == [
        name + kind for name in FUSION_RATIOS for kind in ("", "/no-decay")
    ]
    expected = {"clip_backbone": 1e-5, "clip_heads": 2e-5, "backbone3d": 1e-4, "decoder": 1e-4}
    for group in groups:
        component, _, kind = group["name"].partition("/")
        assert math.isclose(group["lr"], expected[component], rel_tol=1e-15)
        assert group["initial_lr"] == group["lr"] == 1e-4 * group["lr_ratio"]
        assert group["weight_decay"] == (0.0 if kind else 0.05)


def test_defaults_are_the_fusion_ratios_of_what_is_there():
    given = parameter_groups(Fusion(), 1e-4, FUSION_RATIOS)
    default = parameter_groups(Fusion(), 1e-4)
    assert [(g["name"], g["lr"]) for g in default] == [(g["name"], g["lr"]) for g in given]
    assert [g["name"] for g in parameter_groups(nn.Linear(2, 2), 0.1)] == ["rest", "rest/no-decay"]


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(3),
        nn.SyncBatchNorm(3),
        nn.InstanceNorm2d(3, affine=True),
        nn.LayerNorm((2, 3)),  # its scale has two dimensions
        nn.GroupNorm(1, 3),
        nn.RMSNorm((2, 3)),
    ],
)
def test_normalisation_has_no_decay(norm):
    model = nn.Sequential(nn.Linear(3, 3, bias=False), norm)
    groups = parameter_groups(model, 1.0, weight_decay=0.1)
    assert [g["name"] for g in groups] == ["rest", "rest/no-decay"]
    assert groups[0]["params"] == [model[0].weight]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in norm.parameters()}


def test_biases_and_small_tensors_have_no_decay():
    model = nn.ModuleDict({"attn": nn.MultiheadAttention(4, 2, add_bias_kv=True)})
    model["rnn"] = nn.LSTM(2, 2)
    model.scale = nn.Parameter(torch.tensor(1.0))
    model.gain = nn.Parameter(torch.ones(5))
    model.relative_position_bias_table = nn.Parameter(torch.ones(5, 2))
    model.biased = nn.Parameter(torch.ones(5, 2))  # a name that only begins like one
    decays, none = parameter_groups(model, 1.0, weight_decay=0.1)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)] for p in decays["params"]} == {
        "attn.in_proj_weight", "attn.out_proj.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0",
        "biased",
    }  # fmt: skip
    assert len(none["params"]) == len(names) - 5


def test_named_parameters_without_decay_and_decay_for_everything():
    model = nn.ModuleDict({"embed": nn.Embedding(5, 4), "out": nn.Linear(4, 4)})
    named = parameter_groups(model, 1.0, weight_decay=0.1, no_decay=["embed"])
    assert group_of(named, model["embed"].weight)["weight_decay"] == 0.0
    assert group_of(named, model["out"].weight)["weight_decay"] == 0.1
    (every,) = parameter_groups(model, 1.0, weight_decay=0.1, no_decay=None)
    assert every["weight_decay"] == 0.1
    assert len(every["params"]) == 3
    with pytest.raises(ValueError, match="'embad' matches nothing in the model; did you mean 'em"):
        parameter_groups(model, 1.0, no_decay=["embad"])
    with pytest.raises(TypeError, match=r"list of patterns, such as \['embed'\]"):
        parameter_groups(model, 1.0, no_decay="embed")


def test_weight_decay_by_component():
    decay = {"decoder": 0.1, "rest": 0.02}
    groups = parameter_groups(Fusion(), 1.0, {"decoder": 1.0, "backbone3d": 1.0}, decay, rest=0.5)
    assert {g["name"]: g["weight_decay"] for g in groups} == {
        "decoder": 0.1, "decoder/no-decay": 0.0, "backbone3d": 0.0, "backbone3d/no-decay": 0.0,
        "rest": 0.02, "rest/no-decay": 0.0,
    }  # fmt: skip


def test_what_no_component_names_is_named_once():
    ratios = {"decoder": 1.0}
    with pytest.warns(UserWarning, match=r"\d+ parameters are in no component") as caught:
        groups = parameter_groups(Fusion(), 1.0, ratios)
    text = str(caught[0].message)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    first = [name for name, _ in Fusion().named_parameters()][:5]
    assert ", ".join(first) + ", ..." in text
    assert groups[-1]["name"] == "rest/no-decay"
    assert groups[-1]["lr_ratio"] == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = parameter_groups(Fusion(), 1.0, ratios, rest=0.3)
    assert silent[-1]["lr_ratio"] == 0.3
    with pytest.raises(ValueError, match=r"in no component: clip_backbone\.cls_token, "):
        parameter_groups(Fusion(), 1.0, ratios, rest=None)
    every = ["clip_backbone", "clip_heads", "backbone3d", "decoder"]
    assert len(parameter_groups(Fusion(), 1.0, dict.fromkeys(every, 1.0), rest=None)) == 8


def test_overlap_and_specific_components():
    with pytest.raises(
        ValueError, match=r"clip_backbone\.blocks\.0\.norm\.weight is in two components"
    ):
        parameter_groups(Fusion(), 1.0, {"clip_backbone": 0.1, "norm": 1.0}, rest=1.0)
    groups = parameter_groups(
        model := Fusion(), 1.0, {"clip_backbone": 0.1, "clip_backbone.norm": 0.7}, rest=1.0
    )
    assert group_of(groups, model.clip_backbone.norm.weight)["lr_ratio"] == 0.7
    assert group_of(groups, model.clip_backbone.cls_token)["lr_ratio"] == 0.1


def test_shared_parameters_are_in_one_group():
    model = nn.ModuleDict({"embed": nn.Embedding(4, 3), "head": nn.Linear(3, 4, bias=False)})
    model["head"].weight = model["embed"].weight
    (group,) = parameter_groups(model, 1.0, {"head": 0.5})
    assert (group["name"], len(group["params"])) == ("head", 1)
    with pytest.raises(ValueError, match=r"embed\.weight and head\.weight are one shared"):
        parameter_groups(model, 1.0, {"embed": 1.0, "head": 0.5})


def test_frozen_parameters_are_included():
    model = Fusion()
    model.clip_backbone.requires_grad_(False)
    assert sum(len(g["params"]) for g in parameter_groups(model, 1.0)) == len(
        list(model.parameters())
    )


COMPONENTS = ["clip_backbone", "clip_backbone.blocks", "clip_heads", "decoder", "backbone3d.[01]"]


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(st.sampled_from(COMPONENTS), st.floats(0, 10), min_size=1),
    st.sampled_from([None, 0.75, 1.0]),
    st.sampled_from([(), ("cls_token",), None]),
)
def test_every_parameter_is_in_exactly_one_group_in_a_stable_order(ratios, layer_decay, no_decay):
    options = {"layer_decay": layer_decay, "no_decay": no_decay, "rest": 1.0}
    if layer_decay is not None and not any("clip" in name or "3d" in name for name in ratios):
        options["layer_decay"] = None
    model = Fusion()
    groups = parameter_groups(model, 1e-3, ratios, 0.1, **options)
    found = [id(p) for g in groups for p in g["params"]]
    assert sorted(found) == sorted(id(p) for p in model.parameters())
    assert all(g["params"] for g in groups)
    assert len({g["name"] for g in groups}) == len(groups)
    again = parameter_groups(torch.nn.DataParallel(Fusion()), 1e-3, ratios, 0.1, **options)
    outline = [(g["name"], g["lr"], [p.shape for p in g["params"]]) for g in groups]
    assert outline == [(g["name"], g["lr"], [p.shape for p in g["params"]]) for g in again]


def beit(name: str, depth: int) -> int:
    """Layer of a parameter, as the paper's scheme numbers them."""
    if name.startswith(("cls_token", "patch_embed")):
        return 0
    block = re.match(r"blocks\.(\d+)\.", name)
    return int(block[1]) + 1 if block else depth + 1


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_layer_decay_against_the_closed_form(depth):
    model = Vit(depth)
    groups = parameter_groups(model, 1e-3, layer_decay=0.75, weight_decay=0.1)
    expected = {
        name: 0.75 ** (depth + 1 - beit(name, depth)) for name, _ in model.named_parameters()
    }
    assert rates(model, groups) == pytest.approx(expected, rel=1e-12)
    assert groups[0]["name"] == "rest/layer-0"
    assert group_of(groups, model.blocks[0].norm.weight)["name"] == "rest/layer-1/no-decay"


def test_layer_decay_is_counted_within_each_component():
    model = nn.ModuleDict({"image": Vit(2), "text": Vit(4), "out": nn.Linear(4, 4)})
    ratios = {"image": 0.5, "text": 0.25, "out": 1.0}
    found = rates(model, parameter_groups(model, 1.0, ratios, layer_decay=0.5))
    assert found["image.blocks.0.norm.bias"] == 0.5 * 0.5**2
    assert found["image.blocks.1.norm.bias"] == 0.5 * 0.5**1
    assert found["text.blocks.0.norm.bias"] == 0.25 * 0.5**4
    assert found["text.cls_token"] == 0.25 * 0.5**5
    assert found["text.head.0.weight"] == 0.25
    assert found["out.weight"] == 1.0
    one = rates(model, parameter_groups(model, 1.0, ratios, layer_decay={"text": 0.5}))
    assert one["image.blocks.0.norm.bias"] == 0.5
    assert one["text.blocks.0.norm.bias"] == 0.25 * 0.5**4


def test_a_component_at_several_places_is_numbered_at_each():
    model = nn.ModuleDict({"image": nn.ModuleDict({"encoder": Vit(2)})})
    model["text"] = nn.ModuleDict({"encoder": Vit(4)})
    groups = parameter_groups(model, 1.0, {"encoder": 1.0}, layer_decay=0.5)
    found = rates(model, groups)
    assert found["image.encoder.blocks.1.norm.bias"] == found["text.encoder.blocks.3.norm.bias"]
    assert found["image.encoder.blocks.0.norm.bias"] == 0.25
    assert found["text.encoder.blocks.0.norm.bias"] == 0.5**4
    by_pattern = parameter_groups(model, 1.0, {"blocks.*": 1.0}, layer_decay=0.5, rest=1.0)
    assert rates(model, by_pattern)["image.encoder.blocks.0.norm.bias"] == 0.25


def test_lists_of_blocks_follow_each_other_as_in_a_residual_network():
    def stage(n):
        return nn.Sequential(*(nn.Sequential(nn.Conv2d(1, 1, 1)) for _ in range(n)))

    model = nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1), "layer1": stage(2), "layer2": stage(3)})
    model["fc"] = nn.Linear(1, 1)
    found = rates(model, parameter_groups(model, 1.0, layer_decay=0.5))
    assert [found[f"layer1.{i}.0.weight"] for i in range(2)] == [0.5**5, 0.5**4]
    assert [found[f"layer2.{i}.0.weight"] for i in range(3)] == [0.5**3, 0.5**2, 0.5**1]
    assert (found["conv1.bias"], found["fc.bias"]) == (0.5**6, 1.0)


def test_numbered_layers_without_modules_of_their_own():
    model = nn.ModuleDict({"stem": nn.Linear(2, 2)})
    model["blocks"] = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))
    model["head"] = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    found = rates(model, parameter_groups(model, 1.0, layer_decay=0.5))
    assert [found[f"blocks.{i}.weight"] for i in range(4)] == [0.5**4, 0.5**3, 0.5**2, 0.5]
    assert (found["stem.bias"], found["head.0.weight"], found["head.2.bias"]) == (0.5**5, 1.0, 1.0)


def test_a_number_that_the_component_names_is_no_layer():
    model = nn.ModuleDict({"stages": nn.ModuleList([Vit(2), Vit(3)])})
    ratios = {"stages.0": 1.0, "stages.1": 1.0}
    found = rates(model, parameter_groups(model, 1.0, ratios, layer_decay=0.5))
    assert found["stages.0.blocks.0.norm.bias"] == 0.25
    assert found["stages.1.blocks.0.norm.bias"] == 0.125


def test_nothing_to_number():
    with pytest.raises(ValueError, match="the model has no numbered layers"):
        parameter_groups(nn.ModuleDict({"a": nn.Linear(1, 1)}), 1.0, layer_decay=0.5)
    with pytest.raises(ValueError, match="'decoder' has no numbered layers"):
        parameter_groups(Fusion(), 1.0, layer_decay={"decoder": 0.5, "clip_backbone": 0.5})
    listed = nn.Module()
    listed.prompts = nn.ParameterList([torch.zeros(2, 2), torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="the model has no numbered layers"):
        parameter_groups(listed, 1.0, layer_decay=0.5)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"base_lr": -1.0}, ValueError, "base_lr must be 0 or more and finite, not -1.0"),
        ({"base_lr": math.nan}, ValueError, "base_lr must be 0 or more"),
        ({"base_lr": "1"}, TypeError, "base_lr must be a number"),
        ({"ratios": {"decoder": -0.1}}, ValueError, "the ratio of 'decoder' must be 0 or more"),
        ({"ratios": {"decoder": True}}, TypeError, "the ratio of 'decoder' must be a number"),
        ({"ratios": {"rest": 1.0}}, ValueError, "give its ratio as rest="),
        ({"ratios": {3: 1.0}}, TypeError, "named by a text"),
        ({"ratios": ["decoder"]}, TypeError, "ratios map components to numbers"),
        ({"ratios": {"decoders": 1.0}}, ValueError, "'decoders' matches nothing .* 'decoder'"),
        ({"weight_decay": math.inf}, ValueError, "weight_decay must be 0 or more"),
        ({"weight_decay": {"dec": 0.1}}, ValueError, "weight_decay names 'dec'; the components "),
        ({"layer_decay": 0.0}, ValueError, r"layer_decay must lie in \(0, 1\], not 0"),
        ({"layer_decay": 1.5}, ValueError, r"layer_decay must lie in \(0, 1\]"),
        ({"layer_decay": math.nan}, ValueError, r"layer_decay must lie in \(0, 1\]"),
        ({"rest": -1.0}, ValueError, "rest must be 0 or more"),
        ({"rest": "ignore"}, TypeError, "rest must be a number"),
        ({"model": nn.ReLU()}, ValueError, "ReLU has no parameters"),
    ],
)
def test_bad_input_is_one_clear_error(change, error, text):
    arguments = {"model": Fusion(), "base_lr": 1.0, "ratios": {"decoder": 1.0}, "rest": 1.0}
    with pytest.raises(error, match=text) as caught:
        parameter_groups(**{**arguments, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        torch.optim.AdamW,
        torch.optim.SGD,
        torch.optim.NAdam,
        torch.optim.RMSprop,
        torch.optim.Adafactor,
    ],
)
def test_optimizers_take_the_groups_and_their_state_loads_again(make):
    model = Fusion()
    ratios = {"clip_backbone": 0.0, "decoder": 1.0}
    optimizer = make(parameter_groups(model, 1e-2, ratios, 0.1, rest=1.0))
    before = [p.clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    moved = {
        name: not torch.equal(p, old)
        for (name, p), old in zip(model.named_parameters(), before, strict=True)
    }
    assert not any(m for name, m in moved.items() if name.startswith("clip_backbone"))
    assert all(m for name, m in moved.items() if not name.startswith("clip_backbone"))
    other = make(parameter_groups(Fusion(), 1e-2, ratios, 0.1, rest=1.0))
    other.load_state_dict(optimizer.state_dict())
    assert [g["name"] for g in other.param_groups] == [g["name"] for g in optimizer.param_groups]


def test_a_tensor_rate_stays_one():
    base = torch.tensor(0.5)
    groups = parameter_groups(Fusion(), base, {"decoder": 0.5}, rest=0.25)
    assert [float(g["lr"]) for g in groups] == [0.25, 0.25, 0.125, 0.125]
    assert [g["initial_lr"] for g in groups] == [0.25, 0.25, 0.125, 0.125]
    assert len({g["lr"].data_ptr() for g in groups} | {base.data_ptr()}) == 5
    with pytest.raises(TypeError, match="base_lr must be a number"):
        parameter_groups(Fusion(), torch.ones(2))


def test_a_compiled_model_has_the_same_groups():
    model = Fusion()
    compiled = torch.compile(model, backend="eager")
    expected = parameter_groups(model, 1.0, layer_decay=0.5)
    found = parameter_groups(compiled, 1.0, layer_decay=0.5)
    assert [(g["name"], g["lr"]) for g in found] == [(g["name"], g["lr"]) for g in expected]


def test_the_table_fits_a_terminal_and_counts_everything():
    model = nn.ModuleDict({"a_component_with_a_very_long_name_indeed": Fusion(), "b": Vit(2)})
    ratios = {"a_component_with_a_very_long_name_indeed": 0.1, "b": 1.0}
    groups = parameter_groups(model, torch.tensor(1e-3), ratios, 0.05, layer_decay={"b": 0.9})
    lines = describe(groups).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 1 + len(groups)
    counts = [int(line.split()[2].replace(",", "")) for line in lines[1:]]
    assert sum(counts) == sum(p.numel() for p in model.parameters())
    assert lines[1].split()[0].startswith("a_component")
    assert lines[2].split()[0].endswith("/no-decay")
    plain = torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.1)
    assert describe(plain.param_groups).splitlines()[1].split() == ["0", "1", "2", "0.1", "0"]
    assert REST == "rest"
