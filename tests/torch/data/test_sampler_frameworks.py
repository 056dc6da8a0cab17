"""The stratified sampler inside Lightning and accelerate."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402 - after the skip
    DataLoader,
    DistributedSampler,
    TensorDataset,
)

from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.data import (  # noqa: E402
    StratifiedBatchSampler,
    check_sampler,
    seeded_loader,
)

LABELS = np.arange(48) % 3


def made(**given):
    sampler = StratifiedBatchSampler(LABELS, 6, **given)
    rows = torch.arange(48)
    return sampler, DataLoader(TensorDataset(rows), batch_sampler=sampler)


def epochs(count):
    sampler, _ = made()
    return [list(sampler) for _ in range(count)]


def test_accelerate_in_one_process():
    accelerate = pytest.importorskip("accelerate")
    sampler, loader = made()
    prepared = accelerate.Accelerator(cpu=True).prepare(loader)
    seen = [[rows.tolist() for (rows,) in prepared] for _ in range(3)]
    assert seen == epochs(3)
    assert sampler.epoch == 2


def test_accelerate_deals_batches_to_processes():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    parts = []
    for process in range(2):
        sampler, _ = made(rank=0, world_size=1)
        parts.append(list(shard(sampler, num_processes=2, process_index=process)))
    whole = epochs(1)[0]
    assert parts == [whole[0::2], whole[1::2]]


def test_a_sampler_that_is_dealt_out_twice_is_found():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    for world, kinds in ((1, []), (2, ["sharded-twice"])):
        sampler, _ = made(rank=0, world_size=world)
        data = TensorDataset(torch.arange(48), torch.tensor(LABELS))
        loader = DataLoader(data, batch_sampler=shard(sampler, num_processes=2))
        found = check_sampler(loader, LABELS)
        assert [remark.kind for remark in found.remarks] == kinds


def test_lightning_cannot_put_a_sampler_of_its_own_in_unnoticed():
    """What it does for several devices unless it is told not to."""
    data = pytest.importorskip("lightning.pytorch.utilities.data")
    own = DistributedSampler(range(48), 2, 0)
    for loader in (made()[1], seeded_loader(range(48), seed=0, batch_size=6)):
        with pytest.raises((UsageError, TypeError), match="use_distributed_sampler=False"):
            data._get_dataloader_init_args_and_kwargs(loader, own)


@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_lightning_tells_the_epoch():
    lightning = pytest.importorskip("lightning.pytorch")
    seen = []

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch, number):
            if number == 0:
                seen.append([])
            seen[-1].append(batch[0].tolist())
            return self.layer(batch[0][:, None].float()).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", enable_model_summary=False, log_every_n_steps=1, **quiet
    )
    trainer.fit(Module(), made()[1])
    assert seen == epochs(3)
