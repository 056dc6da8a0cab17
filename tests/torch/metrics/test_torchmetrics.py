"""The wrapped metrics keep the contract of torchmetrics, and Lightning logs them."""

import pickle
import sys

import pytest

torch = pytest.importorskip("torch")
torchmetrics = pytest.importorskip("torchmetrics")

from tests.torch.syncs import counted  # noqa: E402 - after the skip
from trainlens.errors import MissingExtra  # noqa: E402
from trainlens_torch.metrics import (  # noqa: E402
    GDT,
    LDDT,
    MPJPE,
    PAMPJPE,
    RMSD,
    ConfidenceCalibration,
    as_torchmetrics,
)


def batch(seed, many=3):
    g = torch.Generator().manual_seed(seed)
    target = 5 * torch.randn(many, 8, 3, generator=g)
    return target + torch.randn(many, 8, 3, generator=g), target


@pytest.mark.parametrize("make", [MPJPE, PAMPJPE, RMSD, LDDT, GDT])
def test_the_same_values_as_alone(make):
    alone, wrapped = make(), as_torchmetrics(make())
    for seed in range(3):
        alone.update(*batch(seed, seed + 1))
        wrapped.update(*batch(seed, seed + 1))
    assert torch.equal(alone.compute(), wrapped.compute())
    assert wrapped.higher_is_better == alone.higher_is_better
    wrapped.reset()
    wrapped.update(*batch(9))
    only = make()
    only.update(*batch(9))
    assert torch.equal(wrapped.compute(), only.compute())


def test_calling_gives_the_value_of_the_batch_and_adds_it():
    wrapped = as_torchmetrics(MPJPE())
    first, second = wrapped(*batch(0)), wrapped(*batch(1, 6))
    torch.testing.assert_close(wrapped.compute(), (3 * first + 6 * second) / 9)


def test_pickle_checkpoint_copy_and_types():
    wrapped = as_torchmetrics(RMSD())
    wrapped.update(*batch(0))
    again = pickle.loads(pickle.dumps(wrapped))
    assert torch.equal(again.compute(), wrapped.compute())
    assert wrapped.state_dict() == {}
    wrapped.persistent(True)
    loaded = as_torchmetrics(RMSD())
    loaded.persistent(True)
    loaded.load_state_dict(wrapped.state_dict())
    loaded.update(*batch(1))
    wrapped.update(*batch(1))
    assert torch.equal(loaded.compute(), wrapped.compute())
    assert torch.equal(wrapped.clone().to("cpu").half().compute(), wrapped.compute())


def test_states_move_between_devices():
    wrapped = as_torchmetrics(MPJPE()).to("meta")
    wrapped.update(*(x.to("meta") for x in batch(0)))
    assert wrapped.compute().device.type == "meta"


def test_a_collection_never_takes_one_for_another():
    """Perfect predictions: after the first batch the values of several are the same."""
    metrics = {"plain": MPJPE(), "root": MPJPE(root=2), "near": LDDT(), "far": LDDT(30.0)}
    collection = torchmetrics.MetricCollection(
        {name: as_torchmetrics(metric) for name, metric in metrics.items()}
    )
    _, target = batch(0)
    collection.update(target, target)
    collection.update(*batch(1))
    for metric in metrics.values():
        metric.update(target, target)
        metric.update(*batch(1))
    found = collection.compute()
    for name, metric in metrics.items():
        assert torch.equal(found[name], metric.compute()), name
    assert len(collection.compute_groups) == 4


def test_masks_and_what_else_a_metric_takes():
    pred, target = batch(3)
    mask = torch.arange(8) < 5
    residue = torch.arange(8) // 2
    wrapped, alone = as_torchmetrics(LDDT()), LDDT()
    wrapped.update(pred, target, mask, residue=residue)
    alone.update(pred, target, mask, residue=residue)
    assert torch.equal(wrapped.compute(), alone.compute())


def test_update_reads_nothing():
    wrapped = as_torchmetrics(PAMPJPE())
    with counted() as syncs:
        wrapped.update(*batch(0))
    assert syncs.count == 0


def test_what_is_no_mean_over_samples_is_refused():
    with pytest.raises(TypeError, match="a metric such as RMSD"):
        as_torchmetrics(ConfidenceCalibration())


def test_without_torchmetrics_the_error_names_the_remedy(monkeypatch):
    monkeypatch.delitem(sys.modules, "trainlens_torch.metrics._torchmetrics", raising=False)
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[torchmetrics\]'"):
        as_torchmetrics(RMSD())


# Lightning's own hints and what it imports.
@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_it_over_an_epoch(tmp_path):
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 3)
            self.error = as_torchmetrics(MPJPE())

        def training_step(self, given, index):
            return self.layer(given[0]).square().mean()

        def validation_step(self, given, index):
            self.error.update(*given)
            self.log("val/mpjpe", self.error, on_epoch=True)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    batches = [batch(0, 1), batch(1, 5)]
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=1, default_root_dir=tmp_path, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(Module(), loader, loader)
    alone = MPJPE()
    for given in batches:
        alone.update(*given)
    assert trainer.callback_metrics["val/mpjpe"].item() == pytest.approx(alone.compute().item())
