"""The training that every adapter has to record as a loop written by hand does."""

import json

import torch

import trainlens
from trainlens.rules.base import Status
from trainlens_torch.record.logger import RunLogger

UPDATES, BATCH, EPOCH = 8, 4, 4
CLIP = 0.05
KEPT = ("step", "split", "losses", "lr", "lr/0", "lr/1", "grad_norm")


def rows(count=EPOCH * BATCH):
    """Inputs and targets."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(count, 3, generator=rng)
    return x, x.sum(1, keepdim=True) + 0.1 * torch.randn(count, 1, generator=rng)


def batches(epochs, accumulation=1):
    """Those of an epoch again and again, in the order of a loader that does not shuffle."""
    x, y = rows(EPOCH * BATCH * accumulation)
    for _ in range(epochs):
        yield from zip(x.split(BATCH), y.split(BATCH), strict=True)


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def optimizer(model):
    """Two groups, so that learning rates have names."""
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters()}]
    return torch.optim.AdamW(groups, lr=0.02)


def rates(own):
    return torch.optim.lr_scheduler.LinearLR(own, 1.0, 0.5, total_iters=UPDATES)


def loss_of(model, x, y):
    return (model(x) - y).square().mean()


def validated(model):
    with torch.no_grad():
        return loss_of(model, *rows())


def plain(path, accumulation=1):
    """The loop written by hand; its weights."""
    model = net()
    own = optimizer(model)
    schedule = rates(own)
    given = batches(2, accumulation)
    with RunLogger(path) as log:
        for step in range(UPDATES):
            losses = []
            for _ in range(accumulation):
                loss = loss_of(model, *next(given))
                (loss / accumulation).backward()
                losses.append(loss.detach())
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            now = {f"lr/{i}": group["lr"] for i, group in enumerate(own.param_groups)}
            own.step()
            own.zero_grad()
            schedule.step()
            log.log(step, {"loss": sum(losses) / accumulation}, {**now, "grad_norm": norm})
            if (step + 1) % EPOCH == 0:
                log.log(step + 1, {"loss": validated(model)}, split="val")
    return model


def records(path, name="log.jsonl"):
    """Records of a log, in order; a line that is torn raises."""
    data = (path / name).read_text()
    assert data.endswith("\n")
    found = [json.loads(line) for line in data.splitlines()]
    return [record for record in found if "losses" in record]


def kept(path, name="log.jsonl"):
    """What has to be the same in every log, to the bit."""
    out = []
    for record in records(path, name):
        both = {**record["stats"], **record, "split": record.get("split", "train")}
        out.append({name: both[name] for name in KEPT if name in both})
    return out


def same_weights(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def is_healthy(path):
    """Whether trainlens has nothing to say of a log, neither of the training nor of the file."""
    run = trainlens.load_one(path)
    found = trainlens.diagnose(run).results
    return [f.rule for f in found if f.status is Status.FAIL] == [] and not run.notices


def said(path):
    """Anomalies of the last record."""
    return records(path)[-1]["anomalies"]
