"""A training of ignite is recorded as one that is written by hand."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ignite")

from ignite.engine import Engine, Events, create_supervised_trainer  # noqa: E402

from tests.torch.frameworks import plain  # noqa: E402
from trainlens_torch.adapters.ignite import attach  # noqa: E402
from trainlens_torch.guard import UpdateGuard  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402


class Training:
    def __init__(self, path, accumulation=1, spoil=lambda engine: 1.0, **options):
        self.model, self.accumulation = plain.net(), accumulation
        self.own = plain.optimizer(self.model)
        self.rates = plain.rates(self.own)
        self.trainer = create_supervised_trainer(
            self.model, self.own, lambda y, target: (y - target).square().mean() * self.factor,
            gradient_accumulation_steps=accumulation,
            output_transform=lambda x, y, y_pred, loss: loss.detach(),
        )  # fmt: skip
        self.factor, self.spoil = 1.0, spoil
        evaluator = Engine(lambda engine, batch: None)
        evaluator.add_event_handler(Events.COMPLETED, self.measured)
        self.steps = attach(
            self.trainer, path, self.model, self.own, evaluator=evaluator,
            accumulation=accumulation, **options,
        )  # fmt: skip
        self.trainer.add_event_handler(Events.ITERATION_STARTED, self.spoiled)
        every = Events.ITERATION_COMPLETED(every=accumulation)
        self.trainer.add_event_handler(every, lambda: self.rates.step())
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))

    def measured(self, engine):
        engine.state.metrics["loss"] = plain.validated(self.model)

    def spoiled(self, engine):
        self.factor = self.spoil(engine)

    def go(self, epochs=2):
        rows = torch.utils.data.TensorDataset(
            *plain.rows(plain.EPOCH * plain.BATCH * self.accumulation)
        )
        self.trainer.run(torch.utils.data.DataLoader(rows, plain.BATCH), max_epochs=epochs)
        return self


def train_records(path):
    return [one for one in plain.records(path) if one.get("split") != "val"]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_log_is_that_of_the_plain_loop(tmp_path, monkeypatch, accumulation):
    # Ignite's own trainer does not clip; nor does the plain loop at a limit that is not reached.
    monkeypatch.setattr(plain, "CLIP", 1e9)
    model = plain.plain(tmp_path / "plain", accumulation)
    training = Training(tmp_path / "a", accumulation).go()
    assert plain.same_weights(training.model, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    train = train_records(tmp_path / "a")
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert all({"batch_time", "data_time"} <= one["stats"].keys() for one in train)
    assert plain.is_healthy(tmp_path / "a")


def test_a_resumed_training_continues_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "CLIP", 1e9)
    plain.plain(tmp_path / "plain")
    first, again = Training(tmp_path / "a").go(1), Training(tmp_path / "a")
    for name in ("model", "own", "rates", "trainer"):
        getattr(again, name).load_state_dict(getattr(first, name).state_dict())
    again.go(2)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")


def test_an_error_is_the_last_record(tmp_path):
    def run_out(engine):
        if engine.state.iteration == 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return 1.0

    with pytest.raises(torch.OutOfMemoryError):
        Training(tmp_path / "a", spoil=run_out).go()
    *before, last = plain.records(tmp_path / "a")
    assert [one["step"] for one in before] == [0, 1, 2]
    assert (last["step"], last["losses"]) == (3, {})
    assert [one["type"] for one in last["anomalies"]] == ["out_of_memory"]


def test_guard_and_health(tmp_path):
    training = Training(
        tmp_path / "a", spoil=lambda engine: float("nan") if engine.state.iteration == 4 else 1.0,
        guard=UpdateGuard, health=partial(HealthCheck, every=2),
    ).go()  # fmt: skip
    train = [one["stats"] for one in train_records(tmp_path / "a")]
    assert [one["skipped_updates"] for one in train] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert [one.get("params_with_grad") for one in train] == [4, None] * 4
    assert all(bool(weights.isfinite().all()) for weights in training.model.parameters())
