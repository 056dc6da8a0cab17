"""Names of components: whole components, wildcards within them, wrappers that are not there."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from trainlens_torch.patterns import (  # noqa: E402
    WRAPPERS,
    Overlap,
    Unknown,
    assigned,
    find,
    matches,
    parameter_names,
    plain,
)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("clip_backbone", "clip_backbone.conv.weight", True),
        ("clip_backbone", "module.clip_backbone.conv.weight", True),
        ("clip_backbone", "_orig_mod.clip_backbone.conv.weight", True),
        ("clip_backbone", "module._orig_mod.fusion.clip_backbone", True),
        ("clip_backbone", "clip_backbone2.conv.weight", False),
        ("clip_backbone", "my_clip_backbone.conv.weight", False),
        ("backbone", "clip_backbone.weight", False),
        ("Decoder", "decoder.weight", False),
        ("decoder.norm", "net.decoder.norm.weight", True),
        ("decoder.norm", "decoder.block.norm.weight", False),
        ("decoder.norm", "decoder._orig_mod.norm.weight", True),
        ("module.decoder", "decoder.weight", True),
        ("blocks.[0-3]", "encoder.blocks.2.attn.qkv.weight", True),
        ("blocks.[0-3]", "encoder.blocks.4.weight", False),
        ("blocks.[0-3]", "encoder.blocks.12.weight", False),
        ("blocks.1[01]", "blocks.11.weight", True),
        ("head*", "heads.mask.weight", True),
        ("head*", "my.deep.header", True),
        ("a*c", "a.b.c", False),  # no wildcard crosses a dot
        ("a.*.c", "a.b.c", True),
        ("weight", "conv.weight", True),
        ("*", "anything", True),
        ("a.b.c", "a.b", False),
    ],
)
def test_matches(pattern, name, expected):
    assert matches(pattern, name) is expected


@pytest.mark.parametrize("pattern", ["", ".", "a..b", ".a", "a.", "module", "module._orig_mod"])
def test_what_names_no_component_is_refused(pattern):
    with pytest.raises(ValueError, match="names"):
        matches(pattern, "a.b")


@pytest.mark.parametrize("pattern", [None, 3, b"a", ("a",)])
def test_a_pattern_is_a_text(pattern):
    with pytest.raises(TypeError, match="text"):
        matches(pattern, "a.b")


WORDS = st.sampled_from(["a", "b", "blocks", "0", "1", "head"])


@given(
    st.lists(WORDS, min_size=1, max_size=5),
    st.lists(WORDS, min_size=1, max_size=3),
    st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=3),
    st.randoms(use_true_random=False),
)
def test_runs_of_whole_components_under_any_wrappers(own, pattern, wrappers, random):
    # Oracle: the run, with dots around it, in the text, with dots around it.
    expected = f".{'.'.join(pattern)}." in f".{'.'.join(own)}."
    wrapped = list(own)
    for wrapper in wrappers:
        wrapped.insert(random.randint(0, len(wrapped)), wrapper)
    assert plain(".".join(wrapped)) == ".".join(own)
    assert matches(".".join(pattern), ".".join(wrapped)) is expected


def test_every_place_of_a_pattern_is_found():
    assert [(m.start, m.stop) for m in find("a.b", "a.b.a.b.c")] == [(0, 2), (2, 4)]


def owners(names, patterns):
    return [m and m.pattern for m in assigned([[name] for name in names], patterns)]


def test_the_longer_pattern_that_covers_the_other_decides():
    names = ["clip.conv.w", "clip.head.w", "decoder.head.w", "other"]
    assert owners(names, ["clip", "clip.head", "decoder"]) == ["clip", "clip.head", "decoder", None]
    # Order does not matter, nor on which side the longer one goes further.
    assert owners(names, ["clip.head", "head", "clip"]) == ["clip", "clip.head", "head", None]
    assert owners(["a.b.c.w"], ["a", "a.b", "a.b.c", "b"]) == ["a.b.c"]


@pytest.mark.parametrize(
    "patterns",
    [("clip", "head"), ("head", "clip"), ("clip", "head.w"), ("cl*", "clip"), ("clip", "*p")],
)
def test_overlap_names_the_parameter_and_both_patterns(patterns):
    with pytest.raises(Overlap) as caught:
        owners(["clip.head.w"], patterns)
    text = str(caught.value)
    assert "clip.head.w" in text
    assert all(repr(pattern) in text for pattern in patterns)
    assert "\n" not in text


def test_a_way_out_of_an_overlap_that_the_message_offers_is_one():
    with pytest.raises(Overlap, match=r"write 'clip\.x\.head' for what is in both"):
        owners(["clip.x.head.w"], ["clip", "head"])
    assert owners(["clip.x.head.w"], ["clip", "head", "clip.x.head"]) == ["clip.x.head"]
    with pytest.raises(Overlap, match=r"write 'clip\.\*\.norm' for what"):
        owners(["clip.0.norm.w", "clip.1.norm.w"], ["clip", "norm"])
    assert owners(["clip.1.norm.w"], ["clip", "norm", "clip.*.norm"]) == ["clip.*.norm"]


def test_unknown_patterns_name_what_is_close():
    names = ["clip_backbone.conv.weight", "clip_heads.0.weight", "decoder.norm.weight"]
    with pytest.raises(Unknown, match=r"'clip_bakbone' matches nothing .* 'clip_backbone'"):
        owners(names, ["clip_bakbone"])
    with pytest.raises(Unknown, match=r"'decoder\.norms' .* 'decoder\.norm'"):
        owners(names, ["decoder", "decoder.norms"])
    with pytest.raises(Unknown, match=r"which has 'clip_backbone', 'clip_heads', 'decoder'$"):
        owners(names, ["zzz"])
    with pytest.raises(Unknown, match=r"'0', '1', '2', '3', '4', \.\.\.$"):
        owners([f"{i}.weight" for i in range(9)], ["zzz"])


def test_a_shared_thing_belongs_to_the_pattern_of_any_of_its_names():
    found = assigned([("embed.w", "head.w"), ("x.w",)], ["head"])
    assert [m and m.name for m in found] == ["head.w", None]
    with pytest.raises(Overlap, match=r"embed\.w and head\.w are one shared"):
        assigned([("embed.w", "head.w")], ["embed", "head"])


def test_names_of_parameters():
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "module": nn.Linear(2, 2)})
    model["b"] = model["a"]
    names = parameter_names(model)
    assert list(names.values()) == [("a.weight", "b.weight"), ("weight",), ("bias",)]
    # Two parameters never have one name, even where it takes a wrapper to tell them apart.
    outer = nn.Linear(1, 1, bias=False)
    outer.module = nn.Linear(1, 1, bias=False)
    assert list(parameter_names(outer).values()) == [("weight",), ("module.weight",)]


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        (nn.ReLU(), ValueError, "ReLU has no parameters"),
        ("model", TypeError, "must be a module of torch, not str"),
        (nn.LazyLinear(2), ValueError, "weight has no shape yet"),
    ],
)
def test_models_without_names(model, error, text):
    with pytest.raises(error, match=text):
        parameter_names(model)
