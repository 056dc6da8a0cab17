"""The gated consistency loss against a loop in numpy, and its contract."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch._dynamo.testing import CompileCounter  # noqa: E402

from tests.torch.losses.consistency import (  # noqa: E402
    NAN,
    drawn,
    hard,
    oracle,
    ramp,
    soft,
    tensors,
)
from tests.torch.syncs import counted  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.losses.clip_consistency import CLIPConsistencyLoss  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0, 1), st.booleans())
def test_the_loss_is_the_formula(seed, progress, is_soft):
    a, b, valid, present = drawn(seed)
    loss = CLIPConsistencyLoss(0.5, use_soft_coverage_gate=is_soft)
    ta, tb, tv, tp = tensors(a, b, valid, present)
    expected = oracle(a, b, valid, progress, soft if is_soft else hard, 0.5, present)
    assert loss(ta, tb, tv, progress, present=tp).item() == pytest.approx(expected, rel=1e-9)
    expected = oracle(a, b, valid, progress, soft if is_soft else hard, 0.5)
    assert loss(ta, tb, tv.int(), progress).item() == pytest.approx(expected, rel=1e-9)


def test_stats_have_the_names_and_roles_that_the_rules_read():
    a, b, valid, _ = drawn(3)
    loss = CLIPConsistencyLoss()
    loss(*tensors(a, b, valid), progress=0.15)
    coverage = valid.mean(1)
    assert loss.last["valid_ratio"].item() == pytest.approx(coverage.mean())
    assert loss.last["coverage_weight"].item() == pytest.approx(
        np.mean([soft(c) for c in coverage])
    )
    assert loss.last["w_clip"].item() == pytest.approx(0.025)
    assert not any(value.requires_grad for value in loss.last.values())
    assert role_of("valid_ratio").name == "coverage"
    assert role_of("w_clip").name == "loss-weight"


def test_the_soft_gate_is_zero_one_monotone_and_continuous():
    loss = CLIPConsistencyLoss()
    for dtype in (torch.float32, torch.float64):
        c = torch.linspace(0, 1, 3001, dtype=dtype)
        gate = loss.gate(c)
        assert torch.all(gate[c <= 0.3] == 0)
        assert torch.all(gate[c >= 0.6] == 1)
        assert torch.all(gate[(c > 0.301) & (c < 0.599)].diff() > 0)
        assert gate.diff().abs().max() < 0.002  # slope of at most 5 over 1/3000
        assert loss.gate(torch.tensor([3 / 10, 6 / 10], dtype=dtype)).tolist() == [0, 1]


def test_the_hard_gate_opens_at_the_threshold():
    loss = CLIPConsistencyLoss(use_soft_coverage_gate=False)
    assert loss.gate(torch.tensor([0.0, 0.59, 0.6, 1.0])).tolist() == [0, 0, 1, 1]


def test_lower_ends_of_the_soft_gate():
    assert CLIPConsistencyLoss().coverage_low == 0.3
    assert CLIPConsistencyLoss(coverage_threshold=0.5).coverage_low == 0.3
    low = CLIPConsistencyLoss(coverage_threshold=0.2)
    assert low.gate(torch.tensor([0.1, 0.15, 0.2])).tolist() == pytest.approx([0, 0.5, 1])
    everything = CLIPConsistencyLoss(coverage_threshold=0.0)
    assert everything.gate(torch.tensor([0.0, 1.0])).tolist() == [1, 1]


def test_the_ramp_is_exact_at_its_places_however_progress_comes():
    a, b, valid, _ = drawn(1)
    given = tensors(a, b, valid)
    loss = CLIPConsistencyLoss()
    for progress, share in [(0, 0), (0.05, 0), (0.1, 0), (0.2, 1), (0.5, 1), (1, 1)]:
        loss(*given, progress)
        assert loss.last["w_clip"].item() == loss.weight.item() * share
        told = torch.tensor(float(progress))
        loss(*given, told)
        assert loss.last["w_clip"].item() == loss.weight.item() * share
        loss.set_progress(progress)
        loss(*given)
        assert loss.last["w_clip"].item() == loss.weight.item() * share
    for progress in np.linspace(0, 1, 101):
        loss(*given, torch.tensor(progress))
        by_tensor = loss.last["w_clip"].item()
        loss(*given, float(progress))
        assert by_tensor == pytest.approx(loss.last["w_clip"].item(), abs=1e-8)


@pytest.mark.parametrize(("first", "duration"), [(0.1, 0.05), (0.2, 0.1), (0.3, 0.1), (0.7, 0.2)])
def test_the_end_of_the_ramp_is_reached_whatever_the_rounding(first, duration):
    loss = CLIPConsistencyLoss(1.0, first, duration)
    loss(torch.ones(1, 2), torch.ones(1, 2), progress=torch.tensor(first + duration))
    assert loss.last["w_clip"].item() == 1.0


def test_a_mask_of_points_holds_for_every_sample_and_one_sample_needs_no_batch():
    a, b, valid, _ = drawn(2, batch=3)
    loss = CLIPConsistencyLoss()
    ta, tb, tv = tensors(a, b, valid)
    one = tv[0].clone()
    one[:7] = True
    assert torch.equal(loss(ta, tb, one, 1.0), loss(ta, tb, one.expand(3, -1), 1.0))
    assert torch.equal(loss(ta[0], tb[0], one, 1.0), loss(ta[:1], tb[:1], one[None], 1.0))


def test_a_switch_without_warmup_needs_no_progress():
    a, b, *_ = drawn(4)
    loss = CLIPConsistencyLoss(1.0, 0.0, 0.0)
    assert loss(*tensors(a, b)).item() == pytest.approx(
        oracle(a, b, np.ones((4, 10), bool), 1, weight=1)
    )


def test_nan_where_it_counts_is_seen():
    a, b, *_ = tensors(*drawn(8))
    a[0, 0, 0] = NAN
    assert CLIPConsistencyLoss()(a, b, None, 1.0).isnan()
    a[0, 0, 0] = float("inf")
    assert CLIPConsistencyLoss()(a, b, None, 1.0).isnan()


def test_scale_does_not_matter():
    a, b, *_ = tensors(*drawn(9))
    loss = CLIPConsistencyLoss()
    expected = loss(a, b, None, 1.0).item()
    for scale in (1e-3, 1e150, 1e300):
        assert loss(a * scale, b, None, 1.0).item() == pytest.approx(expected, rel=1e-12)
    assert loss(a.float() * 1e37, b.float(), None, 1.0).item() == pytest.approx(expected, rel=1e-5)


def test_small_angles_are_not_lost_to_cancellation():
    angle = 1e-4
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[np.cos(angle), np.sin(angle)]]).float()
    loss = CLIPConsistencyLoss(1.0)
    assert loss(a, b, None, 1.0).item() == pytest.approx(angle**2 / 2, rel=1e-3)
    assert 1 - torch.nn.functional.cosine_similarity(a, b).item() != pytest.approx(
        angle**2 / 2, rel=0.1
    )


def test_mixed_precision_and_autocast_compute_in_float32():
    a, b, *_ = tensors(*drawn(11))
    loss = CLIPConsistencyLoss()
    expected = loss(a, b, None, 1.0).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(a.float(), b.float(), None, 1.0)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected, rel=1e-5)
    assert loss(a.half(), b.float(), None, 1.0).item() == pytest.approx(expected, rel=1e-3)


def compiled_over_progress(loss, way):
    """Frames that are compiled while progress changes, and the results beside eager ones."""
    a, b, valid = (x.float() if x.is_floating_point() else x for x in tensors(*drawn(12)[:3]))
    a.requires_grad_()
    torch._dynamo.reset()
    frames, told = CompileCounter(), torch.zeros(())
    fast = torch.compile(loss, backend=frames, fullgraph=True)
    for progress in (0.0, 0.05, 0.1, 0.12, 0.15, 0.19, 0.2, 0.6, 1.0):
        expected = loss(a, b, valid, progress).item()
        told.fill_(progress)
        loss.set_progress(progress)
        given = {"buffer": (), "tensor": (told,), "float": (progress,)}[way]
        value = fast(a, b, valid, *given)
        assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-9)
        assert loss.last["w_clip"].item() == pytest.approx(0.05 * ramp(progress), abs=1e-8)
    value.backward()
    return frames.frame_count


@pytest.mark.parametrize(("way", "frames"), [("buffer", 1), ("tensor", 1), ("float", 2)])
def test_compiled_code_stays_while_progress_changes(way, frames):
    assert compiled_over_progress(CLIPConsistencyLoss(), way) == frames


def test_nothing_waits_for_the_device():
    a, b, valid = tensors(*drawn(14)[:3])
    loss, told = CLIPConsistencyLoss(), torch.tensor(0.3)
    with counted() as syncs:
        loss.set_progress(0.3)
        loss(a.requires_grad_(), b, valid).backward()
        loss(a, b, valid, told).backward()
        loss(a, b, valid, 0.3).backward()
    assert syncs.count == 0
    with counted() as syncs:
        loss(a, b, valid).item()
    assert syncs.count == 1  # the counter counts


def test_it_follows_a_scheduler_as_a_part():
    loss, clock = CLIPConsistencyLoss(), Clock(100)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = Scheduler(optimizer, clock, parts=[loss.part()])
    a = torch.randn(2, 4, 3)
    for update in range(30):
        scheduler.apply()
        loss(a, a)
        assert loss.last["w_clip"].item() == pytest.approx(0.05 * ramp(update / 100), abs=1e-8)
        clock.tick()
    assert loss.part().config()["coverage_threshold"] == 0.6


def test_places_in_updates_are_told_by_a_clock():
    loss = CLIPConsistencyLoss(1.0, "100ba", "50ba", share=Clock(1000).share)
    assert [loss.set_progress(p) for p in (0.1, 0.125, 0.15)] == pytest.approx([0, 0.5, 1])
    with pytest.raises(ValueError, match="clock"):
        CLIPConsistencyLoss(1.0, "100ba")


def test_the_buffers_are_not_part_of_a_checkpoint():
    loss = CLIPConsistencyLoss()
    assert not loss.state_dict()
    loss.set_weight(0.5)
    assert loss.weight.item() == 0.5


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"weight": -1}, "weight must be 0 or more"),
        ({"weight": NAN}, "weight must be 0 or more"),
        ({"coverage_threshold": 1.2}, "coverage_threshold must be 0 or more and at most 1"),
        ({"coverage_low": 0.6}, "coverage_low .0.6. must lie below coverage_threshold"),
        ({"gradient_flow_ratio": 2}, "gradient_flow_ratio must be 0 or more and at most 1"),
        ({"protected": "text"}, "protected must be one of fusion, backbone, clip, both"),
        ({"eps": 0}, "eps must be above 0"),
        ({"warmup_end_progress": 1.5}, "more than the whole training"),
    ],
)
def test_other_settings_are_refused(settings_, message):
    with pytest.raises(ValueError, match=message):
        CLIPConsistencyLoss(**settings_)


def test_other_input_is_refused_in_one_line_and_changes_nothing():
    loss = CLIPConsistencyLoss()
    a = torch.randn(2, 5, 3)
    cases = [
        ((a, a), ValueError, "give progress="),
        ((a, a[:, :4], None, 1.0), ValueError, r"features have shape \(2, 5, 3\), clip_features"),
        ((a[0, 0], a[0, 0], None, 1.0), ValueError, r"\(batch, points, dim\)"),
        ((a, a, torch.ones(2, 4, dtype=torch.bool), 1.0), ValueError, "valid has shape"),
        ((a, a, torch.ones(2, 5), 1.0), TypeError, "valid > 0.5"),
        ((a.int(), a.int(), None, 1.0), TypeError, "floating point"),
        ((a, a, None, 1.1), ValueError, "progress must be 0 or more and at most 1"),
        ((a, a, None, NAN), ValueError, "progress must be"),
        ((a, a, None, torch.ones(2)), ValueError, "0-dim tensor"),
    ]
    for given_, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            loss(*given_)
        assert "\n" not in str(caught.value)
    assert loss.last == {}
    with pytest.raises(ValueError, match="progress"):
        loss.set_progress(1.1)
    assert loss.factor.item() == 1.0
    with pytest.raises(ValueError, match="give progress="):
        loss(a, a)
