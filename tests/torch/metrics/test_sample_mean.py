"""What all metrics share: means over samples, counts, states, names."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from tests.torch.syncs import counted  # noqa: E402 - after the skip
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.metrics import (  # noqa: E402
    GDT,
    LDDT,
    MPJPE,
    NMPJPE,
    PAMPJPE,
    RMSD,
    SmoothLDDT,
    gdt_ts,
    lddt,
    mpjpe,
    n_mpjpe,
    pa_mpjpe,
    rmsd,
    smooth_lddt,
)
from trainlens_torch.state import StateMismatch  # noqa: E402

ALL = {
    "mpjpe": (MPJPE, mpjpe),
    "root_mpjpe": (lambda: MPJPE(root=1), lambda *a: mpjpe(*a, root=1)),
    "n_mpjpe": (NMPJPE, n_mpjpe),
    "root_n_mpjpe": (lambda: NMPJPE(root=0), lambda *a: n_mpjpe(*a, root=0)),
    "pa_mpjpe": (PAMPJPE, pa_mpjpe),
    "rmsd": (RMSD, rmsd),
    "raw_rmsd": (lambda: RMSD(superpose=False), lambda *a: rmsd(*a, superpose=False)),
    "gdt_ts": (GDT, gdt_ts),
    "lddt": (LDDT, lddt),
    "smooth_lddt": (SmoothLDDT, smooth_lddt),
}
each = pytest.mark.parametrize("name", ALL)


def batch(seed, many=3, n=8):
    g = torch.Generator().manual_seed(seed)
    target = 5 * torch.randn(many, n, 3, generator=g)
    mask = torch.rand(many, n, generator=g) < 0.8
    mask[:, :3] = True
    return target + torch.randn(many, n, 3, generator=g), target, mask


@each
def test_every_sample_weighs_the_same_whatever_the_batches(name):
    make, function = ALL[name]
    metric, values = make(), []
    for seed, many in ((0, 1), (1, 5), (2, 2)):
        given = batch(seed, many)
        metric.update(*given)
        values.append(function(*given))
    expected = torch.cat(values).double().mean()
    torch.testing.assert_close(metric.compute(), expected)
    metric.reset()
    parts = zip(*(batch(s, m) for s, m in ((0, 1), (1, 5), (2, 2))), strict=True)
    metric.update(*(torch.cat(part) for part in parts))
    torch.testing.assert_close(metric.compute(), expected, rtol=1e-5, atol=1e-5)


@each
def test_undefined_samples_are_counted_and_left_out(name):
    make, function = ALL[name]
    pred, target, mask = batch(4)
    mask[1] = False
    metric = make()
    metric.update(pred, target, mask)
    stats = metric.stats()
    assert list(stats) == [name, f"{name}_count", f"{name}_undefined_count"]
    assert [float(v) for v in list(stats.values())[1:]] == [2, 1]
    torch.testing.assert_close(stats[name], function(pred, target, mask).double().nanmean())
    metric.reset()
    assert metric.compute().isnan()
    metric.update(pred, target, torch.zeros_like(mask))
    assert metric.compute().isnan()
    assert metric.stats()[f"{name}_undefined_count"] == 3


@each
def test_nan_that_counts_is_seen_in_the_mean(name):
    pred, target, mask = batch(5)
    pred[2, 1] = float("nan")
    metric = ALL[name][0]()
    metric.update(pred, target, mask)
    assert metric.compute().isnan()
    assert metric.stats()[f"{name}_count"] == 3


@each
def test_update_and_compute_read_nothing_and_keep_no_graph(name):
    pred, target, mask = batch(6)
    metric = ALL[name][0]()
    with counted() as syncs:
        for _ in range(2):
            metric.update(pred.requires_grad_(), target, mask)
        stats = metric.stats()
    assert syncs.count == 0
    assert not any(value.requires_grad for value in stats.values())


@each
def test_states_survive_pickle_copies_and_checkpoints(name):
    make, _ = ALL[name]
    metric = make()
    metric.update(*batch(7))
    half = metric.compute()
    resumed = make()
    resumed.load_state_dict(metric.state_dict())
    buffer = io.BytesIO()
    torch.save(metric.state_dict(), buffer)
    buffer.seek(0)
    saved = make()
    saved.load_state_dict(torch.load(buffer, weights_only=True))
    others = [resumed, saved, pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)]
    metric.update(*batch(8))
    for other in others:
        assert torch.equal(other.compute(), half)
        other.update(*batch(8))
        assert torch.equal(other.compute(), metric.compute())
    empty = make()
    empty.load_state_dict(make().state_dict())
    assert empty.compute().isnan()


def test_a_state_of_another_metric_is_refused():
    with pytest.raises(StateMismatch, match="root"):
        MPJPE(root=0).load_state_dict(MPJPE().state_dict())
    with pytest.raises(StateMismatch, match="belongs to a RMSD"):
        MPJPE().load_state_dict(RMSD().state_dict())


@each
def test_names_have_the_roles_that_trainlens_reads(name):
    metric = ALL[name][0]()
    role = role_of(name)
    assert role.name == "metric"
    assert role.direction == ("max" if metric.higher_is_better else "min")
    assert {role_of(k).name for k in metric.stats() if k != name} == {"other"}


def test_the_alignment_is_told():
    assert MPJPE().describe() == {"metric": "mpjpe", "root": None}
    assert MPJPE(root=3).describe() == {"metric": "root_mpjpe", "root": 3}
    assert PAMPJPE().describe() == {"metric": "pa_mpjpe", "aligned": "similarity"}
    assert RMSD(False).describe() == {"metric": "raw_rmsd", "superpose": False}
    assert GDT("ha", bound=True).describe()["superposed"] == "one superposition"
    assert repr(MPJPE(root=3)) == "MPJPE(root=3)"


def test_what_a_metric_does_not_take_is_refused():
    for name, (make, _) in ALL.items():
        if "lddt" not in name:
            with pytest.raises(TypeError, match="residue"):
                make().update(*batch(0), residue=torch.arange(8))


def test_sums_follow_the_device_of_the_input():
    metric = MPJPE()
    metric.update(*batch(0))
    meta = [x.to("meta") for x in batch(1)]
    metric.update(*meta)
    assert metric.compute(sync=False).device.type == "meta"
