"""What settings may be, what they are refused for, and how they are told."""

import dataclasses
import json

import pytest
from rich.console import Console

import trainlens
from trainlens.comparison.axis import batch_size
from trainlens.comparison.settings import is_seed, is_validation
from trainlens.errors import UsageError
from trainlens.leaves import leaves
from trainlens.prescribe.signs.look import number_set
from trainlens_torch.config import SECTIONS, SPECS, TrainingConfig
from trainlens_torch.config.table import helped


def refused(values):
    with pytest.raises(UsageError) as caught:
        TrainingConfig().changed(values)
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("path", SPECS)
def test_every_setting_is_explained(path):
    spec, default = SPECS[path]
    assert spec.help
    assert spec.range
    assert not spec.help.endswith(".")
    assert spec.take(default, path) == default


@pytest.mark.parametrize("path", SPECS)
def test_every_setting_refuses_what_is_none(path):
    said = refused({path: object()})
    assert said.startswith(path)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("optimizer.lr", -1, "optimizer.lr must be above 0 and finite, not -1"),
        ("optimizer.lr", float("nan"), "optimizer.lr must be above 0 and finite, not nan"),
        ("optimizer.lr", True, "optimizer.lr must be a number, not True"),
        ("batch.size", 2.5, "batch.size must be an integer, not 2.5"),
        ("batch.size", 0, "batch.size must be 1 or more, not 0"),
        ("dropout.target", 1.5, "dropout.target must be 0 or more and at most 1 and finite"),
        ("health.enabled", "yes", "health.enabled must be true or false, not 'yes'"),
        ("schedule.kind", "cosin", "schedule.kind must be one of constant, linear, cosine"),
        ("schedule.warmup", "3 parsecs", "schedule.warmup: '3 parsecs': unknown unit 'parsecs'"),
        ("loss.channel_weights", [1, "a"], "loss.channel_weights[1] must be a number, not 'a'"),
        ("groups.ratios", {"head": -1}, "groups.ratios.head must be 0 or more and finite, not -1"),
        ("freezing.stages", {"a": [0.1, "x"]}, "freezing.stages.a[1]: 'x' is no place"),
        ("data.skip_steps", [9, 3], "data.skip_steps ends at 3, before it begins at 9"),
        ("data.skip_steps", [1], "data.skip_steps must be a first and a last step, not [1]"),
        ("schedule.cycles", 10_001, "schedule.cycles must be 10000 or less, not 10001"),
        ("optimizer.lrr", 1, "optimizer has no setting 'lrr'; did you mean 'lr'?"),
        ("warmup", 1, "there is no setting 'warmup'; did you mean 'schedule.warmup'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(path, value, said):
    assert refused({path: value}).startswith(said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch.effective": 100}, "batch.effective is 100, but batch.size 32 x batch.accumulat"),
        ({"schedule.total": 100, "schedule.warmup": 500}, "schedule.warmup 500 is longer than"),
        ({"schedule.total": "2ep", "schedule.warmup": "3ep"}, "schedule.warmup 3ep is longer"),
        ({"schedule.total": 0.5}, "schedule.total is a length such as 10000"),
        ({"schedule.kind": "inverse-sqrt", "schedule.warmup": 0}, "schedule.kind inverse-sqrt"),
        ({"schedule.kind": "exponential", "schedule.floor": 0}, "schedule.kind exponential never"),
        ({"schedule.kind": "step", "schedule.at": []}, "schedule.kind step needs places"),
        ({"data.workers": 0}, "data.prefetch 2 needs data.workers of 1 or more"),
        ({"memory.adaptive_batch": True}, "memory.adaptive_batch needs memory.on_oom=split"),
        ({"memory.ceiling": 8}, "memory.ceiling 8 is below batch.size 32"),
        ({"resume.step": 9, "resume.before_step": 9}, "resume.step 9 is not before"),
        ({"adaptive_lr.mode": "seed", "optimizer.lr": 1e-7}, "adaptive_lr.min_lr 1e-06 is not"),
        ({"adaptive_lr.mode": "robust", "adaptive_lr.window": 5}, "adaptive_lr.mode robust needs"),
        ({"adaptive_lr.mode": "seed", "adaptive_lr.factor": 1}, "adaptive_lr.factor must be below"),
        ({"guard.skip_nonfinite": False, "guard.z": 6}, "guard.z skips updates that are not"),
        ({"alpha_diversity.low": 0.9}, "alpha_diversity.low 0.9 is not below"),
        ({"loss.pos_weight": 2}, "loss.pos_weight needs loss.channel_loss=bce, not mse"),
        ({"groups.ratios": {"rest": 1}}, "groups.ratios names 'rest'"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(values, said):
    assert refused(values).startswith(said)


def test_a_warmup_that_only_an_epoch_tells_is_left_to_the_clock():
    config = TrainingConfig().changed({"schedule.total": "3ep", "schedule.warmup": 500})
    with pytest.raises(ValueError, match="updates_per_epoch"):
        config.clock().share(500)


def test_a_configuration_is_immutable():
    config = TrainingConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.optimizer.lr = 1.0
    assert config.changed({"optimizer.lr": 1.0}) != config == TrainingConfig()
    with pytest.raises(UsageError, match="optimizer must be OptimizerSettings"):
        TrainingConfig(optimizer={"lr": 1.0})


def test_overrides_are_read_as_yaml():
    texts = ["optimizer.lr=3e-4", "schedule.warmup=10ep", "clipping.norm=none", "batch.size=8",
             "logging.sinks=[jsonl, text]", "health.enabled=false", "groups.ratios.a.b=0.5",
             "groups.ratios.head=2", "freezing.stages={enc: 0.3}", "batch.size=16"]  # fmt: skip
    config = TrainingConfig().override(texts)
    assert (config.optimizer.lr, config.schedule.warmup, config.clipping.norm) == (
        3e-4, "10ep", None,
    )  # fmt: skip
    assert (config.batch.size, config.logging.sinks) == (16, ("jsonl", "text"))
    assert config.groups.ratios == {"a.b": 0.5, "head": 2.0}
    assert config.freezing.stages == {"enc": 0.3}
    assert config.override(["groups.ratios.head=3"]).groups.ratios == {"a.b": 0.5, "head": 3.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optimizer.lr", "'optimizer.lr' sets nothing; write section.name=value"),
        ("optimizer.lr=[1", "optimizer.lr=[1: cannot be read"),
        ("optimiser.lr=1", "there is no setting 'optimiser.lr'; did you mean 'optimizer.lr'?"),
        ("groups.ratios.head=x", "groups.ratios.head must be a number, not 'x'"),
    ],
)
def test_bad_overrides(text, said):
    with pytest.raises(UsageError) as caught:
        TrainingConfig().override([text])
    assert str(caught.value).startswith(said)


def test_all_is_told():
    config = TrainingConfig().changed({"optimizer.lr": 0.5})
    assert str(config) == "TrainingConfig\noptimizer: lr=0.5"
    table = config.describe().splitlines()
    assert [line.split()[0] for line in table[1:]] == list(SPECS)
    assert [line.split()[:3] for line in table if " * " in line] == [["optimizer.lr", "0.5", "*"]]
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(config)
    console.file.close()
    assert "optimizer.lr" in console.export_text()
    assert all(path in helped(80) for path in SPECS)


def test_sections_are_those_of_the_class():
    assert [field.name for field in dataclasses.fields(TrainingConfig)] == list(SECTIONS)


def test_the_head_of_a_log_is_known_to_trainlens(tmp_path):
    config = TrainingConfig().changed(
        {"batch.size": 8, "batch.accumulation": 4, "data.seed": 7, "schedule.total": 900}
    )
    with config.logger(tmp_path / "run") as log:
        for step in range(30):
            log.log(step, {"loss": 1.0})
    run = trainlens.load_one(tmp_path / "run" / "log.jsonl")
    assert run.config["batch_size"] == 8
    assert run.config["total_steps"] == 900
    assert batch_size(run) == 32
    assert number_set(run, "lr") == ("optimizer.lr", 3e-4)
    assert number_set(run, "weight_decay") == ("optimizer.weight_decay", 0.01)
    assert number_set(run, "max_grad_norm") == ("max_grad_norm", 1.0)
    names = [name for name, _ in leaves(run.config)]
    assert [name for name in names if is_seed(name)] == ["seed"]
    assert {"val_seed", "validation.samples"} <= {name for name in names if is_validation(name)}
    told = {key: value for key, value in run.config.items() if key in config.header()}
    assert TrainingConfig.from_dict(told) == config


def test_the_head_is_plain_json():
    config = TrainingConfig.preset("large_model", "safety").override(["schedule.total=30ep"])
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.header()))) == config
    assert "total_steps" not in config.header()
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_what_has_no_effect_is_told():
    config = TrainingConfig().changed({"early_stopping.mode": "max", "model.branch_scale": 0.5})
    assert config.idle() == {
        "early_stopping.mode": "early_stopping.patience is none",
        "model.branch_scale": "model.branches names no layer",
    }
    assert config.changed({"early_stopping.patience": 3, "model.branches": ["a"]}).idle() == {}
