"""Dropout rates: every torch place is reached, and the schedule is a function of the step."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

import trainlens_torch  # noqa: E402
from trainlens_torch import ProgressiveDropout, set_dropout_rate  # noqa: E402


def decoder() -> nn.Module:
    """A bit of everything that holds a dropout rate, nested."""
    return nn.ModuleDict(
        {
            "layer": nn.TransformerDecoderLayer(16, 2, dim_feedforward=16, dropout=0.3),
            "convolutions": nn.Sequential(nn.Dropout1d(0.3), nn.Dropout2d(0.3), nn.Dropout3d(0.3)),
            "selu": nn.Sequential(nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3)),
            "recurrent": nn.LSTM(4, 4, num_layers=2, dropout=0.3),
            "attention": nn.MultiheadAttention(16, 2, dropout=0.3),
        }
    )


def test_every_rate_is_reached():
    model = decoder()
    # Decoder layer: two attentions and four Dropout; then 3 + 2 layers, an LSTM, an attention.
    assert set_dropout_rate(model, 0.25) == 6 + 5 + 1 + 1
    assert "0.3" not in repr(model)
    layer = model["layer"]
    assert layer.self_attn.dropout == layer.multihead_attn.dropout == layer.dropout3.p == 0.25
    assert model["recurrent"].dropout == model["attention"].dropout == 0.25


def test_rate_zero_makes_training_deterministic_and_rate_half_drops():
    torch.manual_seed(0)
    model = decoder()["layer"].train()
    target, memory = torch.randn(5, 3, 16), torch.randn(4, 3, 16)
    set_dropout_rate(model, 0.0)
    assert torch.equal(model(target, memory), model(target, memory))
    set_dropout_rate(model, 0.5)
    assert not torch.equal(model(target, memory), model(target, memory))


def test_layers_know_the_share_they_drop():
    torch.manual_seed(0)
    layer = nn.Dropout(0.9)
    set_dropout_rate(layer, 0.2)
    assert (layer(torch.ones(100_000)) == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)


def test_a_module_shared_twice_is_counted_once():
    shared = nn.Dropout(0.5)
    assert set_dropout_rate(nn.Sequential(shared, nn.ReLU(), shared), 0.1) == 1


def test_a_module_without_dropout():
    assert set_dropout_rate(nn.Linear(2, 2), 0.1) == 0
    with pytest.raises(ValueError, match="Linear holds no dropout"):
        ProgressiveDropout(nn.Linear(2, 2))


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_rates_outside_the_range_change_nothing(rate):
    layer = nn.Dropout(0.5)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        set_dropout_rate(layer, rate)
    assert layer.p == 0.5


@pytest.mark.parametrize("rate", [True, "0.1", None])
def test_rates_that_are_no_numbers(rate):
    with pytest.raises(TypeError, match="must be a number"):
        set_dropout_rate(nn.Dropout(0.5), rate)


@pytest.mark.parametrize(
    ("start", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_start_step_is_checked(start, error):
    with pytest.raises(error, match="start_step"):
        ProgressiveDropout(nn.Dropout(), start_step=start)


def test_defaults_are_off_until_step_10_000_then_a_tenth():
    schedule = ProgressiveDropout(nn.Dropout(0.5))
    rates = [schedule.rate(s) for s in (0, 9_999, 10_000, 100_000)]
    assert rates == [0.0, 0.0, 0.1, 0.1]
    assert schedule.module.p == 0.5, "asking for a rate does not set it"


@given(st.integers(0, 50), st.floats(0, 1), st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_resuming_at_any_step_gives_the_rate_of_the_uninterrupted_run(start, target, visited):
    straight = ProgressiveDropout(nn.Dropout(0.7), target, start)
    for step in range(visited[-1] + 1):
        straight.apply(step)
    resumed = ProgressiveDropout(nn.Dropout(0.7), target, start)
    for step in visited:
        applied = resumed.apply(step)
    assert resumed.apply(visited[-1]) == applied == resumed.module.p == straight.module.p


def test_public_names_load_on_demand_and_unknown_ones_say_so():
    assert set(trainlens_torch.__all__) <= set(dir(trainlens_torch))
    for name in trainlens_torch.__all__:
        assert getattr(trainlens_torch, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = trainlens_torch.Nonsense
