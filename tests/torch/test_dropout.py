"""Dropout rates: every torch place is reached, and the schedule is a function of the step."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

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


class PoseNet(nn.Module):
    """Has the method of the seed, which sets its decoder and leaves the backbone."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Dropout(0.5)
        self.decoder = nn.Sequential(nn.Dropout(0.3), nn.LSTM(4, 4, num_layers=2, dropout=0.3))
        self.asked = []

    def set_dropout_rate(self, dropout_rate):
        self.asked.append(dropout_rate)
        return set_dropout_rate(self.decoder, dropout_rate)


@pytest.mark.parametrize(
    "wrap", [lambda m: m, nn.Sequential, lambda m: torch.compile(m, backend="eager")]
)
def test_a_module_with_a_method_of_its_own_is_asked(wrap):
    net = PoseNet()
    assert set_dropout_rate(wrap(net), 0.25) == 2
    assert net.asked == [0.25]
    assert (net.backbone.p, net.decoder[0].p, net.decoder[1].dropout) == (0.5, 0.25, 0.25)
    assert ProgressiveDropout(wrap(net), start_step=3).apply(3) == net.decoder[0].p == 0.1


def test_a_method_that_sets_the_whole_module_does_not_ask_itself():
    class Whole(PoseNet):
        def set_dropout_rate(self, dropout_rate):
            self.asked.append(dropout_rate)
            set_dropout_rate(self, dropout_rate)

    net = Whole()
    assert set_dropout_rate(nn.Sequential(net, nn.Dropout()), 0.25) == 2
    assert net.asked == [0.25]
    assert net.backbone.p == net.decoder[0].p == 0.25
    net.set_dropout_rate(0.5)
    assert net.backbone.p == 0.5


def test_a_method_that_fails_is_asked_again_later():
    class Failing(PoseNet):
        def set_dropout_rate(self, dropout_rate):
            super().set_dropout_rate(dropout_rate)
            raise OSError("no")

    net = Failing()
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            set_dropout_rate(net, 0.25)
    assert net.asked == [0.25, 0.25]


class DropPath(nn.Module):
    """Stochastic depth as timm keeps it."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob, self.scale_by_keep = drop_prob, True


def test_further_attributes_are_reached_by_name_alone():
    model = nn.Sequential(DropPath(0.1), DropPath(0.2), nn.Dropout(0.3))
    model[2].drop_share = 0.4
    assert set_dropout_rate(model, 0.0) == 1
    assert [model[0].drop_prob, model[1].drop_prob] == [0.1, 0.2]
    assert set_dropout_rate(model, 0.5, extra="drop_prob") == 3
    assert [model[0].drop_prob, model[1].drop_prob, model[2].p] == [0.5, 0.5, 0.5]
    assert model[0].scale_by_keep is True
    assert set_dropout_rate(model, 0.6, extra=["drop_*", "p"]) == 4
    assert model[2].drop_share == 0.6
    assert ProgressiveDropout(nn.Sequential(DropPath(0.2)), extra="drop_prob").apply(0) == 0.0


def test_a_name_that_nothing_has_changes_nothing():
    model = nn.Sequential(DropPath(0.1), nn.Dropout(0.3))
    with pytest.raises(ValueError, match="nothing in Sequential holds a number named 'dorp_prob'"):
        set_dropout_rate(model, 0.5, extra=["drop_prob", "dorp_prob"])
    assert (model[0].drop_prob, model[1].p) == (0.1, 0.3)
    with pytest.raises(TypeError, match="names of attributes"):
        set_dropout_rate(model, 0.5, extra=[1])
    with pytest.raises(TypeError, match="list is no torch module"):
        set_dropout_rate([model], 0.5)


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
