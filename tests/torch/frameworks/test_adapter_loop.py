"""A loop through the helper, with accelerate or without it, is recorded as one written by hand."""

import subprocess
import sys
from functools import partial

import pytest

torch = pytest.importorskip("torch")

from tests.torch.frameworks import plain  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.adapters._framework import framework  # noqa: E402
from trainlens_torch.adapters.accelerate import Loop  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.guard import UpdateGuard  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.linear import Linear  # noqa: E402
from trainlens_torch.system import SystemMonitor  # noqa: E402


@pytest.fixture(params=["plain", "accelerate"])
def accelerator(request):
    """Makes an accelerator; None for the plain loop."""
    if request.param == "plain":
        yield lambda accumulation: None
        return
    accelerate = pytest.importorskip("accelerate")
    state = pytest.importorskip("accelerate.state")

    def fresh():
        state.AcceleratorState._reset_state(reset_partial_state=True)
        state.GradientState._reset_state()

    def made(accumulation):
        fresh()
        return accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulation)

    yield made
    fresh()


class Training:
    """The training of the plain loop, up to and from any update."""

    def __init__(self, path, accelerator=None, accumulation=1, scheduled=False, **options):
        self.model = plain.net()
        own = plain.optimizer(self.model)
        self.rates = None if scheduled else plain.rates(own)
        self.scheduler = self.made(own) if scheduled else None
        self.own, self.accelerator, self.accumulation = own, accelerator, accumulation
        if accelerator is not None:
            self.model, self.own = accelerator.prepare(self.model, own)
        else:
            options["accumulation"] = accumulation
        options = {"clip_norm": plain.CLIP, **options}
        known = {} if scheduled else {"updates": plain.UPDATES, "updates_per_epoch": plain.EPOCH}
        self.loop = Loop(
            path, self.model, self.own, accelerator=accelerator, scheduler=self.scheduler,
            **known, **options,
        )  # fmt: skip

    def made(self, own):
        return Scheduler(own, Clock(plain.UPDATES), lr=Linear(1.0, 0.5))

    def micro(self, x, y):
        loss = plain.loss_of(self.model, x, y)
        self.loop.backward(loss)
        return self.loop.step({"loss": loss}, samples=len(x))

    def go(self, until=plain.UPDATES, hook=lambda training: None):
        given = list(plain.batches(2, self.accumulation))[self.loop.updates * self.accumulation :]
        for x, y in self.loop.batches(given):
            hook(self)
            if self.accelerator is None:
                due = self.micro(x, y)
            else:
                with self.accelerator.accumulate(self.model):
                    due = self.micro(x, y)
            if due and self.rates is not None:
                self.rates.step()
            if due and self.loop.updates % plain.EPOCH == 0:
                self.loop.validation({"val_loss": plain.validated(self.model)})
            if self.loop.updates == until:
                return self
        return self


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_log_is_that_of_the_plain_loop(tmp_path, accelerator, accumulation):
    model = plain.plain(tmp_path / "plain", accumulation)
    training = Training(tmp_path / "a", accelerator(accumulation), accumulation)
    with training.loop:
        training.go()
    assert plain.same_weights(training.model, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert all({"batch_time", "data_time"} <= one["stats"].keys() for one in train)
    assert plain.is_healthy(tmp_path / "a")


def test_a_resumed_loop_continues_its_log(tmp_path, accelerator):
    plain.plain(tmp_path / "plain")
    with (first := Training(tmp_path / "a", accelerator(1))).loop:
        first.go(until=3)
    again = Training(tmp_path / "a", accelerator(1))
    for name in ("model", "own", "rates", "loop"):
        getattr(again, name).load_state_dict(getattr(first, name).state_dict())
    with again.loop:
        again.go()
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")


def test_an_error_is_the_last_record(tmp_path, accelerator):
    def run_out(training):
        if training.loop.updates == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    training = Training(tmp_path / "a", accelerator(2), accumulation=2)
    with pytest.raises(torch.OutOfMemoryError), training.loop:
        training.go(hook=run_out)
    *before, last = plain.records(tmp_path / "a")
    assert [one["step"] for one in before] == [0, 1, 2]
    assert (last["step"], last["losses"], last["stats"]["num_ooms"]) == (3, {}, 1.0)
    assert [one["type"] for one in last["anomalies"]] == ["out_of_memory"]
    assert training.loop.steps.log is None
    assert not plain.is_healthy(tmp_path / "a")


def test_guard_health_and_machine(tmp_path, accelerator):
    def spoil(training):
        if training.loop.updates == 3:
            for group in training.own.param_groups:
                for weights in group["params"]:
                    weights.grad = torch.full_like(weights, float("nan"))

    with SystemMonitor(readers=[lambda: {"ram_percent": 50.0}]) as system:
        make = partial(HealthCheck, every=2)
        training = Training(
            tmp_path / "a", accelerator(1), guard=UpdateGuard, health=make, system=system,
            clip_norm=None,
        )  # fmt: skip
        with training.loop:
            training.go(hook=spoil)
    train = [one["stats"] for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["skipped_updates"] for one in train] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert [one.get("params_with_grad") for one in train] == [4, None] * 4
    assert {"batch_time", "data_time"} <= train[1].keys()
    assert any("ram_percent" in one for one in train)
    assert all(bool(weights.isfinite().all()) for weights in training.model.parameters())


def test_a_guard_with_nothing_to_skip_changes_nothing(tmp_path, accelerator):
    model = plain.plain(tmp_path / "plain")
    training = Training(tmp_path / "a", accelerator(1), guard=UpdateGuard)
    with training.loop:
        training.go()
    assert plain.same_weights(training.model, model)
    # The norms before clipping, though the guard has seen those behind it.
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")


def test_the_guard_is_shown_the_loss(tmp_path, accelerator):
    training = Training(tmp_path / "a", accelerator(1), guard=UpdateGuard)
    with training.loop as loop:
        loss = plain.loss_of(training.model, *plain.rows()) + float("inf")  # finite gradients
        loop.backward(loss)
        loop.step({"loss": loss})
    assert loop.steps.guard.report()["for_loss"] == 1


def test_a_validation_is_no_part_of_an_update(tmp_path):
    now = [0.0]
    training = Training(tmp_path / "a", clock=lambda: now[0])

    def takes_time(training):
        now[0] += 1.0

    measured = training.loop.validation

    def long(values):
        now[0] += 100.0
        measured(values)

    training.loop.validation = long
    with training.loop:
        training.go(hook=takes_time)
    train = [one["stats"] for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["batch_time"] for one in train] == [1.0] * plain.UPDATES


def test_a_scheduler_is_applied_and_counts(tmp_path, accelerator):
    training = Training(tmp_path / "a", accelerator(2), accumulation=2, scheduled=True)
    with training.loop:
        training.go()
    train = [one["stats"] for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["lr/1"] for one in train] == [
        0.02 * Linear(1.0, 0.5).factor(k / plain.UPDATES) for k in range(plain.UPDATES)
    ]
    clock = training.scheduler.clock
    assert (clock.updates, clock.samples) == (plain.UPDATES, 2 * plain.UPDATES * plain.BATCH)
    assert plain.is_healthy(tmp_path / "a")


def test_the_step_of_the_optimizer_is_given_back(tmp_path):
    training = Training(tmp_path / "a", guard=UpdateGuard)
    assert "step" in training.own.__dict__
    before = training.own.step
    training.loop.close()
    assert training.own.step is not before
    training.model[0].weight.grad = torch.full_like(training.model[0].weight, float("nan"))
    training.own.step()  # nobody guards it now
    assert not training.model[0].weight.isfinite().any()


def test_only_the_main_process_writes_unless_all_are_asked_to(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    for name, more in {"a": {}, "b": {"every_rank": True}}.items():
        with (training := Training(tmp_path / name, **more)).loop:
            training.go()
    assert not (tmp_path / "a").exists()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["log.rank1.jsonl"]


def test_a_guard_beside_a_scaler_is_refused(tmp_path):
    model = plain.net()
    own = plain.optimizer(model)
    own.scaler = object()
    with pytest.raises(UsageError, match='mixed_precision="bf16"'):
        Loop(tmp_path / "a", model, own, guard=UpdateGuard)
    assert not (tmp_path / "a").exists()


def test_gradients_that_are_still_scaled_are_refused(tmp_path):
    """As a fused optimizer gets them from a gradient scaler."""
    training = Training(tmp_path / "a", guard=UpdateGuard)
    training.own.grad_scale = torch.tensor(2.0)
    with pytest.raises(UsageError, match="fused=False"), training.loop:
        training.go()


def test_a_framework_that_is_missing_is_named():
    with pytest.raises(UsageError, match=r"^an adapter needs no_such_thing: pip install nothing$"):
        framework("an adapter", "nothing", "no_such_thing")


def test_of_two_names_of_a_framework_that_of_the_program_counts(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    assert framework("an adapter", "nothing", "no_such_thing", "wave", "json").__name__ == "json"
    assert framework("an adapter", "nothing", "no_such_thing", "wave").__name__ == "wave"


def test_the_package_imports_none_of_them():
    code = (
        "import sys, trainlens_torch, trainlens_torch.adapters, trainlens_torch.adapters.steps, "
        "trainlens_torch.adapters.accelerate as own; "
        "others = {'lightning', 'transformers', 'accelerate', 'ignite', 'mmengine'}; "
        "sys.exit(bool(others & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
