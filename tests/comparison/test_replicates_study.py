"""The study of replicates in benchmarks: its counting, and its trainings side by side."""

import math

import numpy as np
import pytest

from benchmarks.comparison.replicates import METHODS, Trial, rates, table


def noisy(rng, shift=0.0):
    return 1.0 + shift + 0.05 * rng.standard_normal(60)


@pytest.fixture
def made():
    rng = np.random.default_rng(3)
    same = [Trial("one", "values", "g", noisy(rng), noisy(rng), 0) for _ in range(20)]
    lower = [Trial("one", "values", "g", noisy(rng), noisy(rng, -0.5), -1) for _ in range(5)]
    wrong = [Trial("one", "values", "h", noisy(rng), noisy(rng, -0.5), 1) for _ in range(5)]
    return same, lower, wrong


def test_clear_differences_are_found_and_noise_is_not(made):
    same, lower, _ = made
    for row in rates([*same, *lower]):
        assert row.replicates <= 0.2
        assert row.found == 1.0
        assert (row.pairs, row.differences) == (20, 5)


def test_the_wrong_direction_is_not_found_and_groups_count_alike(made):
    same, lower, wrong = made
    held = rates([*same, *lower, *lower, *wrong])
    assert {row.found for row in held} == {0.5}


def test_without_a_true_difference_there_is_none_to_find(made):
    held = rates(made[0])
    assert all(math.isnan(row.found) for row in held)
    head, body = table(held)
    assert len(head) == 4 + 2 * len(METHODS)
    assert [line[0] for line in body] == ["one", "all"]
    assert all(len(line) == len(head) for line in body)
    assert body[-1][-1] == "–"


@pytest.fixture
def one_thread():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_seeds_do_not_feel_each_other():
    from dataclasses import replace

    import torch

    from benchmarks.comparison.replicate_tasks import tasks
    from benchmarks.comparison.replicate_training import train

    class Shifted:
        """The same, but that the first seed begins elsewhere."""

        def __init__(self, problem):
            self.problem = problem
            self.batch, self.objective = problem.batch, problem.objective
            self.evaluate = problem.evaluate

        def start(self, recipe, draw):
            params = self.problem.start(recipe, draw)
            with torch.no_grad():
                params[0][0] += 0.5
            return params

    for name in ("clouds", "ratings"):
        task = tasks()[name]
        recipe = replace(task.recipe, steps=8, every=2, evaluate=4)
        plain = train(task.problem, recipe, 1, 3)
        moved = train(Shifted(task.problem), recipe, 1, 3)
        for metric, values in plain.values.items():
            assert not np.allclose(moved.values[metric][0], values[0])
            np.testing.assert_allclose(moved.values[metric][1:], values[1:], rtol=1e-5, atol=1e-7)
