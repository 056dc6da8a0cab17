"""The learning rate sweep: near the best of a grid, silent about noise, and without a trace."""

import copy
import math
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from trainlens_torch.averaging import schedule_free  # noqa: E402
from trainlens_torch.lr_finder import find_lr  # noqa: E402
from trainlens_torch.lr_finder.kept import Kept  # noqa: E402
from trainlens_torch.lr_finder.sweep import judge_sweep  # noqa: E402


class Net(nn.Module):
    """Dropout, running statistics, a counter, an expanded buffer, and a frozen part."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(20, 32)
        self.norm = nn.BatchNorm1d(32)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(32, 5)
        self.first.bias.requires_grad_(False)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("wide", torch.ones(1).expand(7))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.seen = self.seen + 1  # exchanged, not written
        return self.last(self.drop(torch.relu(self.norm(self.first(x)))))


def data(seed, batch=32, count=400):
    g = torch.Generator().manual_seed(seed)
    centres = 0.7 * torch.randn(5, 20, generator=g)
    while count:
        y = torch.randint(5, (batch,), generator=g)
        yield centres[y] + torch.randn(batch, 20, generator=g), y
        count -= 1


def loss_of(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def trained_net(seed=0):
    torch.manual_seed(seed)
    model = Net()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    for batch in data(seed, count=3):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    model.norm.eval()
    return model, optimizer


def trace(model, optimizer):
    """Everything that must not change, in comparable form."""
    tensors = {**model.state_dict(), "seen": model.seen}
    return {
        **{name: (value.clone(), id(value)) for name, value in tensors.items() if name != "seen"},
        "seen": (model.seen.clone(), id(model.seen)),
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "grad ids": [id(p.grad) for p in model.parameters() if p.grad is not None],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "calls": model.calls,
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "state ids": [id(v) for s in optimizer.state.values() for v in s.values()],
        "optimizer attributes": sorted(vars(optimizer)),
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def named_differences(before, after):
    # `state_dict` makes new views each time; identity is that of the attributes.
    skip = {k for k, v in before.items() if isinstance(v, tuple) and k != "seen" and k != "python"}
    out = [k for k in before.keys() - skip if not same(before[k], after[k])]
    return out + [k for k in skip if not torch.equal(before[k][0], after[k][0])]


def test_leaves_no_trace():
    model, optimizer = trained_net()
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1.0)  # wraps optimizer.step
    before = trace(model, optimizer)

    def step(model, batch):
        random.random()
        np.random.rand()
        model.norm.train()
        model.first.bias.requires_grad_(True)
        return loss_of(model, batch)

    found = find_lr(model, step, optimizer, data(1), updates=30)
    assert len(found.losses) == 30 or not math.isfinite(found.losses[-1]) or found.losses[-1] > 5
    assert named_differences(before, trace(model, optimizer)) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_leaves_no_trace_when_it_breaks_at_any_update(error):
    model, optimizer = trained_net()
    before = trace(model, optimizer)
    for at in range(20):
        for where in ("forward", "before step"):
            count = iter(range(at, -1, -1))

            def fails(here, where=where, count=count):
                if here == where and next(count) == 0:
                    raise error("injected")

            def step(model, batch, fails=fails):
                fails("forward")
                return loss_of(model, batch)

            with pytest.raises(error, match="injected"):
                find_lr(
                    model, step, optimizer, data(1), updates=20, high=1.0,
                    before_step=lambda fails=fails: fails("before step"),
                )  # fmt: skip
            assert named_differences(before, trace(model, optimizer)) == []


def test_training_goes_on_as_if_nothing_had_been():
    weights = []
    for looks in (False, True):
        model, optimizer = trained_net()
        if looks:
            find_lr(model, loss_of, optimizer, data(9), updates=40)
        for batch in data(2, count=3):
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
        weights.append(torch.cat([p.detach().reshape(-1) for p in model.parameters()]))
    assert torch.equal(*weights)


def test_a_data_loader_gives_the_same_order_afterwards():
    model, optimizer = trained_net()
    x, y = next(data(0, batch=256))
    own = torch.Generator().manual_seed(3)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True, generator=own
    )
    state = own.get_state()
    found = find_lr(model, loss_of, optimizer, loader, updates=40, high=1.0)
    assert len(found.losses) == 40  # the loader was begun again
    assert torch.equal(own.get_state(), state)


def test_tensor_rates_stay_the_same_tensors():
    model = nn.Linear(20, 5)
    rate = torch.tensor(0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    find_lr(model, loss_of, optimizer, data(0), updates=25)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.1)


def test_groups_keep_their_ratios():
    model = nn.Linear(20, 5)
    optimizer = torch.optim.SGD(
        [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.01}]
    )
    seen = []
    find_lr(
        model, loss_of, optimizer, data(0), updates=20, high=1e-3,
        before_step=lambda: seen.append([g["lr"] for g in optimizer.param_groups]),
    )  # fmt: skip
    assert [a / b for a, b in seen] == pytest.approx([10.0] * 20)
    assert (seen[0][0], seen[-1][0]) == (pytest.approx(1e-7), pytest.approx(1e-3))
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.01]


def test_schedule_free_optimizers_are_put_into_train_mode_and_back():
    pytest.importorskip("schedulefree")
    model = nn.Linear(20, 5)
    optimizer = schedule_free("adamw", model.parameters(), lr=0.01)
    for batch in data(0, count=3):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    optimizer.eval()
    before = model.weight.detach().clone()
    find_lr(model, loss_of, optimizer, data(1), updates=25)
    assert torch.equal(model.weight, before)
    assert not optimizer.param_groups[0]["train_mode"]


def perceptron():
    return nn.Sequential(
        nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5)
    )


def best_of_grid(seed, make, rates, updates=60):
    x, y = next(data(seed, batch=1000))
    scores = []
    for rate in rates:
        torch.manual_seed(seed)
        model = perceptron()
        optimizer = make(model, rate)
        for batch in data(seed, count=updates):
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
        with torch.no_grad():
            score = loss_of(model, (x, y)).item()
        scores.append(score if math.isfinite(score) else math.inf)
    return rates[int(np.argmin(scores))]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_suggestion_is_within_a_factor_ten_of_the_best_of_a_grid(name):
    def make(model, rate):
        if name == "sgd":
            return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
        return torch.optim.AdamW(model.parameters(), lr=rate)

    ratios = []
    for seed in range(5):
        torch.manual_seed(seed)
        model = perceptron()
        found = find_lr(model, loss_of, lambda m=model: make(m, 1.0), data(seed + 100))
        best = best_of_grid(seed, make, [10.0**k for k in (-4, -3, -2.5, -2, -1.5, -1)])
        assert found.suggestion is not None, found.why
        ratios.append(found.suggestion / best)
    assert 0.1 <= min(ratios) <= max(ratios) <= 10.0, ratios


RATES = np.geomspace(1e-7, 10, 100)


@pytest.mark.parametrize("noise", ["normal", "lognormal", "student"])
def test_pure_noise_gives_no_suggestion(noise):
    told = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        drawn = {
            "normal": rng.normal(size=100),
            "lognormal": np.exp(rng.normal(size=100)),
            "student": rng.standard_t(3, size=100),
        }[noise]
        told += judge_sweep(RATES, 5 + 0.5 * drawn).suggestion is not None
    assert told <= 3


def curve(rates, centre=1e-3, height=2.0, wall=0.1):
    """Falls by `height` around `centre` and shoots up at `wall`."""
    x = np.log10(rates / centre)
    return 3.0 - height / 2 * (1 + np.tanh(2 * x)) + np.minimum((rates / wall) ** 2, 1e6)


def test_known_curve():
    found = judge_sweep(RATES, curve(RATES))
    # An average over some points spreads the fall a little to both sides.
    assert found.steepest == pytest.approx(1e-3, rel=0.25)
    assert 1e-3 <= found.suggestion == found.valley < 4e-3
    assert found.why.startswith("two thirds along the fall of the loss from 3 to 1.2")


def test_units_and_offset_of_the_loss_do_not_matter():
    rng = np.random.default_rng(0)
    losses = curve(RATES) + 0.02 * rng.normal(size=100)
    first = judge_sweep(RATES, losses)
    assert first.suggestion is not None
    assert judge_sweep(RATES, 1000 * losses).suggestion == pytest.approx(first.suggestion)
    assert judge_sweep(RATES, losses - 4.0).suggestion == pytest.approx(first.suggestion)


REFUSALS = {
    "flat": (RATES, np.full(100, 2.0), "the loss falls by 0 from 2"),
    "barely falls": (RATES, 2.0 - 1e-4 * np.arange(100) / 100, "the loss falls by"),
    "rises": (RATES, 2.0 + np.arange(100.0), "the loss falls by"),
    "high too low": (RATES[:55], curve(RATES[:55], centre=1e-3), "raise `high`"),
    "low too high": (
        RATES,
        1 + 2 * np.exp(-np.arange(100) / 20) + curve(RATES) // 3.5,
        "lower `low`",
    ),
    "diverges at once": (RATES, np.r_[2.0, 3.0, np.full(98, np.nan)], "only 2 finite losses"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses_with_a_reason(case):
    rates, losses, says = REFUSALS[case]
    found = judge_sweep(rates, losses)
    assert (found.steepest, found.valley, found.suggestion) == (None, None, None)
    assert says in found.why


def test_stops_where_the_loss_diverges():
    model = nn.Linear(20, 5)
    found = find_lr(model, loss_of, torch.optim.SGD(model.parameters(), lr=1), data(0), high=1e6)
    assert 20 < len(found.losses) < 100
    few = find_lr(model, loss_of, torch.optim.SGD(model.parameters(), lr=1), data(0, count=7))
    assert (len(few.losses), few.suggestion) == (7, None)


def test_plot():
    pytest.importorskip("matplotlib")
    found = judge_sweep(RATES, curve(RATES))
    axes = found.plot()
    lines = [line.get_label() for line in axes.get_lines()]
    assert lines[:2] == ["loss", "average"]
    assert lines[3] == f"suggestion {found.suggestion:.1e}"
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[1] < 5  # not the wall of 10,000
    assert len(judge_sweep(RATES, np.full(100, 2.0)).plot(axes).get_lines()) == 6


BAD = [
    ({"low": 0.0}, ValueError, "from low up to high"),
    ({"low": 1.0, "high": 0.1}, ValueError, "from low up to high"),
    ({"high": math.inf}, ValueError, "from low up to high"),
    ({"updates": 5}, ValueError, "20 updates or more"),
    ({"batches": []}, ValueError, "no batch"),
    ({"step": lambda m, b: 1.0}, TypeError, "scalar tensor with a gradient, not float"),
    ({"step": lambda m, b: m(b[0])}, TypeError, r"with a gradient, not \(32, 5\)"),
    ({"model": nn.LazyLinear(3)}, ValueError, "weight has no values yet"),
    ({"model": nn.Linear(20, 5, device="meta")}, ValueError, "weight has no values yet"),
]


@pytest.mark.parametrize(("given", "error", "says"), BAD)
def test_bad_input(given, error, says):
    model = nn.Linear(20, 5)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    call = {"model": model, "step": loss_of, "batches": data(0), **given}
    with pytest.raises(error, match=says):
        find_lr(optimizer=optimizer, **call)
    assert torch.equal(model.weight, before)
    with pytest.raises(ValueError, match="above 0 and rise"):
        judge_sweep([1.0, 0.5], [1.0, 1.0])
    with pytest.raises(ValueError, match="3 losses for 2 rates"):
        judge_sweep([0.5, 1.0], [1.0, 1.0, 1.0])


def test_kept_restores_what_was_added_removed_resized_and_nested_deeply():
    deep = []
    for _ in range(5000):
        deep = [deep]
    box = {"a": torch.tensor([0.0, -0.0, math.nan]), "b": [1, 2], "deep": deep}
    kept = Kept([box])
    first = box["a"]
    first.data = torch.ones(7)
    box["b"].append(3)
    box["new"] = box.pop("a")
    kept.restore()
    assert list(box) == ["a", "b", "deep"]
    assert box["a"] is first
    assert box["b"] == [1, 2]
    assert torch.signbit(first).tolist()[:2] == [False, True]
    assert math.isnan(first[2])
