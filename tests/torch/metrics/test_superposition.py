"""Superposition against numpy and scipy, its gradient, and points that fix no motion."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from tests.torch.metrics.made import procrustes, turns  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.metrics import superpose  # noqa: E402
from trainlens_torch.metrics._rotation import best_rotation  # noqa: E402


def drawn(seed, n=7, many=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, many, n, 3))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(3, 12), st.booleans())
def test_the_motion_is_that_of_umeyama(seed, n, scaled):
    x, y = drawn(seed, n)
    motion = superpose(torch.from_numpy(x), torch.from_numpy(y), scale=scaled)
    expected = np.stack([procrustes(a, b, scaled) for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(motion(torch.from_numpy(x)).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(torch.linalg.det(motion.rotation).numpy(), 1, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_the_rotation_is_that_of_scipy(seed):
    x, y = drawn(seed)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    found = superpose(torch.from_numpy(x), torch.from_numpy(y)).rotation.numpy()
    expected = [Rotation.align_vectors(b, a)[0].as_matrix() for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.01, 250.0])
def test_a_motion_is_found_again(scale):
    rng = np.random.default_rng(3)
    x, turn = rng.normal(size=(4, 9, 3)), turns(rng, (4,))
    y = scale * x @ np.swapaxes(turn, -1, -2) + rng.normal(size=(4, 1, 3)) * 10
    motion = superpose(torch.from_numpy(x), torch.from_numpy(y), scale=True)
    np.testing.assert_allclose(motion.rotation.numpy(), turn, atol=1e-10)
    np.testing.assert_allclose(motion.scale.numpy(), scale, rtol=1e-10)


def test_a_mirror_image_is_turned_and_never_reflected():
    x, _ = drawn(1)
    for flip in (np.diag([1.0, 1, -1]), -np.eye(3)):
        y = x @ flip
        motion = superpose(torch.from_numpy(x), torch.from_numpy(y))
        np.testing.assert_allclose(torch.linalg.det(motion.rotation).numpy(), 1, atol=1e-12)
        expected = np.stack([procrustes(a, b, False) for a, b in zip(x, y, strict=True)])
        found = ((motion(torch.from_numpy(x)).numpy() - y) ** 2).sum((1, 2))
        np.testing.assert_allclose(found, ((expected - y) ** 2).sum((1, 2)), rtol=1e-9)


@pytest.mark.parametrize("case", ["one", "two", "collinear", "planar", "equal", "origin"])
def test_points_that_fix_no_motion_get_one_that_fits_best(case):
    x = drawn(2)[0][:1]
    line = np.linspace(-1, 2, 7)[:, None] * np.array([1.0, 2, -1])
    x = {
        "one": x[:, :1], "two": x[:, :2], "collinear": line[None] + 3,
        "planar": x * [1, 1, 0], "equal": np.ones((1, 7, 3)) * [0.1, 0.7, 0.3],
        "origin": np.zeros((1, 7, 3)),
    }[case]  # fmt: skip
    y = x @ turns(np.random.default_rng(5)).T + 4.0
    for scaled in (False, True):
        p = torch.from_numpy(x).requires_grad_()
        motion = superpose(p, torch.from_numpy(y), scale=scaled)
        moved = motion(p)
        np.testing.assert_allclose(moved.detach().numpy(), y, atol=1e-6)
        np.testing.assert_allclose(torch.linalg.det(motion.rotation.detach()).numpy(), 1)
        (moved * torch.arange(3.0)).sum().backward()
        assert p.grad.isfinite().all()
        assert p.grad.abs().max() < 1e8


def test_nearly_collinear_points_fit_as_well_as_by_singular_values():
    rng = np.random.default_rng(0)
    for width in (1e-1, 1e-3, 1e-5):
        x = np.linspace(-1, 1, 20)[:, None] * [1.0, 0, 0] + width * rng.normal(size=(20, 3))
        y = x @ turns(rng).T
        moved = superpose(torch.from_numpy(x), torch.from_numpy(y))(torch.from_numpy(x))
        assert np.abs(moved.numpy() - y).max() < 1e-6


def test_masked_points_are_as_if_they_were_not_there():
    x, y = (torch.from_numpy(a) for a in drawn(4, n=9))
    mask = torch.rand(5, 9, generator=torch.Generator().manual_seed(1)) < 0.7
    mask[:, :4] = True
    x[~mask], y[~mask] = float("nan"), float("inf")
    motion = superpose(x, y, mask)
    for i in range(5):
        alone = superpose(x[i, mask[i]], y[i, mask[i]])
        torch.testing.assert_close(motion.rotation[i], alone.rotation)
        torch.testing.assert_close(motion.translation[i], alone.translation)


def test_nan_stays_in_its_sample():
    x, y = (torch.from_numpy(a) for a in drawn(4))
    clean = superpose(x, y).rotation
    x[2, 3, 1] = float("nan")
    found = superpose(x, y).rotation
    assert found[2].isnan().all()
    torch.testing.assert_close(found[[0, 1, 3, 4]], clean[[0, 1, 3, 4]], rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(4))
def test_gradcheck_of_the_rotation(seed):
    moment = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 3, 3)))
    assert torch.autograd.gradcheck(best_rotation, moment.requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("values", [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 0), (3, 2, -1)])
def test_gradcheck_where_singular_values_are_equal_zero_or_reflected(values):
    rng = np.random.default_rng(7)
    left, right = turns(rng), turns(rng)
    moment = torch.from_numpy(left @ np.diag(np.array(values, float)) @ right)
    torch.testing.assert_close(best_rotation(moment), torch.from_numpy(left @ right))
    assert torch.autograd.gradcheck(best_rotation, moment.requires_grad_(), atol=1e-6)


def test_second_derivatives():
    for moment in (torch.eye(3), torch.tensor(drawn(3)[0][0, :3])):
        given_ = moment.double().requires_grad_()
        assert torch.autograd.gradgradcheck(best_rotation, given_, atol=1e-5)


def test_gradcheck_of_the_whole_motion():
    x, y = (torch.from_numpy(a[:2]).requires_grad_() for a in drawn(6))
    for scaled in (False, True):
        assert torch.autograd.gradcheck(
            lambda a, b, s=scaled: superpose(a, b, scale=s)(a), (x, y), atol=1e-6
        )


def test_nothing_is_read_and_half_precision_is_computed_in_float32():
    x, y = (torch.from_numpy(a).float() for a in drawn(8))
    with counted() as syncs:
        superpose(x.requires_grad_(), y, scale=True)(x).sum().backward()
    assert syncs.count == 0
    half = superpose(x.detach().bfloat16(), y.bfloat16())
    assert half.rotation.dtype == torch.float32
    widened = superpose(x.detach().bfloat16().float(), y.bfloat16().float())
    torch.testing.assert_close(half.rotation, widened.rotation, rtol=0, atol=0)


# Dynamo itself makes an object of the class of the function.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_compiled_as_one_graph():
    x, y = (torch.from_numpy(a).float() for a in drawn(8))
    torch._dynamo.reset()
    fast = torch.compile(lambda a, b: superpose(a, b)(a), backend="eager", fullgraph=True)
    torch.testing.assert_close(fast(x, y), superpose(x, y)(x))
    torch._dynamo.reset()


def test_other_points_are_refused():
    x = torch.zeros(2, 4, 3)
    for arguments, error, message in [
        ((x[..., :2], x[..., :2]), ValueError, r"shape \(\.\.\., N, 3\), not shape \(2, 4, 2\)"),
        ((x, x[:1]), ValueError, r"prediction has shape \(2, 4, 3\), the target shape \(1, 4, 3\)"),
        ((x.int(), x), TypeError, "floating point"),
        ((x, x, torch.ones(2, 4)), TypeError, "mask > 0.5"),
        ((x, x, torch.ones(3) > 0), ValueError, r"the mask has shape \(3,\)"),
    ]:
        with pytest.raises(error, match=message):
            superpose(*arguments)
