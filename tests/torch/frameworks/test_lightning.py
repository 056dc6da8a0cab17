"""Inside Lightning: the scheduler steps, resumes and is read like one of torch."""

import math

import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")

from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint  # noqa: E402
from lightning.pytorch.loggers.logger import DummyLogger  # noqa: E402

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.dropout import ProgressiveDropout  # noqa: E402
from trainlens_torch.freeze import ProgressiveFreezing  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.chain import Chain  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.schedules.linear import Linear  # noqa: E402
from trainlens_torch.schedules.linear_warmup import LinearWarmup  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

# What Lightning itself warns about, on this version of torch and of these small trainings.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"
    ),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]

T = 8
WARMUP = Chain(LinearWarmup("2ba", start=0.1), Cosine(end=0.01))


def planned(k):
    """The learning rate of update k, written again."""
    p = min(max(k - 2, 0) / (T - 2), 1.0)
    return 0.1 * (0.1 + 0.9 * k / 2 if k < 2 else 0.01 + 0.99 * (1 + math.cos(math.pi * p)) / 2)


class Tiny(lightning.LightningModule):
    def __init__(self, batch, part, lr=WARMUP, interval="step", total=T):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 1)
        self.batch, self.part = batch, part
        self.lr, self.interval, self.total = lr, interval, total
        self.seen = []

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.1, weight_decay=0.5)
        fields = {"lr": self.lr, "weight_decay": Linear(1.0, 0.5)}
        scheduler = Scheduler(optimizer, Clock(self.total), parts=[self.part], **fields)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.interval},
        }

    def training_step(self, given, index):
        (group,) = self.trainer.optimizers[0].param_groups
        self.seen.append((self.global_step, group["lr"], group["weight_decay"], self.part.at))
        # Another batch at each micro-batch, whatever the loader gives.
        x, y = self.batch(100 * self.global_step + index % 100)
        return (self.layer(x) - y).square().mean()


def trained(model, folder, *, path=None, callbacks=(), logger=False, batches=64, **more):
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, default_root_dir=folder, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=bool(callbacks), logger=logger,
        callbacks=list(callbacks), log_every_n_steps=1, **({"max_steps": T} | more),
    )  # fmt: skip
    trainer.fit(model, torch.utils.data.DataLoader(range(batches)), ckpt_path=path)
    return trainer


@pytest.mark.parametrize("accumulation", [1, 3])
def test_each_batch_trains_at_its_planned_values(tmp_path, batch, follower, accumulation):
    model = Tiny(batch, follower())
    trained(model, tmp_path, accumulate_grad_batches=accumulation)
    assert [row[0] for row in model.seen] == [k for k in range(T) for _ in range(accumulation)]
    for k, lr, decay, at in model.seen:
        assert lr == pytest.approx(planned(k), rel=1e-12)
        assert decay == pytest.approx(0.5 * (1 - 0.5 * k / T), rel=1e-12)
        assert at == k / T


def test_a_scheduler_of_epochs_counts_epochs(tmp_path, batch, follower):
    model = Tiny(batch, follower(), lr=Linear(1.0, 0.0), interval="epoch", total=4)
    trained(model, tmp_path, batches=3, max_steps=-1, max_epochs=4)
    assert [row[1] for row in model.seen] == pytest.approx(
        [0.1 * (1 - epoch / 4) for epoch in range(4) for _ in range(3)], rel=1e-12
    )


def test_the_last_update_of_an_epoch_may_be_of_fewer_batches(tmp_path, batch, follower):
    model = Tiny(batch, follower())
    trainer = trained(
        model, tmp_path, batches=4, accumulate_grad_batches=3, max_steps=-1, max_epochs=2
    )
    assert [row[0] for row in model.seen] == [0, 0, 0, 1, 2, 2, 2, 3]
    assert [row[1] for row in model.seen] == pytest.approx([planned(r[0]) for r in model.seen])
    assert trainer.lr_scheduler_configs[0].scheduler.clock.updates == 4


class Kept(DummyLogger):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step=None, **_):
        self.rows.append((step, metrics))


def test_the_monitor_of_learning_rates_reads_it(tmp_path, batch, follower):
    logger = Kept()
    monitor = LearningRateMonitor("step", log_weight_decay=True)
    trained(Tiny(batch, follower()), tmp_path, callbacks=[monitor], logger=logger)
    rows = [row for _, row in logger.rows if "lr-AdamW" in row]
    assert [row["lr-AdamW"] for row in rows] == pytest.approx([planned(k) for k in range(T)])
    assert rows[-1]["lr-AdamW-weight_decay"] == pytest.approx(0.5 * (1 - 0.5 * (T - 1) / T))


@pytest.mark.parametrize("accumulation", [1, 2])
def test_resuming_at_any_update_is_not_to_have_stopped(tmp_path, batch, follower, accumulation):
    whole = Tiny(batch, follower())
    every = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    more = {"accumulate_grad_batches": accumulation}
    trained(whole, tmp_path, callbacks=[every], **more)
    for k in (1, 2, 5, T - 1):
        model = Tiny(batch, follower())
        trained(model, tmp_path, path=tmp_path / f"step={k}.ckpt", **more)
        assert model.seen == whole.seen[k * accumulation :]
        for name, weights in whole.state_dict().items():
            assert torch.equal(model.state_dict()[name], weights)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"total": 2 * T}, "clock.total was '8ba', is '16ba'"), ({"lr": Cosine()}, "fields.lr")],
)
def test_another_configuration_is_refused(tmp_path, batch, follower, change, named):
    saved = trained(Tiny(batch, follower()), tmp_path, max_steps=3)
    saved.save_checkpoint(tmp_path / "three.ckpt")
    model = Tiny(batch, follower(), **change)
    with pytest.raises(StateMismatch, match=named):
        trained(model, tmp_path, path=tmp_path / "three.ckpt")
    assert model.seen == []


class Deep(lightning.LightningModule):
    """A backbone that is frozen for half of the training, and dropout that begins later."""

    def __init__(self, batch):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        self.dropout = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(4, 1)
        self.batch, self.seen = batch, []

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.1)
        clock = Clock(T)
        parts = [
            ProgressiveFreezing(self, {"backbone": 0.5}, optimizer=optimizer).resolve(clock),
            ProgressiveDropout(self.dropout, 0.25, start_step=2, ramp_steps=4, total=clock),
        ]
        scheduler = Scheduler(optimizer, clock, lr=WARMUP, parts=parts)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def training_step(self, given, index):
        frozen = {name: w.clone() for name, w in self.backbone.state_dict().items()}
        self.seen.append((self.global_step, self.dropout.p, frozen))
        x, y = self.batch(100 * self.global_step + index % 100)
        torch.manual_seed(self.global_step)  # a checkpoint of Lightning does not hold the seed
        return (self.head(self.dropout(self.backbone(x))) - y).square().mean()


# The normalisation layers of what is frozen.
@pytest.mark.filterwarnings("ignore:Found . module.s. in eval mode at the start of training")
def test_freezing_and_dropout_follow_and_resume(tmp_path, batch):
    whole = Deep(batch)
    every = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trained(whole, tmp_path, callbacks=[every], accumulate_grad_batches=2)
    first = whole.seen[0][2]
    for k, rate, backbone in whole.seen:
        assert rate == pytest.approx(0.25 * min(max(k - 2, 0) / 4, 1), abs=1e-15)
        if k != T // 2:  # the first update to move it
            same = [torch.equal(backbone[name], first[name]) for name in first]
            assert all(same) if k < T // 2 else not any(same)
    for k in (1, T // 2, T - 1):
        again = Deep(batch)
        trained(again, tmp_path, path=tmp_path / f"step={k}.ckpt", accumulate_grad_batches=2)
        for name, weights in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], weights)
