"""Accumulated gradients are those of the whole batch, however it was cut."""

import json
import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.gradients.accumulation import Accumulation  # noqa: E402
from trainlens_torch.gradients.clip import clip_gradients  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402


def net(dtype=torch.float64):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).to(dtype)


def rows(n, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(0, 4, (n,), generator=generator)


def entropy(model, x, y, reduction="mean"):
    return nn.functional.cross_entropy(model(x), y, reduction=reduction, ignore_index=-1)


def grads(model):
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def assert_same(model, twin, rtol=1e-9):
    for ours, theirs in zip(grads(model), grads(twin), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=1e-14)


@given(
    cuts=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
    reduction=st.sampled_from(["mean", "sum"]),
    kind=st.sampled_from([int, float, torch.tensor]),
    expected=st.sampled_from([None, 0.3, 100.0]),
)
@settings(max_examples=40)
def test_any_cut_gives_the_gradient_of_the_whole(cuts, reduction, kind, expected):
    model, twin = net(), net()
    x, y = rows(sum(cuts))
    whole = entropy(twin, x, y)
    whole.backward()
    accumulate = Accumulation(model, steps=len(cuts), expected=expected)
    for xs, ys in zip(x.split(cuts), y.split(cuts), strict=True):
        loss = entropy(model, xs, ys, reduction)  # NaN where there is no row
        accumulate.backward(loss, weight=kind(len(ys)), reduction=reduction)
    assert accumulate.due
    torch.testing.assert_close(accumulate.finish(), whole.detach(), rtol=1e-9, atol=0)
    assert_same(model, twin)


def test_the_mean_of_means_is_another_gradient():
    # The mistake that this is for: batches of 9 and 1 valid tokens, each loss divided by 2.
    model, twin = net(), net()
    x, y = rows(10)
    entropy(twin, x, y).backward()
    for xs, ys in zip(x.split([9, 1]), y.split([9, 1]), strict=True):
        (entropy(model, xs, ys) / 2).backward()
    wrong = torch.cat([(a - b).flatten() for a, b in zip(grads(model), grads(twin), strict=True)])
    right = torch.cat([g.flatten() for g in grads(twin)])
    assert wrong.norm() / right.norm() > 0.2


def test_tokens_that_are_ignored_do_not_count():
    model, twin = net(), net()
    x, y = rows(12)
    y[[0, 1, 2, 5]] = -1
    entropy(twin, x, y).backward()
    accumulate = Accumulation(model, steps=3)
    for xs, ys in zip(x.split(4), y.split(4), strict=True):
        accumulate.backward(entropy(model, xs, ys), weight=(ys != -1).sum())
    accumulate.finish()
    assert_same(model, twin)


def test_equal_weights_are_the_bits_of_the_usual_division():
    model, twin = net(torch.float32), net(torch.float32)
    accumulate = Accumulation(model, steps=4)
    for k in range(4):
        xs, ys = rows(6, k, torch.float32)
        (entropy(twin, xs, ys) / 4).backward()
        accumulate.backward(entropy(model, xs, ys))
    accumulate.finish()
    for ours, theirs in zip(grads(model), grads(twin), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("zero", [0, 0.0, torch.tensor(0), torch.tensor(0.0)])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_mean_of_nothing_adds_nothing(zero, where):
    model, twin = net(), net()
    x, y = rows(8)
    entropy(twin, x, y).backward()
    accumulate = Accumulation(model, steps=3)
    full = list(zip(x.split(4), y.split(4), strict=True))
    for k in range(3):
        if k == where:
            # 0 / 0 written out: its gradient is NaN even where the loss is multiplied by 0.
            xs, _ = rows(4)
            mask = torch.zeros(4, dtype=torch.float64)
            loss = (model(xs).sum(1) * mask).sum() / mask.sum()
            accumulate.backward(loss, weight=zero)
        else:
            accumulate.backward(entropy(model, *full.pop()), weight=zero + 4)
    accumulate.finish()
    assert_same(model, twin)


@pytest.mark.parametrize("zero", [0, torch.tensor(0)])
def test_all_weights_zero(zero):
    model = net()
    x, y = rows(4)
    accumulate = Accumulation(model, steps=2)
    for _ in range(2):
        accumulate.backward(entropy(model, x, torch.full_like(y, -1)), weight=zero)
    assert accumulate.finish() == 0
    assert all(g is None or (g == 0).all() for g in grads(model))
    assert math.isfinite(accumulate.state_dict()["unit"] or 0)


def test_a_loss_that_is_nan_stays_visible():
    model = net()
    accumulate = Accumulation(model, steps=2)
    x, y = rows(4)
    accumulate.backward(entropy(model, x, y), weight=4)
    accumulate.backward(entropy(model, x * math.nan, y), weight=4)
    assert accumulate.finish().isnan()
    assert not clip_gradients(model, 1.0).isfinite()


def test_a_weight_in_a_tensor_that_is_nan_stays_visible():
    model = net()
    accumulate = Accumulation(model)
    accumulate.backward(entropy(model, *rows(4)), weight=torch.tensor(math.nan))
    assert accumulate.finish().isnan()
    assert all(g.isnan().all() for g in grads(model))


def test_updates_follow_the_clock_and_the_end_of_an_epoch():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    clock = Clock(100, accumulation=4)
    accumulate = Accumulation(model, clock=clock)
    assert accumulate.steps == 4
    sizes, at = [3, 1, 2, 2, 5, 1], []
    for epoch in range(2):
        for i, n in enumerate(sizes):
            with accumulate.micro(last=i + 1 == len(sizes)):
                accumulate.backward(entropy(model, *rows(n, i)), weight=n)
            if accumulate.due:
                accumulate.finish()
                twin = net()
                twin.load_state_dict(model.state_dict())
                part = range(4) if i == 3 else range(4, 6)
                cut = [rows(sizes[k], k) for k in part]
                entropy(twin, *(torch.cat(both) for both in zip(*cut, strict=True))).backward()
                assert_same(model, twin)
                clip_gradients(model, 1.0)
                optimizer.step()
                optimizer.zero_grad()
                at.append((epoch, i))
            clock.tick(samples=n, update=accumulate.due)
        clock.end_epoch()
    assert at == [(0, 3), (0, 5), (1, 3), (1, 5)]
    assert (clock.updates, clock.samples) == (4, 28)


def test_without_a_clock_it_counts_for_itself():
    accumulate, x = Accumulation(net(), steps=3), rows(2)
    due = []
    for _ in range(7):
        accumulate.backward(entropy(net(), *x))
        due.append(accumulate.due)
        if accumulate.due:
            accumulate.finish()
            assert accumulate.due  # until the next micro-batch, for clock.tick(update=...)
    assert due == [False, False, True, False, False, True, False]
    accumulate.reset()
    assert not accumulate.due


def test_frozen_parameters_stay_without_gradients():
    model = net()
    model[0].requires_grad_(False)
    accumulate = Accumulation(model, steps=2)
    for weight in (torch.tensor(2), torch.tensor(0)):
        accumulate.backward(entropy(model, *rows(2)), weight=weight)
    accumulate.finish()
    assert [g is None for g in grads(model)] == [True, True, False, False]


def test_a_sparse_embedding():
    table, twin = nn.Embedding(6, 2, sparse=True), nn.Embedding(6, 2)
    twin.load_state_dict(table.state_dict())
    index = torch.tensor([0, 3, 3, 5])
    twin(index).square().mean().backward()
    accumulate = Accumulation(table, steps=2)
    for part in index.split([3, 1]):
        accumulate.backward(table(part).square().mean(), weight=torch.tensor(len(part)))
    accumulate.finish()
    torch.testing.assert_close(table.weight.grad.to_dense(), twin.weight.grad)


def test_large_weights_do_not_overflow_half_precision():
    # A gradient of 1000 a sample in float16 and 4096 tokens: their product is far beyond 65504.
    weight = nn.Parameter(torch.ones(2, dtype=torch.float16))
    accumulate = Accumulation(weight, steps=2)
    for tokens in (4096, 2048):
        x = torch.full((2,), 1000.0 if tokens == 4096 else 4000.0, dtype=torch.float16)
        accumulate.backward((weight * x).sum(), weight=tokens)
    accumulate.finish()
    torch.testing.assert_close(weight.grad, torch.full((2,), 2000.0, dtype=torch.float16))


def test_with_a_loss_scaler():
    model, twin = net(torch.float32), net(torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    accumulate = Accumulation(model, steps=2, scaler=scaler)
    x, y = rows(10, dtype=torch.float32)
    for xs, ys in zip(x.split([7, 3]), y.split([7, 3]), strict=True):
        accumulate.backward(entropy(model, xs, ys), weight=len(ys))
    mean = accumulate.finish()
    assert grads(model)[0].abs().max() > 10  # scaled still
    scaler.unscale_(optimizer)
    whole = entropy(twin, x, y)
    whole.backward()
    assert_same(model, twin, rtol=1e-4)
    torch.testing.assert_close(mean.float(), whole.detach())
    scaler.step(optimizer)
    scaler.update()


def test_nothing_waits_for_the_device():
    model = net()
    weights = [torch.tensor(4), torch.tensor(0), torch.tensor(3)]
    with counted() as syncs:
        accumulate = Accumulation(model, steps=3)
        for weight in weights:
            with accumulate.micro():
                accumulate.backward(entropy(model, *rows(4)), weight=weight)
        accumulate.finish()
        clip_gradients(model, 1.0)
    assert syncs.count == 0


def trained(model, optimizer, accumulate, updates):
    for k in updates:
        for micro in range(2):
            n = 1 + (3 * k + micro) % 5
            loss = entropy(model, *rows(n, 10 * k + micro, torch.float32))
            accumulate.backward(loss, weight=torch.tensor(n) if k % 2 else n)
        accumulate.finish()
        optimizer.step()
        optimizer.zero_grad()
    return grads(model), [p.detach().clone() for p in model.parameters()]


def test_kill_and_resume_at_every_update_is_exact():
    def start():
        model = net(torch.float32)
        return model, torch.optim.SGD(model.parameters(), 0.5), Accumulation(model, steps=2)

    total = 8
    _, whole = trained(*start(), range(total))
    for k in range(total + 1):
        model, optimizer, accumulate = start()
        trained(model, optimizer, accumulate, range(k))
        kept = json.loads(json.dumps(accumulate.state_dict()))
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        model, optimizer, accumulate = start()
        model.load_state_dict(weights)
        accumulate.load_state_dict(kept)
        _, resumed = trained(model, optimizer, accumulate, range(k, total))
        assert all(torch.equal(a, b) for a, b in zip(resumed, whole, strict=True))


def test_the_expected_weight_leaves_no_trace():
    found = []
    for expected in (None, 1.0, 37.0, 1e-4):
        model = net(torch.float32)
        optimizer = torch.optim.SGD(model.parameters(), 0.5)
        found.append(
            trained(model, optimizer, Accumulation(model, steps=2, expected=expected), range(4))[1]
        )
    assert all(torch.equal(a, b) for one in found for a, b in zip(one, found[0], strict=True))


def test_another_configuration_is_named_and_changes_nothing():
    accumulate = Accumulation(net(), steps=2)
    accumulate.backward(entropy(net(), *rows(2)), weight=2)
    before = accumulate.state_dict()
    with pytest.raises(StateMismatch, match="steps was 4, is 2"):
        accumulate.load_state_dict(Accumulation(net(), steps=4).state_dict())
    for wrong in ("8", -1.0, math.nan, True):
        with pytest.raises(StateMismatch, match="unit"):
            accumulate.load_state_dict({**before, "unit": wrong})
    assert accumulate.state_dict() == before
    accumulate.finish()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"steps": 0}, ValueError, "steps must be 1 or more"),
        ({"steps": 2.0}, TypeError, "steps must be an integer"),
        ({"steps": 2, "clock": Clock(10, accumulation=4)}, ValueError, "accumulation of 4"),
        ({"expected": 0}, ValueError, "expected must be above 0"),
        ({"expected": math.inf}, ValueError, "expected must be finite"),
    ],
)
def test_bad_settings(options, error, words):
    with pytest.raises(error, match=words):
        Accumulation(net(), **options)


def test_nothing_to_accumulate():
    with pytest.raises(ValueError, match="no parameter"):
        Accumulation([])


@pytest.mark.parametrize(
    ("loss", "weight", "reduction", "error", "words"),
    [
        (None, -1, "mean", ValueError, "weight must be 0 or more"),
        (None, math.nan, "mean", ValueError, "weight must be 0 or more"),
        (None, math.inf, "mean", ValueError, "weight must be 0 or more"),
        (None, "3", "mean", TypeError, "weight is a number"),
        (None, torch.ones(2), "mean", ValueError, r"weight is one number, not \[2\]"),
        (torch.ones(3), 1, "mean", ValueError, r"loss is one number, not \[3\]"),
        (1.5, 1, "mean", ValueError, "loss is one number, not float"),
        (None, 1, "none", ValueError, "reduction must be"),
    ],
)
def test_a_bad_micro_batch_adds_nothing(loss, weight, reduction, error, words):
    model, twin = net(), net()
    accumulate = Accumulation(model, steps=2)
    x, y = rows(6)
    entropy(twin, x, y).backward()
    accumulate.backward(entropy(model, x[:4], y[:4]), weight=4)
    with pytest.raises(error, match=words):
        accumulate.backward(
            entropy(model, x, y) if loss is None else loss, weight, reduction=reduction
        )
    accumulate.backward(entropy(model, x[4:], y[4:]), weight=2)
    accumulate.finish()
    assert_same(model, twin)


def test_finish_is_called_once():
    accumulate = Accumulation(net())
    with pytest.raises(RuntimeError, match="without a backward"):
        accumulate.finish()
    accumulate.backward(entropy(net(), *rows(2)))
    accumulate.finish()
    with pytest.raises(RuntimeError, match="without a backward"):
        accumulate.finish()
