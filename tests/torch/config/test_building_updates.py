"""What a configuration makes for an update: optimizer, schedule, guard, health, debug lines."""

import math
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.config.made import a_model, config_of, with_gradients  # noqa: E402 - after the skip
from trainlens.errors import UsageError  # noqa: E402 - after the skip
from trainlens_torch import AdaptiveClip, UpdateGuard  # noqa: E402 - after the skip
from trainlens_torch.config import TrainingConfig  # noqa: E402 - after the skip
from trainlens_torch.config.build.guarding import PlainStep  # noqa: E402 - after the skip


def test_the_optimizer_has_what_was_asked_for():
    config = config_of(
        optimizer__lr=0.1, optimizer__weight_decay=0.5, optimizer__beta2=0.95, optimizer__eps=1e-6,
        groups__ratios={"head": 2.0}, groups__rest=0.5,
    )  # fmt: skip
    optimizer = config.optimizer_for(a_model())
    assert isinstance(optimizer, torch.optim.AdamW)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates == {
        "head": 0.2, "head/no-decay": 0.2, "rest": 0.05, "rest/no-decay": 0.05,
    }  # fmt: skip
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.95)
    assert optimizer.param_groups[0]["eps"] == 1e-6
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"optimizer__beta2": 0.9}, "optimizer.beta2: sgd has none"),
        ({"optimizer__eps": 1e-9}, "optimizer.eps: sgd has none"),
    ],
)
def test_an_option_that_the_optimizer_lacks(values, said):
    with pytest.raises(UsageError, match=said):
        config_of(optimizer__name="sgd", **values).optimizer_for(a_model())
    momentum = config_of(optimizer__name="sgd", optimizer__momentum=0.9).optimizer_for(a_model())
    assert momentum.param_groups[0]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("kind", "at_half", "at_end"),
    [
        ("constant", 1.0, 1.0),
        ("linear", 0.55, 0.1),
        ("cosine", 0.55, 0.1),
        ("cosine-restarts", 0.55, 0.1),
        ("polynomial", 0.55, 0.1),
        ("exponential", math.sqrt(0.1), 0.1),
        ("step", 0.1, 0.01),
        ("warmup-stable-decay", 1.0, 0.1),
    ],
)
def test_every_kind_of_schedule(kind, at_half, at_end):
    config = config_of(schedule__kind=kind, schedule__floor=0.1, schedule__warmup=0)
    schedule = config.lr_schedule(config.clock(100))
    assert schedule(0.5) == pytest.approx(at_half)
    assert schedule(1.0) == pytest.approx(at_end)


@pytest.mark.parametrize("kind", ["inverse-sqrt", "one-cycle", "warmup-stable-decay", "cosine"])
def test_every_kind_warms_up(kind):
    config = config_of(schedule__kind=kind, schedule__warmup=20, schedule__total=100)
    schedule = config.lr_schedule(config.clock()).resolved(config.clock().share)
    assert schedule(0.0) == pytest.approx(0.0)
    assert schedule(0.2) == pytest.approx(1.0)
    assert schedule(0.1) == pytest.approx(0.5)


def test_a_schedule_warms_up_again_where_the_data_change():
    config = config_of(
        schedule__kind="constant", schedule__warmup=0, schedule__total=100,
        schedule__rewarm_steps=10, schedule__rewarm_at=(50,),
    )  # fmt: skip
    schedule = config.lr_schedule(config.clock())
    assert [schedule(p) for p in (0.0, 0.49, 0.5, 0.55, 0.6, 1.0)] == pytest.approx(
        [1, 1, 0, 0.5, 1, 1]
    )


def test_a_clock_needs_a_length():
    with pytest.raises(UsageError, match=r"schedule.total is not set"):
        TrainingConfig().clock()
    config = config_of(schedule__total="2ep", batch__accumulation=4)
    assert config.clock(updates_per_epoch=5).total_updates == 10
    assert config.clock("2ep", updates_per_epoch=5).accumulation == 4
    with pytest.raises(UsageError, match=r"schedule.total is 2ep, and .* was to be 30"):
        config.clock(30)


def test_dropout_and_freezing_follow_the_scheduler():
    config = config_of(
        schedule__total=100, dropout__target=0.2, dropout__start=50, freezing__stages={"head": 0.3},
    )  # fmt: skip
    model = a_model()
    clock = config.clock()
    optimizer = config.optimizer_for(model)
    scheduler = config.scheduler(optimizer, clock, model)
    seen = []
    for updates in (0, 40, 60):
        clock.updates = updates
        scheduler.apply()
        seen.append((model["encoder"][1].p, model["head"].weight.requires_grad))
    assert seen == [(0.0, False), (0.0, True), (0.2, True)]
    with pytest.raises(UsageError, match=r"dropout.target needs the model"):
        config.scheduler(optimizer, clock)
    with pytest.raises(UsageError, match=r"dropout.target: Linear holds no dropout"):
        config_of(dropout__target=0.1).scheduler(
            torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1), clock, nn.Linear(1, 1)
        )


def test_the_adaptive_manager_is_in_the_scheduler():
    config = config_of(adaptive_lr__mode="seed", adaptive_lr__window=3, adaptive_lr__boost=2.0)
    model = a_model()
    clock = config.clock(10)
    scheduler = config.scheduler(config.optimizer_for(model), clock)
    for _ in range(3):
        scheduler.adaptive.update(4.25)
    assert scheduler.adaptive.factor == 2.0
    assert TrainingConfig().adaptive_manager() is None


def test_the_guard_clips_and_skips():
    config = config_of(clipping__norm=0.5)
    weight = nn.Parameter(torch.zeros(2))
    guard = config.guard_for(torch.optim.SGD([weight], 1.0))
    assert isinstance(guard, UpdateGuard)
    weight.grad = torch.tensor([3.0, 4.0])
    guard.step()
    assert torch.allclose(weight, torch.tensor([-0.3, -0.4]))
    weight.grad = torch.tensor([math.nan, 0.0])
    assert bool(guard.step())
    assert bool(weight.isfinite().all())


def test_without_a_guard_it_clips_and_steps():
    config = config_of(guard__skip_nonfinite=False, clipping__norm=0.5, guard__box=3)
    model = nn.Linear(2, 1, bias=False)
    guard = config.guard_for(torch.optim.SGD(model.parameters(), 1.0), config.clock(9), model)
    assert isinstance(guard, PlainStep)
    model.weight.data.zero_()
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert not bool(guard.step())
    assert torch.allclose(model.weight, torch.tensor([[-0.3, -0.4]]))
    assert guard.stats()["grad_norm"] == 5.0
    model.weight.grad = torch.tensor([[math.nan, 0.0]])
    with guard.sheltered():
        guard.step()
    assert bool(model.weight.isnan().any())
    assert guard.box.report()["first_bad"]["tensor"] == "weight"
    guard.load_state_dict(guard.state_dict())


def test_a_learned_limit_leaves_the_fixed_one_to_it():
    config = config_of(clipping__z=3.0, clipping__norm=2.0)
    clip = config.adaptive_clip()
    assert isinstance(clip, AdaptiveClip)
    assert clip.max_norm == 2.0
    assert config.guard_for(torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)).clip_norm is None
    assert TrainingConfig().adaptive_clip() is None


def test_a_black_box_needs_the_model():
    config = config_of(guard__box=3)
    with pytest.raises(UsageError, match=r"guard.box needs the model"):
        config.guard_for(torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0))


def test_out_of_memory_is_the_matter_of_the_guard_or_of_recovery():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    ways = {w: config_of(memory__on_oom=w) for w in ("raise", "skip", "split")}
    assert [c.guard_for(optimizer).out_of_memory for c in ways.values()] == [
        "raise", "skip", "raise",
    ]  # fmt: skip
    model = nn.Linear(2, 1)
    made = {
        way: config.recovery(
            model, lambda rows: model(rows).square().mean(), config.optimizer_for(model)
        )
        for way, config in ways.items()
    }
    assert [way for way, one in made.items() if one is not None] == ["split"]
    split = config_of(memory__on_oom="split", batch__size=2).recovery(
        model, lambda rows: model(rows).square().mean(), optimizer_of(model)
    )
    assert split.update(torch.ones(5, 2)).pieces == 3


def optimizer_of(model):
    return TrainingConfig().optimizer_for(model)


def test_the_health_check_has_the_limits():
    config = config_of(health__every=5, health__gradient=7.0)
    check = config.health_check(a_model())
    assert (check.every, check.limits.gradient) == (5, 7.0)
    assert config_of(health__enabled=False).health_check(a_model()) is None


def test_debugging():
    with config_of(debug__detect_anomaly=True).debugging():
        assert torch.is_anomaly_enabled()
    with TrainingConfig().debugging():
        assert not torch.is_anomaly_enabled()
    config, lines = config_of(debug__batches=1, debug__max_updates=3), []
    model = a_model()
    with_gradients(model)
    assert config.debug_batch([0, 1], step=0, echo=lines.append)["classes"] == {0: 1, 1: 1}
    assert config.debug_gradients(model, 0, echo=lines.append)["params_with_grad"] > 0
    assert config.debug_batch([0], step=1) is config.debug_gradients(model, 1) is None
    clock = config.clock(2)
    done = []
    for _ in range(3):
        done.append(config.finished(clock))
        clock.tick()
    assert done == [False, False, True]
    assert config.finished(SimpleNamespace(progress=0.1, updates=3))
