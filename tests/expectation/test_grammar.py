"""Expectations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.expectation import Malformed, parse

MPJPE = {"metric": "mpjpe", "split": "val"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mean(val/mpjpe) < 80", {**MPJPE, "stat": "mean", "op": "<", "value": 80}),
        (" mean ( val/mpjpe )<80mm ", {**MPJPE, "stat": "mean", "op": "<", "value": 80,
                                      "unit": "mm"}),
        ("std(val/mpjpe) ≤ 18 mm", {**MPJPE, "stat": "std", "op": "<=", "value": 18,
                                    "unit": "mm"}),
        ("train/total within 10 % of 1.10", {"metric": "total", "split": "train", "stat": "end",
                                             "op": "about", "value": 1.1, "rtol": 0.1}),
        ("at 12000 val/mpjpe < 85", {**MPJPE, "at": 12000, "op": "<", "value": 85}),
        ("val/mpjpe < 85 at step 12,000", {**MPJPE, "at": 12000, "op": "<", "value": 85}),
        ("val/mpjpe at 12\u202f000 ~ 85 ± 5", {**MPJPE, "at": 12000, "op": "about", "value": 85,
                                              "atol": 5}),
        ("gap/mpjpe at 3000 about +45 mm", {"metric": "mpjpe", "split": "gap", "at": 3000,
                                            "op": "about", "value": 45, "unit": "mm"}),
        ("min(train/loss) up to epoch 50 < 3.5", {"metric": "loss", "split": "train",
                                                  "stat": "min", "to": 50, "axis": "epoch",
                                                  "op": "<", "value": 3.5}),
        ("from epoch 50 to epoch 200 min(train/loss) below 2", {
            "metric": "loss", "split": "train", "stat": "min", "from": 50, "to": 200,
            "axis": "epoch", "op": "<", "value": 2}),
        ("std(val/mpjpe) <= 80 % of baseline", {**MPJPE, "stat": "std", "op": "<=", "value": 0.8,
                                                "against": "ratio"}),
        ("std(val/mpjpe) <= 0.8 x baseline", {**MPJPE, "stat": "std", "op": "<=", "value": 0.8,
                                              "against": "ratio"}),
        ("std(val/mpjpe) <= baseline - 20 %", {**MPJPE, "stat": "std", "op": "<=", "value": 0.8,
                                               "against": "ratio"}),
        ("max(val/mpjpe) > baseline + 3.5 mm", {**MPJPE, "stat": "max", "op": ">", "value": 3.5,
                                                "against": "difference", "unit": "mm"}),
        ("max(val/mpjpe) >= baseline", {**MPJPE, "stat": "max", "op": ">=", "value": 0,
                                        "against": "difference"}),
        ("median(train/grad_norm) between 1 and 10", {
            "metric": "grad_norm", "split": "train", "stat": "median", "op": "between",
            "value": [1, 10]}),
        ("change(train/loss) < -1.5e-3", {"metric": "loss", "split": "train", "stat": "change",
                                          "op": "<", "value": -0.0015}),
        ("p99/median(train/batch_time) < 3", {"metric": "batch_time", "split": "train",
                                              "stat": "p99/median", "op": "<", "value": 3}),
        ("average(val_loss) = 3", {"metric": "loss", "split": "val", "stat": "mean", "op": "==",
                                   "value": 3}),
        ('last("val"/"loss (B)") < 3', {"metric": "loss (B)", "split": "val", "stat": "last",
                                        "op": "<", "value": 3}),
        ("loss < 3", {"metric": "loss", "split": "train", "stat": "end", "op": "<", "value": 3}),
        ("end(train/valid_ratio) > 60 %", {"metric": "valid_ratio", "split": "train",
                                           "stat": "end", "op": ">", "value": 60, "unit": "%"}),
        ("val/bbox/mAP@50 > 0.4", {"metric": "bbox/mAP@50", "split": "val", "stat": "end",
                                   "op": ">", "value": 0.4}),
    ],
)  # fmt: skip
def test_what_a_statement_means(text, meant):
    assert parse(text).mapping == meant


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("", 1, "the name of a series is missing"),
        ("mode(val/a) < 3", 1, "no statistic 'mode'; there are"),
        ("mean(val/a < 3", 12, r"a closing \) is missing before '<'"),
        ("mean(val/a)", 12, "is missing before the end"),
        ("val/a at < 3", 10, "a step or an epoch is missing"),
        ("val/a at 3 at 4 < 3", 15, "twice"),
        ("val/a from epoch 3 to step 9 < 3", 28, "do not go together"),
        ("val/a < x", 9, "a number is missing before 'x'"),
        ("val/a < 3 mm please", 14, "'please' is too much"),
        ("last(val/a) at 4 < 3", 21, "of a single point"),
        ("val/a between 3", 16, "'and' and a second number are missing"),
        ("val/a between 3 and 1.1 x baseline", 35, "both numbers are of the baseline"),
        ("val/a between 3 mm and 4 cm", 28, "two units: mm and cm"),
        ("val/a within 10 % 3", 19, "'of' and a number are missing"),
        ("val/a < 1e999", 1, "finite"),
        ("val/a from 9 to 3 < 1", 1, "no point lies"),
        ('"val"/a < 3', 7, "in quotes is missing"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_column(text, column, why):
    with pytest.raises(Malformed, match=why) as caught:
        parse(text)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)


NEAR = st.text(alphabet='mean(val/l) <>=~"19.e%of baseline±at\n', max_size=40)


@given(st.text(max_size=60) | NEAR)
def test_any_text_is_a_statement_or_malformed(text):
    column, one = 1, None
    try:
        one = parse(text)
    except Malformed as error:
        column = error.column
    assert 1 <= column <= len(text) + 1
    assert one is None or parse(str(one)) == one
