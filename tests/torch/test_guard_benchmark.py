"""A training that diverges on purpose recovers under the guard, judged by the comparison."""

import pytest

pytest.importorskip("torch")

import trainlens
from benchmarks.guard import train

ARMS = ("without", "plain", "guarded")
SEEDS = 2
BAD = 6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What came of each arm with each seed, and the folder of the logs."""
    folder = tmp_path_factory.mktemp("guard")
    return folder, {arm: [train(arm, seed, folder) for seed in range(SEEDS)] for arm in ARMS}


def test_each_bad_update_is_skipped_and_no_other(results):
    _, found = results
    assert not any(one.finite for one in found["plain"])
    for guarded, without in zip(found["guarded"], found["without"], strict=True):
        assert guarded.finite
        assert (guarded.skipped, guarded.first_bad) == (BAD, 60)
        assert "step 60 was the first bad one" in guarded.named
        assert guarded.weights == without.weights


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_comparison_of_runs_says_so(results, seed):
    folder, _ = results
    runs = {arm: trainlens.load_one(folder / f"{arm}_s{seed}.jsonl") for arm in ARMS}

    def verdict(baseline, candidate):
        asked = {"metrics": ["loss"], "splits": ["val"]}
        (row,) = trainlens.compare(runs[baseline], runs[candidate], **asked).rows
        return row.verdict, row.because

    said, why = verdict("without", "plain")
    assert said == "worse"
    assert "plain_s" in why
    assert "NaN from step" in why
    assert verdict("plain", "guarded")[0] == "better"
    assert verdict("without", "guarded")[0] == "indistinguishable"
