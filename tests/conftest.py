"""Settings of the whole suite, where the real logs lie, and helpers that tests import by name."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

# The builder of demonstration reports, the browser driver, and synthetic curves.
sys.path += [str(Path(__file__).parent / folder) for folder in ("render", "made")]

# The suite writes into no folder of the user; tests of the cache name one of their own.
os.environ["TRAINLENS_CACHE"] = "off"

# A shared machine stalls now and then; the same examples every time keep the suite a fact.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_addoption(parser):
    group = parser.getgroup("trainlens")
    group.addoption("--mutations", type=int, default=300, help="damaged files a format")
    group.addoption("--seed", type=int, default=0, help="seed of the damage")
    group.addoption("--update-golden", action="store_true", help="write the summaries anew")


# Files with few tests that take long, the longest first. Files are dealt to processes as wholes,
# by their number of tests where nobody says otherwise: these would be begun when all else is done.
LONG = (
    "robustness/test_hostile",
    "test_read_only",
    "monitor/test_training",
    "torch/resume/test_killed",
    "attach/test_aim",
    "attach/test_mlflow",
    "readers/test_aim_live",
    "test_packaging",
    "monitor/screen/test_tmux",
    "torch/test_freeze_ddp",
    "test_digest",
    "torch/gradients/test_accumulation_ranks",
    "readers/test_aim_damage",
    "torch/test_guard_benchmark",
)


def pytest_configure(config):
    """Files are dealt in the order below."""
    if hasattr(config.option, "loadscopereorder"):  # without pytest-xdist nothing is dealt
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """The long files first; all else stays in its order."""
    turns = {Path(__file__).parent / f"{name}.py": turn for turn, name in enumerate(LONG)}
    items.sort(key=lambda item: turns.get(item.path, len(LONG)))


ROOT = Path(__file__).parent.parent
REAL_LOGS = ROOT.parent / "shared" / "real_logs"


@pytest.fixture(scope="session")
def real_logs():
    """Folder of other people's logs; not part of the project."""
    if not REAL_LOGS.is_dir():
        pytest.skip("real logs of other people are not beside this checkout")
    return REAL_LOGS


@pytest.fixture(scope="session")
def sample_runs():
    return ROOT / "sample_runs"


def pytest_runtest_setup(item):
    """One thread a process, also where a test itself was the first to import torch.

    The tests run in several processes, and small tensors gain nothing by more threads.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
