"""Root mean square deviation against scipy, with and without superposition."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from tests.torch.metrics.made import turns  # noqa: E402
from trainlens_torch.metrics import rmsd  # noqa: E402


def structures(seed, many=3, n=12):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(many, n, 3)) * 10
    return y + rng.normal(size=y.shape) * rng.uniform(0.1, 10), y


def by_scipy(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return Rotation.align_vectors(y, x)[1] / np.sqrt(len(x))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(3, 15))
def test_superposed_is_that_of_scipy(seed, n):
    x, y = structures(seed, n=n)
    found = rmsd(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    expected = [by_scipy(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_raw_is_the_formula_and_never_below_the_superposed(seed):
    x, y = structures(seed)
    raw = rmsd(torch.from_numpy(x), torch.from_numpy(y), superpose=False).numpy()
    np.testing.assert_allclose(raw, np.sqrt(((x - y) ** 2).sum(-1).mean(-1)), rtol=1e-12)
    assert (rmsd(torch.from_numpy(x), torch.from_numpy(y)).numpy() <= raw + 1e-9).all()


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_a_rigid_motion_of_either_side_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    x, y = structures(seed)
    base = rmsd(torch.from_numpy(x), torch.from_numpy(y))
    moved = torch.from_numpy(x @ turns(rng) + rng.normal(size=3) * 50)
    torch.testing.assert_close(rmsd(moved, torch.from_numpy(y)), base, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rmsd(torch.from_numpy(y), moved), base, rtol=1e-6, atol=1e-6)


def test_masks_and_samples_without_a_value():
    x, y = (torch.from_numpy(a) for a in structures(1, many=4))
    mask = torch.rand(4, 12, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[0], mask[1], mask[2, :4] = False, torch.arange(12) < 2, True
    x[~mask] = float("nan")
    found, raw = rmsd(x, y, mask), rmsd(x, y, mask, superpose=False)
    assert found.isnan().tolist()[:3] == [True, True, False]
    assert raw.isnan().tolist()[:3] == [True, False, False]
    torch.testing.assert_close(found[2], rmsd(x[2, mask[2]], y[2, mask[2]]))
    torch.testing.assert_close(raw[1], rmsd(x[1, :2], y[1, :2], superpose=False))


def test_the_gradient_is_exact_though_the_motion_is_a_constant():
    x, y = (torch.from_numpy(a[:2, :5]).requires_grad_() for a in structures(2))
    assert torch.autograd.gradcheck(rmsd, (x, y), atol=1e-6)
    assert torch.autograd.gradcheck(lambda a, b: rmsd(a, b, superpose=False), (x, y))
    symmetric = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    near = (symmetric + 0.1 * torch.arange(18.0).reshape(6, 3).sin()).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: rmsd(a, symmetric), near, atol=1e-6)


def test_a_perfect_prediction_has_a_gradient_of_zero():
    y = torch.from_numpy(structures(2)[1])
    p = y.clone().requires_grad_()
    rmsd(p, y, superpose=False).sum().backward()
    assert torch.all(p.grad == 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    x, y = (torch.from_numpy(a).to(dtype) for a in structures(4))
    assert rmsd(x, y).dtype == torch.float32
    torch.testing.assert_close(rmsd(x, y).double(), rmsd(x.double(), y.double()), rtol=1e-5, atol=0)


def test_float32_far_from_the_origin():
    x, y = structures(5)
    near = rmsd(torch.from_numpy(x), torch.from_numpy(y)).float()
    far = rmsd(torch.from_numpy(x + 1000).float(), torch.from_numpy(y - 2000).float())
    torch.testing.assert_close(far, near, rtol=1e-4, atol=1e-4)
