"""Rule outlier."""

import numpy as np
from rule_runs import a_run
from synthetic_curves import healthy

from trainlens.rules import all_rules


def judge(run):
    (found,) = all_rules()["outlier"](run)
    return found


def test_single_points_are_info_in_one_finding():
    value = healthy(2000, np.random.default_rng(0), sigma=0.03)
    assert judge(a_run(loss=value)).status == "pass"
    value[[700, 900]] *= [3, 8]
    found = judge(a_run(loss=value))
    assert (found.status, found.severity) == ("fail", "info")
    assert (found.first_step, found.last_step) == (701, 901)
    assert found.evidence["count"] == 2
    assert "step 901" in found.message


def test_a_sustained_spike_is_no_outlier():
    value = healthy(2000, np.random.default_rng(0), sigma=0.03)
    value[700:710] *= 3
    assert judge(a_run(loss=value)).status == "pass"


def test_many_of_them_are_a_heavy_tail():
    rng = np.random.default_rng(0)
    value = healthy(2000, rng, sigma=0.01)
    value[50::40] *= rng.uniform(2.5, 9, len(value[50::40]))
    found = judge(a_run(loss=value))
    assert found.status == "inconclusive"
    assert "heavy tail" in found.message


def test_few_points_and_no_loss():
    assert judge(a_run(loss=np.ones(12))).status == "inconclusive"
    assert judge(a_run()).status == "skip"
