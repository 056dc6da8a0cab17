"""What metric names mean, by the names that frameworks give."""

from pathlib import Path

import pytest

from trainlens.roles import COMMON, ROLES, SPLITS, _from_table, normalise, parse_name, role_of
from trainlens.splits import _STEMS

# Its first line says what the fields are.
NAMES = (Path(__file__).parent / "role_names.txt").read_text("utf-8")
ROWS = [
    tuple(field.strip() for field in line.split("|"))
    for line in NAMES.splitlines()
    if line.strip() and not line.startswith("#")
]


def test_the_table_is_long_enough_to_mean_something():
    assert len({row[0] for row in ROWS}) >= 350


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_names_of_frameworks(row):
    name, metric, split, role, direction, unit = ("" if field == "-" else field for field in row)
    expected = name if metric == "=" else metric
    assert parse_name(name) == (expected, split)
    found = role_of(expected)
    assert (found.name, found.direction, found.unit) == (role, direction, unit)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("loss", "nll_loss"),
        ("total_loss", "loss_cls"),
        ("loss/total", "loss/kl"),
        ("loss_metrics/global_avg_loss", "loss_metrics/global_max_loss"),
        ("logloss", "box_loss"),
        ("box_loss", "alpha_diversity"),
        ("mpjpe", "pck"),
        ("ep_rew_mean", "explained_variance"),
    ],
)
def test_the_more_telling_of_two(more, less):
    assert role_of(more).priority > role_of(less).priority


def test_an_aim_context_is_no_part_of_the_name():
    assert role_of("roc_auc_score{model=GT,kind=loss}").direction == "max"
    assert role_of("loss{subset=best}").name == "loss"


def test_words_of_a_name():
    assert normalise("bbox/mAP@50-95") == "_bbox_m_ap@50_95_"
    assert normalise("") == "__"


def test_a_name_without_end_is_looked_at_in_part():
    assert role_of("a_" * 500_000 + "loss").name == "other"
    assert role_of("val_" * 50 + "loss").name == "loss"


@pytest.mark.parametrize(
    ("name", "metric", "split"),
    [
        ("loss", "loss", ""),
        ("val_loss", "loss", "val"),
        ("eval/loss", "loss", "val"),
        ("eval_wer", "wer", "val"),
        ("Loss/train", "Loss", "train"),
        ("loss/validation", "loss", "val"),
        ("train/box_loss", "box_loss", "train"),
        ("test_acc1", "acc1", "test"),
        ("metrics/val/loss", "metrics/loss", "val"),
        ("valid_ratio", "valid_ratio", ""),
        ("validation_loss", "loss", "val"),
        ("evaluate", "evaluate", ""),
        ("training_loss", "loss", "train"),
        ("value_loss", "value_loss", ""),
        ("trainable_params", "trainable_params", ""),
        ("train", "train", ""),
        ("learning_rate", "learning_rate", ""),
        ("", "", ""),
    ],
)
def test_split_of_a_name(name, metric, split):
    assert parse_name(name) == (metric, split)


@pytest.mark.parametrize(
    ("metric", "role", "direction"),
    [
        ("loss", "loss", "min"),
        ("total", "loss", "min"),
        ("loss_theta", "loss", "min"),
        ("alpha_diversity", "loss", "min"),
        ("cross_entropy", "loss", "min"),
        ("perplexity", "loss", "min"),
        ("logloss", "loss", "min"),
        ("ce", "loss", "min"),
        ("lr", "learning-rate", ""),
        ("lr-Adam", "learning-rate", ""),
        ("x/lr0", "learning-rate", ""),
        ("base_lr", "learning-rate", ""),
        ("learning_rate", "learning-rate", ""),
        ("grad_norm", "gradient-norm", ""),
        ("total_grad_norm", "gradient-norm", ""),
        ("mpjpe", "metric", "min"),
        ("wer", "metric", "min"),
        ("acc1", "metric", "max"),
        ("accuracy", "metric", "max"),
        ("coco/AP", "metric", "max"),
        ("metrics/mAP_0.5", "metric", "max"),
        ("bleu", "metric", "max"),
        ("episode/score", "metric", "max"),
        ("batch_time", "batch-time", ""),
        ("data_time", "data-time", ""),
        ("tokens_per_sec", "throughput", ""),
        ("gpu_memory", "gpu-memory", ""),
        ("valid_ratio", "coverage", ""),
        ("alpha_mean", "gate", ""),
        ("dropout_rate", "dropout", ""),
        ("w_clip", "loss-weight", ""),
        ("epoch", "epoch", ""),
        ("fraud", "other", ""),
        ("metric_3", "other", ""),
    ],
)
def test_role_of_a_metric(metric, role, direction):
    found = role_of(metric)
    assert (found.name, found.direction) == (role, direction)


def test_units():
    assert role_of("mpjpe").unit == "mm"
    assert role_of("batch_time").unit == "s"


def test_what_the_format_says_counts():
    assert role_of("theta", "loss").name == "loss"
    assert role_of("loss", "system").name == "system"


def test_every_role_is_described():
    told = {row[3] for row in ROWS}
    assert told == set(ROLES), "role_names.txt has a name for every role"
    assert set(SPLITS.values()) == {"train", "val", "test"}


@pytest.mark.parametrize("name", COMMON)
def test_what_is_known_by_heart_is_what_the_table_says(name):
    assert role_of(name) == _from_table(name, "")
    assert parse_name(name) == (name, "")


@pytest.mark.parametrize("word", SPLITS)
def test_every_word_of_a_split_has_a_stem_that_is_looked_for(word):
    assert any(stem in word for stem in _STEMS)
    assert parse_name(f"{word.upper()}/x")[1] == SPLITS[word]
