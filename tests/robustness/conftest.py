"""How many mutations, from which seed, and where the damaged files lie."""

import pytest

from tests.memory import scratch

__all__ = ["scratch"]


@pytest.fixture(scope="session")
def mutations(request):
    return request.config.getoption("--mutations")


@pytest.fixture(scope="session")
def seed(request):
    return request.config.getoption("--seed")
