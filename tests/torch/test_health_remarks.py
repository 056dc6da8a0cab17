"""What the check-up of a model says, and when."""

import json
import math

import pytest

torch = pytest.importorskip("torch")

from tests.torch.checkups import kinds, model, sgd, train  # noqa: E402 - after the skip
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.health import HealthCheck, Limits  # noqa: E402


def test_gradients_before_clipping():
    net = model()
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    (1000 * net(torch.ones(8, 4))).square().mean().backward()
    health.gradients()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0).item()
    optimizer.step()
    report = health.end()
    assert report.stats["grad_norm"] == pytest.approx(norm, rel=1e-5)
    assert "gradient_explosion" in kinds(report)


def test_a_healthy_training_is_called_so_and_the_report_is_plain():
    net = model()
    optimizer = sgd(net)
    reports = train(net, HealthCheck(net, optimizer, every=5), 11, optimizer=optimizer)
    looked = [r for r in reports if r is not None]
    assert [r["step"] for r in looked] == [0, 5, 10]
    for report in looked:
        assert report.healthy
        assert report["overall_status"] == "healthy"
        assert report["all_warnings"] == []
        assert json.loads(json.dumps(report)) == report
        assert report.words().startswith(f"step {report['step']}: healthy")
        assert str(report) == report.words()


def test_losses():
    net = model()
    health = HealthCheck(net, every=10, window=10)

    def said(losses, first):
        found = None
        for i, loss in enumerate(losses):
            health.begin(first + i, sample=i == len(losses) - 1)
            found = health.end(loss)
        return kinds(found)

    assert said([1.0 + 0.3 * (i % 2) for i in range(10)], 0) == {"frozen_parameters"}
    assert "loss_explosion" in said([torch.tensor(1.0)] * 9 + [torch.tensor(50.0)], 10)
    assert "stagnation" in said([3.434] * 10, 20)
    # Small losses have a small variance, and fall.
    assert "stagnation" not in said([0.01 * 0.9**i for i in range(10)], 30)
    assert "nan_loss" in said([1.0, torch.tensor(math.nan, dtype=torch.bfloat16), 1.0], 40)
    assert health.report["overall_status"] == "critical"
    assert "step 41" in health.report["all_warnings"][0]
    assert "nan_loss" in said([math.inf] * 10, 50)


def test_a_gradient_that_is_not_finite_names_the_layers():
    net = model()
    health = HealthCheck(net, every=1)
    health.begin(0)
    net(torch.ones(64, 4)).sum().backward()
    net[2].weight.grad[0, 0] = math.nan
    report = health.end()
    assert report["overall_status"] == "critical"
    assert "in 2.weight" in report["all_warnings"][0]


def test_no_gradient_at_all_and_a_frozen_part():
    net = model()
    net.requires_grad_(False)
    health = HealthCheck(net, every=1)
    health.begin(0)
    net(torch.ones(64, 4))
    report = health.end(1.0)
    assert report["overall_status"] == "critical"
    assert report.stats["params_with_grad"] == 0
    net[4].requires_grad_(True)
    report = train(net, health, 1)[0]
    assert report.stats["params_with_grad"] == 2
    assert kinds(report) == {"frozen_parameters"}
    assert report.healthy  # a part is often frozen on purpose


def test_parameters_that_the_optimizer_does_not_hold():
    net = model()
    optimizer = sgd(net[:4])
    report = train(net, HealthCheck(net, optimizer, every=1), 1, optimizer=optimizer)[0]
    assert report.stats["unchanged_parameters"] == 2
    assert "unchanged_parameters" in kinds(report)


@pytest.mark.parametrize(("lr", "status"), [(math.nan, "critical"), (5.0, "warning")])
def test_learning_rates(lr, status):
    net = model()
    optimizer = sgd(net)
    optimizer.param_groups[0]["lr"] = lr
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    report = health.end(1.0)
    found = [r for r in report["remarks"] if r["type"] == "learning_rate"]
    assert [r["level"] for r in found] == [status]


def test_a_rate_of_nothing_is_told_only_when_it_lasts_and_a_tensor_is_read_with_the_rest():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=torch.tensor(0.0))
    with counted() as reads:
        health = HealthCheck(net, optimizer, every=1)
        reports = []
        for step in range(4):
            health.begin(step)
            reports.append(health.end())
    assert reads.count == 0
    assert ["learning_rate" in kinds(r) for r in reports] == [False, False, True, True]


def test_dead_units_are_called_so_after_enough_inputs_only():
    net = model()
    health = HealthCheck(net, every=1)
    few = [r.stats for r in train(net, health, 8, rows=8)]
    told = [i for i, stats in enumerate(few) if "zero_fraction/1" in stats]
    assert told == [7]  # 64 inputs
    assert few[7]["zero_fraction/1"] < 0.5
    with torch.no_grad():
        net[0].bias[:12] = -1e3
    report = train(net, health, 1)[0]
    assert report.stats["zero_fraction/1"] == pytest.approx(12 / 16)
    assert "dead_relu" in kinds(report)


def test_a_scaler_that_skips_the_update():
    net = model()
    optimizer = sgd(net)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    loss = net(torch.ones(64, 4)).sum()
    scaler.scale(loss).backward()
    net[0].weight.grad[0, 0] = math.inf
    scaler.step(optimizer)
    scaler.update()
    report = health.end(loss)
    assert "nan_gradient" in kinds(report)
    assert "update_ratio/0.weight" not in report.stats


def test_limits_and_bad_arguments():
    net = model()
    optimizer = sgd(net)
    strict = HealthCheck(net, optimizer, every=1, limits=Limits(gradient=1e-9))
    assert "gradient_explosion" in kinds(train(net, strict, 1, optimizer=optimizer)[0])
    with pytest.raises(TypeError, match="is not a model"):
        HealthCheck([net])
    with pytest.raises(ValueError, match="every must be 1 or more, not 0"):
        HealthCheck(net, every=0)
    with pytest.raises(TypeError, match="window must be an integer"):
        HealthCheck(net, window=1.5)
    with pytest.raises(ValueError, match="dead must be 0 or more"):
        Limits(dead=-1.0)
