"""Beside torch's own schedulers: what they write into the optimizer does not stay."""

import pytest

torch = pytest.importorskip("torch")

from torch.optim.lr_scheduler import ConstantLR, ReduceLROnPlateau, SequentialLR  # noqa: E402
from torch.optim.swa_utils import SWALR  # noqa: E402

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402

T = 10


def made():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, Scheduler(optimizer, Clock(T), lr=Cosine(end=0.1))


def test_a_plateau_scheduler_beside_it_has_no_lasting_effect():
    optimizer, scheduler = made()
    plateau = ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    for k in range(T):
        scheduler.apply()
        assert optimizer.param_groups[0]["lr"] == 0.1 * Cosine(end=0.1).factor(k / T)
        optimizer.step()
        plateau.step(1.0)
        scheduler.clock.tick()
    assert plateau.num_bad_epochs == 0  # it has lowered the rate, again and again
    assert optimizer.param_groups[0]["lr"] == 0.5 * scheduler.get_last_lr()[0]
    scheduler.apply()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01, rel=1e-14)


def test_an_averaging_scheduler_beside_it_has_no_lasting_effect():
    optimizer, scheduler = made()
    averaging = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2)
    for k in range(1, T + 1):
        optimizer.step()
        averaging.step()
        assert optimizer.param_groups[0]["lr"] != scheduler.get_last_lr()[0]
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 0.1 * Cosine(end=0.1).factor(k / T)


@pytest.mark.parametrize("first", [True, False])
def test_one_behind_another_of_torch_is_refused(first):
    optimizer, scheduler = made()
    other = ConstantLR(optimizer)
    parts = [scheduler, other] if first else [other, scheduler]
    with pytest.raises(AttributeError, match="with Chain, not with SequentialLR"):
        SequentialLR(optimizer, parts, [3])
    scheduler.apply()
    assert optimizer.param_groups[0]["lr"] == 0.1
