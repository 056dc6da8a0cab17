"""Batches of one class are a broken sampler."""

import numpy as np
import pytest

from trainlens.rules import all_rules
from trainlens.run import Chunk, Column, Run, unknown


def judged(classes, name="batch_classes"):
    n = len(classes)
    column = Column(name, np.arange(n) * 10, np.array(classes, float), unknown(n), unknown(n))
    run = Run("r", "r", "jsonl").extend(Chunk((column,)))
    (finding,) = all_rules()["single-class-batch"](run)
    return finding


@pytest.mark.parametrize("name", ["batch_classes", "train/batch_classes", "num_classes_in_batch"])
def test_all_of_one_class(name):
    found = judged([1.0] * 20, name)
    assert (found.status.value, found.severity.value) == ("fail", "error")
    assert (found.first_step, found.last_step) == (0, 190)
    assert found.evidence["share"] == 1.0


def test_mixed_batches_pass():
    found = judged([6, 5, 6, 1, 6, 4, 6, 6])
    assert found.status.value == "pass"
    assert found.evidence["share"] == 1 / 8


def test_half_of_them():
    assert judged([1, 6] * 10).failed
    assert judged([1, 6, 6] * 10).status.value == "pass"


def test_too_few_to_tell():
    assert judged([1, 1]).status.value == "inconclusive"


def test_not_logged():
    (found,) = all_rules()["single-class-batch"](Run("r", "r", "jsonl"))
    assert found.status.value == "skip"
