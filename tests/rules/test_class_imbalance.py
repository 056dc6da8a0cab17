"""``class-imbalance``: one class makes up nearly all."""

import numpy as np
import pytest
from layer_runs import configured, falling, flat
from rule_runs import a_run

from trainlens.rules.class_imbalance import class_imbalance


def only(run):
    (finding,) = class_imbalance(run)
    return finding


def shares(value, family="class_share"):
    return a_run(**{f"{family}/{name}": [v] for name, v in value.items()})


@pytest.mark.parametrize("factor", [1, 100])
@pytest.mark.parametrize(("top", "status"), [(0.95, "fail"), (0.89, "pass")])
def test_shares_as_such_and_as_percent(top, status, factor):
    found = only(shares({"a": top * factor, "b": (1 - top) * factor}))
    assert found.status == status
    assert found.evidence["largest"] == pytest.approx(top)


def test_counts_of_the_seed():
    found = only(shares({"0": 550, "1": 10, "2": 8, "3": 6}, "class_count"))
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.evidence["largest"] == pytest.approx(550 / 574)
    assert "Class 0" in found.message
    assert only(shares({"0": 55, "1": 45}, "class_count")).status == "pass"


def test_shares_of_batches_are_averaged():
    one = np.tile([1.0, 0.0], 50)
    assert only(a_run(**{"class_share/a": one, "class_share/b": 1 - one})).status == "pass"


def test_one_of_many_logged_and_background():
    assert only(shares({"a": 0.95})).status == "fail"
    assert only(shares({"a": 0.5})).status == "pass"
    assert only(shares({"background": 0.95, "road": 0.05})).severity == "info"


def test_the_share_of_the_largest():
    assert only(a_run(majority_share=[0.95] * 9)).status == "fail"
    assert only(a_run(majority_share=[0.3] * 9)).status == "pass"
    assert only(a_run(majority_share=[0.95] * 3)).status == "inconclusive"
    assert only(a_run(majority_share=[-1.0] * 9)).status == "skip"
    assert only(a_run(loss=flat())).status == "skip"


@pytest.mark.parametrize(("loss", "severity"), [(flat, "warning"), (falling, "info")])
def test_batches_of_few_classes(loss, severity):
    run = a_run(batch_classes=[2.0] * 20, loss=loss())
    found = only(configured(run, batch_size=64, num_classes=20))
    assert (found.status, found.severity) == ("fail", severity)
    assert found.evidence["expected"] == pytest.approx(20 * (1 - 0.95**64))
    assert only(run).status == "skip"


def test_mixed_batches_and_single_classes_are_not_its_matter():
    for held in (19.0, 1.0):
        run = a_run(batch_classes=[held] * 20, loss=flat())
        assert only(configured(run, batch_size=64, num_classes=20)).status == "skip"


def test_the_largest_share_within_batches_of_one_class_says_nothing_of_the_data():
    run = a_run(batch_classes=[1.0] * 20, majority_share=[1.0] * 20, loss=flat())
    assert only(run).status == "inconclusive"
    run = a_run(batch_classes=[1.0] * 20, majority_share=[0.95], loss=flat())
    assert only(run).status == "fail"
