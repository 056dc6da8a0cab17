"""Adaptive clipping: its statistics against explicit weights, its course, its resume."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.gradients.adaptive import AdaptiveClip  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402


def feed(clip, sizes):
    """Limits and norms that were left, for gradients of given norms."""
    weight, limits, left = nn.Parameter(torch.zeros(2)), [], []
    for size in sizes:
        weight.grad = torch.tensor([0.6 * size, -0.8 * size], dtype=torch.float32)
        clip(weight)
        limits.append(float(clip.limit))
        left.append(float(weight.grad.norm()))
    return np.array(limits), np.array(left)


def noisy(n, seed, level=1.0, spread=0.2):
    return level * np.exp(spread * np.random.default_rng(seed).standard_normal(n))


def oracle(sizes, z, decay, warmup, least):
    """The same from the whole history at every step: explicit weights, float64."""
    entered, limits = [], []
    for size in sizes:
        n, young = len(entered), len(entered) < warmup
        weights = decay ** np.arange(n - 1, -1, -1.0)
        mean = np.average(entered, weights=weights) if n else 0.0
        spread = math.sqrt(np.average((np.array(entered) - mean) ** 2, weights=weights)) if n else 0
        limits.append(math.inf if young else math.exp(mean + z * max(spread, least)))
        if size > 0 and math.isfinite(size):
            width = z * max(spread, least, 0.5 if young else 0) if n else math.inf
            entered.append(mean + np.clip(math.log(size) - mean, -width, width))
    return np.array(limits)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("z", "decay", "warmup"), [(3.0, 0.99, 30), (2.5, 0.9, 1), (4.0, 0.97, 100)]
)
def test_limits_against_explicit_weights(seed, z, decay, warmup):
    sizes = noisy(200, seed) * np.linspace(5, 1, 200)
    rng = np.random.default_rng(seed)
    sizes[rng.integers(0, 200, 8)] = [50, 1e3, 1e-6, 0, math.nan, math.inf, 20, 1e9]
    limits, _ = feed(AdaptiveClip(z=z, decay=decay, warmup=warmup), sizes)
    np.testing.assert_allclose(limits, oracle(sizes, z, decay, warmup, 0.1), rtol=2e-4)


def test_a_spike_is_clipped_and_hardly_counts():
    clip = AdaptiveClip(warmup=100)
    limits, left = feed(clip, [*noisy(300, 1), 1e4, *noisy(5, 2)])
    assert left[300] == pytest.approx(limits[300], rel=1e-4)
    assert 1.5 < limits[300] < 2.2  # exp(3 x 0.2) = 1.82 of a level of 1
    assert limits[301] < 1.1 * limits[300]


def test_a_row_of_spikes_does_not_open_the_gate():
    limits, left = feed(AdaptiveClip(), [*noisy(300, 1), 1e4, 1e4, 1e4])
    assert left[-1] < 1.5 * limits[300]


def test_a_new_level_is_followed():
    limits, _ = feed(AdaptiveClip(), [*noisy(300, 3), *noisy(700, 4, level=20)])
    assert limits[300] < 3  # the first norms of the new level are spikes
    assert np.argmax(limits[300:] > 20) < 120
    assert 20 < limits[-1] < 50  # 20 exp(3 x 0.2) = 36


def test_usual_norms_are_rarely_clipped():
    clip = AdaptiveClip()
    feed(clip, noisy(1500, 5))
    # Of 1400 normal logarithms 2 lie beyond 3 spreads; the spread is itself an estimate.
    assert int(clip.clipped) < 14


def test_constant_norms_are_never_clipped():
    clip = AdaptiveClip(warmup=5)
    _, left = feed(clip, [2.0] * 50 + [2.6] * 3)
    assert int(clip.clipped) == 0
    np.testing.assert_allclose(left[:50], 2.0, rtol=1e-6)
    np.testing.assert_allclose(left[50:], 2.6, rtol=1e-6)  # within 1.35 times the usual


def test_a_bad_batch_in_the_warmup_hardly_counts():
    clean, _ = feed(AdaptiveClip(), noisy(101, 6))
    sizes = noisy(101, 6)
    sizes[50] = 1e6
    assert feed(AdaptiveClip(), sizes)[0][-1] < 1.6 * clean[-1]


def test_an_almost_empty_batch_does_not_widen_the_spread():
    limits, _ = feed(AdaptiveClip(), [*noisy(300, 7), 1e-12, 1.0])
    assert limits[301] < 1.1 * limits[300]


def test_max_norm_acts_from_the_beginning_and_always():
    limits, left = feed(AdaptiveClip(max_norm=1.0, warmup=10), [100.0] * 30)
    assert (limits == 1.0).all()
    np.testing.assert_allclose(left, 1.0, rtol=1e-5)
    limits, _ = feed(AdaptiveClip(max_norm=1e6, warmup=10), [100.0] * 11)
    assert (limits[:10] == 1e6).all()
    assert limits[10] == pytest.approx(100 * math.exp(0.3), rel=1e-4)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_not_finite(bad):
    clip = AdaptiveClip(warmup=3, max_norm=5.0)
    feed(clip, noisy(20, 8))
    before = clip.state_dict()
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([1e9, bad, 1.0])
    assert not clip(weight).isfinite()
    assert weight.grad[0] == 1e9
    assert weight.grad[2] == 1.0
    assert float(clip.coefficient) == 1.0
    after = clip.state_dict()
    for key in ("mean", "variance", "weight", "seen", "clipped"):
        assert after[key] == before[key]


def test_no_gradients_no_change():
    clip = AdaptiveClip(warmup=1)
    feed(clip, [1.0, 2.0])
    before = clip.state_dict()
    assert float(clip(nn.Linear(2, 2))) == 0.0
    assert clip.state_dict() == before


def test_a_norm_that_is_known_elsewhere():
    clip, weight = AdaptiveClip(max_norm=1.0), nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([6.0])
    # This rank holds 6, another one 8.
    assert float(clip(weight, norm=torch.tensor(10.0))) == 10.0
    assert float(weight.grad) == pytest.approx(0.6)


def test_the_returned_norm_is_a_copy():
    clip = AdaptiveClip()
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([3.0])
    norm, stats = clip(weight), clip.stats()
    feed(clip, [7.0])
    assert (float(norm), float(stats["grad_norm"])) == (3.0, 3.0)


def test_stats_have_names_that_a_log_is_read_by():
    stats = AdaptiveClip().stats()
    roles = {name: role_of(name).name for name in stats}
    assert roles.pop("grad_norm") == "gradient-norm"
    assert roles.pop("grad_clip_limit") == "limit"
    assert set(roles.values()) == {"other"}


def training(clip, model, optimizer, steps):
    """Deterministic small training; a bad batch every 17th update."""
    losses = []
    for k in steps:
        generator = torch.Generator().manual_seed(k)
        x = torch.randn(8, 4, generator=generator) * (100 if k % 17 == 16 else 1)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        clip(model)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses) if losses else torch.zeros(0)


def started():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return AdaptiveClip(warmup=5), model, torch.optim.AdamW(model.parameters(), 0.01)


def test_kill_and_resume_at_every_update_is_exact():
    total = 22
    clip, model, optimizer = started()
    states = []
    losses = []
    for k in range(total):
        states.append(
            (
                json.dumps(clip.state_dict()),
                {n: v.clone() for n, v in model.state_dict().items()},
                _copied(optimizer.state_dict()),
            )
        )
        losses.append(training(clip, model, optimizer, [k]))
    whole, end = torch.cat(losses), clip.state_dict()
    for k, (kept, weights, moments) in enumerate(states):
        clip, model, optimizer = started()
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        clip.load_state_dict(json.loads(kept))
        assert torch.equal(training(clip, model, optimizer, range(k, total)), whole[k:])
        assert clip.state_dict() == end
    assert end["clipped"] > 0


def _copied(state):
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return [_copied(one) for one in state] if isinstance(state, list) else state


def test_another_configuration_is_named_and_changes_nothing():
    clip = AdaptiveClip(warmup=2)
    feed(clip, [1.0, 2.0, 3.0])
    before = clip.state_dict()
    with pytest.raises(StateMismatch, match=r"z was 2\.5, is 3\.0; warmup was 7, is 2"):
        clip.load_state_dict(AdaptiveClip(z=2.5, warmup=7).state_dict())
    with pytest.raises(StateMismatch, match="version"):
        clip.load_state_dict({**before, "version": 99})
    broken = {**before, "mean": 5.0}
    del broken["weight"]
    with pytest.raises(StateMismatch, match="weight"):
        clip.load_state_dict(broken)
    for wrong in (None, "x", True):
        with pytest.raises(StateMismatch, match="seen"):
            clip.load_state_dict({**before, "mean": 5.0, "seen": wrong})
    assert clip.state_dict() == before


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"z": 0}, ValueError, "z must be above 0"),
        ({"z": "3"}, TypeError, "z must be a number"),
        ({"decay": 1.0}, ValueError, "decay must lie between 0 and 1"),
        ({"decay": math.nan}, ValueError, "decay must lie between 0 and 1"),
        ({"decay": None}, TypeError, "decay must be a number"),
        ({"warmup": 0}, ValueError, "warmup must be 1 or more"),
        ({"warmup": 1.5}, TypeError, "warmup must be an integer"),
        ({"max_norm": -1.0}, ValueError, "max_norm must be above 0"),
        ({"least": 0.0}, ValueError, "least must be above 0"),
        ({"norm_type": math.nan}, ValueError, "norm_type must be above 0"),
    ],
)
def test_bad_input(options, error, words):
    with pytest.raises(error, match=words):
        AdaptiveClip(**options)


def test_nothing_waits_for_the_device():
    clip, model, optimizer = started()
    training(clip, model, optimizer, [0])
    with counted() as syncs:
        for _ in range(3):
            clip(model)
            clip.stats()
    assert syncs.count == 0
    with counted() as syncs:
        clip.state_dict()
    assert syncs.count == 8


def test_compiled_it_is_one_graph_and_the_same():
    torch._dynamo.reset()
    sizes = [*noisy(40, 9), 1e4, math.nan, 0.0, 1.0]
    plain, traced = AdaptiveClip(warmup=5), AdaptiveClip(warmup=5)
    counter = CompileCounter()
    step = torch.compile(traced, backend=counter, fullgraph=True)
    weight, twin = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))
    weight.grad, twin.grad = torch.zeros(4), torch.zeros(4)
    for size in sizes:
        weight.grad.fill_(size)
        twin.grad.fill_(size)
        assert torch.equal(step([weight]).nan_to_num(), plain([twin]).nan_to_num())
        assert torch.equal(weight.grad.nan_to_num(), twin.grad.nan_to_num())
    kept = [{k: v for k, v in c.state_dict().items() if k != "norm"} for c in (plain, traced)]
    assert kept[0] == kept[1]
    assert counter.frame_count == 1  # neither a graph break nor a recompile in all updates


def test_state_stays_where_it_is():
    # What a CUDA graph needs: the same memory in every call, and no other state.
    clip, model, optimizer = started()
    training(clip, model, optimizer, [0])
    places = [t.data_ptr() for t in (clip.norm, clip.limit, clip.coefficient, clip.clipped)]
    training(clip, model, optimizer, range(1, 20))
    clip.load_state_dict(clip.state_dict())
    assert places == [t.data_ptr() for t in (clip.norm, clip.limit, clip.coefficient, clip.clipped)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_in_a_cuda_graph():
    sizes = [*noisy(40, 9), 1e4, math.nan, 0.0, 1.0]
    plain, captured = (AdaptiveClip(warmup=5, device="cuda") for _ in range(2))
    start = captured.state_dict()
    weight, twin = (nn.Parameter(torch.zeros(4, device="cuda")) for _ in range(2))
    weight.grad, twin.grad = torch.ones_like(weight), torch.ones_like(twin)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        captured([weight])
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured([weight])
    captured.load_state_dict(start)
    for size in sizes:
        weight.grad.fill_(size)
        twin.grad.fill_(size)
        graph.replay()
        plain([twin])
        assert torch.equal(weight.grad.nan_to_num(), twin.grad.nan_to_num())
    ours, theirs = captured.state_dict(), plain.state_dict()
    assert (ours["mean"], ours["clipped"]) == (theirs["mean"], theirs["clipped"])
