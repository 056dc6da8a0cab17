"""Errors of joints against loops in numpy, their invariances, masks and gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from tests.torch.metrics.made import procrustes, turns  # noqa: E402
from trainlens_torch.metrics import mpjpe, n_mpjpe, pa_mpjpe  # noqa: E402

SEEDS = st.integers(0, 10**6)
ALL = (mpjpe, n_mpjpe, pa_mpjpe)


def error(x, y):
    """By the definition: mean over joints of Euclidean distances."""
    return np.mean([np.linalg.norm(a - b) for a, b in zip(x, y, strict=True)])


def scaled(x, y):
    """Least squares scale by a solver, not by its formula."""
    return x * np.linalg.lstsq(x.reshape(-1, 1), y.reshape(-1), rcond=None)[0]


def oracle(measure, x, y, root=None):
    if root is not None:
        x, y = x - x[root], y - y[root]
    if measure is n_mpjpe:
        x = scaled(x, y)
    return error(procrustes(x, y, True) if measure is pa_mpjpe else x, y)


def poses(seed, many=4, joints=9):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(many, joints, 3)) * 100
    return target + rng.normal(size=target.shape) * rng.uniform(1, 80), target


def tensors(*arrays):
    return [torch.from_numpy(a) for a in arrays]


@settings(max_examples=25)
@given(SEEDS, st.sampled_from(ALL), st.sampled_from([None, 0, 4, -1]))
def test_the_published_definition(seed, measure, root):
    x, y = poses(seed)
    if measure is pa_mpjpe:
        root = None  # it has none: the alignment moves
    more = {} if root is None else {"root": root}
    found = measure(*tensors(x, y), **more).numpy()
    expected = [oracle(measure, a, b, root) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_alignment_is_by_sample_and_not_of_the_whole_batch():
    """The two readings that make published implementations disagree."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(6, 14, 3)) * 100
    x = np.stack([a @ turns(rng).T * rng.uniform(0.5, 2) for a in y])
    assert pa_mpjpe(*tensors(x, y)).max() < 1e-6
    together = procrustes(x.reshape(-1, 3), y.reshape(-1, 3), True)
    assert error(together, y.reshape(-1, 3)) > 20


@settings(max_examples=25)
@given(SEEDS)
def test_what_leaves_the_errors_as_they_are(seed):
    rng = np.random.default_rng(seed)
    x, y = poses(seed)
    turn, move, factor = turns(rng), rng.normal(size=3) * 500, rng.uniform(0.2, 5)

    def of(measure, a, b, **more):
        return measure(*tensors(a, b), **more).numpy()

    for measure in ALL:  # a rotation of both, and the order of samples
        base = of(measure, x, y)
        np.testing.assert_allclose(of(measure, x @ turn, y @ turn), base, rtol=1e-6)
        np.testing.assert_allclose(of(measure, x[::-1].copy(), y[::-1].copy()), base[::-1])
        order = rng.permutation(x.shape[1])
        np.testing.assert_allclose(of(measure, x[:, order], y[:, order]), base, rtol=1e-6)
        np.testing.assert_allclose(of(measure, x * factor, y * factor), base * factor, rtol=1e-6)
    np.testing.assert_allclose(of(mpjpe, x + move, y + move), of(mpjpe, x, y), rtol=1e-6)
    np.testing.assert_allclose(of(mpjpe, x + move, y, root=2), of(mpjpe, x, y, root=2), rtol=1e-6)
    np.testing.assert_allclose(of(n_mpjpe, x * factor, y), of(n_mpjpe, x, y), rtol=1e-6)
    moved = factor * x @ turn.T + move
    np.testing.assert_allclose(of(pa_mpjpe, moved, y), of(pa_mpjpe, x, y), rtol=1e-6)


def test_a_mirror_image_is_no_match():
    x = torch.from_numpy(poses(0)[1])
    for flip in ([-1.0, 1, 1], [-1.0, -1, -1]):
        assert pa_mpjpe(x * torch.tensor(flip), x).min() > 10


@pytest.mark.parametrize("measure", ALL)
def test_a_mask_is_as_if_the_joints_were_not_there(measure):
    x, y = tensors(*poses(5, many=6))
    mask = torch.rand(6, 9, generator=torch.Generator().manual_seed(0)) < 0.6
    mask[:, :3], mask[4] = True, False
    x[~mask], y[~mask] = float("nan"), float("-inf")
    p = x.clone().requires_grad_()
    found = measure(p, y, mask)
    found.nansum().backward()
    for i in range(6):
        if i == 4:
            assert found[i].isnan()
            continue
        alone = measure(x[i, mask[i]], y[i, mask[i]])
        torch.testing.assert_close(found[i].detach(), alone)
    assert torch.all(p.grad[~mask] == 0)
    assert torch.all(p.grad[mask].isfinite())
    assert torch.all(p.grad[mask].abs().sum(-1) > 0)


def test_samples_that_define_no_value():
    x, y = tensors(*poses(2, many=3, joints=4))
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]])
    assert mpjpe(x, y, mask).isnan().tolist() == [False, False, True]
    assert mpjpe(x, y, mask, root=0).isnan().tolist() == [False, True, True]
    assert n_mpjpe(x, y, mask, root=-1).isnan().tolist() == [True, False, True]
    assert pa_mpjpe(x, y, mask).isnan().tolist() == [True, False, True]
    assert mpjpe(x[:, :0], y[:, :0]).isnan().all()
    assert mpjpe(x[:0], y[:0]).shape == (0,)


@pytest.mark.parametrize("measure", ALL)
def test_nan_that_counts_is_seen_in_its_sample_alone(measure):
    x, y = tensors(*poses(2))
    clean = measure(x, y)
    x[1, 3, 0] = float("nan")
    found = measure(x, y)
    assert found.isnan().tolist() == [False, True, False, False]
    torch.testing.assert_close(found[[0, 2, 3]], clean[[0, 2, 3]])


def test_degenerate_poses_have_known_values():
    y = torch.from_numpy(poses(3)[1])
    spread = torch.linalg.vector_norm(y - y.mean(1, keepdim=True), dim=-1).mean(-1)
    equal = torch.full_like(y, 0.1) + torch.tensor([1.0, 20.0, 300.0])
    torch.testing.assert_close(pa_mpjpe(equal, y), spread)
    torch.testing.assert_close(pa_mpjpe(y, equal), torch.zeros_like(spread), atol=1e-9, rtol=0)
    torch.testing.assert_close(n_mpjpe(torch.zeros_like(y), y), mpjpe(torch.zeros_like(y), y))
    line = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2.0, 2.0])
    other = torch.arange(5.0)[:, None] * torch.tensor([0.0, 6.0, 0.0]) + 5
    assert pa_mpjpe(line, other) < 1e-4


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize("masked", [False, True])
def test_gradcheck(measure, masked):
    x, y = (t.requires_grad_() for t in tensors(*poses(1, many=2, joints=5)))
    mask = torch.tensor([[1, 1, 1, 0, 1], [1, 1, 1, 1, 1]]) > 0 if masked else None
    assert torch.autograd.gradcheck(lambda a, b: measure(a / 100, b / 100, mask), (x, y), atol=1e-6)


def test_a_detached_alignment_leaves_the_value_and_changes_the_gradient():
    x, y = tensors(*poses(1))
    grads = []
    for detached in (False, True):
        p = x.clone().requires_grad_()
        value = pa_mpjpe(p, y, detach_alignment=detached)
        value.sum().backward()
        grads.append(p.grad)
        torch.testing.assert_close(value.detach(), pa_mpjpe(x, y), rtol=0, atol=0)
    # A move of the whole prediction is undone by the alignment: it has no effect, only if told.
    assert grads[0].sum(1).abs().max() < 1e-9
    assert grads[1].sum(1).abs().max() > 1e-3


def test_a_perfect_prediction_has_a_finite_gradient():
    for measure in ALL:
        y = torch.from_numpy(poses(1)[1]).float()
        p = y.clone().requires_grad_()
        measure(p, y).sum().backward()
        assert p.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("measure", ALL)
def test_half_precision_is_computed_in_float32(measure, dtype):
    x, y = (t.to(dtype) for t in tensors(*poses(1)))
    found = measure(x, y)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, measure(x.float(), y.float()), rtol=0, atol=0)
    torch.testing.assert_close(found.double(), measure(x.double(), y.double()), rtol=1e-5, atol=0)


def test_batches_of_any_shape_and_points_of_any_dimension():
    x, y = tensors(*poses(1, many=6))
    for measure in ALL:
        flat = measure(x, y)
        torch.testing.assert_close(measure(x.view(2, 3, 9, 3), y.view(2, 3, 9, 3)), flat.view(2, 3))
        torch.testing.assert_close(measure(x[0], y[0]), flat[0])
    assert mpjpe(x[..., :2], y[..., :2]).shape == (6,)


def test_other_roots_are_refused():
    x = torch.zeros(1, 4, 3)
    for root, error_, message in [
        (4, ValueError, "root is 4, and there are 4 joints"),
        (-5, ValueError, "root is -5"),
        (True, TypeError, "index of a joint"),
        (1.0, TypeError, "index of a joint"),
    ]:
        with pytest.raises(error_, match=message):
            mpjpe(x, x, root=root)
