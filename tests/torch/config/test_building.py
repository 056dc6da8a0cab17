"""Every setting is read by something that a configuration makes."""

import pytest

torch = pytest.importorskip("torch")

from tests.torch.config.made import a_model  # noqa: E402 - after the skip
from trainlens_torch.config import SPECS, TrainingConfig  # noqa: E402 - after the skip
from trainlens_torch.config.setting import Section  # noqa: E402 - after the skip


def builders(config, folder):
    """Every method that makes something, with what it needs."""
    model = a_model()
    optimizer = config.optimizer_for(model)
    clock = config.clock()
    config.scheduler(optimizer, clock, model)
    config.accumulation_for(model, clock)
    config.adaptive_clip()
    config.guard_for(optimizer, clock, model)
    config.health_check(model, optimizer)
    with config.debugging():
        pass
    config.debug_batch([0, 1], step=10**6)
    config.finished(clock)
    config.initialize(model)
    config.seed_all()
    config.activation_layer(), config.norm_layer(4)
    config.cast(model), config.autocast("cpu"), config.scaler("cpu")
    config.cross_entropy([1, 2]), config.channel_loss()
    config.clip_consistency(clock), config.gate_diversity()
    config.evaluation()
    config.train_loader([torch.zeros(1)] * 40, labels=[0, 1] * 20)
    config.validation_loader([torch.zeros(1)] * 40)
    config.recovery(model, lambda batch: batch.sum(), optimizer, clock)
    config.clean_up(1)
    config.without_skipped([], clock), config.shorten(torch.zeros(2, 3))
    config.standardize(torch.rand(3, 2))
    config.early_stop(clock), config.watched({"val/loss": 1.0}), config.checkpoint_due(1)
    config.checkpointer(folder, {"model": model})
    config.resume_step([1, 2, 3]), config.restored({"model": model, "clock": clock, "scaler": 1})
    with config.logger(folder / "run"):
        config.log_due(10)
    with config.system_monitor(folder) as monitor:
        config.timed([], monitor)
    config.gradient_stats(model)


RICH = {
    "schedule.total": 100, "early_stopping.patience": 3,
    "adaptive_lr.mode": "seed", "dropout.target": 0.1, "freezing.stages": {"encoder": 0.1},
    "clipping.z": 3.0, "guard.z": 6.0, "guard.box": 5, "memory.on_oom": "split",
    "memory.adaptive_batch": True, "model.branches": ["head"], "model.branch_scale": 0.5,
    "loss.channel_weights": [1.0], "loss.class_weights": "inverse", "schedule.rewarm_steps": 5,
    "schedule.rewarm_at": [50], "data.skip_steps": [1, 2], "data.sampler": "stratified",
    "resume.before_step": 3, "data.cache_mib": 1, "data.workers": 1, "logging.data_time": True,
}  # fmt: skip
KINDS = ("step", "polynomial", "cosine-restarts", "warmup-stable-decay")


def test_every_setting_is_read_by_something_that_is_made(tmp_path, monkeypatch):
    seen = set()
    plain = object.__getattribute__

    def spied(self, name):
        titles = {f"{type(self).title}.{name}"}
        if name == "__dict__":
            titles = {f"{type(self).title}.{one}" for one in plain(self, name)}
        seen.update(titles)
        return plain(self, name)

    configs = [TrainingConfig().changed({**RICH, "schedule.kind": kind}) for kind in KINDS]
    monkeypatch.setattr(TrainingConfig, "header", lambda self: {})
    monkeypatch.setattr(Section, "__getattribute__", spied)
    for i, config in enumerate(configs):
        builders(config, tmp_path / str(i))
    # batch.effective is a statement about the other two, which is checked and kept by presets.
    assert sorted(SPECS.keys() - seen - {"batch.effective"}) == []
