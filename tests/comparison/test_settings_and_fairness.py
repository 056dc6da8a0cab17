"""Which settings differ, which of them matter, and what makes a comparison unfair."""

import numpy as np
import pytest
from curve_runs import run

from trainlens.comparison.fairness import cautions, replicates
from trainlens.comparison.model import Arm
from trainlens.comparison.settings import config_diff, is_label, is_seed, is_validation


def arm(name, config=None, **series):
    return Arm(name, (run(name, config, **series),))


def told(a, b, by="step"):
    return {c.kind: c.message for c in cautions(a, b, config_diff((a, b)), by)}


@pytest.mark.parametrize("key", ["seed", "random_seed", "GENERAL.seed", "args/seed", "torch_seed"])
def test_seeds(key):
    assert is_seed(key)
    assert not is_validation(key)


@pytest.mark.parametrize("key", ["GENERAL.val_seed", "eval.seed", "data.val_dataset", "test_files",
                                 "validation/fingerprint", "val_split", "validation",
                                 "data.val_set"])  # fmt: skip
def test_validation_data(key):
    assert is_validation(key)
    assert not is_seed(key)


LABELS = (
    "name run output_dir logging.log_dir run_id wandb.project hostname timestamp args.save_path"
)
MATTER = (
    "lr optimizer.name model.hidden_dim dropout batch_size scheduler.type data_dir data.train_path "
    "resume_from pretrained_path weight_decay model_name norm"
)


@pytest.mark.parametrize("key", LABELS.split())
def test_labels(key):
    assert is_label(key)


@pytest.mark.parametrize("key", MATTER.split())
def test_settings_that_matter(key):
    assert not is_seed(key)
    assert not is_validation(key)
    assert not is_label(key)


def test_only_what_differs_is_listed():
    a = arm("a", {"lr": 0.1, "model": {"width": 8, "deep": True}, "seed": 1, "x": float("nan")})
    b = arm(
        "b",
        {"lr": 0.1, "model": {"width": 16, "deep": True}, "seed": 2, "x": float("nan"), "new": 3},
    )
    found = {s.key: s.values for s in config_diff((a, b))}
    assert found == {
        "model.width": {"a": 8, "b": 16},
        "new": {"a": None, "b": 3},
        "seed": {"a": 1, "b": 2},
    }
    assert [s.key for s in config_diff((a, b))][-1] == "seed"


def test_formats_write_the_same_number_in_their_own_way():
    assert config_diff((arm("a", {"n": 8, "p": 1.0}), arm("b", {"n": "8", "p": 1}))) == ()


def test_replicates():
    a, b = (
        arm("a", {"lr": 0.1, "seed": 1, "name": "a"}),
        arm("b", {"lr": 0.1, "seed": 2, "name": "b"}),
    )
    assert replicates(a, b, config_diff((a, b)))
    assert "replicates" in told(a, b)
    c = arm("c", {"lr": 0.2, "seed": 1})
    assert not replicates(a, c, config_diff((a, c)))
    unknown = arm("d"), arm("e")
    assert not replicates(*unknown, config_diff(unknown))
    named = arm("f", {"run_name": "f", "seed": 1}), arm("g", {"run_name": "g", "seed": 2})
    assert not replicates(*named, config_diff(named))


def test_lengths():
    a, b = arm("a", loss=np.ones(100)), arm("b", loss=np.ones(60))
    assert "b ends at step 60, a at step 100" in told(a, b)["length"]
    assert "length" not in told(a, arm("c", loss=np.ones(99)))


def test_a_decay_that_one_run_has_not_had():
    lr = np.linspace(1, 0, 100)
    a, b = arm("a", loss=np.ones(100), lr=np.ones(100)), arm("b", loss=np.ones(100), lr=lr)
    assert "the learning rate of b has decayed to 0 %" in told(a, b)["schedule"]
    assert "schedule" not in told(a, arm("c", loss=np.ones(100), lr=np.linspace(1, 0.7, 100)))
    # Cut where the other ends, neither has decayed.
    short = arm("d", loss=np.ones(30), lr=np.ones(30))
    assert "schedule" not in told(short, b)


def test_validation_data_and_seeds():
    a = arm(
        "a", {"GENERAL": {"val_seed": 1, "seed": 3}, "data": {"val_files": "x"}}, loss=np.ones(9)
    )
    b = arm("b", {"GENERAL": {"seed": 4}, "data": {"val_files": "y"}}, loss=np.ones(9))
    found = [c for c in cautions(a, b, config_diff((a, b)), "step")]
    assert [c.kind for c in found].count("validation-data") == 2
    assert "not set in b" in " ".join(c.message for c in found)
    assert "seed" in {c.kind for c in found}


def test_batch_sizes_by_step_alone():
    a, b = (
        arm("a", {"batch_size": 8}, loss=np.ones(9)),
        arm("b", {"batch_size": 16}, loss=np.ones(9)),
    )
    assert "--by samples" in told(a, b)["batch-size"]
    assert "batch-size" not in told(a, b, "samples")


def test_attempts_and_values_that_are_no_numbers():
    steps = [1, 2, 3, 4, 2, 3, 4, 5]
    a = arm("a", loss=(steps, np.ones(8)))
    b = arm("b", loss=np.array([1.0, np.nan, np.inf, 1, 1]))
    assert "started 2 times" in told(a, b)["attempts"]
    assert "2 values of train/loss in b" in told(a, b)["non-finite"]
