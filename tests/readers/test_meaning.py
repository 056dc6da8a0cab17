"""-1 says "not computed" where a measure cannot be negative, and is a number elsewhere."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.chunk import Column
from trainlens.readers._json.reader import JsonLines
from trainlens.readers._meaning import Sentinels, is_bounded

REAL = Path(__file__).resolve().parents[3] / "shared" / "real_logs"


def column(name: str, values: list[float], first: int = 0, split: str | None = None) -> Column:
    n = len(values)
    step = np.arange(first, first + n, dtype=np.int64)
    return Column(name, step, np.array(values, float), step * 2.0, step * 0.5, split, unit="%")


@pytest.mark.parametrize(
    "name",
    ["coco/AP (M)", "coco/AR (L)", "bbox_mAP_s", "bbox/APs", "metrics/mAP50-95(B)", "val_acc",
     "test_acc1", "Accuracy", "eval_f1", "f1_score", "val/mIoU", "IoU", "Dice", "pseudo_dice",
     "roc_auc", "AUC", "precision", "metrics/recall(B)", "PCK", "PCKh@0.5", "AR@100", "top5",
     "recall@20", "NDCG@10", "mean_average_precision", "OKS", "exact_match"],
)  # fmt: skip
def test_measures_that_cannot_be_negative(name: str) -> None:
    assert is_bounded(name)


@pytest.mark.parametrize(
    "name",
    ["reward", "ep_rew_mean", "episode_return", "rewards/accuracies", "val_mcc", "kappa", "r2",
     "r2_score", "spearman", "pearson_corr", "corr", "loss", "dice_loss", "loss/dice", "NME",
     "mpjpe", "lr", "score", "explained_variance", "epoch", "log_likelihood", "psnr", "anything",
     "best_acc", "acc_std", "silhouette_score"],
)  # fmt: skip
def test_numbers_that_can_be_minus_one(name: str) -> None:
    assert not is_bounded(name)


def test_sentinels_are_left_out_and_told_once() -> None:
    ap = column("coco/AP (M)", [-1.0, 0.25, -1.0, -1.0, -0.5])
    loss = column("loss", [-1.0, -1.0])
    gone = column("acc", [-1.0], split="val")
    kept, notices = Sentinels("log.json").clean([ap, loss, gone], final=True)
    assert [c.name for c in kept] == ["coco/AP (M)", "loss"]
    assert kept[1] is loss
    found = kept[0]
    assert (found.step.tolist(), found.value.tolist()) == ([1, 4], [0.25, -0.5])
    assert (found.wall_time.tolist(), found.epoch.tolist()) == ([2.0, 8.0], [0.5, 2.0])
    assert found.unit == "%"
    assert [(n.kind, n.where, n.lost) for n in notices] == [("skipped", "log.json", 0)] * 2
    assert [n.message for n in notices] == [
        "coco/AP (M): -1 means not computed, 3 points left out",
        "val/acc: -1 means not computed, 1 point left out",
    ]


def test_while_a_log_grows_one_word_is_enough() -> None:
    sentinels = Sentinels("x")
    first = sentinels.clean([column("AP", [0.5])])
    second = sentinels.clean([column("AP", [-1.0], 1)])
    third = sentinels.clean([column("AP", [-1.0, 0.5], 2)], final=True)
    assert [len(kept) for kept, _ in (first, second, third)] == [1, 0, 1]
    assert [n.message for _, told in (first, second, third) for n in told] == [
        "AP: -1 means not computed, left out"
    ]


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, float("nan"), -0.999]), max_size=30),
    st.lists(st.integers(0, 30), max_size=5),
)
def test_any_cut_leaves_the_same_points(values: list[float], cuts: list[int]) -> None:
    whole, _ = Sentinels("x").clean([column("val_acc", values)], final=True)
    parts = Sentinels("x")
    found: list[tuple[int, float]] = []
    at = [0, *sorted(min(c, len(values)) for c in cuts), len(values)]
    for begin, end in pairwise(at):
        kept, _ = parts.clean([column("val_acc", values[begin:end], begin)])
        for c in kept:
            found += zip(c.step.tolist(), np.nan_to_num(c.value, nan=9.0).tolist(), strict=True)
    expected = [(i, 9.0 if v != v else v) for i, v in enumerate(values) if v != -1.0]
    assert found == expected
    assert sum(len(c.value) for c in whole) == len(expected)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not here")
def test_sizes_that_do_not_occur() -> None:
    (path,) = REAL.glob("mmengine/*/2*/vis_data/scalars.json")
    chunk = JsonLines(path).poll(final=True)
    kept, notices = Sentinels(path.name).clean(chunk.columns, final=True)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    gone = {k for row in rows for k, v in row.items() if v == -1}
    assert gone == {"coco/AP (M)", "coco/AR (M)"}
    assert {c.name for c in chunk.columns} - {c.name for c in kept} == gone
    assert sorted(n.message for n in notices) == [
        f"val/coco/{m} (M): -1 means not computed, 13 points left out" for m in ("AP", "AR")
    ]
