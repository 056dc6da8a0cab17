"""The regulariser of a gate: its formula, where it is silent, and what it does in a training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.losses.gate_diversity import AlphaDiversity  # noqa: E402

NAN = float("nan")


def logit(x):
    if x < 1e-4:
        return np.log(1e-4 / (1 - 1e-4)) + (x - 1e-4) / (1e-4 * (1 - 1e-4))
    if x > 1 - 1e-4:
        return -logit(1 - x)
    return np.log(x / (1 - x))


def oracle(alpha, valid, low=0.1, high=0.9, margin=0.1, min_std=0.02):
    """The formula, in numpy."""
    x = alpha[valid]
    if not len(x):
        return 0.0
    m, lo, hi = x.mean(), low + margin, high - margin
    level = (max(0, logit(lo) - logit(m)) / (logit(lo) - logit(low))) ** 2
    level += (max(0, logit(m) - logit(hi)) / (logit(high) - logit(hi))) ** 2
    spread = max(0, 1 - np.sqrt(x.var() + 1e-6) / min_std) ** 2 if min_std and len(x) > 1 else 0
    return level + spread


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.1))
def test_the_penalty_is_the_formula(seed, centre, width):
    rng = np.random.default_rng(seed)
    alpha = np.clip(centre + width * rng.normal(size=(3, 4)), 0, 1)
    valid = rng.random((3, 4)) < 0.7
    regulariser = AlphaDiversity(0.5)
    found = regulariser(torch.from_numpy(alpha), torch.from_numpy(valid)).item()
    assert found == pytest.approx(0.5 * oracle(alpha, valid), rel=1e-8, abs=1e-12)
    if valid.any():
        assert regulariser.last["alpha_mean"].item() == pytest.approx(alpha[valid].mean())
        assert regulariser.last["alpha_std"].item() == pytest.approx(alpha[valid].std(), abs=1e-9)


def test_it_is_one_at_the_thresholds_and_where_it_collapses():
    level = AlphaDiversity(1.0, min_std=0.0)
    for mean in (0.1, 0.9):
        assert level(torch.tensor([mean], dtype=torch.float64)).item() == pytest.approx(1.0)
    spread = AlphaDiversity(1.0, min_std=0.1)
    assert spread(torch.full((4,), 0.5)).item() == pytest.approx((1 - 0.001 / 0.1) ** 2)


def test_a_diverse_gate_gets_exactly_nothing():
    alpha = torch.tensor([0.2, 0.5, 0.9, 0.4], requires_grad=True)
    value = AlphaDiversity(10.0)(alpha)
    value.backward()
    assert value.item() == 0.0
    assert torch.all(alpha.grad == 0)


@pytest.mark.parametrize(("alpha", "sign"), [([0.02, 0.1], -1), ([0.0, 0.0], -1), ([0.95, 0.9], 1)])
def test_a_polarised_gate_is_pushed_back(alpha, sign):
    alpha = torch.tensor(alpha, requires_grad=True)
    AlphaDiversity(min_std=0.0)(alpha).backward()
    assert torch.all(sign * alpha.grad > 0)


def test_a_collapsed_gate_is_spread():
    alpha = torch.tensor([0.499, 0.501], requires_grad=True)
    AlphaDiversity()(alpha).backward()
    assert alpha.grad[0] > 0 > alpha.grad[1]


def test_the_push_on_the_logit_grows_with_the_distance():
    pushes = []
    for at in (-2.0, -3.0, -5.0, -8.0):
        z = torch.tensor([at], dtype=torch.float64, requires_grad=True)
        AlphaDiversity(1.0)(torch.sigmoid(z)).backward()
        pushes.append(-z.grad.item())
    assert pushes == sorted(pushes)
    assert pushes[0] > 0


@pytest.mark.parametrize("centre", [0.005, 0.05, 0.15, 0.5, 0.85, 0.99])
def test_gradcheck_on_both_sides_of_each_bend(centre):
    rng = np.random.default_rng(0)
    alpha = torch.from_numpy(np.clip(centre + 0.003 * rng.normal(size=6), 1e-3, 1 - 1e-3))
    regulariser = AlphaDiversity(1.0)
    assert torch.autograd.gradcheck(regulariser, alpha.requires_grad_())
    assert torch.autograd.gradgradcheck(regulariser, alpha)


def test_the_gradient_is_continuous():
    regulariser = AlphaDiversity(1.0, min_std=0.0)
    grads = []
    for mean in np.linspace(1e-5, 3e-4, 200).tolist() + np.linspace(0.19, 0.21, 200).tolist():
        alpha = torch.tensor([mean], dtype=torch.float64, requires_grad=True)
        regulariser(alpha).backward()
        grads.append(alpha.grad.item())
    first, second = np.array(grads[:200]), np.array(grads[200:])
    assert np.abs(np.diff(first)).max() < 0.06 * np.abs(first).max()
    assert np.abs(np.diff(second)).max() < 0.06 * np.abs(second).max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ends_and_single_values_and_nothing_are_finite(dtype):
    for values in ([0.0, 1.0], [0.0], [1.0, 1.0], [0.5], [0.0, 0.0, 0.0], []):
        alpha = torch.tensor(values, dtype=dtype, requires_grad=True)
        value = AlphaDiversity()(alpha)
        value.backward()
        assert value.isfinite()
        assert torch.all(alpha.grad.isfinite())
    regulariser = AlphaDiversity()
    assert regulariser(torch.zeros(0)).item() == 0.0
    assert regulariser.last["alpha_mean"].isnan()


def test_what_is_not_valid_is_left_out_even_nan():
    alpha = torch.tensor([0.01, 0.02, NAN, float("inf")], requires_grad=True)
    valid = torch.tensor([1, 1, 0, 0])
    value = AlphaDiversity()(alpha, valid)
    value.backward()
    assert value.isfinite()
    assert alpha.grad[2:].tolist() == [0, 0]
    assert torch.all(alpha.grad[:2] < 0)
    assert AlphaDiversity()(alpha).isnan()  # where it counts it is seen


def test_a_weight_of_zero_lets_nothing_through():
    alpha = torch.tensor([0.01, NAN], requires_grad=True)
    for weight in (0.0, torch.tensor(0.0)):
        value = AlphaDiversity()(alpha, weight=weight)
        value.backward()
        assert value.item() == 0.0
        assert torch.all(alpha.grad == 0)


def test_weights_and_temperatures_come_as_numbers_tensors_and_buffers():
    alpha, regulariser = torch.tensor([0.01, 0.03]), AlphaDiversity(0.2)
    base = regulariser(alpha).item()
    assert regulariser(alpha, weight=0.1).item() == pytest.approx(base / 2)
    assert regulariser(alpha, weight=torch.tensor(0.4)).item() == pytest.approx(base * 2)
    regulariser.set_weight(0.6)
    assert regulariser(alpha).item() == pytest.approx(base * 3)
    logits = torch.tensor([-3.0, 0.0, 3.0])
    regulariser.set_temperature(2.0)
    assert torch.equal(regulariser.gate(logits), torch.sigmoid(logits / 2))
    assert regulariser.gate(logits.half()).dtype == torch.float16
    assert not regulariser.state_dict()


def test_stats_have_the_names_that_the_rules_read():
    regulariser = AlphaDiversity()
    regulariser(torch.tensor([0.2, 0.4]))
    assert list(regulariser.last) == ["alpha_mean", "alpha_std"]
    assert role_of("alpha_mean").name == "gate"
    assert role_of("alpha_diversity").name == "loss"


def test_compiled_once_while_weight_and_temperature_change_and_nothing_is_read():
    regulariser = AlphaDiversity()
    logits = torch.randn(8, requires_grad=True)

    def work(z):
        return regulariser(regulariser.gate(z - 4))

    torch._dynamo.reset()
    frames = CompileCounter()
    fast = torch.compile(work, backend=frames, fullgraph=True)
    for weight, temperature in ((0.1, 1.0), (0.0, 2.0), (0.3, 0.5)):
        regulariser.set_weight(weight)
        regulariser.set_temperature(temperature)
        assert fast(logits).item() == pytest.approx(work(logits).item())
    assert frames.frame_count == 1
    torch._dynamo.reset()
    torch.compile(work, backend="aot_eager", fullgraph=True)(logits).backward()
    compiled, logits.grad = logits.grad, None
    with counted() as syncs:
        work(logits).backward()
        regulariser.set_weight(0.2)
        regulariser(torch.sigmoid(logits), weight=0.1)
    assert syncs.count == 0
    torch.testing.assert_close(logits.grad, compiled)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"weight": -0.1}, "weight must be 0 or more"),
        ({"low": 0}, "low must be above 0"),
        ({"high": 1.0}, "high must lie below 1"),
        ({"low": 0.5, "high": 0.6}, "must not lie above high - margin"),
        ({"margin": 0}, "margin must be above 0"),
        ({"min_std": 0.6}, "min_std must be 0 or more and at most 0.5"),
        ({"temperature": 0}, "temperature must be above 0"),
    ],
)
def test_other_settings_are_refused(settings_, message):
    with pytest.raises(ValueError, match=message):
        AlphaDiversity(**settings_)


def test_other_input_is_refused():
    regulariser, alpha = AlphaDiversity(), torch.rand(2, 3)
    for given_, error, message in (
        ((alpha.int(),), TypeError, "floating point"),
        ((alpha, alpha), TypeError, "valid > 0.5"),
        ((alpha, torch.ones(4, dtype=torch.bool)), ValueError, "valid has shape"),
        ((alpha, None, -1.0), ValueError, "weight must be 0 or more"),
        ((alpha, None, torch.ones(2)), ValueError, "0-dim"),
    ):
        with pytest.raises(error, match=message):
            regulariser(*given_)
    assert regulariser.last == {}
    with pytest.raises(ValueError, match="temperature"):
        regulariser.set_temperature(0.0)
    assert regulariser.temperature.item() == 1.0


def gate_after_training(seed, weight, good_first):
    """Mean of the gate of a small fusion: one side learns, the other is frozen and noisy."""
    torch.manual_seed(seed)
    true = torch.randn(8, 1)
    encoder, gating = nn.Linear(8, 1), nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *gating.parameters()], lr=5e-2)
    regulariser = AlphaDiversity(weight)
    for _ in range(120):
        x, noise = torch.randn(64, 8), torch.randn(64, 8)
        y = x @ true
        alpha = regulariser.gate(gating(torch.cat([x, noise], 1)))
        sides = encoder(x), 0.3 * y + 2.0 * noise[:, :1]
        a, b = sides if good_first else sides[::-1]
        loss = (alpha * a + (1 - alpha) * b - y).square().mean() + regulariser(alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return regulariser.last["alpha_mean"].item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_gate_that_polarises_without_it_stays_open_with_it(seed):
    good_first = seed != 1  # once from the other end
    without = gate_after_training(seed, 0.0, good_first)
    assert without > 0.9 if good_first else without < 0.1
    assert 0.1 < gate_after_training(seed, 0.1, good_first) < 0.9
