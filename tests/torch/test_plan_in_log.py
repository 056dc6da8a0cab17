"""The plan that a scheduler writes into the header of a log, checked by trainlens against it."""

import pytest

torch = pytest.importorskip("torch")

import trainlens  # noqa: E402
from trainlens.plots.planned_schedules import compared  # noqa: E402
from trainlens.rules.base import Status  # noqa: E402
from trainlens_torch import schedules  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.fields import Value  # noqa: E402
from trainlens_torch.record.jsonl import JsonlSink  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules import (  # noqa: E402
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Custom,
    Exponential,
    InverseSqrt,
    Linear,
    LinearWarmup,
    OneCycle,
    Piecewise,
    Polynomial,
    Ramp,
    Step,
    WarmupStableDecay,
)  # fmt: skip

T = 300
WARMUP = Chain(LinearWarmup("40ba"), Cosine(end=0.01))


class Manager:
    """An adaptive manager that changes its factor at given updates."""

    def __init__(self, changes):
        self.changes, self.factor = changes, 1.0

    def config(self):
        return {}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Rate:
    """A part with a plan of its own."""

    now = 0.0

    def apply(self, progress):
        self.now = 0.1 * min(progress / 0.5, 1.0)

    def config(self):
        return {}

    def logged(self):
        return {"dropout_rate": self.now}

    def plan(self):
        return {"dropout_rate": {"kind": "linear-warmup", "base": 0.1, "warmup": 0.5}}


def trained(path, *, accumulation=1, changes=None, by_hand=None, parts=(), values=None, **fields):
    """Train a small net; `by_hand` are update and learning rate from which one is written over."""
    torch.manual_seed(0)
    backbone, head = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
    groups = [
        {"params": backbone.parameters(), "lr": 1e-3, "lr_ratio": 0.1, "name": "backbone"},
        {"params": head.parameters(), "lr": 1e-2, "lr_ratio": 1.0, "name": "head"},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
    clock = Clock(T, accumulation=accumulation)
    manager = None if changes is None else Manager(changes)
    scheduler = Scheduler(optimizer, clock, values=values, parts=parts, adaptive=manager, **fields)
    with JsonlSink(path, schedules=scheduler.header(), clock=lambda: float(clock.samples)) as sink:
        while clock.updates < T:
            if manager is not None:
                manager.factor = changes.get(clock.updates, manager.factor)
            scheduler.apply()
            stats = scheduler.logged()
            if by_hand is not None and clock.updates >= by_hand[0]:
                for group in optimizer.param_groups:
                    group["lr"] = by_hand[1] * group["lr_ratio"]
                    stats[f"lr/{group['name']}"] = group["lr"]
                stats["lr"] = by_hand[1]
            x = torch.randn(4, 3)
            loss = (head(torch.tanh(backbone(x))) - x.sum(1, keepdim=True)).square().mean()
            (loss / accumulation).backward()
            if clock.due:
                optimizer.step()
                optimizer.zero_grad()
                sink.log(clock.updates, {"total_loss": float(loss.detach())}, stats)
            clock.tick(samples=4)
    return path


def told(path):
    """Findings of the rule, by metric, and what the plot compares."""
    run = trainlens.load_one(path)
    found = [f for f in trainlens.diagnose(run).results if f.rule == "plan-deviation"]
    return {f.metric: f for f in found}, compared(run)


FIELDS = {
    "lr": WARMUP,
    "weight_decay": Linear(1.0, 0.2),
    "momentum": LinearWarmup("30ba", start=0.9),
}


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("changes", [None, {50: 1.5, 51: 1.2, 137: 0.96, 250: 0.5}])
def test_a_training_follows_its_plan(tmp_path, accumulation, changes):
    path = trained(
        tmp_path / "a.jsonl", accumulation=accumulation, changes=changes, parts=[Rate()],
        values={"clip_weight": Value(0.05, Ramp()), "gate": Value(2.0, Step(("100ba", "200ba")))},
        **FIELDS,
    )  # fmt: skip
    found, drawn = told(path)
    each = {f"{field}/{name}" for field in FIELDS for name in ("backbone", "head")}
    assert found.keys() == each | FIELDS.keys() | {"clip_weight", "gate", "dropout_rate"}
    for finding in found.values():
        assert finding.status is Status.PASS
        assert "follows its plan at all of 300 points." in finding.message
    assert len(drawn) == len(found)
    assert all(one.found.count == 0 for one in drawn)


@pytest.mark.parametrize("changes", [None, {137: 1.5}, {60: 2.0, 136: 0.5, 138: 0.7}])
def test_a_rate_written_around_the_scheduler_is_found_at_its_update(tmp_path, changes):
    path = trained(tmp_path / "a.jsonl", changes=changes, by_hand=(137, 3e-3), **FIELDS)
    found, drawn = told(path)
    for metric, finding in found.items():
        if metric.startswith("lr"):
            assert (finding.status, finding.first_step) == (Status.FAIL, 137)
        else:
            assert finding.status is Status.PASS
    off = {one.series.metric: one for one in drawn if one.found.first is not None}
    assert off.keys() == {"lr", "lr/backbone", "lr/head"}
    assert all(one.series.step[one.found.first] == 137 for one in off.values())


def test_groups_of_their_own_schedules_are_checked_each_by_its_own(tmp_path):
    fields = {"lr": {"backbone": LinearWarmup(1.0), "*": Cosine()}}
    found, _ = told(trained(tmp_path / "a.jsonl", changes={80: 0.7}, **fields))
    assert {m: f.status for m, f in found.items()} == {
        "lr/backbone": Status.PASS, "lr/head": Status.PASS,
    }  # fmt: skip


def test_a_factor_that_is_not_logged_makes_it_inconclusive(tmp_path):
    path = trained(tmp_path / "a.jsonl", changes={80: 0.7}, lr=WARMUP)
    path.write_text(path.read_text().replace('"lr_factor":', '"another":'))
    assert path.read_text().count('"lr_factor"') == 1  # in the plan of the header
    found, drawn = told(path)
    assert {f.status for f in found.values()} == {Status.INCONCLUSIVE}
    assert "lr_factor, which multiplies the plan, is not in this log" in found["lr"].message
    assert drawn == []


KINDS = {
    "chain": WARMUP,
    "constant": Constant(0.5),
    "cosine": Cosine(end=0.01),
    "cosine-restarts": CosineRestarts(cycles=4, height=0.8),
    "custom": Custom(lambda p: 1.0 / (1.0 + 9.0 * p)),
    "exponential": Exponential(0.01),
    "inverse-sqrt": InverseSqrt("30ba"),
    "linear": Linear(1.0, 0.1),
    "linear-warmup": LinearWarmup("77ba", start=0.01),
    "one-cycle": OneCycle(),
    "piecewise": Piecewise(("50ba", 0.5), (1.0, 0.3, 0.7)),
    "polynomial": Polynomial(power=0.9),
    "ramp": Ramp(),
    "step": Step(("97ba", 0.7), gamma=0.5),
    "warmup-stable-decay": WarmupStableDecay(warmup=0.1),
}
MORE = {
    "restarts cut off": CosineRestarts(first="70ba", growth=2.0),
    "nested": Chain((Chain(LinearWarmup("10ba"), Constant()), "100ba"), Cosine(end=0.05)),
}


def test_every_kind_of_schedule_is_tried():
    assert KINDS.keys() == schedules.ALL.keys()
    assert all(schedule.kind == kind for kind, schedule in KINDS.items())


def of_one_schedule(path, schedule, total=T, every=1):
    """A log of one scheduled field, of `every`-th update."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    clock = Clock(total, updates_per_epoch=10)
    scheduler = Scheduler(optimizer, clock, lr=schedule)
    with JsonlSink(path, schedules=scheduler.header(), clock=lambda: 0.0) as sink:
        for k in range(total):
            if k % every == 0:
                scheduler.apply()
                sink.log(clock.updates, {"total_loss": 1.0}, scheduler.logged())
            clock.tick()
    return path


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("name", [*KINDS, *MORE])
def test_the_log_of_every_schedule_follows_its_plan(tmp_path, name, every):
    schedule = (KINDS | MORE)[name]
    found, (drawn,) = told(of_one_schedule(tmp_path / "a.jsonl", schedule, every=every))
    assert found["lr"].status is Status.PASS
    assert "at all of" in found["lr"].message
    assert drawn.found.count == 0
