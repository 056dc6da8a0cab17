"""Inside the Trainer of transformers: a small model of our own, nothing downloaded."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.schedules.linear import Linear  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

T = 6


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1)
        )

    def forward(self, x, labels):
        return {"loss": (self.layers(x) - labels).square().mean()}


class Seen(transformers.TrainerCallback):
    """Keeps the learning rate of each update, and what is logged."""

    def __init__(self, part):
        self.part, self.rates, self.logged = part, [], []

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **_):
        group = optimizer.param_groups[0]
        self.rates.append((state.global_step, group["lr"], group["weight_decay"], self.part.at))

    def on_log(self, args, state, control, logs=None, **_):
        self.logged.append((state.global_step, logs))


def trained(folder, rows, part, *, path=None, total=T, accumulation=1, saves="no"):
    torch.manual_seed(0)
    model, seen = Tiny(), Seen(part)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    fields = {"lr": Cosine(end=0.1), "weight_decay": Linear(1.0, 0.5)}
    scheduler = Scheduler(optimizer, Clock(total), parts=[part], **fields)
    given = transformers.TrainingArguments(
        output_dir=str(folder), max_steps=T, per_device_train_batch_size=2, logging_steps=1,
        gradient_accumulation_steps=accumulation, save_strategy=saves, save_steps=1, report_to=[],
        use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False, seed=1,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, given, train_dataset=rows, optimizers=(optimizer, scheduler), callbacks=[seen]
    )
    trainer.train(resume_from_checkpoint=path)
    return seen, model.state_dict(), scheduler


@pytest.fixture
def rows(batch):
    return [
        {"x": x, "labels": y}
        for number in range(6)
        for x, y in zip(*batch(number), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("accumulation", [1, 4])
def test_each_update_is_at_its_planned_values(tmp_path, rows, follower, accumulation):
    seen, _, scheduler = trained(tmp_path, rows, follower(), accumulation=accumulation)
    assert seen.rates == [
        (k, 0.1 * Cosine(end=0.1).factor(k / T), 0.5 * Linear(1.0, 0.5).factor(k / T), k / T)
        for k in range(T)
    ]
    assert scheduler.clock.updates == T
    logged = [logs["learning_rate"] for _, logs in seen.logged if "loss" in logs]
    assert logged == [rate for _, rate, _, _ in seen.rates]


@pytest.mark.parametrize("accumulation", [1, 4])
def test_resuming_is_not_to_have_stopped(tmp_path, rows, follower, accumulation):
    seen, weights, _ = trained(tmp_path, rows, follower(), accumulation=accumulation, saves="steps")
    for k in (1, 3, T - 1):
        again, other, _ = trained(
            tmp_path / "again", rows, follower(),
            path=str(tmp_path / f"checkpoint-{k}"), accumulation=accumulation,
        )  # fmt: skip
        assert again.rates == seen.rates[k:]
        for name in weights:
            assert torch.equal(other[name], weights[name])


def test_another_configuration_is_refused(tmp_path, rows, follower):
    trained(tmp_path, rows, follower(), saves="steps")
    with pytest.raises(StateMismatch, match="total was '6ba', is '12ba'"):
        trained(tmp_path, rows, follower(), path=str(tmp_path / "checkpoint-2"), total=2 * T)
