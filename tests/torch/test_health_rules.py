"""Logs written with the numbers of a check-up, judged by the rules of trainlens."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import trainlens  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402
from trainlens_torch.record.jsonl import JsonlSink  # noqa: E402

RULES = (
    "dead-relu",
    "saturated-activation",
    "update-ratio",
    "poor-initialization",
    "unchanged-parameters",
    "frozen-parameters",
    "gradient-vanishing",
)
STEPS = 120


def network(activation=nn.ReLU, depth=4, width=32):
    torch.manual_seed(0)
    layers = []
    for i in range(depth):
        layers += [nn.Linear(8 if i == 0 else width, width), activation()]
    model = nn.Sequential(*layers, nn.Linear(width, 1))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def diagnosed(tmp_path, model, optimizer, goal=None):
    """Statuses and findings of the rules on a log of a short training."""
    rng = torch.Generator().manual_seed(1)
    health = HealthCheck(model, optimizer, every=2)
    path = tmp_path / "run.jsonl"
    with JsonlSink(path, clock=lambda: 0.0) as sink:
        for step in range(STEPS):
            x = torch.randn(64, 8, generator=rng)
            y = x[:, :1].sin() if goal is None else torch.full((64, 1), goal)
            y = y + 0.01 * torch.randn(64, 1, generator=rng)
            health.begin(step)
            loss = (model(x) - y).square().mean()
            loss.backward()
            optimizer.step()
            report = health.end(loss)
            optimizer.zero_grad()
            stats = {} if report is None else report.stats
            lr = optimizer.param_groups[0]["lr"]
            sink.log(step, {"loss": loss.item()}, {**stats, "lr": lr})
    health.close()
    found = trainlens.diagnose(trainlens.load_one(path)).results
    return {
        name: [(f.status.value, f.severity.value, f.message) for f in found if f.rule == name]
        for name in RULES
    }


class Restless(torch.optim.SGD):
    """Replaces a third of every weight, and keeps its size."""

    rng = torch.Generator().manual_seed(2)

    def step(self, closure=None):
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                noise = torch.randn(p.shape, generator=self.rng) * p.square().mean().sqrt().clamp(
                    min=0.01
                )
                p.mul_(0.94).add_(noise, alpha=0.34)


def faults(found):
    return {name for name, rows in found.items() if any(r[0] == "fail" for r in rows)}


def adam(model, lr=1e-3):
    return torch.optim.Adam(model.parameters(), lr=lr)


def test_a_healthy_model_passes_every_rule(tmp_path):
    model = network()
    found = diagnosed(tmp_path, model, adam(model))
    assert faults(found) == set(), found
    told = {name for name, rows in found.items() if any(r[0] == "pass" for r in rows)}
    assert told == set(RULES) - {"saturated-activation"}  # it has nothing that saturates


def test_a_healthy_bounded_model_is_not_saturated(tmp_path):
    model = network(nn.Tanh)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
    found = diagnosed(tmp_path, model, adam(model))
    assert faults(found) == set(), found
    assert found["saturated-activation"][0][0] == "pass"


def test_dead_units(tmp_path):
    model = network()
    with torch.no_grad():
        model[2].bias[:26] = -100.0
    found = diagnosed(tmp_path, model, adam(model))
    assert faults(found) == {"dead-relu"}, found
    assert "81" in found["dead-relu"][0][2]  # 26 of 32 units


def test_saturated_activations(tmp_path):
    model = network(nn.Tanh)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
    with torch.no_grad():
        for i in (0, 2, 4):
            model[i].bias.copy_(torch.where(torch.arange(32) % 4 > 0, 6.0, 0.0))
    found = diagnosed(tmp_path, model, adam(model))
    assert faults(found) == {"saturated-activation"}, found


def test_updates_that_replace_the_weights(tmp_path):
    model = network(nn.LeakyReLU)
    found = diagnosed(tmp_path, model, Restless(model.parameters(), lr=1e-3))
    assert faults(found) == {"update-ratio"}, found
    assert "above" in found["update-ratio"][0][2]


def test_activations_that_grow_with_depth(tmp_path):
    model = network(nn.LeakyReLU)
    with torch.no_grad():
        for i in (0, 2, 4, 6):
            model[i].weight.mul_(5.0)
        model[8].weight.mul_(0.001)
    found = diagnosed(tmp_path, model, adam(model))
    assert "poor-initialization" in faults(found), found
    assert "grow" in found["poor-initialization"][0][2]


def test_an_optimizer_that_holds_other_parameters(tmp_path):
    model = network()
    found = diagnosed(tmp_path, model, adam(network()))
    assert faults(found) == {"unchanged-parameters"}, found
    assert found["unchanged-parameters"][0][1] == "error"


def test_a_frozen_part(tmp_path):
    model = network()
    for i in (0, 2, 4):
        model[i].requires_grad_(False)
    found = diagnosed(tmp_path, model, adam(model))
    assert faults(found) == {"frozen-parameters"}, found
    assert "4 of 10" in found["frozen-parameters"][0][2]


def test_a_gradient_that_does_not_reach_the_first_layers(tmp_path):
    model = network(nn.Sigmoid, depth=8)
    with torch.no_grad():
        for module in list(model)[:-1]:
            if isinstance(module, nn.Linear):
                module.weight.mul_(0.05)
        model[-1].weight.zero_()
        model[-1].bias.zero_()
    found = diagnosed(tmp_path, model, torch.optim.SGD(model.parameters(), lr=1e-3), goal=0.0)
    assert "gradient-vanishing" in faults(found), found
