"""Configurations on disk."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.errors import NotFound, OutputError, TrainlensError, UsageError
from trainlens_torch.config import PRESETS, SPECS, TrainingConfig
from trainlens_torch.config.files import read

NUMBERS = st.floats(1e-9, 1e6)
NAMES = st.text("abc.*_-üé\"'\\ #", min_size=1, max_size=8)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "optimizer.lr": NUMBERS,
        "optimizer.beta2": st.none() | st.floats(0, 1),
        "batch.size": st.integers(1, 10**6),
        "clipping.norm": st.none() | NUMBERS,
        "schedule.warmup": st.sampled_from([0, 0.5, 10, "3ep", "0.1dur", "1e6sp"]),
        "schedule.at": st.lists(st.sampled_from([0.5, 3, "2ep"]), min_size=1).map(tuple),
        "groups.ratios": st.dictionaries(NAMES.filter(lambda n: n != "rest"), NUMBERS, max_size=3),
        "freezing.stages": st.dictionaries(NAMES, st.sampled_from([0.5, "2ep", (1, 9)])),
        "logging.sinks": st.lists(NAMES, max_size=3).map(tuple),
        "early_stopping.monitor": NAMES,
        "data.skip_steps": st.none() | st.just((3, 9)),
        "loss.channel_weights": st.lists(NUMBERS, max_size=3).map(tuple),
    },
)


@settings(max_examples=40, deadline=None)
@given(values=VALUES, end=st.sampled_from([".json", ".yaml", ".yml", ".toml"]), whole=st.booleans())
def test_what_is_saved_is_loaded(tmp_path_factory, values, end, whole):
    # A text that says "none" in a place for texts is that text; a setting that may be none takes it
    config = TrainingConfig().changed(values)
    path = tmp_path_factory.mktemp("saved") / f"config{end}"
    config.save(path, everything=whole)
    assert TrainingConfig.load(path) == config
    assert [one.name for one in path.parent.iterdir()] == [path.name]


DECODE = """{
  "training": {
    "lr_first": 5e-4,                    // five times what it was
    "batch_size": 16,
    "adaptive_lr_config": {
      "enable_warmup": true,             /* from
                                            here */
      "warmup_epochs": 10,
      "warmup_start_lr": 1e-5,
      "scheduler_type": "adaptive_plateau", // "quoted", and {braces}
      "plateau_patience": 50,
      "plateau_factor": 0.7,
      "plateau_min_lr": 1e-6,
      "adaptive_threshold": 0.001,
      "loss_window_size": 20,
      "lr_boost_factor": 1.5,
      "lr_decay_factor": 0.8,
    }
  },
  "unified_loss_config": {
    "channel_weights": [1.0, 1.0, 1.0, 1.0, 1.0, 0.5],
    "pos_weight": 1.0,
    "reduction": "mean"
  }
}"""


def test_the_configuration_of_decode_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(DECODE)
    told = []
    config = TrainingConfig.load(path, tell=told.append)
    assert config.differences() == {
        "optimizer.lr": 5e-4,
        "batch.size": 16,
        "adaptive_lr.mode": "seed",
        "adaptive_lr.warmup": 10,
        "schedule.kind": "constant",
        "schedule.warmup": "10ep",
        "schedule.warmup_start": pytest.approx(0.02),
        "loss.channel_weights": (1.0, 1.0, 1.0, 1.0, 1.0, 0.5),
        "loss.pos_weight": 1.0,
    }
    assert "training.adaptive_lr_config.plateau_patience is read as adaptive_lr.patience=50" in told
    keys = [line.split(" is read as ")[0] for line in told]
    assert {key.rpartition(".")[2] for key in keys} >= {
        "lr_first", "scheduler_type", "warmup_start_lr", "plateau_patience", "lr_boost_factor",
    }  # fmt: skip
    optimizer_lr = config.lr_schedule(config.clock("100ep"))
    assert optimizer_lr.resolved(config.clock("100ep").share)(0.05) == pytest.approx(0.51)
    assert config.adaptive_manager().config()["window"] == 20
    assert len(config.channel_loss().channel_weights) == 6


def test_decode_without_warmup_and_in_robust_mode():
    document = {"adaptive_lr_config": {"enable_warmup": False, "scheduler_type": "adaptive_robust"}}
    config = TrainingConfig.from_dict(document, tell=lambda line: None)
    assert (config.schedule.warmup, config.adaptive_lr.mode) == (0, "robust")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"adaptive_lr_config": {"plateau_patienc": 1}}, "adaptive_lr_config has no setting 'plat"),
        ({"adaptive_lr_config": {"scheduler_type": "x"}}, "adaptive_lr_config.scheduler_type must"),
        ({"adaptive_lr_config": {"warmup_epochs": "x"}}, "adaptive_lr_config.warmup_epochs must"),
        ({"adaptive_lr_config": {"warmup_start_lr": 0}}, "adaptive_lr_config.warmup_start_lr must"),
        ({"adaptive_lr_config": {"enable_warmup": 3}}, "adaptive_lr_config.enable_warmup must be"),
        ({"adaptive_lr_config": 3}, "adaptive_lr_config is a section of settings, not 3"),
        ({"training": {"lr": 3}}, "training has no setting 'lr'; "),
        ({"training": {"lr_first": 1}, "optimizer": {"lr": 2}}, "optimizer.lr is given twice"),
        ({"lr_first": 3}, "there is no section 'lr_first'; there are:"),
        ({"optimiser": {}}, "there is no section 'optimiser'; did you mean 'optimizer'?"),
        ({"lr": 3}, "there is no section 'lr'; did you mean 'optimizer.lr'?"),
        ({"optimizer": 3}, "optimizer is a section of settings, not 3"),
        ({"seed": 1, "data": {"seed": 2}}, "data.seed is given twice"),
        ({"preset": 3}, "preset is a name or a list of names, not 3"),
        ({"preset": "saftey"}, "there is no preset 'saftey'; did you mean 'safety'?"),
    ],
)  # fmt: skip
def test_what_a_document_is_refused_for(tmp_path, document, said):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError) as caught:
        TrainingConfig.load(path, tell=lambda line: None)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_translated_keys_are_told_by_default(caplog):
    TrainingConfig.from_dict({"training": {"lr_first": 0.5}})
    assert caplog.messages == ["training.lr_first is read as optimizer.lr=0.5"]


def test_a_file_may_start_from_presets(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("preset: [large_model, safety]\noptimizer:\n  lr: 5e-4  # not a text\n")
    expected = TrainingConfig.preset("large_model", "safety").changed({"optimizer.lr": 5e-4})
    assert TrainingConfig.load(path) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"batch": {"size": 1, "size": 2}}', "no valid JSON: 'size' stands there twice"),
        ("a.json", '{"batch": {"size": NaN}}', "no valid JSON: NaN is no number"),
        ("a.json", '{\n"a": // b\n}', "no valid JSON: Expecting value: line 3 column 1"),
        ("a.json", "[1]", "sections of settings are needed, not '[1]'"),
        ("a.json", "[" * 100_000, "no valid JSON: nested too deeply"),
        ("a.yaml", "a: 1\na: 2", "no valid YAML: 'a' stands there twice"),
        ("a.yaml", "a: [", "no valid YAML: "),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]", "no valid YAML: "),
        ("a.toml", "a = ", "no valid TOML: "),
        ("a.txt", "", "the form of a configuration is told by its end"),
    ],
)  # fmt: skip
def test_what_a_file_is_refused_for(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        TrainingConfig.load(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_the_defaults(tmp_path):
    for name in ("a.yaml", "a.toml"):
        (tmp_path / name).write_text("")
        assert TrainingConfig.load(tmp_path / name) == TrainingConfig()


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(NotFound):
        TrainingConfig.load(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(UsageError, match="UTF-8"):
        TrainingConfig.load(tmp_path / "bytes.json")
    with pytest.raises(OutputError, match="cannot be written"):
        TrainingConfig().save(tmp_path / "no" / "such" / "place.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        TrainingConfig().save(tmp_path / "folder.json")
    assert sorted(os.listdir(tmp_path)) == ["bytes.json", "folder.json"]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_broken_file_is_an_error_of_one_line_or_a_configuration(tmp_path_factory, data):
    end = data.draw(st.sampled_from([".json", ".yaml", ".toml"]))
    path = tmp_path_factory.mktemp("broken") / f"config{end}"
    TrainingConfig.preset("large_model").save(path, everything=False)
    text = path.read_text()
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 8))
    path.write_text(text[:at] + data.draw(st.text(max_size=5)) + text[at + length :])
    try:
        TrainingConfig.load(path)
        said = str(path)
    except TrainlensError as error:
        said = str(error)
    assert str(path) in said
    assert "\n" not in said


def test_presets_differ_in_what_they_are_for():
    seen = [TrainingConfig.preset(name) for name in PRESETS]
    assert seen[0] == TrainingConfig()
    assert len({str(one) for one in seen}) == len(PRESETS)
    assert {"memory.on_oom"} <= SPECS.keys()


def test_comments_leave_lines_where_they_are(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{/* a\nb */ "optimizer": {"name": "a//b", // c\n}\n}')
    assert read(path) == {"optimizer": {"name": "a//b"}}
