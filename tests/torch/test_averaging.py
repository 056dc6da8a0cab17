"""Schedule-free training: the library by hand bit for bit, exact resume, no schedule beside it."""

import copy
import importlib

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from trainlens.errors import MissingExtra  # noqa: E402
from trainlens_torch import averaging as module  # noqa: E402
from trainlens_torch.averaging import (  # noqa: E402
    check_schedule,
    evaluating,
    is_schedule_free,
    schedule_free,
)

library = pytest.importorskip("schedulefree")
CLASSES = {
    "adamw": "AdamWScheduleFree",
    "radam": "RAdamScheduleFree",
    "sgd": "SGDScheduleFree",
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def update(model, optimizer, k):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(k))
    optimizer.zero_grad()
    (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
    optimizer.step()


def flat(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def wrapped(model):
    pytest.importorskip("pytorch_optimizer")
    return schedule_free(torch.optim.RMSprop(model.parameters(), lr=0.01))


MAKERS = {name: lambda m, n=name: schedule_free(n, m.parameters(), lr=0.05) for name in CLASSES}
MAKERS["wrapped"] = wrapped


@pytest.mark.parametrize("name", CLASSES)
def test_is_the_library_by_hand_bit_for_bit(name):
    ours, theirs = net(), net()
    warmup = {} if name == "radam" else {"warmup_steps": 3}
    a = schedule_free(
        name, ours.parameters(), lr=0.05, weight_decay=0.1, warmup=warmup.get("warmup_steps", 0)
    )
    b = getattr(library, CLASSES[name])(theirs.parameters(), lr=0.05, weight_decay=0.1, **warmup)
    b.train()
    for k in range(8):
        update(ours, a, k)
        update(theirs, b, k)
        if k % 3 == 2:
            b.eval()
            with evaluating(a):
                assert torch.equal(flat(ours), flat(theirs))
            b.train()
        assert torch.equal(flat(ours), flat(theirs))


@pytest.mark.parametrize("name", MAKERS)
def test_the_evaluated_weights_are_others(name):
    model = net()
    optimizer = MAKERS[name](model)
    for k in range(12):  # radam does nothing at first
        update(model, optimizer, k)
    trained = flat(model)
    with evaluating(optimizer):
        assert not torch.equal(flat(model), trained)
        with evaluating(optimizer):
            inner = flat(model)
        assert torch.equal(flat(model), inner)
    assert torch.allclose(flat(model), trained, atol=1e-6)
    update(model, optimizer, 12)


@pytest.mark.parametrize("name", MAKERS)
def test_exact_validation_leaves_no_trace(name):
    runs = []
    for validates in (False, True):
        model = net()
        optimizer = MAKERS[name](model)
        for k in range(12):
            update(model, optimizer, k)
            if validates:
                with evaluating(optimizer, exact=True):
                    flat(model)
        runs.append(flat(model))
    assert torch.equal(*runs)


def test_plain_validation_rounds_as_the_library_does():
    """Why `exact` exists; should the library change, it can go."""
    runs = []
    for validates in (False, True):
        model = net()
        optimizer = MAKERS["adamw"](model)
        for k in range(12):
            update(model, optimizer, k)
            if validates:
                with evaluating(optimizer):
                    flat(model)
        runs.append(flat(model))
    assert not torch.equal(*runs)
    assert torch.allclose(*runs, atol=1e-4)


def saved(model, optimizer):
    return copy.deepcopy((model.state_dict(), optimizer.state_dict()))


@pytest.mark.parametrize("inside", [False, True], ids=["train-mode", "eval-mode"])
@pytest.mark.parametrize("name", MAKERS)
def test_resumes_exactly_at_every_update(name, inside):
    model = net()
    optimizer = MAKERS[name](model)
    checkpoints = []
    for k in range(6):
        if not inside:
            checkpoints.append(saved(model, optimizer))
        with evaluating(optimizer):
            if inside:
                checkpoints.append(saved(model, optimizer))
        update(model, optimizer, k)
    for k, (weights, state) in enumerate(checkpoints):
        twin = net()
        resumed = MAKERS[name](twin)
        twin.load_state_dict(weights)
        resumed.load_state_dict(state)
        resumed.train()
        for at in range(k, 6):
            if not (inside and at == k):
                with evaluating(resumed):
                    pass
            update(twin, resumed, at)
        assert torch.equal(flat(twin), flat(model)), k


def test_goes_back_to_train_mode_after_an_error():
    model = net()
    optimizer = MAKERS["adamw"](model)
    update(model, optimizer, 0)
    with pytest.raises(KeyboardInterrupt), evaluating(optimizer):
        raise KeyboardInterrupt
    assert optimizer.param_groups[0]["train_mode"]
    update(model, optimizer, 1)


def test_stays_in_eval_mode_where_it_was():
    model = net()
    optimizer = MAKERS["adamw"](model)
    update(model, optimizer, 0)
    optimizer.eval()
    with evaluating(optimizer):
        pass
    assert not optimizer.param_groups[0]["train_mode"]


def test_an_ordinary_optimizer_passes_through():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    assert not is_schedule_free(optimizer)
    assert not is_schedule_free("adamw")
    before = flat(model)
    with evaluating(optimizer):
        assert torch.equal(flat(model), before)
    check_schedule(optimizer, lambda p: 1 - p)


@pytest.mark.parametrize("name", MAKERS)
def test_refuses_a_rate_that_falls(name):
    optimizer = MAKERS[name](net())
    assert is_schedule_free(optimizer)
    for fine in (lambda p: 1.0, lambda p: min(1.0, p / 0.1), lambda p: 0.5 if p < 0.5 else 1.0):
        check_schedule(optimizer, fine)
    with pytest.raises(ValueError, match=r"falls at 50.1% of the training; use a constant rate"):
        check_schedule(optimizer, lambda p: 1.0 if p <= 0.5 else 0.9)


def test_groups_keep_their_keys():
    model = net()
    groups = [{"name": "all", "params": list(model.parameters()), "lr": 0.1, "lr_ratio": 2.0}]
    group = schedule_free("sgd", groups).param_groups[0]
    assert (group["name"], group["lr_ratio"], group["initial_lr"]) == ("all", 2.0, 0.1)


REFUSED = [
    (ValueError, lambda p: schedule_free("lion", p, lr=0.1), "takes adamw, radam, sgd or an"),
    (TypeError, lambda p: schedule_free("adamw", lr=0.1), "give the groups"),
    (ValueError, lambda p: schedule_free("adamw", p), "no learning rate"),
    (ValueError, lambda p: schedule_free("radam", p, lr=0.1, warmup=5), "warms up by itself"),
    (TypeError, lambda p: schedule_free("adamw", p, lr=0.1, beta=1), "did you mean betas"),
    (TypeError, lambda p: schedule_free(torch.optim.SGD(p), p), "give neither again"),
    (TypeError, lambda p: schedule_free(torch.optim.SGD(p), warmup=5), "warmup to a Scheduler"),
]


@pytest.mark.parametrize(("error", "call", "says"), REFUSED)
def test_bad_input(error, call, says):
    with pytest.raises(error, match=says):
        call([torch.zeros(2, requires_grad=True)])


def test_without_the_library_the_extra_is_named(monkeypatch):
    def absent(name, *args):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    model = net()
    base = torch.optim.SGD(model.parameters(), lr=0.1)
    monkeypatch.setattr(importlib, "import_module", absent)
    assert module.importlib.import_module is absent
    for call in (
        lambda: schedule_free("sgd", model.parameters(), lr=1.0),
        lambda: schedule_free(base),
    ):
        with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[optimizers\]'"):
            call()
