"""GDT against what its own motions attain, exhaustive seeds, and known answers."""

from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from tests.torch.metrics.made import bent, chain, procrustes, turns  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.metrics import (  # noqa: E402
    GDT,
    gdt_ha,
    gdt_ha_bound,
    gdt_search,
    gdt_ts,
    gdt_ts_bound,
)
from trainlens_torch.metrics._points import points  # noqa: E402
from trainlens_torch.metrics.superposition import fitted  # noqa: E402

TS = (1.0, 2.0, 4.0, 8.0)


def pair(seed, n=60, noise=0.7):
    rng = np.random.default_rng(seed)
    y = chain(rng, n)
    return torch.from_numpy(bent(rng, y, noise)), torch.from_numpy(y)


def attained(found, x, y):
    """Shares by numpy, after the motions that were given back."""
    out = []
    for k, cutoff in enumerate(TS):
        turn, move = found.motions.rotation[k].numpy(), found.motions.translation[k].numpy()
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(1)
        moved = x.numpy() @ turn.T + move
        out.append((np.linalg.norm(moved - y.numpy(), axis=-1) <= cutoff).mean())
    return out


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.integers(3, 50), st.floats(0.05, 4))
def test_each_share_is_attained_by_its_motion_and_none_is_below_the_bound(seed, n, noise):
    x, y = pair(seed, max(n, 8), noise)
    x, y = x[:n], y[:n]
    found = gdt_search(x, y)
    np.testing.assert_allclose(found.shares.numpy(), attained(found, x, y), atol=1e-12)
    assert (found.shares.diff() >= -0.1).all()  # wider cutoffs hold more, up to the search
    assert gdt_ts(x, y) >= gdt_ts_bound(x, y) - 1e-12
    assert gdt_ha(x, y) >= gdt_ha_bound(x, y) - 1e-12


def exhaustive(x, y, cutoff, rounds=10):
    """The most points within a cutoff over fits of every subset of three and more, refined."""
    n = len(x)
    kept = [c for size in range(3, n + 1) for c in combinations(range(n), size)]
    mask = torch.zeros(len(kept), n, dtype=torch.bool)
    for row, chosen in zip(mask, kept, strict=True):
        row[list(chosen)] = True
    many_x, many_y, best = x.expand(len(kept), n, 3), y.expand(len(kept), n, 3), 0
    for _ in range(rounds):
        motion = fitted(points(many_x, many_y, mask), scaled=False)
        mask = torch.linalg.vector_norm(motion(many_x) - many_y, dim=-1) <= cutoff
        best = max(best, int(mask.sum(-1).max()))
    return best


def test_near_the_best_of_all_subsets_as_seeds():
    lost = []
    for seed in range(6):
        x, y = pair(seed, 8, noise=2.0)
        found = (gdt_search(x, y).shares * 8).round()
        lost += [exhaustive(x, y, c) - int(f) for c, f in zip(TS, found, strict=True)]
    assert max(lost) <= 1  # points, of 8
    assert np.mean(lost) <= 1 / 3


def test_two_domains_that_moved_each_fit_by_themselves():
    rng = np.random.default_rng(1)
    y = chain(rng, 90)
    x = y.copy()
    x[60:] = (y[60:] - y[60]) @ turns(rng).T + 40
    x, y = torch.from_numpy(x @ turns(rng).T), torch.from_numpy(y)
    assert torch.all(gdt_search(x, y).shares >= 60 / 90)
    assert gdt_ts_bound(x, y) < 0.4
    # By the definition, no motion is better than that of the 60 by more than the other 30.
    moved = procrustes(x[:60].numpy(), y[:60].numpy(), False)
    np.testing.assert_allclose(moved, y[:60].numpy(), atol=1e-9)


def test_perfect_predictions_anywhere_are_one_and_mirror_images_are_not():
    rng = np.random.default_rng(2)
    y = chain(rng, 40)
    x = torch.from_numpy(y @ turns(rng).T - 30)
    target = torch.from_numpy(y)
    for score in (gdt_ts, gdt_ha, gdt_ts_bound, gdt_ha_bound):
        assert score(x, target).item() == 1.0
        assert score(-x, target) < 0.8


def test_known_shares():
    """A rigid core, and single points at distances that no refit can make good."""
    rng = np.random.default_rng(3)
    y = chain(rng, 200)
    x = y.copy()
    for many, (at, off) in enumerate([(10, 1.5), (60, 3.0), (110, 6.0), (160, 30.0)]):
        x[at] += off * np.eye(3)[many % 3]
    shares = gdt_search(torch.from_numpy(x), torch.from_numpy(y)).shares
    assert shares.tolist() == pytest.approx([0.98, 0.985, 0.99, 0.995], abs=0.0051)
    assert shares[0] >= 0.98


@pytest.mark.parametrize("score", [gdt_ts, gdt_ha, gdt_ts_bound])
def test_masked_points_are_as_if_they_were_not_there(score):
    x, y = (torch.stack(a) for a in zip(*(pair(s, 40) for s in range(5)), strict=True))
    mask = torch.rand(5, 40, generator=torch.Generator().manual_seed(0)) < 0.7
    mask[3], mask[4] = torch.arange(40) < 2, False
    x[~mask], y[~mask] = float("nan"), 1e6
    found = score(x, y, mask)
    assert found.isnan().tolist() == [False, False, False, True, True]
    for i in range(3):
        torch.testing.assert_close(found[i], score(x[i, mask[i]], y[i, mask[i]]))


def test_samples_do_not_see_each_other():
    x, y = (torch.stack(a) for a in zip(*(pair(s, 30) for s in range(6)), strict=True))
    alone = torch.stack([gdt_ts(a, b) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(gdt_ts(x, y), alone)
    torch.testing.assert_close(gdt_ts(x.view(2, 3, 30, 3), y.view(2, 3, 30, 3)), alone.view(2, 3))
    x[2, 5, 0] = float("nan")
    found = gdt_ts(x, y)
    assert found.isnan().tolist() == [i == 2 for i in range(6)]
    assert gdt_ts_bound(x, y).isnan().tolist() == [i == 2 for i in range(6)]
    assert gdt_ts(x[:0], y[:0]).shape == (0,)


def test_more_than_is_held_at_once_changes_nothing(monkeypatch):
    x, y = (torch.stack(a) for a in zip(*(pair(s, 30) for s in range(4)), strict=True))
    whole = gdt_search(x, y)
    monkeypatch.setattr("trainlens_torch.metrics._gdt_search._HELD", 1)
    split = gdt_search(x, y)
    torch.testing.assert_close(split.shares, whole.shares)
    torch.testing.assert_close(split.motions.translation, whole.motions.translation)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_narrow_types_are_computed_in_float32(dtype):
    x, y = pair(7, 50)
    found = gdt_ts(x.to(dtype), y.to(dtype))
    assert found.dtype == torch.float32
    exact = gdt_ts(x.to(dtype).double(), y.to(dtype).double())
    assert found.item() == pytest.approx(exact.item(), abs=0.02)


def test_nothing_is_read_on_the_host():
    x, y = pair(1, 30)
    with counted() as syncs:
        gdt_search(x, y, torch.ones(30, dtype=torch.bool))
        GDT("ha").update(x, y)
        GDT(bound=True).update(x, y)
    assert syncs.count == 0


def test_names_and_refusals():
    assert [GDT(k, bound=b).name for k in ("ts", "ha") for b in (False, True)] == [
        "gdt_ts", "gdt_ts_bound", "gdt_ha", "gdt_ha_bound",
    ]  # fmt: skip
    x, y = pair(1, 10)
    with pytest.raises(ValueError, match="kind must be one of ts, ha"):
        GDT("high")
    with pytest.raises(ValueError, match=r"cutoffs\[1\] must be above 0"):
        gdt_search(x, y, cutoffs=(1.0, 0.0))
    with pytest.raises(ValueError, match="at least one"):
        gdt_search(x, y, cutoffs=())
