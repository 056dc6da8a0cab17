"""The check-up of a model: what it measures and costs, and that it leaves nothing behind."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from tests.torch.checkups import model, sgd, train  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402
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
