"""lDDT against biotite's answers and a loop over pairs; its smooth relative against the formula."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from tests.torch.metrics.made import atoms, chain, turns  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.metrics import (  # noqa: E402
    LDDT,
    SmoothLDDT,
    lddt,
    lddt_per_residue,
    smooth_lddt,
)

ANSWERS = json.loads((Path(__file__).parent / "lddt_answers.json").read_text())["seeds"]


def given_atoms(seed):
    target, pred, residue = atoms(int(seed))
    return torch.from_numpy(pred), torch.from_numpy(target), torch.from_numpy(residue)


@pytest.mark.parametrize("seed", ANSWERS)
def test_the_answers_of_biotite(seed):
    pred, target, residue = given_atoms(seed)
    known = ANSWERS[seed]
    assert lddt(pred, target, residue=residue).item() == pytest.approx(known["all"], abs=2e-6)
    many = int(residue.max()) + 1
    each = lddt_per_residue(pred, target, residue=residue, residues=many)
    np.testing.assert_allclose(each.numpy(), known["residue"], atol=2e-6)
    first = np.flatnonzero(np.diff(residue.numpy(), prepend=-1))
    one = lddt(pred[first], target[first]).item()
    assert one == pytest.approx(known["one_atom"], abs=2e-6)
    near = lddt(pred, target, residue=residue, cutoff=8.0).item()
    assert near == pytest.approx(known["cutoff_8"], abs=2e-6)
    other = lddt(pred, target, residue=residue, thresholds=(0.3, 1.5, 3.0)).item()
    assert other == pytest.approx(known["thresholds_3"], abs=2e-6)


def oracle(pred, target, residue, mask):
    """Pair by pair; of each point: scores and pairs."""
    n = len(pred)
    score, pairs = np.zeros(n), np.zeros(n)
    for i in range(n):
        for j in range(n):
            real = np.linalg.norm(target[i] - target[j])
            if mask[i] and mask[j] and residue[i] != residue[j] and real < 15:
                off = abs(real - np.linalg.norm(pred[i] - pred[j]))
                score[i] += np.mean([off <= t for t in (0.5, 1, 2, 4)])
                pairs[i] += 1
    return score, pairs


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([None, 1, 7]))
def test_every_pair_counts_once_whatever_the_chunk(seed, chunk):
    target, pred, residue = atoms(seed, 10)
    mask = np.random.default_rng(seed).random(len(target)) < 0.8
    score, pairs = oracle(pred, target, residue, mask)
    tensors = (torch.from_numpy(x) for x in (pred, target, mask))
    found = lddt(*tensors, residue=torch.from_numpy(residue), chunk=chunk)
    assert found.item() == pytest.approx(score.sum() / pairs.sum())
    tensors = (torch.from_numpy(x) for x in (pred, target, mask))
    each = lddt_per_residue(
        *tensors, residue=torch.from_numpy(residue), residues=10, chunk=chunk
    ).numpy()
    for r in range(10):
        own = residue == r
        expected = score[own].sum() / pairs[own].sum() if pairs[own].sum() else np.nan
        assert each[r] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_motions_of_each_side_change_nothing_and_perfect_is_one(seed):
    rng = np.random.default_rng(seed)
    target, pred, residue = atoms(seed)
    moved = pred @ turns(rng) + rng.normal(size=3) * 30
    own = torch.from_numpy(residue)
    base = lddt(torch.from_numpy(pred), torch.from_numpy(target), residue=own)
    found = lddt(torch.from_numpy(moved), torch.from_numpy(target), residue=own)
    assert found.item() == pytest.approx(base.item(), abs=1e-3)
    assert lddt(torch.from_numpy(target), torch.from_numpy(target), residue=own).item() == 1
    mirrored = lddt(torch.from_numpy(-pred), torch.from_numpy(target), residue=own)
    assert mirrored.item() == pytest.approx(base.item(), abs=1e-3)  # distances have no hands


def test_a_mask_is_as_if_the_points_were_not_there():
    target = torch.from_numpy(np.stack([chain(np.random.default_rng(s), 30) for s in range(4)]))
    pred = target + 0.8 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(4, 30, generator=torch.Generator().manual_seed(1)) < 0.7
    mask[3] = torch.arange(30) < 1
    pred[~mask], target[~mask] = float("nan"), float("nan")
    p = pred.clone().requires_grad_()
    smooth = smooth_lddt(p, target, mask)
    smooth.nansum().backward()
    found, each = lddt(pred, target, mask), lddt_per_residue(pred, target, mask)
    for i in range(3):
        alone = pred[i, mask[i]], target[i, mask[i]]
        torch.testing.assert_close(found[i], lddt(*alone))
        torch.testing.assert_close(smooth[i].detach(), smooth_lddt(*alone))
        torch.testing.assert_close(each[i, mask[i]], lddt_per_residue(*alone))
    assert found[3].isnan()
    assert smooth[3].isnan()
    assert torch.all(each[~mask].isnan())
    assert torch.all(p.grad[~mask] == 0)
    assert torch.all(p.grad.isfinite())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_seen_in_its_sample(bad):
    target = torch.from_numpy(np.stack([chain(np.random.default_rng(s), 10) for s in range(3)]))
    pred = target.clone()
    pred[1, 4, 2] = bad
    assert lddt(pred, target).isnan().tolist() == [False, True, False]
    assert lddt_per_residue(pred, target).isnan().all(-1).tolist() == [False, True, False]
    assert smooth_lddt(pred, target).isnan().tolist() == [False, True, False]
    metric = LDDT()
    metric.update(pred, target)
    assert metric.compute().isnan()
    assert metric.stats()["lddt_undefined_count"] == 0


def test_known_answer():
    """Three points on a line; the last is 1.5 too far: one of three pairs is whole."""
    target = torch.tensor([[0.0, 0, 0], [4, 0, 0], [8, 0, 0]])
    pred = target + torch.tensor([[0.0], [0], [1.5]]) * torch.tensor([1.0, 0, 0])
    assert lddt(pred, target).item() == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert lddt(pred, target, cutoff=5.0).item() == pytest.approx((1 + 0.5) / 2)
    assert lddt(pred, target, residue=torch.tensor([0, 1, 1])).item() == pytest.approx(0.75)
    assert lddt(pred, target, cutoff=3.0).isnan()
    assert lddt_per_residue(pred, target, cutoff=5.0).tolist() == [1.0, 0.75, 0.5]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_smooth_is_the_formula_with_a_reach_by_point():
    rng = np.random.default_rng(0)
    target = chain(rng, 25)
    pred, nucleotide = target + rng.normal(size=target.shape), rng.random(25) < 0.4
    reach = np.where(nucleotide, 30.0, 15.0)
    total = many = 0
    for i in range(25):
        for j in range(25):
            real = np.linalg.norm(target[i] - target[j])
            if i != j and real < reach[i]:
                off = abs(real - np.linalg.norm(pred[i] - pred[j]))
                total += np.mean([sigmoid(t - off) for t in (0.5, 1, 2, 4)])
                many += 1
    x, y = torch.from_numpy(pred), torch.from_numpy(target)
    found = smooth_lddt(x, y, cutoff=torch.from_numpy(reach), chunk=4)
    assert found.item() == pytest.approx(total / many)
    plain = smooth_lddt(x, y)
    assert plain.item() == pytest.approx(smooth_lddt(x, y, cutoff=torch.tensor(15.0)).item())
    assert plain.item() != pytest.approx(found.item(), rel=1e-6)


def test_gradcheck_of_the_smooth_one_in_chunks():
    rng = np.random.default_rng(1)
    target = torch.from_numpy(np.stack([chain(rng, 6), chain(rng, 6)]))
    noise = torch.from_numpy(rng.normal(size=(2, 6, 3)))
    pred = (target + noise).requires_grad_()
    for chunk in (None, 2):
        assert torch.autograd.gradcheck(lambda p, c=chunk: smooth_lddt(p, target, chunk=c), pred)


def test_descent_on_the_smooth_one_raises_the_real_one():
    rng = np.random.default_rng(2)
    target = torch.from_numpy(chain(rng, 30)).float()
    pred = (target + torch.from_numpy(rng.normal(size=(30, 3))).float()).requires_grad_()
    before = lddt(pred, target)
    optimizer = torch.optim.Adam([pred], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        (1 - smooth_lddt(pred, target)).backward()
        optimizer.step()
    assert lddt(pred, target) > before + 0.1


def test_nothing_is_read_and_narrow_types_are_computed_in_float32():
    pred, target, residue = given_atoms(0)
    with counted() as syncs:
        metric = LDDT()
        metric.update(pred, target, residue=residue)
        SmoothLDDT().update(pred, target)
        lddt_per_residue(pred, target, residue=residue, residues=24)
    assert syncs.count == 0
    half = lddt(pred.bfloat16(), target.bfloat16())
    assert half.dtype == torch.float32
    exact = lddt(pred.bfloat16().double(), target.bfloat16().double())
    assert half.item() == pytest.approx(exact.item(), abs=1e-3)


def test_empty_batches_and_chains():
    assert lddt(torch.zeros(0, 4, 3), torch.zeros(0, 4, 3)).shape == (0,)
    for score in (lddt, smooth_lddt):
        assert score(torch.zeros(2, 0, 3), torch.zeros(2, 0, 3)).isnan().tolist() == [True, True]


def test_other_settings_are_refused():
    x = torch.zeros(2, 4, 3)
    for call, error, message in [
        (lambda: lddt(x, x, residue=torch.ones(4)), TypeError, "residue must hold integers"),
        (lambda: lddt(x, x, residue=torch.arange(3)), ValueError, r"residue has shape \(3,\)"),
        (lambda: lddt(x, x, cutoff=0.0), ValueError, "cutoff must be above 0"),
        (lambda: lddt(x, x, thresholds=()), ValueError, "at least one"),
        (lambda: lddt(x, x, thresholds=(1, -1)), ValueError, r"thresholds\[1\]"),
        (lambda: lddt(x, x, chunk=0), ValueError, "chunk must be 1 or more"),
        (lambda: lddt_per_residue(x, x, residues=3), ValueError, "belong together"),
        (lambda: smooth_lddt(x, x, cutoff=torch.ones(3)), ValueError, r"cutoff has shape \(3,\)"),
    ]:
        with pytest.raises(error, match=message):
            call()
