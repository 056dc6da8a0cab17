"""The check-up of a model: what it costs, what it says, and that it leaves nothing behind."""

import copy
import json
import math

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.health import HealthCheck, Limits  # noqa: E402
from trainlens_torch.health.weights import picked  # noqa: E402


class stacked(TorchDispatchMode):
    """How often numbers were put together to be read."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.stack.default:
            self.sizes.append(len(args[0]))
        return func(*args, **(kwargs or {}))


def model(*, seed=0, activation=nn.ReLU):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 16), activation(), nn.Linear(16, 16), activation(), nn.Linear(16, 1)
    )


def train(net, health, steps, *, optimizer=None, rows=64, spoil=None, first=0):
    """Reports of a few steps."""
    rng = torch.Generator().manual_seed(3)
    reports = []
    for step in range(first, first + steps):
        x = torch.randn(rows, 4, generator=rng)
        health.begin(step)
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        if spoil is not None:
            loss = spoil(step, loss)
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        reports.append(health.end(loss))
        net.zero_grad()
    return reports


def sgd(net, lr=0.01):
    return torch.optim.SGD(net.parameters(), lr=lr)


def kinds(report):
    return {r["type"] for r in report["remarks"]}


def hooks(net):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


def test_nothing_is_read_in_steps_that_are_not_looked_at_and_once_in_the_others():
    net = model()
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=4)
    train(net, health, 1, optimizer=optimizer)
    with counted() as reads:
        reports = train(net, health, 7, optimizer=optimizer, first=1)
    assert reads.count == 0
    assert [r is not None for r in reports] == [False, False, False, True, False, False, False]


def test_the_numbers_of_a_look_are_stacked_for_one_transfer():
    net = model()
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=1)
    with stacked() as seen:
        report = train(net, health, 1, optimizer=optimizer)[0]
    # Everything that was computed on the device lies in the last one.
    assert seen.sizes[-1] == max(seen.sizes)
    assert seen.sizes[-1] >= len(report.stats) - 4


def test_hooks_are_on_only_in_steps_that_are_looked_at():
    net = model()
    health = HealthCheck(net, every=2)
    assert hooks(net) == 0
    assert health.begin(0)
    assert health.sampling
    assert hooks(net) == 3
    net(torch.ones(2, 4)).sum().backward()
    health.end()
    assert hooks(net) == 0
    assert not health.begin(1)
    assert hooks(net) == 0
    health.begin(2)
    health.close()
    assert hooks(net) == 0


def test_a_step_that_failed_leaves_nothing_behind():
    net = model()
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    net(torch.ones(2, 4)).sum().backward()  # here the step runs out of memory
    net.zero_grad()
    report = train(net, health, 1, optimizer=optimizer, first=1)[0]
    assert report["step"] == 1
    assert hooks(net) == 0
    health.close()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_training_is_the_same_with_and_without():
    plain, looked = model(), model()
    one, two = sgd(plain), sgd(looked)
    train(plain, HealthCheck(plain, every=10**9), 6, optimizer=one, first=1)
    train(looked, HealthCheck(looked, two, every=1), 6, optimizer=two, first=1)
    for a, b in zip(plain.parameters(), looked.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_numbers_are_right():
    net = model(activation=nn.Tanh)
    optimizer = sgd(net, lr=0.1)
    health = HealthCheck(net, optimizer, every=1)
    before = copy.deepcopy(net.state_dict())
    x = torch.randn(64, 4)
    health.begin(0)
    loss = net(x).square().mean()
    loss.backward()
    grads = {name: p.grad.clone() for name, p in net.named_parameters()}
    optimizer.step()
    stats = health.end(loss).stats
    whole = torch.cat([g.flatten() for g in grads.values()]).norm().item()
    assert stats["grad_norm"] == pytest.approx(whole, rel=1e-5)
    for name in ("0.weight", "2.weight", "4.weight"):
        change = net.get_parameter(name) - before[name]
        assert stats[f"grad_norm/{name}"] == pytest.approx(grads[name].norm().item(), rel=1e-5)
        ratio = (change.norm() / before[name].norm()).item()
        assert stats[f"update_ratio/{name}"] == pytest.approx(ratio, rel=1e-3)
        assert stats[f"weight_std/{name}"] == pytest.approx(
            before[name].std(correction=0).item(), rel=1e-5
        )
    first, last = (grads[name].norm().item() for name in ("0.weight", "4.weight"))
    assert stats["grad_first_last_ratio"] == pytest.approx(first / last, rel=1e-4)
    assert (stats["params_with_grad"], stats["params_without_grad"]) == (6, 0)
    assert stats["unchanged_parameters"] == 0
    layer = nn.Linear(4, 16)
    layer.load_state_dict({"weight": before["0.weight"], "bias": before["0.bias"]})
    assert stats["activation_std/1"] == pytest.approx(
        layer(x).tanh().std(correction=0).item(), rel=1e-4
    )


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


def test_a_frozen_parameter_with_an_old_gradient_has_none():
    net = model()
    optimizer = sgd(net)
    net(torch.ones(64, 4)).sum().backward()
    net[0].requires_grad_(False)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    optimizer.step()
    stats = health.end().stats
    assert (stats["params_with_grad"], stats["params_without_grad"]) == (4, 2)
    assert "update_ratio/0.weight" not in stats


def test_parameters_that_the_optimizer_does_not_hold():
    net = model()
    optimizer = sgd(net[:4])
    report = train(net, HealthCheck(net, optimizer, every=1), 1, optimizer=optimizer)[0]
    assert report.stats["unchanged_parameters"] == 2
    assert "unchanged_parameters" in kinds(report)


def test_updates_that_bfloat16_rounds_away():
    net = model().bfloat16()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1.0)
    optimizer = sgd(net, lr=1e-6)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    loss = net(torch.ones(64, 4, dtype=torch.bfloat16)).mean()
    loss.backward()
    optimizer.step()
    assert health.end(loss).stats["unchanged_parameters"] == 6


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


def test_layers_are_limited_and_a_large_tensor_is_sampled():
    net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(20)])
    health = HealthCheck(net, every=1, layers=5)
    health.begin(0)
    net(torch.randn(64, 4)).sum().backward()
    stats = health.end().stats
    told = [k for k in stats if k.startswith("grad_norm/")]
    assert len(told) == 5
    assert told[0] == "grad_norm/0.weight"
    assert told[-1] == "grad_norm/19.weight"
    wide = torch.arange(40.0 * 10).reshape(40, 10)
    some = picked(wide, 100)
    assert 0 < len(some) <= 100
    assert {int(v) % 10 for v in some} == set(range(10))  # of every column
    assert len(picked(wide, 400)) == 400


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions(dtype):
    net = model().to(dtype)
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    loss = net(torch.ones(64, 4, dtype=dtype)).square().mean()
    loss.backward()
    optimizer.step()
    stats = health.end(loss).stats
    assert all(math.isfinite(v) for v in stats.values())


def test_a_compiled_model_is_looked_at_without_hooks():
    net = model()
    compiled = torch.compile(net, backend="eager")
    health = HealthCheck(compiled, every=1)
    report = train(compiled, health, 1)[0]
    assert hooks(net) == 0
    assert "grad_norm/0.weight" in report.stats
    assert not any(k.startswith("zero_fraction") for k in report.stats)


def test_a_wrapped_model_has_the_names_of_the_plain_one(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'r'}", rank=0, world_size=1)
    try:
        net = nn.parallel.DistributedDataParallel(model())
        optimizer = sgd(net)
        report = train(net, HealthCheck(net, optimizer, every=1), 1, optimizer=optimizer)[0]
    finally:
        dist.destroy_process_group()
    assert {"update_ratio/0.weight", "zero_fraction/1"} <= report.stats.keys()


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


def test_sparse_gradients_and_weights_that_begin_at_zero():
    net = nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Linear(4, 1))
    nn.init.zeros_(net[1].weight)
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=1)
    health.begin(0)
    net(torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    stats = health.end().stats
    assert "update_ratio/1.weight" not in stats
    assert stats["unchanged_parameters"] == 0


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_only_looks_wait_for_it():
    net = model().cuda()
    optimizer = sgd(net)
    health = HealthCheck(net, optimizer, every=100)
    x = torch.randn(64, 4, device="cuda")
    for step in range(1, 12):
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            health.begin(step)
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            assert health.end(loss) is None
            optimizer.zero_grad()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    health.begin(100)
    net(x).sum().backward()
    optimizer.step()
    assert math.isfinite(health.end().stats["grad_norm"])
