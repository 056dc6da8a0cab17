"""The scheduler: absolute, idempotent, resumable, and one of torch's schedulers where asked."""

import copy
import io
import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from trainlens_torch.adaptive import AdaptiveLRManager  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.fields import Value  # noqa: E402
from trainlens_torch.place import Place  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.base import Schedule  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.schedules.linear_warmup import LinearWarmup  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

T = 20


def cosine(p, end=0.0):
    return end + (1 - end) * (1 + math.cos(math.pi * p)) / 2


def parameters():
    return [nn.Parameter(torch.ones(2))]


def adamw(n=2):
    groups = [
        {"params": parameters(), "name": name, "lr": 0.1 * ratio, "lr_ratio": ratio}
        for name, ratio in (("head", 1), ("backbone", 0.1), ("other", 2))[:n]
    ]
    return torch.optim.AdamW(groups, weight_decay=0.5)


class Recorder:
    """A part, and an adaptive manager, that keeps what it is given."""

    def __init__(self, factor=1.0):
        self.factor, self.seen = factor, []

    def apply(self, progress):
        self.seen.append(progress)

    def config(self):
        return {"name": "recorder"}

    def state_dict(self):
        return {"factor": self.factor}

    def load_state_dict(self, state):
        self.factor = state["factor"]


def rates(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


def test_every_field_is_its_initial_value_times_its_schedule():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(
        optimizer, clock, lr=Cosine(), weight_decay=Cosine(end=0.5), momentum=LinearWarmup(0.5, 0.8)
    )
    for k in range(T + 5):
        p = min(k / T, 1.0)
        scheduler.apply()
        for group, base in zip(optimizer.param_groups, (0.1, 0.01), strict=True):
            assert group["lr"] == pytest.approx(base * cosine(p), rel=1e-14)
            assert group["weight_decay"] == pytest.approx(0.5 * cosine(p, 0.5), rel=1e-14)
            assert group["betas"][0] == pytest.approx(0.9 * min(1, 0.8 + 0.2 * p / 0.5), rel=1e-14)
            assert group["betas"][1] == 0.999
        clock.tick()


def test_the_rate_before_the_first_step_is_that_of_the_schedule():
    optimizer = adamw()
    Scheduler(optimizer, Clock(T), lr=LinearWarmup(0.5, start=0.01))
    assert rates(optimizer) == pytest.approx([0.001, 0.0001], rel=1e-15)


def test_a_length_makes_a_clock():
    optimizer = adamw()
    scheduler = Scheduler(optimizer, 4, lr=Cosine())
    scheduler.step()
    assert (scheduler.clock.updates, scheduler.clock.progress) == (1, 0.25)
    assert Scheduler(adamw(), "2e9tok").clock.total == Place(2e9, "tok")
    with pytest.raises(TypeError, match="a place is a number or a text"):
        Scheduler(optimizer, None, lr=Cosine())


def test_applying_twice_or_in_any_order_is_applying_once():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine(), momentum=Cosine(end=0.5))
    seen = {}
    for p in (0.0, 0.3, 1.0, 0.3, 0.3, 0.0, 1.0):
        scheduler.apply(p)
        now = (rates(optimizer), optimizer.param_groups[0]["betas"])
        assert seen.setdefault(p, now) == now


def test_a_value_set_by_hand_does_not_stay():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine())
    optimizer.param_groups[0]["lr"] = 123.0
    clock.tick()
    scheduler.apply()
    assert rates(optimizer)[0] == 0.1 * Cosine().factor(1 / T)


def test_groups_that_come_later_follow_from_their_own_rate():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine())
    for _ in range(5):
        clock.tick()
    optimizer.add_param_group({"params": parameters(), "lr": 0.4, "name": "late"})
    scheduler.apply()
    assert rates(optimizer)[2] == pytest.approx(0.4 * cosine(0.25), rel=1e-14)
    assert scheduler.get_last_lr() == rates(optimizer)


def test_groups_may_follow_schedules_of_their_own():
    optimizer, clock = adamw(3), Clock(T)
    scheduler = Scheduler(optimizer, clock, lr={"backbone": LinearWarmup(1.0), "*": Cosine()})
    scheduler.apply(0.25)
    expected = [0.1 * cosine(0.25), 0.01 * 0.25, 0.2 * cosine(0.25)]
    assert rates(optimizer) == pytest.approx(expected, rel=1e-14)
    assert set(scheduler.header()) == {"total_steps", "lr/head", "lr/backbone", "lr/other"}


def test_the_adaptive_factor_multiplies_rates_and_nothing_else():
    optimizer, manager = adamw(), Recorder(1.5)
    scheduler = Scheduler(optimizer, Clock(T), lr=Cosine(), weight_decay=Cosine(), adaptive=manager)
    scheduler.apply(0.5)
    assert rates(optimizer) == pytest.approx([0.075, 0.0075], rel=1e-14)
    assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.25)
    manager.factor = 1.0
    scheduler.apply(0.5)
    assert rates(optimizer)[0] == pytest.approx(0.05, rel=1e-14)
    assert scheduler.logged()["lr_factor"] == 1.0


class Loss:
    weight = 0.0


def test_values_go_where_they_are_wanted():
    tensor, loss, called = torch.zeros(()), Loss(), []
    values = {
        "read": Value(2.0, Cosine()),
        "tensor": Value(4.0, Cosine(), into=tensor),
        "attribute": Value(6.0, Cosine(), into=(loss, "weight")),
        "call": Value(8.0, Cosine(), into=called.append),
    }
    scheduler = Scheduler(adamw(), Clock(T), values=values)
    scheduler.apply(0.5)
    assert scheduler.values == {"read": 1.0, "tensor": 2.0, "attribute": 3.0, "call": 4.0}
    assert (tensor.item(), loss.weight, called[-1]) == (2.0, 3.0, 4.0)
    assert tensor.data_ptr() == values["tensor"].into.data_ptr()


def test_parts_follow_the_same_clock():
    part, clock = Recorder(), Clock(4)
    scheduler = Scheduler(adamw(), clock, parts=[part])
    for _ in range(4):
        clock.tick()
        scheduler.apply()
    assert part.seen == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_tensor_rates_are_filled_in_place_and_stay_tensors():
    rate, betas = torch.tensor(0.1), (torch.tensor(0.9), torch.tensor(0.99))
    optimizer = torch.optim.AdamW(parameters(), lr=rate, betas=betas, foreach=False)
    group = optimizer.param_groups[0]
    held = group["lr"], group["betas"][0]
    clock = Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine(), momentum=Cosine(end=0.5))
    clock.tick()
    scheduler.step()
    assert group["lr"] is held[0]
    assert group["betas"][0] is held[1]
    assert held[0].item() == pytest.approx(0.1 * cosine(2 / T), rel=1e-6)
    assert held[1].item() == pytest.approx(0.9 * cosine(2 / T, 0.5), rel=1e-6)
    assert all(type(rate) is float for rate in scheduler.get_last_lr())


class Broken(Schedule):
    kind = "constant"

    def factor(self, p):
        return math.nan if p > 0.5 else 1.0


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan, math.inf])
def test_a_progress_out_of_range_changes_nothing(progress):
    optimizer, part = adamw(), Recorder()
    scheduler = Scheduler(optimizer, Clock(T), lr=Cosine(), parts=[part])
    scheduler.apply(0.3)
    before = copy.deepcopy(rates(optimizer)), list(part.seen), dict(scheduler.values)
    with pytest.raises(ValueError, match=r"progress must lie in \[0, 1\]"):
        scheduler.apply(progress)
    assert (rates(optimizer), part.seen, scheduler.values) == before


@pytest.mark.parametrize("where", ["lr", "values"])
def test_a_schedule_that_gives_no_number_changes_nothing(where):
    optimizer, tensor = adamw(), torch.ones(())
    value = {"w": Value(1.0, Broken(), into=tensor)}
    broken = {"lr": Broken()} if where == "lr" else {"values": value}
    scheduler = Scheduler(optimizer, Clock(T), weight_decay=Cosine(), **broken)
    scheduler.apply(0.3)
    decay = optimizer.param_groups[0]["weight_decay"]
    with pytest.raises(ValueError, match=r"the schedule of (lr|w) gives nan"):
        scheduler.apply(0.6)
    assert optimizer.param_groups[0]["weight_decay"] == decay
    assert tensor.item() == 1.0


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda o: Scheduler(o, Clock(T), speed=Cosine()), ValueError, "no field 'speed'"),
        (lambda o: Scheduler(o, Clock(T), lr=0.1), TypeError, "lr needs a schedule, not 0.1"),
        (lambda o: Scheduler(o, Clock(T), lr={"neck": Cosine()}), ValueError, "no parameter group"),
        (lambda o: Scheduler(o, Clock(T), lr=LinearWarmup("3ep")), ValueError, "updates_per_epoch"),
        (lambda o: Scheduler([], Clock(T), lr=Cosine()), TypeError, "list is not an optimizer"),
        (lambda o: Scheduler(o, Clock(T), values={"w": Value(math.nan, Cosine())}), ValueError,
         "must be finite"),
        (lambda o: Scheduler(o, Clock(T), values={"w": Value(1.0, 3)}), TypeError,
         "needs a schedule"),
        (lambda o: Scheduler(o, Clock(T), values={"w": Value(1, Cosine(), into=(o, "x"))}),
         ValueError, "no attribute 'x'"),
        (lambda o: Scheduler(o, Clock(T), lr=Cosine(), values={"lr": Value(1.0, Cosine())}),
         ValueError, "as a field and as a value"),
    ],
)  # fmt: skip
def test_what_cannot_be_scheduled_is_said_and_nothing_is_touched(make, error, says):
    optimizer = adamw()
    before = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    with pytest.raises(error, match=says):
        make(optimizer)
    after = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    assert after == before


def training(total=T, base=0.1, **schedules):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=base)
    clock = Clock(total)
    schedules = schedules or {"lr": Cosine(end=0.1), "weight_decay": LinearWarmup("7ba")}
    return model, optimizer, clock, Scheduler(optimizer, clock, **schedules)


def advance(model, optimizer, clock, scheduler, updates):
    out = []
    for _ in range(updates):
        scheduler.apply()
        generator = torch.Generator().manual_seed(clock.updates)
        x = torch.randn(8, 3, generator=generator)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()
        out.append((loss.item(), *scheduler.get_last_lr()))
    return out


@pytest.mark.parametrize("order", ["scheduler first", "optimizer first"])
def test_a_run_resumes_to_the_bit_from_a_file_in_any_order(order):
    whole = advance(*training(), T)
    for cut in range(T + 1):
        first = training()
        head = advance(*first, cut)
        file = io.BytesIO()
        torch.save([part.state_dict() for part in (first[0], first[1], first[3])], file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        second = training()
        second[0].load_state_dict(saved[0])
        loads = [(second[1], saved[1]), (second[3], saved[2])]
        for part, state in loads if order == "optimizer first" else reversed(loads):
            part.load_state_dict(state)
        assert second[2].updates == cut
        assert head + advance(*second, T - cut) == whole


def test_loading_a_state_applies_it_at_once():
    first = training()
    advance(*first, 13)
    second = training()
    second[3].load_state_dict(first[3].state_dict())
    second[3].apply()
    assert rates(second[1]) == [0.1 * Cosine(end=0.1).factor(13 / T)]
    assert second[3].last_epoch == 13


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"total": 30}, "clock.total was '20ba', is '30ba'"),
        ({"base": 0.2}, r"groups.0.lr was 0.1, is 0.2"),
        ({"schedules": {"lr": Cosine(end=0.2)}}, r"fields.lr.\*.end was 0.1, is 0.2"),
        ({"schedules": {"lr": LinearWarmup(0.5)}}, "kind was 'cosine', is 'linear-warmup'"),
        ({"schedules": {"lr": Cosine(end=0.1), "momentum": Cosine()}}, "momentum was not there"),
    ],
)
def test_a_changed_configuration_is_named_and_nothing_is_loaded(changed, says):
    first = training(lr=Cosine(end=0.1))
    advance(*first, 3)
    schedules = changed.get("schedules", {"lr": Cosine(end=0.1)})
    second = training(changed.get("total", T), changed.get("base", 0.1), **schedules)
    before = rates(second[1])
    with pytest.raises(StateMismatch, match=says):
        second[3].load_state_dict(first[3].state_dict())
    assert second[2].updates == 0
    assert rates(second[1]) == before


def test_the_face_of_a_scheduler_of_torch():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(optimizer, clock, lr=Cosine())
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2)
    for k in range(1, 4):
        optimizer.step()
        scheduler.step()
        assert scheduler.get_last_lr() == rates(optimizer)
        assert rates(optimizer)[0] == pytest.approx(0.1 * cosine(k / T), rel=1e-14)
        assert scheduler.last_epoch == k
    assert scheduler.base_lrs == [0.1, pytest.approx(0.01)]


def test_it_steps_like_lambda_lr():
    theirs, ours = adamw(), adamw()
    lambda_lr = torch.optim.lr_scheduler.LambdaLR(theirs, lambda k: Cosine().factor(k / T))
    scheduler = Scheduler(ours, Clock(T), lr=Cosine())
    for _ in range(T):
        assert rates(theirs) == rates(ours)
        theirs.step()
        ours.step()
        lambda_lr.step()
        scheduler.step()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, T), min_size=1, max_size=10))
def test_values_depend_on_progress_alone(visits):
    optimizer, fresh = adamw(), adamw()
    scheduler = Scheduler(optimizer, Clock(T), lr=Cosine(), weight_decay=LinearWarmup(0.3))
    for k in visits:
        scheduler.apply(k / T)
    Scheduler(fresh, Clock(T), lr=Cosine(), weight_decay=LinearWarmup(0.3)).apply(visits[-1] / T)
    assert rates(optimizer) == rates(fresh)
    for a, b in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        assert a["weight_decay"] == b["weight_decay"]


def test_what_is_logged_and_planned():
    optimizer, clock = adamw(), Clock(T)
    scheduler = Scheduler(
        optimizer, clock, lr=Cosine(), values={"clip_weight": Value(0.05, Cosine())}
    )
    scheduler.apply(0.5)
    logged = scheduler.logged()
    assert logged == pytest.approx(
        {"lr": 0.05, "lr/head": 0.05, "lr/backbone": 0.005, "clip_weight": 0.025}, rel=1e-14
    )
    header = scheduler.header()
    assert header["total_steps"] == T
    assert header["lr"] == {
        "kind": "cosine", "end": 0.0, "base": 0.1,
        "ratios": {"head": 1.0, "backbone": pytest.approx(0.1)},
    }  # fmt: skip
    assert header["clip_weight"] == {"kind": "cosine", "end": 0.0, "base": 0.05}


def test_a_state_that_one_of_several_refuses_changes_none():
    def made():
        manager = AdaptiveLRManager(0.1, threshold=1e9, window=3)
        return Scheduler(adamw(), Clock(T), lr=Cosine(), adaptive=manager)

    first, second = made(), made()
    for _ in range(5):
        first.step()
        first.adaptive.update(1.0)
    state = first.state_dict()
    state["adaptive"]["version"] = 99
    before = second.state_dict()
    with pytest.raises(StateMismatch, match="AdaptiveLRManager has version 99"):
        second.load_state_dict(state)
    assert second.state_dict() == before


def test_a_clock_that_nobody_ticks_is_told_once():
    scheduler = Scheduler(adamw(), Clock(10, accumulation=2), lr=Cosine())
    for _ in range(1999):
        scheduler.apply()
    with pytest.warns(RuntimeWarning, match=r"stands at update 0 .*clock\.tick\(\) after each"):
        scheduler.apply()
    for _ in range(5000):
        scheduler.apply()


def test_a_clock_that_goes_is_not_warned_of():
    scheduler = Scheduler(adamw(), Clock(10, accumulation=700), lr=Cosine())
    for _ in range(3000):
        scheduler.apply()
        scheduler.apply(0.5)
        scheduler.clock.tick()
