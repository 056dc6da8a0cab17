"""What a configuration makes around a run: evaluations, logs, checkpoints, the end."""

import json

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.config.made import a_model, config_of, with_gradients  # noqa: E402 - after the skip
from trainlens.errors import UsageError  # noqa: E402 - after the skip
from trainlens_torch.config import TrainingConfig  # noqa: E402 - after the skip


def test_the_plan_of_evaluations():
    config = config_of(
        validation__every_steps=10, validation__samples=5, batch__size=2,
        validation__on_train_batch=True, validation__metric="f1",
    )  # fmt: skip
    plan = config.evaluation()
    assert [step for step in range(31) if plan.due(step)] == [10, 20, 30]
    assert [(name, list(held)) for name, held in plan.splits(range(9), range(3))] == [
        ("val", [0, 1, 2]), ("train_batch", [0]),
    ]  # fmt: skip
    assert plan.metric == "f1"
    assert not TrainingConfig().evaluation().due(10)
    assert [name for name, _ in TrainingConfig().evaluation().splits([])] == ["val"]


def test_what_is_recorded(tmp_path):
    config = config_of(logging__every=5, logging__gradient_norm=True, logging__gradients="layers")
    assert [step for step in range(11) if config.log_due(step)] == [0, 5, 10]
    model = a_model()
    assert config.gradient_stats(model)["params_with_grad"] == 0
    with_gradients(model)
    stats = config.gradient_stats(model)
    layers = [value for name, value in stats.items() if name.startswith("grad_norm/")]
    assert len(layers) == stats["params_with_grad"] == 6
    assert torch.allclose(torch.stack(layers).norm(), stats["grad_norm"])
    assert TrainingConfig().gradient_stats(model) == {}
    with config_of(logging__sinks=["csv"], logging__anomalies="off").logger(tmp_path / "r"):
        pass
    assert not (tmp_path / "r" / "log.jsonl").exists()
    with config_of(logging__sinks=["csv"]).logger(
        tmp_path / "s", sinks=["jsonl"], sync=True
    ) as log:
        assert log.sync
    assert (tmp_path / "s" / "log.jsonl").exists()


def test_the_plan_stands_at_the_head_of_the_log(tmp_path):
    config = config_of(schedule__total=100)
    scheduler = config.scheduler(config.optimizer_for(a_model()), config.clock())
    with config.logger(tmp_path / "r", scheduler, config={"data": "b"}) as log:
        log.log(0, {"loss": 1.0})
    head = json.loads((tmp_path / "r" / "log.jsonl").read_text().splitlines()[0])
    assert head["schedules"] == scheduler.header()
    assert head["config"]["data"] == "b"
    assert head["config"]["batch_size"] == 32


def test_the_machine_is_read_where_it_is_wanted(tmp_path):
    assert config_of(logging__system_every=0).system_monitor(tmp_path) is None
    config = config_of(logging__data_time=True)
    with config.system_monitor(tmp_path, readers=[dict]) as monitor:
        told = []
        for _ in config.timed([1, 2], monitor):
            monitor.step()
            told.append(monitor.stats().get("data_time"))
        assert len(told) == 2
        assert all(value is not None and value > 0 for value in told)
        assert list(TrainingConfig().timed([1], monitor)) == [1]


def test_from_which_checkpoint():
    steps = [300, 100, 200]
    assert TrainingConfig().resume_step(steps) == 300
    assert TrainingConfig().resume_step([]) is None
    assert config_of(resume__before_step=300).resume_step(steps) == 200
    assert config_of(resume__step=100).resume_step(steps) == 100
    with pytest.raises(UsageError, match=r"resume.step 150: there is no such checkpoint"):
        config_of(resume__step=150).resume_step(steps)
    with pytest.raises(
        UsageError, match=r"is older; there are those of steps 100.*before_step=none"
    ):
        config_of(resume__before_step=100).resume_step(steps)


def test_what_is_restored():
    parts = dict.fromkeys(("model", "optimizer", "scheduler", "clock", "sampler"), 1)

    def kept(**values):
        return set(config_of(**values).restored(parts))

    assert kept() == set(parts)
    assert kept(resume__full_state=False) == {"model", "scheduler", "clock"}
    assert kept(resume__full_state=False, resume__scheduler=False) == {"model"}
    assert kept(resume__scheduler=False) == {"model", "optimizer", "sampler"}


def test_a_training_is_given_up():
    config = config_of(
        early_stopping__patience=2, early_stopping__mode="max", early_stopping__monitor="val/f1"
    )
    assert config.watched({"val/loss": 1.0, "val/f1": 0.5}) == 0.5
    with pytest.raises(UsageError, match=r"early_stopping.monitor 'val/f1' is not among val/loss"):
        config.watched({"val/loss": 1.0})
    stopping = config.early_stop(noise=None)
    assert [stopping.update(value) for value in (0.5, 0.4, 0.4)] == [False, False, True]
    assert TrainingConfig().early_stop() is None


def test_a_training_goes_on_from_where_it_is_wanted(tmp_path):
    config = config_of(schedule__total=10, checkpoints__every=2, checkpoints__keep=3)
    assert [step for step in range(5) if config.checkpoint_due(step)] == [2, 4]

    def made(config):
        model = nn.Linear(1, 1, bias=False)
        clock = config.clock()
        parts = {"model": model, "clock": clock}
        return model, clock, config.checkpointer(tmp_path, parts), parts

    model, clock, saver, _ = made(config)
    for step in (2, 4):
        model.weight.data.fill_(step)
        clock.updates = step
        saver.save(step)
    assert saver.path == tmp_path / "checkpoints"

    def after(**values):
        own = config.changed({k.replace("__", "."): v for k, v in values.items()})
        model, clock, saver, parts = made(own)
        model.weight.data.zero_()
        torch.manual_seed(77)
        before = torch.random.get_rng_state()
        found = own.resume_from(saver, parts)
        kept = torch.equal(before, torch.random.get_rng_state())
        assert kept is not own.resume.full_state
        return found.step, model.weight.item(), clock.updates

    assert after() == (4, 4.0, 4)
    assert after(resume__before_step=4) == (2, 2.0, 2)
    assert after(resume__step=2) == (2, 2.0, 2)
    assert after(resume__scheduler=False) == (4, 4.0, 0)
    assert after(resume__full_state=False, resume__step=4) == (4, 4.0, 4)
    with pytest.raises(UsageError, match=r"resume.step 3: there is no such checkpoint"):
        after(resume__step=3)


def test_nothing_to_go_on_from(tmp_path):
    parts = {"model": nn.Linear(1, 1)}
    config = TrainingConfig()
    assert config.resume_from(config.checkpointer(tmp_path, parts), parts) is None
