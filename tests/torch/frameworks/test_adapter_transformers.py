"""A training of transformers' Trainer is recorded as one that is written by hand."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from tests.torch.frameworks import plain  # noqa: E402
from trainlens_torch.adapters.transformers import TrainlensCallback  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.guard import UpdateGuard  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402


class Model(torch.nn.Module):
    def __init__(self, bad_at=None, error=None):
        super().__init__()
        self.net, self.bad_at, self.error, self.calls = plain.net(), bad_at, error, 0

    def forward(self, x, labels):
        loss = plain.loss_of(self.net, x, labels)
        if self.training:
            if self.calls == self.bad_at:
                if self.error is not None:
                    raise self.error
                loss = loss * float("nan")
            self.calls += 1
        return {"loss": loss}


class InOrder(transformers.Trainer):
    """Takes the rows in their order, as the plain loop does."""

    def _get_train_sampler(self, *given):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def trained(model, folder, callback, *, accumulation=1, path=None, make=plain.rates, **more):
    def listed(x, y):
        return [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]

    own = plain.optimizer(model.net)
    given = {
        "max_steps": plain.UPDATES, "logging_steps": 1, "max_grad_norm": plain.CLIP,
        "eval_strategy": "steps", "eval_steps": plain.EPOCH, "save_strategy": "no", **more,
    }  # fmt: skip
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=plain.BATCH, report_to=[],
        per_device_eval_batch_size=plain.EPOCH * plain.BATCH, use_cpu=True, disable_tqdm=True,
        gradient_accumulation_steps=accumulation, dataloader_pin_memory=False,
        logging_nan_inf_filter=False, label_names=["labels"], **given,
    )  # fmt: skip
    rows = plain.rows(plain.EPOCH * plain.BATCH * accumulation)
    trainer = InOrder(
        model, arguments, train_dataset=listed(*rows), eval_dataset=listed(*plain.rows()),
        optimizers=(own, make(own)), callbacks=[callback],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=path)


def train_records(path):
    return [one for one in plain.records(path) if one.get("split") != "val"]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_log_is_that_of_the_plain_loop(tmp_path, accumulation):
    module = plain.plain(tmp_path / "plain", accumulation)
    model = Model()
    trained(model, tmp_path, TrainlensCallback(tmp_path / "a"), accumulation=accumulation)
    assert plain.same_weights(model.net, module)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    train = train_records(tmp_path / "a")
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert all({"batch_time", "data_time"} <= one["stats"].keys() for one in train)
    assert plain.is_healthy(tmp_path / "a")


def test_between_two_logs_of_the_trainer_the_rest_is_recorded(tmp_path):
    trained(Model(), tmp_path, TrainlensCallback(tmp_path / "a"), logging_steps=4)
    plain.plain(tmp_path / "plain")
    losses = [one["losses"]["loss"] for one in train_records(tmp_path / "plain")]
    found = train_records(tmp_path / "a")
    assert [one["losses"].get("loss") for one in found] == [
        pytest.approx(sum(losses[k - 3 : k + 1]) / 4) if k % 4 == 3 else None
        for k in range(plain.UPDATES)
    ]
    assert all("lr/1" in one["stats"] for one in found)


def test_norms_are_there_for_each_update_without_clipping(tmp_path):
    callback = TrainlensCallback(tmp_path / "a")
    trained(Model(), tmp_path, callback, max_grad_norm=0.0, logging_steps=100)
    norms = [one["stats"]["grad_norm"] for one in train_records(tmp_path / "a")]
    # The first update is at the weights of the plain loop.
    plain.plain(tmp_path / "plain")
    assert len(norms) == plain.UPDATES
    assert norms[0] == plain.kept(tmp_path / "plain")[0]["grad_norm"]


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("at", [3, 4])
def test_a_resumed_training_continues_its_log(tmp_path, at, accumulation):
    plain.plain(tmp_path / "plain", accumulation)
    more = {"accumulation": accumulation, "eval_strategy": "no"}
    saving = {"save_strategy": "steps", "save_steps": at, "max_steps": at}
    trained(Model(), tmp_path, TrainlensCallback(tmp_path / "a"), **saving, **more)
    again, path = TrainlensCallback(tmp_path / "a"), str(tmp_path / f"checkpoint-{at}")
    trained(Model(), tmp_path / "b", again, path=path, **more)
    expected = [one for one in plain.kept(tmp_path / "plain") if one["split"] == "train"]
    assert plain.kept(tmp_path / "a") == expected


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_an_error_is_the_last_record(tmp_path, error, kind):
    with pytest.raises(type(error)), TrainlensCallback(tmp_path / "a") as callback:
        trained(Model(3, error), tmp_path, callback)
    *before, last = plain.records(tmp_path / "a")
    assert [(one["step"], "loss" in one["losses"]) for one in before] == [
        (k, True) for k in range(3)
    ]
    assert (last["step"], last["losses"]) == (3, {})
    assert [one["type"] for one in last["anomalies"]] == [kind]
    assert callback.steps.log is None


def test_a_guard_skips_the_update_that_is_bad(tmp_path):
    model = Model(bad_at=3)
    with TrainlensCallback(tmp_path / "a", guard=UpdateGuard) as callback:
        trained(model, tmp_path, callback, max_grad_norm=0.0)
    found = [one["stats"]["skipped_updates"] for one in train_records(tmp_path / "a")]
    assert found == [0, 0, 0, 1, 1, 1, 1, 1]
    assert all(bool(weights.isfinite().all()) for weights in model.parameters())


def test_the_health_check_and_the_parts_follow(tmp_path, follower):
    part, seen = follower(), []

    class Seeing(Model):
        def forward(self, x, labels):
            seen.extend([part.at] * self.training)
            return super().forward(x, labels)

    make = partial(HealthCheck, every=2)
    model = Seeing()
    trained(model, tmp_path, TrainlensCallback(tmp_path / "a", health=make, parts=[part]))
    looked = [one["stats"] for one in train_records(tmp_path / "a")]
    assert [one.get("params_with_grad") for one in looked] == [4, None] * 4
    assert all(one["update_ratio/net.0.weight"] > 0 for one in looked[::2])
    assert seen == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert plain.same_weights(model.net, plain.plain(tmp_path / "plain"))


def test_a_scheduler_of_ours_leaves_its_plan(tmp_path):
    def made(own):
        return Scheduler(own, Clock(plain.UPDATES), lr=Cosine(end=0.1))

    trained(Model(), tmp_path, TrainlensCallback(tmp_path / "a"), make=made)
    assert [one["stats"]["lr/1"] for one in train_records(tmp_path / "a")] == [
        0.02 * Cosine(end=0.1).factor(k / plain.UPDATES) for k in range(plain.UPDATES)
    ]
    assert plain.is_healthy(tmp_path / "a")


def test_an_evaluation_is_recorded_without_what_it_cost(tmp_path):
    trained(Model(), tmp_path, TrainlensCallback(tmp_path / "a"))
    val = [one for one in plain.records(tmp_path / "a") if one.get("split") == "val"]
    assert [(one["step"], [*one["losses"]], one["stats"]) for one in val] == [
        (step, ["loss"], {}) for step in (4, 8)
    ]
