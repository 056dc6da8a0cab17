"""What a check-up sees of activations: units, modules that are used again, saturation."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from trainlens_torch.health import HealthCheck  # noqa: E402
from trainlens_torch.health.activations import Activations  # noqa: E402
from trainlens_torch.health.readings import Readings  # noqa: E402


def test_units_of_images_are_channels_and_those_of_tokens_features():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.a = nn.Conv2d(1, 3, 3), nn.ReLU()
            self.linear, self.b = nn.Linear(3, 5), nn.ReLU()

        def forward(self, x):
            return self.b(self.linear(self.a(self.conv(x)).flatten(2).transpose(1, 2)))

    net = Both()
    with torch.no_grad():
        net.conv.bias[:1] = -1e3
        net.conv.bias[1:] = 10.0
        net.linear.weight.fill_(0.1)
        net.linear.bias[:2] = -1e3
        net.linear.bias[2:] = 1.0
    seen, readings = Activations(net, 8), Readings()
    seen.arm()
    net(torch.randn(8, 1, 8, 8))
    seen.disarm()
    seen.into(readings)
    stats = readings.read()
    assert stats["zero_fraction/a"] == pytest.approx(1 / 3)
    assert stats["zero_fraction/b"] == pytest.approx(2 / 5)


def test_a_module_that_is_used_twice_is_two_layers_in_every_forward_pass():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.relu = nn.Linear(4, 8), nn.Linear(8, 6), nn.ReLU()

        def forward(self, x):
            return self.relu(self.two(self.relu(self.one(x))))

    net = Twice()
    health = HealthCheck(net, every=1)
    health.begin(0)
    for _ in range(2):  # accumulation
        net(torch.randn(64, 4)).sum().backward()
    stats = health.end().stats
    assert {k for k in stats if k.startswith("zero_fraction")} == {
        "zero_fraction/relu", "zero_fraction/relu:2",
    }  # fmt: skip


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardtanh])
def test_saturation(activation):
    net = nn.Sequential(nn.Linear(4, 8), activation())
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.copy_(torch.tensor([9.0, -9.0, 0, 0, 0.1, 0.2, -0.1, -0.2]))
    health = HealthCheck(net, every=1)
    health.begin(0)
    net(torch.ones(4, 4)).sum().backward()
    assert health.end().stats["saturated_fraction/1"] == pytest.approx(0.25)
