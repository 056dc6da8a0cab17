"""Weight decay as a tensor: the same as AdamW's own, and no host sync."""

import pytest

torch = pytest.importorskip("torch")

from tests.torch.syncs import counted  # noqa: E402 - after the skip
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.decay import TensorDecay  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402

T = 20


def trained(take_over):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.3},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    rate = torch.tensor(0.05) if take_over else 0.05
    optimizer = torch.optim.AdamW(groups, lr=rate, foreach=False)
    decay = TensorDecay(optimizer) if take_over else None
    clock = Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine(0.1), weight_decay=Cosine(0.2))
    for k in range(T):
        scheduler.apply()
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(k))
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        if decay is not None:
            decay.step()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()
    return [p.detach() for p in model.parameters()], optimizer


def test_it_is_the_decay_of_adamw():
    (own, _), (taken, optimizer) = trained(False), trained(True)
    for a, b in zip(own, taken, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=2e-7)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.0, 0.0]
    assert [g["initial_weight_decay"] for g in optimizer.param_groups] == [0.3, 0.0]


def test_weights_without_a_gradient_do_not_shrink():
    frozen, free = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    decay = TensorDecay(torch.optim.AdamW([frozen, free], lr=0.1, weight_decay=0.5))
    free.grad = torch.zeros(3)
    decay.step()
    assert torch.equal(frozen, torch.ones(3))
    torch.testing.assert_close(free.detach(), torch.full((3,), 0.95))


def test_no_host_sync():
    weight = torch.nn.Parameter(torch.ones(3))
    decay = TensorDecay(torch.optim.AdamW([weight], lr=torch.tensor(0.1), foreach=False))
    weight.grad = torch.ones(3)
    with counted() as syncs:
        decay.step()
    assert syncs.count == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    ],
)
def test_decay_in_the_gradient_is_something_else(make):
    optimizer = make([torch.nn.Parameter(torch.ones(3))])
    with pytest.raises(ValueError, match="adds weight decay to the gradient"):
        TensorDecay(optimizer)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
