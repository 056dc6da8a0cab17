"""Presets and modes: what each is to bring, alone and together."""

from itertools import permutations

import pytest

from trainlens.errors import UsageError
from trainlens_torch.config import PRESETS, TrainingConfig


def test_performance_prefetches_accumulates_and_measures():
    base = TrainingConfig()
    config = base.enable_performance_mode()
    assert config.data.prefetch >= 3 > base.data.prefetch
    assert config.batch.accumulation > base.batch.accumulation
    assert config.logging.data_time
    assert config.logging.system_every > 0


def test_safety_checks_recovers_and_adapts():
    config = TrainingConfig().changed({"schedule.kind": "constant", "schedule.warmup": 0})
    config = config.enable_safety_mode()
    assert config.health.enabled
    assert (config.memory.on_oom, config.memory.adaptive_batch) == ("split", True)
    assert config.guard.skip_nonfinite
    assert (config.schedule.kind, config.schedule.warmup) == ("cosine", 0.05)


def test_memory_takes_less_for_the_same_update():
    base = TrainingConfig().changed({"data.sequence_length": 256, "data.cache_mib": 100})
    config = base.enable_memory_efficient_mode()
    assert config.batch.size == base.batch.size // 2
    assert config.batch.size * config.batch.accumulation == base.batch.size
    assert config.data.sequence_length == 128
    assert config.data.prefetch < base.data.prefetch
    assert config.data.cache_mib == 0
    assert config.memory.cleanup_every > 0


def test_memory_leaves_an_odd_batch():
    config = TrainingConfig().changed({"batch.size": 3}).enable_memory_efficient_mode()
    assert (config.batch.size, config.batch.accumulation) == (3, 1)


def test_debug_shows_what_is_bad():
    config = TrainingConfig.preset("safety").enable_debug_mode()
    assert config.debug.detect_anomaly
    assert config.debug.batches > 0
    assert not config.guard.skip_nonfinite
    assert (config.logging.every, config.logging.gradients) == (1, "layers")


def test_a_declared_update_is_kept_by_every_preset():
    base = TrainingConfig().changed({"batch.size": 16, "batch.effective": 16})
    for name in PRESETS:
        config = base.changed(PRESETS[name].change(base))
        assert config.batch.size * config.batch.accumulation == 16


@pytest.mark.parametrize("names", list(permutations(PRESETS, 2)), ids="-".join)
def test_presets_can_be_combined(names):
    first, second = names
    config = TrainingConfig.preset(*names)
    alone = TrainingConfig.preset(first)
    for path, value in PRESETS[second].change(alone).items():
        assert config[path] == value


def test_modes_are_presets():
    base = TrainingConfig()
    assert base.enable_performance_mode() == TrainingConfig.preset("performance")
    assert base.enable_safety_mode() == TrainingConfig.preset("safety")
    assert base.enable_memory_efficient_mode() == TrainingConfig.preset("memory")
    assert base.enable_debug_mode() == TrainingConfig.preset("debug")


def test_an_unknown_preset():
    with pytest.raises(UsageError, match="there is no preset 'large'; did you mean 'large_model'"):
        TrainingConfig.preset("large")
