"""Optimizers by name: each trains, resumes, keeps the keys of its groups, and refuses slips."""

import copy
import difflib
import importlib
import math
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from trainlens.errors import MissingExtra  # noqa: E402
from trainlens_torch import optimizers  # noqa: E402
from trainlens_torch.optimizers import make_optimizer, optimizer_names  # noqa: E402

OF_TORCH = ("adagrad", "adam", "adamax", "adamw", "nadam", "radam", "rmsprop", "sgd")
SECOND_ORDER = ("adahessian", "sophiah")
UPDATES = 12
NEEDS = {"ranger21": {"num_iterations": 40}}
# Names whose learning rate has another scale: they find or multiply it themselves.
RATES = {
    "adadelta": 10.0,
    "adamod": 1.0,
    "adasmooth": 1e-3,
    "lars": 1.0,
    "prodigy": 1.0,
    "sophiah": 0.1,
}
SLOW = ("adamg", "ranger")


def problem():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(64, 8)
    return net, x, x[:, :1] * x[:, 1:2] + x[:, 2:3]


def groups(net, lr):
    bias = [p for p in net.parameters() if p.ndim < 2]
    weight = [p for p in net.parameters() if p.ndim >= 2]
    own = {"lr": lr, "initial_lr": lr, "lr_ratio": 1.0}
    return [
        {"name": "net", "params": weight, "weight_decay": 0.01, **own},
        {"name": "net/no-decay", "params": bias, "weight_decay": 0.0, **own},
    ]


def trained(name, net, x, y, optimizer, updates):
    losses = []
    for _ in range(updates):
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        with warnings.catch_warnings():
            # torch warns of the cycle that second-order methods live with.
            warnings.filterwarnings("ignore", message="Using backward")
            loss.backward(create_graph=name in SECOND_ORDER)
        optimizer.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    return losses


def exercise(name):
    """What is wrong with a name; empty where nothing is."""
    net, x, y = problem()
    rate = 1.0 if name.startswith("dadapt") else RATES.get(name, 1e-2)
    given = groups(net, rate)
    optimizer = make_optimizer(name, given, **NEEDS.get(name, {}))
    named = [group["name"].split("/adamw")[0] for group in optimizer.param_groups]
    if sorted({*named}) != ["net", "net/no-decay"]:
        return f"groups became {named}"
    if any("initial_lr" not in group for group in optimizer.param_groups):
        return "no initial_lr"
    updates = 120 if name in SLOW or name.startswith("dadapt") else UPDATES
    losses = trained(name, net, x, y, optimizer, updates)
    if not min(losses[-3:]) < 0.99 * losses[0]:
        return f"loss {losses[0]:.3f} -> {losses[-1]:.3f}"
    if any(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters()):
        return "zero_grad left gradients"
    twin = copy.deepcopy(net)
    resumed = make_optimizer(name, groups(twin, rate), **NEEDS.get(name, {}))
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, other in ((net, optimizer), (twin, resumed)):
        torch.manual_seed(1)  # some draw noise
        trained(name, one, x, y, other, 1)
    pairs = zip(net.parameters(), twin.parameters(), strict=True)
    return "" if all(torch.equal(a, b) for a, b in pairs) else "resumes to other weights"


@pytest.mark.parametrize("name", OF_TORCH)
def test_names_of_torch_train_and_resume(name):
    assert exercise(name) == ""
    assert type(make_optimizer(name, [torch.zeros(1)], lr=0.1)).__module__.startswith("torch.")


def test_every_name_trains_and_resumes():
    pytest.importorskip("pytorch_optimizer")
    names = optimizer_names()
    assert {"lion", "adan", "sophiah", "muon", "lamb", "soap", "ademamix"} < {*names}
    assert len(names) > 100
    wrong = {}
    for name in names:
        try:
            told = exercise(name)
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            told = repr(error)
        if told:
            wrong[name] = told
    assert wrong == {}


def test_defaults_are_those_of_the_paper():
    optimizer = make_optimizer("AdamW", nn.Linear(2, 1).parameters(), lr=5e-4)
    group = optimizer.param_groups[0]
    assert (group["eps"], group["betas"], group["weight_decay"]) == (1e-8, (0.9, 0.999), 0.01)
    assert (group["lr"], group["initial_lr"]) == (5e-4, 5e-4)


def test_adamw_is_torch_by_hand_bit_for_bit():
    weights = []
    for make in (
        lambda p: make_optimizer("adamw", p, lr=1e-2, betas=(0.8, 0.9)),
        lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.8, 0.9), weight_decay=0.01),
    ):
        net, x, y = problem()
        trained("adamw", net, x, y, make(net.parameters()), 5)
        weights.append(torch.cat([p.detach().reshape(-1) for p in net.parameters()]))
    assert torch.equal(*weights)


def test_lion_follows_its_paper():
    pytest.importorskip("pytorch_optimizer")
    torch.manual_seed(0)
    w = nn.Parameter(torch.randn(5, dtype=torch.float64))
    optimizer = make_optimizer("lion", [w], lr=0.01, weight_decay=0.1, foreach=False)
    expected, m = w.detach().clone(), torch.zeros(5, dtype=torch.float64)
    for _ in range(4):
        gradient = torch.randn(5, dtype=torch.float64)
        w.grad = gradient.clone()
        optimizer.step()
        update = torch.sign(0.9 * m + 0.1 * gradient)
        expected = expected - 0.01 * (update + 0.1 * expected)
        m = 0.99 * m + 0.01 * gradient
        assert torch.allclose(w.detach(), expected, rtol=1e-12)


def test_groups_are_copied_and_keep_their_keys():
    net, _, _ = problem()
    given = groups(net, 1e-3)
    given[0]["mine"] = "kept"
    before = [dict(group) for group in given]
    optimizer = make_optimizer("adamw", given)
    assert given == before
    assert optimizer.param_groups[0]["mine"] == "kept"
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]


def test_muon_parts_matrices_from_the_rest():
    pytest.importorskip("pytorch_optimizer")
    net, _, _ = problem()
    given = {"name": "net", "params": list(net.parameters()), "lr": 0.02, "lr_ratio": 0.5}
    matrices, rest = make_optimizer("muon", [given]).param_groups
    assert (matrices["name"], rest["name"]) == ("net", "net/adamw")
    assert [p.ndim for p in matrices["params"]] == [2, 2]
    assert [p.ndim for p in rest["params"]] == [1, 1]
    assert (matrices["lr"], rest["lr"], rest["initial_lr"]) == (0.02, 1.5e-4, 1.5e-4)
    said = {**given, "use_muon": False}
    assert len(make_optimizer("muon", [said]).param_groups) == 1


def test_tensor_rates_are_one_a_group_and_can_be_filled():
    net, x, y = problem()
    optimizer = make_optimizer("adamw", groups(net, 1e-2), tensor_lr=True)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert all(isinstance(rate, torch.Tensor) and rate.shape == () for rate in rates)
    assert rates[0] is not rates[1]
    assert [type(group["initial_lr"]) for group in optimizer.param_groups] == [float, float]
    before = [p.detach().clone() for p in net.parameters()]
    for rate in rates:
        rate.fill_(0.0)
    trained("adamw", net, x, y, optimizer, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert optimizer.param_groups[0]["lr"] is rates[0]
    plain = make_optimizer("adamw", nn.Linear(2, 1).parameters(), lr=0.1)
    assert isinstance(plain.param_groups[0]["lr"], float)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_the_rate_is_a_tensor_and_the_step_can_be_captured():
    optimizer = make_optimizer("adamw", nn.Linear(2, 1, device="cuda").parameters(), lr=0.1)
    group = optimizer.param_groups[0]
    assert group["lr"].is_cuda
    assert group["capturable"]


def bad(name="adamw", params=None, **given):
    made = [torch.zeros(2, requires_grad=True)] if params is None else params
    return make_optimizer(name, made, **given)


REFUSED = [
    (ValueError, {"name": "adamww", "lr": 0.1}, "did you mean adamw"),
    (ValueError, {"name": "zzz", "lr": 0.1}, "see optimizer_names"),
    (TypeError, {"name": 3, "lr": 0.1}, "named by a text"),
    (ValueError, {"name": "lbfgs", "lr": 0.1}, "calls the loss again"),
    (ValueError, {"name": "schedule-free-adamw", "lr": 0.1}, "use trainlens_torch.schedule_free"),
    (TypeError, {"lr": 0.1, "epz": 1}, "no option 'epz'; did you mean eps"),
    (TypeError, {"name": "lion", "lr": 0.1, "beta": 1}, "no option 'beta'; did you mean betas"),
    (ValueError, {}, "group 0 has no learning rate"),
    (ValueError, {"lr": math.nan}, "lr must be finite and 0 or more"),
    (ValueError, {"lr": -0.1}, "lr must be finite and 0 or more"),
    (ValueError, {"lr": 0.1, "weight_decay": math.inf}, "weight_decay must be finite"),
    (ValueError, {"lr": 0.1, "params": []}, "no parameters to train"),
    (TypeError, {"lr": 0.1, "params": nn.Sequential(nn.Linear(1, 1))}, r"or model.parameters\(\)"),
    (TypeError, {"lr": 0.1, "params": [1.0]}, "a dict that holds params"),
    (TypeError, {"lr": 0.1, "params": [{"params": [1.0]}]}, "params holds tensors"),
    (TypeError, {"lr": 0.1, "tensor_lr": "yes"}, "tensor_lr is True, False"),
    (ValueError, {"name": "adan", "lr": 0.1, "tensor_lr": True}, "adan takes no tensor"),
]


@pytest.mark.parametrize(("error", "given", "says"), REFUSED)
def test_bad_input(error, given, says):
    if given.get("name", "adamw") not in OF_TORCH:
        pytest.importorskip("pytorch_optimizer")
    with pytest.raises(error, match=says):
        bad(**given)


def test_a_rate_that_no_group_would_take_is_refused():
    net, _, _ = problem()
    with pytest.raises(ValueError, match=r"lr=0\.1 would change none"):
        make_optimizer("adamw", groups(net, 1e-3), lr=0.1)


def test_without_the_library_the_extra_is_named(monkeypatch):
    real = importlib.import_module

    def absent(name, *args):
        if name == "pytorch_optimizer":
            raise ModuleNotFoundError("No module named 'pytorch_optimizer'", name=name)
        return real(name, *args)

    monkeypatch.setattr(optimizers.importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"'lion' .*pip install 'trainlens\[optimizers\]'"):
        bad("lion", lr=0.1)
    assert bad("adamw", lr=0.1).param_groups[0]["lr"] == 0.1
    assert optimizer_names() == OF_TORCH


def test_close_names_are_close():
    pytest.importorskip("pytorch_optimizer")
    with pytest.raises(ValueError, match="did you mean") as caught:
        bad("ademamixx", lr=0.1)
    assert difflib.get_close_matches("ademamixx", optimizer_names(), 1)[0] in str(caught.value)
