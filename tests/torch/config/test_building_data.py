"""What a configuration makes of data and memory, and of the model and its losses."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.config.made import a_model, config_of  # noqa: E402 - after the skip
from trainlens.errors import UsageError  # noqa: E402 - after the skip
from trainlens_torch.config import TrainingConfig  # noqa: E402 - after the skip


def test_first_values_follow_the_seed():
    config = config_of(model__init="xavier", data__seed=3)
    models = [a_model(), a_model()]
    for one in models:
        config.initialize(one)
    assert torch.equal(models[0]["head"].weight, models[1]["head"].weight)
    before = models[0]["head"].weight.clone()
    assert TrainingConfig().initialize(models[0]) is None
    assert torch.equal(models[0]["head"].weight, before)
    scaled = config.changed({"model.branches": ["head"], "model.branch_scale": 0.0})
    scaled.initialize(models[0])
    assert not models[0]["head"].weight.any()


def test_random_numbers_follow_the_seed():
    config_of(data__seed=3).seed_all()
    first = torch.rand(2)
    config_of(data__seed=3).seed_all()
    assert torch.equal(first, torch.rand(2))
    config_of(data__seed=4).seed_all()
    assert not torch.equal(first, torch.rand(2))


def test_layers_for_a_model():
    config = config_of(model__activation="gelu", model__norm="layernorm")
    assert isinstance(config.activation_layer(), nn.GELU)
    assert config.norm_layer(7).normalized_shape == (7,)
    assert isinstance(TrainingConfig().norm_layer(7), nn.Identity)


def test_precision():
    with config_of(precision__compute="bf16").autocast("cpu"):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16
    with TrainingConfig().autocast("cpu"):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
    assert config_of(precision__compute="fp16").scaler("cpu").is_enabled()
    assert not TrainingConfig().scaler("cpu").is_enabled()
    half = nn.Linear(2, 2).bfloat16()
    assert TrainingConfig().cast(half).weight.dtype == torch.bfloat16
    assert config_of(precision__master="float32").cast(half).weight.dtype == torch.float32


def test_tf32_is_set_for_the_process():
    before = torch.get_float32_matmul_precision()
    try:
        with config_of(precision__compute="tf32").autocast("cpu"):
            assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


def test_classes_are_weighted_by_their_counts():
    config = config_of(
        loss__class_weights="inverse", loss__largest_weight=10, loss__label_smoothing=0.1
    )
    assert config.class_weights([50, 10, 1, 0]).tolist() == [1, 5, 10, 10]
    loss = config.cross_entropy([50, 10])
    assert loss.weight.tolist() == [1, 5]
    assert loss.label_smoothing == pytest.approx(0.1)
    assert TrainingConfig().cross_entropy([50, 10]).weight is None
    with pytest.raises(UsageError, match=r"loss.class_weights needs the counts"):
        config.cross_entropy()
    for bad in ([], [0, 0], [-1, 2], [math.nan]):
        with pytest.raises(UsageError, match="counts of classes"):
            config.class_weights(bad)


def test_losses_of_the_seeds():
    assert config_of(clip_loss__weight=0.25).clip_consistency().weight == 0.25
    config = config_of(clip_loss__warmup_end_progress=10, clip_loss__ramp_duration_progress=10)
    config.clip_consistency(config.clock(100))
    with pytest.raises(ValueError, match="clock"):
        config.clip_consistency()
    assert config_of(alpha_diversity__temperature=2.0).gate_diversity().temperature == 2.0
    with pytest.raises(UsageError, match=r"loss.channel_weights is empty"):
        TrainingConfig().channel_loss()


def epochs(loader, count=2):
    return [[x for batch in loader for x in batch.tolist()] for _ in range(count)]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_batches_follow_the_seed(prefetch):
    values = {"batch__size": 4, "data__workers": int(prefetch > 0), "data__prefetch": prefetch}
    first = epochs(config_of(**values).train_loader(range(10)))
    again = epochs(config_of(**values).train_loader(range(10)))
    other = epochs(config_of(**values, data__seed=1).train_loader(range(10)))
    assert first == again != other
    assert sorted(first[0]) == list(range(10))
    assert first[0] != first[1]


def test_the_order_stays_where_it_is_not_to_change():
    values = {"batch__size": 4, "data__workers": 0, "data__prefetch": 0}
    loader = config_of(**values, data__reshuffle=False).train_loader(range(10))
    one, two = epochs(loader)
    assert one == two != list(range(10))
    assert len(loader) == 3


def test_stratified_batches():
    values = {"batch__size": 4, "data__workers": 0, "data__prefetch": 0}
    config = config_of(**values, data__sampler="stratified")
    labels = [0] * 8 + [1] * 8
    for batch in config.train_loader(range(16), labels):
        assert sum(labels[i] for i in batch.tolist()) == 2
    with pytest.raises(UsageError, match="needs the class of each sample"):
        config.train_loader(range(16))


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(range(5))


def test_a_stream_has_no_classes():
    values = {"batch__size": 2, "data__workers": 0, "data__prefetch": 0}
    assert epochs(config_of(**values).train_loader(Stream()), 1) == [[0, 1, 2, 3, 4]]
    with pytest.raises(UsageError, match="no stream"):
        config_of(**values, data__sampler="stratified").train_loader(Stream(), [0] * 5)


def test_a_batch_that_may_be_cut_is_a_whole_update():
    values = {"data__workers": 0, "data__prefetch": 0, "batch__size": 2, "batch__accumulation": 3}
    for way, samples in (("raise", 2), ("split", 6)):
        loader = config_of(**values, memory__on_oom=way).train_loader(range(12))
        assert len(next(iter(loader))) == samples


def test_validation_is_the_same_in_every_run():
    config = config_of(validation__samples=6, batch__size=4, data__workers=0, data__prefetch=0)
    one, two = epochs(config.validation_loader(range(100)))
    assert one == two
    assert len(one) == 6
    assert one != epochs(config.changed({"validation.seed": 1}).validation_loader(range(100)), 1)[0]
    many = config.changed({"validation.samples": 500})
    assert len(epochs(many.validation_loader(range(9)), 1)[0]) == 9


def test_validation_without_a_seed_draws_other_samples_at_every_pass():
    config = config_of(
        validation__samples=6, validation__seed="none", batch__size=4,
        data__workers=0, data__prefetch=0,
    )  # fmt: skip
    assert config.validation.seed is None
    assert config.header()["val_seed"] is None
    torch.manual_seed(0)
    passes = epochs(config.validation_loader(range(100)), 5)
    assert len({tuple(sorted(one)) for one in passes}) == 5
    assert all(len(one) == len(set(one)) == 6 for one in passes)
    assert sorted(epochs(config.validation_loader(range(5)), 1)[0]) == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match=r"validation\.seed none needs a data set with a length"):
        config.validation_loader(Stream())


def test_batches_of_some_steps_are_left_out_once():
    config = config_of(data__skip_steps=(2, 3), batch__accumulation=2)
    loader = config.without_skipped(range(8))
    assert [list(loader), list(loader)] == [[0, 1, 2, 3], list(range(8))]
    clock = config.clock(100)
    clock.updates = 2  # where a run that goes back begins
    assert list(config.without_skipped(range(8), clock)) == [4, 5, 6, 7]
    clock.updates = 3  # behind the gap
    assert list(config.without_skipped(range(8), clock)) == list(range(8))
    assert config_of().without_skipped(loader) is loader
    split = config.changed({"memory.on_oom": "split"})
    assert list(split.without_skipped(range(6))) == [0, 1, 4, 5]


def test_inputs_are_cut_and_normalised():
    config = config_of(data__sequence_length=3, data__normalize=True)
    batch = {"ids": torch.zeros(2, 5), "label": torch.zeros(2), "more": (torch.zeros(2, 2, 2),)}
    cut = config.shorten(batch)
    assert cut["ids"].shape == (2, 3)
    assert cut["label"].shape == (2,)
    assert cut["more"][0].shape == (2, 2, 2)
    assert TrainingConfig().shorten(batch) is batch
    images = 5 + 3 * torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    layer = config.standardize(images)
    out = layer(images)
    assert torch.allclose(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(out.std((0, 2, 3)), torch.ones(3), atol=1e-3)
    assert set(layer.state_dict()) == {"mean", "std"}
    assert isinstance(TrainingConfig().standardize(images), nn.Identity)
    for bad in (torch.tensor([[math.nan]]), torch.zeros(3), torch.zeros(2, 2, dtype=torch.int64)):
        with pytest.raises(UsageError, match=r"data.normalize"):
            config.standardize(bad)


def test_memory_is_cleaned_up_on_time():
    config = config_of(memory__cleanup_every=5)
    assert [step for step in range(11) if config.clean_up(step) is not None] == [5, 10]
    assert TrainingConfig().clean_up(100) is None
    batch = config_of(memory__on_oom="split", memory__adaptive_batch=True, memory__ceiling=64)
    assert (batch.adaptive_batch().size, batch.adaptive_batch().ceiling) == (32, 64)
    assert TrainingConfig().adaptive_batch() is None


def test_a_sampler_of_ones_own_gives_way_to_another_setting():
    values = {"batch__size": 4, "data__workers": 0, "data__prefetch": 0}
    own = [[3, 1], [2, 0]]
    config = config_of(**values, data__sampler="own")
    assert epochs(config.train_loader(range(4), batch_sampler=own), 1) == [[3, 1, 2, 0]]
    loader = config_of(**values).train_loader(range(4), batch_sampler=own)
    assert [len(batch) for batch in loader] == [4]
    with pytest.raises(UsageError, match=r"data.sampler own needs the sampler"):
        config.train_loader(range(4))


def test_normalisation_over_the_batch():
    assert config_of(model__norm="batchnorm").norm_layer(7).num_features == 7
