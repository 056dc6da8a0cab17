"""The lines of a loop with ``--debug``, and the data behind them."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.debug import debug_batch, debug_gradients  # noqa: E402


def batch(*args, **more):
    lines = []
    return debug_batch(*args, echo=lines.append, **more), lines


def test_a_mixed_batch():
    found, lines = batch(torch.tensor([0, 1, 2, 1, 5]), step=3)
    assert lines == [
        "[DEBUG] Batch 3 labels - unique: [0, 1, 2, 5], counts: [1, 2, 1, 1]",
        "[DEBUG] Good: the batch holds 4 different classes",
    ]
    assert found["classes"] == {0: 1, 1: 2, 2: 1, 5: 1}
    assert not found["single_class"]
    assert found["stats"] == {"batch_classes": 4.0, "majority_share": 0.4}
    assert role_of("batch_classes").name == "batch-classes"
    assert role_of("majority_share").name == "majority-share"


def test_a_batch_of_one_class():
    found, lines = batch([0] * 32)
    assert found["single_class"]
    assert "unique: [0], counts: [32]" in lines[0]
    assert lines[1] == "[DEBUG] WARNING: ALL 32 samples of the batch are of class 0!"
    assert "sampler" in lines[2]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (torch.tensor([[0, 1, 0], [1, 0, 0], [0, 1, 0]]), {0: 1, 1: 2}),  # one-hot
        (torch.tensor([1.0, 0.0]), {0: 1, 1: 1}),
        (torch.tensor([True, False, True]), {0: 1, 1: 2}),
        (torch.tensor([[3], [4]]), {3: 1, 4: 1}),
        (torch.tensor(7), {7: 1}),
        ([], {}),
        (torch.tensor([0.5, 1.5]), None),
        (torch.tensor([math.nan, 1.0]), None),
    ],
)
def test_forms_of_labels(labels, classes):
    found, lines = batch(labels)
    assert found["classes"] == classes
    assert not any("WARNING" in line for line in lines)


def test_many_classes_fit_a_line():
    found, lines = batch(torch.arange(500))
    assert len(found["classes"]) == 500
    assert "480 more" in lines[0]
    assert len(lines[0]) < 300


def test_features():
    good = torch.tensor([[1.0, 3.0], [5.0, 7.0]], dtype=torch.float16)
    bad = torch.tensor([1.0, math.nan, math.inf, -math.inf])
    given = {"video": good, "audio": bad, "flat": torch.zeros(3), "none": None}
    found, lines = batch([0, 1], given)
    video = found["features"]["video"]
    assert video == {
        "shape": (2, 2), "nan": 0, "inf": 0,
        "mean": 4.0, "std": pytest.approx(math.sqrt(5)), "min": 1.0, "max": 7.0,
    }  # fmt: skip
    assert (found["features"]["audio"]["nan"], found["features"]["audio"]["inf"]) == (1, 2)
    assert found["features"]["audio"]["mean"] == 1.0
    assert "[DEBUG] video (2, 2): mean 4, std 2.236, min 1, max 7, NaN 0, Inf 0" in lines
    assert "[DEBUG] WARNING: 3 of 4 values of audio are not finite" in lines
    assert "[DEBUG] WARNING: all values of flat are the same" in lines
    assert "none" not in found["features"]


def test_features_without_a_finite_value():
    found, lines = batch([0, 1], torch.full((2,), math.nan))
    assert found["features"]["features"] == {"shape": (2,), "nan": 2, "inf": 0}
    assert "not finite" in lines[-1]


def check(net):
    lines = []
    return debug_gradients(net, echo=lines.append), lines


def test_gradients():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    net[0].requires_grad_(False)
    net[1].weight.grad = torch.tensor([[3.0, 4.0]])
    found, lines = check(net)
    assert lines == [
        "[DEBUG] Gradient check:",
        "        Params with grad: 1",
        "        Params without grad: 1 (1 of them with requires_grad off)",
        "        Total grad norm: 5.000000",
    ]
    assert found == {
        "params_with_grad": 1, "params_without_grad": 1, "frozen": 1, "grad_norm": 5.0,
        "non_finite": [],
    }  # fmt: skip


def test_gradients_that_are_missing_zero_or_not_finite():
    net = nn.Linear(2, 1)
    found, lines = check(net)
    assert found["params_with_grad"] == 0
    assert "no parameter has a gradient" in lines[-1]
    net(torch.zeros(1, 2)).mul(0).sum().backward()
    found, lines = check(net)
    assert found["grad_norm"] == 0
    assert "every gradient is 0" in lines[-1]
    net.weight.grad[0, 0] = math.nan
    found, lines = check(net)
    assert found["non_finite"] == ["weight"]
    assert math.isnan(found["grad_norm"])


def test_print_is_the_default(capsys):
    debug_batch([0, 1])
    debug_gradients(nn.Linear(1, 1))
    assert capsys.readouterr().out.count("[DEBUG]") == 4
