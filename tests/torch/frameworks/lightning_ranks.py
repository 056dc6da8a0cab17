"""Two ranks of Lightning: ``python -m tests.torch.frameworks.lightning_ranks FOLDER``."""

import sys
from pathlib import Path

import lightning.pytorch as lightning
import torch

from tests.torch.frameworks import plain
from trainlens_torch.adapters.lightning import TrainlensCallback


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = plain.net()

    def training_step(self, batch, index):
        return plain.loss_of(self.net, *batch)

    def configure_optimizers(self):
        return plain.optimizer(self.net)


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*plain.rows()), plain.BATCH)
    callbacks = [
        TrainlensCallback(folder / "a", every_rank=True),
        type("Other", (TrainlensCallback,), {})(folder / "b"),
    ]
    lightning.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_fork", max_epochs=2, logger=False,
        default_root_dir=folder, callbacks=callbacks, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(Module(), loader)  # fmt: skip


if __name__ == "__main__":
    main()
