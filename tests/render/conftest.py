"""What the tests of pages share."""

import pytest
from browser import Chromium


@pytest.fixture(scope="module")
def browser():
    """One Chromium for the tests of a file."""
    held = Chromium()
    yield held
    held.quit()
