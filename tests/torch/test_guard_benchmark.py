"""A training that diverges on purpose recovers under the guard, judged by the comparison."""

import pytest

pytest.importorskip("torch")

from benchmarks.guard import train, verdicts

SEEDS = 3


def test_the_guard_keeps_a_training_alive_that_diverges_without_it(tmp_path):
    found = {
        arm: [train(arm, seed, tmp_path) for seed in range(SEEDS)]
        for arm in ("without", "plain", "guarded")
    }
    assert not any(one.finite for one in found["plain"])
    assert all(one.finite for one in found["guarded"])
    assert [one.skipped for one in found["guarded"]] == [6] * SEEDS
    assert all(one.first_bad == 60 for one in found["guarded"])
    assert all("step 60 was the first bad one" in one.named for one in found["guarded"])
    both = zip(found["guarded"], found["without"], strict=True)
    assert all(one.weights == other.weights for one, other in both)
    said = verdicts(tmp_path)
    assert said["guarded"] == "indistinguishable"
    assert said["plain"] == "worse"
