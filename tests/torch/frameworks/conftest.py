"""What the trainings inside the frameworks share."""

import pytest

torch = pytest.importorskip("torch")


class Follower:
    """A part that keeps the share of the training that it was set to last."""

    def __init__(self):
        self.at = None

    def apply(self, progress):
        self.at = progress

    def config(self):
        return {}


@pytest.fixture
def follower():
    return Follower


@pytest.fixture
def batch():
    """Inputs and targets of an update, a pure function of its number."""

    def of(number):
        rng = torch.Generator().manual_seed(number)
        x = torch.randn(4, 3, generator=rng)
        return x, x.sum(1, keepdim=True) + 0.1 * torch.randn(4, 1, generator=rng)

    return of
