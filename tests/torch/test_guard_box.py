"""The black box names the first bad step and tensor, and waits for nothing until it is asked."""

import math

import pytest

torch = pytest.importorskip("torch")

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.guard import BlackBox, UpdateGuard  # noqa: E402
from trainlens_torch.guard.fingerprint import fingerprint  # noqa: E402


class Net(torch.nn.Module):
    """Runs its layers in another order than it registers them."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 1)
        self.body = torch.nn.Linear(3, 4)
        self.middle = torch.nn.Linear(4, 4)
        self.spare = torch.nn.Linear(2, 2)
        self.fault = None

    def forward(self, rows):
        rows = self.body(rows)
        rows = self.middle(rows / 0.0 if self.fault == "middle" else rows)
        return self.head(rows)


def trained(activations, fault_at, steps=8, fault="input", kept=5):
    torch.manual_seed(0)
    model = Net()
    box = BlackBox(model, steps=kept, activations=activations)
    guard = UpdateGuard(torch.optim.SGD(model.parameters(), lr=0.01), box=box, max_norm=1e4)
    for step in range(steps):
        rows = torch.randn(6, 3)
        model.fault = fault if step in fault_at else None
        if model.fault == "input":
            rows[2, 1] = math.nan
        loss = model(rows).square().mean() * (1e9 if model.fault == "scale" else 1.0)
        loss.backward()
        if model.fault == "gradient":
            model.middle.weight.grad[1, 2] = math.inf
        guard.step(loss, batch=rows, step=100 + step)
        guard.optimizer.zero_grad()
    return box


def test_a_gradient_at_fault_is_named():
    found = trained(False, {3, 6}, fault="gradient").report()["first_bad"]
    assert (found["step"], found["cause"], found["kind"]) == (103, "gradient", "gradient")
    assert found["tensors"] == ["middle.weight"]
    assert found["norms"]["middle.weight"] == math.inf
    assert math.isfinite(found["norms"]["body.weight"])
    assert "spare.weight" not in found["norms"]


@pytest.mark.parametrize(("fault", "tensor"), [("input", "body"), ("middle", "middle")])
def test_the_first_activation_at_fault_is_named_in_the_order_of_the_forward_pass(fault, tensor):
    box = trained(True, {2}, fault=fault)
    found = box.report()["first_bad"]
    assert (found["step"], found["kind"], found["tensor"]) == (102, "activation", tensor)
    assert found["tensors"][-1] == "head"
    assert f"step 102 was the first bad one (gradient): activation of {tensor}" in box.words()


def test_of_an_explosion_the_tensor_that_grew_most():
    found = trained(False, {5}, fault="scale").report()["first_bad"]
    assert (found["step"], found["cause"], found["kind"]) == (105, "explosion", "gradient")
    assert len(found["tensors"]) == 6


def test_the_last_steps_are_kept_and_the_first_bad_one_for_good():
    report = trained(False, {1}, steps=40, kept=7).report()
    assert [one["step"] for one in report["steps"]] == list(range(133, 140))
    assert report["first_bad"]["step"] == 101
    assert len({one["batch"] for one in report["steps"]}) == 7
    few = trained(False, set(), steps=3, kept=7)
    assert [one["step"] for one in few.report()["steps"]] == [100, 101, 102]
    assert few.report()["first_bad"] is None
    assert few.words() == "no bad step"


def test_it_counts_and_finds_the_cause_without_a_guard():
    model = Net()
    box = BlackBox(model)
    for value in (1.0, math.nan):
        model.zero_grad()
        model(torch.full((2, 3), 1.0)).mean().backward()
        box.record(loss=value)
    found = box.report()["first_bad"]
    assert (found["step"], found["cause"]) == (1, "loss")


def test_no_host_sync_until_it_is_asked():
    model = Net()
    box = BlackBox(model, steps=4, activations=True)
    guard = UpdateGuard(torch.optim.SGD(model.parameters(), lr=0.01), way="restore", box=box)
    with counted() as reads:
        for step in range(6):
            rows = torch.full((2, 3), math.nan if step == 4 else 1.0)
            loss = model(rows).mean()
            loss.backward()
            guard.step(loss, batch={"rows": [rows]}, step=step)
            model.zero_grad()
    assert reads.count == 0
    assert box.report()["first_bad"]["step"] == 4


def test_hooks_go_with_close():
    model = Net()
    box = BlackBox(model, activations=True)
    box.close()
    assert not any(m._forward_hooks for m in model.modules())


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="no parameter"):
        BlackBox(torch.nn.ReLU())
    with pytest.raises(ValueError, match="1 step or more"):
        BlackBox(Net(), steps=0)


BATCH = {"x": torch.arange(24.0).reshape(4, 6), "y": [torch.arange(4)]}


def same(a, b):
    return int(fingerprint(a)) == int(fingerprint(b))


def test_a_fingerprint_is_that_of_the_content():
    copy = {"x": BATCH["x"].clone(), "y": [BATCH["y"][0].clone()], "name": "a"}
    assert same(BATCH, copy)
    assert 0 <= int(fingerprint(BATCH)) < 2**48
    assert fingerprint({"name": "a"}) is None
    for dtype in (torch.bool, torch.bfloat16, torch.uint8, torch.complex64, torch.float64):
        assert same(BATCH["x"].to(dtype), BATCH["x"].to(dtype).clone())


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.reshape(6, 4),
        lambda x: x[[1, 0, 2, 3]],
        lambda x: x.flip(1),
        lambda x: torch.where(x == 5, torch.nextafter(x, x + 1), x),
        lambda x: x.to(torch.float64),
        lambda x: x[:3],
    ],
)
def test_another_content_has_another_fingerprint(change):
    assert not same(BATCH["x"], change(BATCH["x"]))


def test_large_batches_are_sampled():
    large = torch.zeros(300_000)
    assert same(large, large.clone())
    other = large.clone()
    other[:30_000] = 1
    assert not same(large, other)
