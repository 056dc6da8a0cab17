"""A training of Lightning is recorded as one that is written by hand."""

import signal
import subprocess
import sys
from functools import partial

import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")

from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402
from lightning.pytorch.plugins.precision import MixedPrecision  # noqa: E402

from tests.torch.frameworks import plain  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.adapters.lightning import TrainlensCallback  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.guard import Diverged, UpdateGuard  # noqa: E402
from trainlens_torch.health import HealthCheck  # noqa: E402
from trainlens_torch.record.logger import RunLogger  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.system import SystemMonitor  # noqa: E402

# What Lightning itself warns about, on this version of torch and of these small trainings.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"
    ),
    pytest.mark.filterwarnings("ignore:The '(train|val)_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
]


@pytest.fixture
def _signals():
    """Lightning leaves the signal of Ctrl-C ignored behind an interruption."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class Module(lightning.LightningModule):
    def __init__(self, bad_at=None, error=None, scheduler=plain.rates):
        super().__init__()
        self.net, self.bad_at, self.error, self.make = plain.net(), bad_at, error, scheduler

    def training_step(self, batch, index):
        loss = plain.loss_of(self.net, *batch)
        if self.global_step == self.bad_at:
            if self.error is not None:
                raise self.error
            loss = loss * float("nan")
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", plain.loss_of(self.net, *batch))

    def configure_optimizers(self):
        own = plain.optimizer(self.net)
        return [own], [{"scheduler": self.make(own), "interval": "step"}]


def trained(module, folder, callback, *, accumulation=1, path=None, callbacks=(), **more):
    rows = torch.utils.data.TensorDataset(*plain.rows(plain.EPOCH * plain.BATCH * accumulation))
    whole = torch.utils.data.TensorDataset(*plain.rows())
    given = {"max_epochs": 2, "gradient_clip_val": plain.CLIP, **more}
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, logger=False, default_root_dir=folder,
        accumulate_grad_batches=accumulation, callbacks=[callback, *callbacks],
        enable_checkpointing=bool(callbacks), enable_progress_bar=False,
        enable_model_summary=False, **given,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(rows, plain.BATCH)
    trainer.fit(module, loader, torch.utils.data.DataLoader(whole, len(whole)), ckpt_path=path)
    return trainer


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_log_is_that_of_the_plain_loop(tmp_path, accumulation):
    model = plain.plain(tmp_path / "plain", accumulation)
    module = Module()
    trained(module, tmp_path, TrainlensCallback(tmp_path / "a"), accumulation=accumulation)
    assert plain.same_weights(module.net, model)
    assert plain.kept(tmp_path / "a") == plain.kept(tmp_path / "plain")
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]
    assert [one["progress"] for one in train] == [k / plain.UPDATES for k in range(plain.UPDATES)]
    assert all({"batch_time", "data_time"} <= one["stats"].keys() for one in train)
    assert plain.is_healthy(tmp_path / "a")


def test_a_logger_of_ones_own_stays_open(tmp_path):
    with RunLogger(tmp_path / "a") as log:
        trained(Module(), tmp_path, TrainlensCallback(log))
        log.log(100, {"after": 1.0})
    assert [one["step"] for one in plain.records(tmp_path / "a")][-2:] == [8, 100]


class Chosen(Module):
    """Takes its batches itself: within an epoch Lightning begins its loader anew."""

    def training_step(self, batch, index):
        over = self.trainer.accumulate_grad_batches
        given = list(plain.batches(2, over))
        return super().training_step(given[self.global_step * over + index % over], index)


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("at", [3, 4])
def test_a_resumed_training_continues_its_log(tmp_path, at, accumulation):
    plain.plain(tmp_path / "plain", accumulation)
    saves = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=at, save_top_k=-1)
    more = {"accumulation": accumulation}
    first = TrainlensCallback(tmp_path / "a")
    trained(Chosen(), tmp_path, first, max_steps=at, callbacks=[saves], **more)
    again = TrainlensCallback(tmp_path / "a")
    trained(Chosen(), tmp_path, again, path=tmp_path / f"step={at}.ckpt", **more)
    ours, expected = (
        [one for one in plain.kept(tmp_path / name) if one["split"] == "train"]
        for name in ("a", "plain")
    )
    assert ours == expected
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["epoch"] for one in train] == [k / plain.EPOCH for k in range(plain.UPDATES)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (ValueError("shapes do not fit"), "exception"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.usefixtures("_signals")
def test_an_error_is_the_last_record(tmp_path, error, kind, watched):
    system = SystemMonitor(readers=[]) if watched else None
    callback = TrainlensCallback(tmp_path / "a", system=system)
    raised = SystemExit if kind == "interrupted" else type(error)
    with pytest.raises(raised):
        trained(Module(3, error), tmp_path, callback)
    if system is not None:
        system.close()
    *before, last = plain.records(tmp_path / "a")
    assert [one["step"] for one in before] == [0, 1, 2]
    assert (last["step"], last["losses"]) == (3, {})
    (said,) = last["anomalies"]
    assert said["type"] == kind
    assert (last["stats"].get("num_ooms") == 1.0) is (kind == "out_of_memory")
    assert callback.steps.log is None


def test_an_error_before_the_first_batch_is_recorded(tmp_path):
    class Never(Module):
        def validation_step(self, batch, index):
            raise ValueError("no such label")

    with pytest.raises(ValueError, match="no such label"):
        trained(Never(), tmp_path, TrainlensCallback(tmp_path / "a"))
    (last,) = plain.records(tmp_path / "a")
    assert last["anomalies"][0]["message"] == "ValueError: no such label"


def test_a_fast_dev_run_leaves_nothing(tmp_path):
    trained(Module(), tmp_path, TrainlensCallback(tmp_path / "a"), fast_dev_run=True)
    assert not (tmp_path / "a").exists()


def test_a_guard_skips_the_update_that_is_bad(tmp_path):
    with_guard = TrainlensCallback(tmp_path / "a", guard=UpdateGuard)
    module = Module(bad_at=3)
    trained(module, tmp_path, with_guard, gradient_clip_val=None)
    skipped = [one["stats"].get("skipped_updates") for one in plain.records(tmp_path / "a")]
    train = [count for count in skipped if count is not None]
    assert train == [0, 0, 0, 1, 1, 1, 1, 1]
    assert all(bool(weights.isfinite().all()) for weights in module.parameters())


def test_a_guard_is_shown_the_loss(tmp_path):
    class Infinite(Module):
        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            return loss + float("inf") if self.global_step == 3 else loss  # finite gradients

    callback = TrainlensCallback(tmp_path / "a", guard=UpdateGuard)
    trained(Infinite(), tmp_path, callback)
    assert callback.steps.guard.report()["for_loss"] == 1


def test_a_guard_that_gives_up_says_so(tmp_path):
    class Lost(Module):
        def training_step(self, batch, index):
            return super().training_step(batch, index) * float("nan")

    callback = TrainlensCallback(tmp_path / "a", guard=partial(UpdateGuard, stop_after=2))
    with pytest.raises(Diverged):
        trained(Lost(), tmp_path, callback, gradient_clip_val=None)
    assert [one["type"] for one in plain.said(tmp_path / "a")] == ["diverged"]


def test_what_a_guard_has_learnt_is_in_the_checkpoint(tmp_path):
    make = partial(UpdateGuard, z=6.0, warmup=2)
    saves = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=4, save_top_k=-1)
    first = TrainlensCallback(tmp_path / "a", guard=make)
    trained(Module(bad_at=2), tmp_path, first, max_steps=4, callbacks=[saves])
    again = TrainlensCallback(tmp_path / "a", guard=make)
    trained(Module(), tmp_path, again, path=tmp_path / "step=4.ckpt")
    assert again.steps.guard.report()["calls"] == plain.UPDATES
    assert again.steps.guard.report()["first_bad"] == 2


def test_the_health_check_sees_the_gradients_of_its_step(tmp_path):
    callback = TrainlensCallback(tmp_path / "a", health=partial(HealthCheck, every=2))
    module, other = Module(), Module()
    trained(module, tmp_path, callback)
    trained(other, tmp_path, TrainlensCallback(tmp_path / "b"))
    assert plain.same_weights(module, other)
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    looked = [one["stats"].get("params_with_grad") for one in train]
    assert looked == [4, None] * 4
    layers = [one["stats"] for one in train][::2]
    for stats in layers:
        assert stats["unchanged_parameters"] == 0
        of_layers = [stats[f"grad_norm/net.{i}.weight"] for i in (0, 2)]
        assert max(of_layers) <= stats["grad_norm"] * (1 + 1e-6)
        assert stats["update_ratio/net.0.weight"] > 0


def test_parts_are_applied_before_the_forward_pass(tmp_path, follower):
    part, seen = follower(), []

    class Seeing(Module):
        def training_step(self, batch, index):
            seen.append(part.at)
            return super().training_step(batch, index)

    trained(Seeing(), tmp_path, TrainlensCallback(tmp_path / "a", parts=[part]), accumulation=2)
    assert seen == [k / plain.UPDATES for k in range(plain.UPDATES) for _ in range(2)]


def test_a_scheduler_of_ours_leaves_its_plan(tmp_path):
    def made(own):
        return Scheduler(own, Clock(plain.UPDATES), lr=Cosine(end=0.1))

    trained(Module(scheduler=made), tmp_path, TrainlensCallback(tmp_path / "a"))
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["stats"]["lr/1"] for one in train] == [
        0.02 * Cosine(end=0.1).factor(k / plain.UPDATES) for k in range(plain.UPDATES)
    ]
    assert plain.is_healthy(tmp_path / "a")


def test_numbers_that_the_module_logs_and_returns(tmp_path):
    class Telling(Module):
        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            self.log("train_part", 10.0 * self.global_step, on_step=True, on_epoch=True)
            return {"loss": loss, "half": loss.detach() / 2, "name": "a"}

        def validation_step(self, batch, index):
            self.log_dict({"val_loss": 2.0, "val/accuracy": 0.5})

    callback = TrainlensCallback(tmp_path / "a")
    trained(Telling(), tmp_path, callback, log_every_n_steps=2)
    records = plain.records(tmp_path / "a")
    train = [one for one in records if one.get("split") != "val"]
    assert all(one["losses"]["half"] == one["losses"]["loss"] / 2 for one in train)
    assert [one["stats"].get("train_part") for one in train] == [
        10.0 * k if k % 2 else None for k in range(plain.UPDATES)
    ]
    val = [one for one in records if one.get("split") == "val"]
    assert [(one["step"], one["losses"], one["stats"]) for one in val] == [
        (step, {"loss": 2.0}, {"accuracy": 0.5}) for step in (4, 8)
    ]


class Manual(Module):
    """Two optimizers, each with an update a batch."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        for own in self.optimizers():
            own.zero_grad()
            loss = plain.loss_of(self.net, *batch)
            self.manual_backward(loss)
            own.step()
        return loss

    def configure_optimizers(self):
        return [torch.optim.SGD(self.net[i].parameters(), lr=0.1) for i in (0, 2)]


def test_manual_optimization_with_two_optimizers(tmp_path):
    trained(Manual(), tmp_path, TrainlensCallback(tmp_path / "a"), gradient_clip_val=None)
    train = [one for one in plain.records(tmp_path / "a") if one.get("split") != "val"]
    assert [one["step"] for one in train] == list(range(0, 2 * plain.UPDATES, 2))
    names = {f"{name}/optimizer-{i}" for name in ("lr", "grad_norm") for i in (0, 1)}
    assert all(names <= one["stats"].keys() and "loss" in one["losses"] for one in train)
    guarded = TrainlensCallback(tmp_path / "b", guard=UpdateGuard)
    with pytest.raises(UsageError, match="this training has 2"):
        trained(Manual(), tmp_path, guarded, gradient_clip_val=None)


def test_norms_are_those_of_unscaled_gradients(tmp_path):
    """As near as half precision is to the plain loop; scaled, they were 1024 times as large."""
    plain.plain(tmp_path / "plain")
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    plugins = {
        "bf16": MixedPrecision("bf16-mixed", "cpu"),
        "16": MixedPrecision("16-mixed", "cpu", scaler),
    }
    expected = [one["grad_norm"] for one in plain.kept(tmp_path / "plain") if "grad_norm" in one]
    for name, plugin in plugins.items():
        callback = TrainlensCallback(tmp_path / name)
        trained(Module(), tmp_path, callback, plugins=[plugin])
        kept = [one["grad_norm"] for one in plain.kept(tmp_path / name) if "grad_norm" in one]
        assert kept == pytest.approx(expected, rel=0.1)


def test_norms_of_gradients_that_the_optimizer_itself_unscales(tmp_path):
    class Fused(Module):
        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=0.01, fused=True)

    norms = {}
    for name, scale in {"one": 1.0, "many": 1024.0}.items():
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        plugin = MixedPrecision("16-mixed", "cpu", scaler)
        callback = TrainlensCallback(tmp_path / name)
        trained(Fused(), tmp_path, callback, plugins=[plugin], gradient_clip_val=None)
        kept = plain.kept(tmp_path / name)
        norms[name] = [one["grad_norm"] for one in kept if "grad_norm" in one]
    assert norms["many"] == pytest.approx(norms["one"], rel=0.05)


def test_each_rank_writes_its_file(tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "tests.torch.frameworks.lightning_ranks"]
    subprocess.run([*command, str(tmp_path)], check=True, timeout=240)
    ours = [plain.kept(tmp_path / "a", f"log{rank}.jsonl") for rank in ("", ".rank1")]
    for kept in ours:
        assert [one["step"] for one in kept] == list(range(plain.UPDATES // 2))
    # The gradients are the mean over ranks, the losses are each rank's own.
    zero, one = ours
    assert [a["grad_norm"] for a in zero] == [b["grad_norm"] for b in one]
    assert [a["losses"] for a in zero] != [b["losses"] for b in one]
    assert (tmp_path / "a" / "log.ranks.json").exists()
    assert [p.name for p in (tmp_path / "b").glob("*.jsonl")] == ["log.jsonl"]
