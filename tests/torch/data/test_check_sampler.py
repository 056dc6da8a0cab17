"""What the check of a sampler finds, what it leaves alone, and its command."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402 - after the skip
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

import trainlens  # noqa: E402
from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch import RunLogger  # noqa: E402
from trainlens_torch.cli.check_sampler import command  # noqa: E402
from trainlens_torch.data import StratifiedBatchSampler, check_sampler  # noqa: E402

SIX = [i % 6 for i in range(600)]


def kinds(report):
    return [(remark.kind, remark.level) for remark in report.remarks]


class Broken:
    """The sampler of the seed system: every batch of class 0."""

    def __iter__(self):
        for first in range(0, 500, 96):
            yield [i for i in range(first, first + 96) if SIX[i] == 0]


def test_a_sampler_that_gives_one_class_only():
    report = check_sampler(Broken(), SIX)
    assert report.verdict == "fault"
    assert ("single-class", "fault") in kinds(report)
    assert ("missing-class", "fault") in kinds(report)
    assert "5 of 5 batches hold class 0 only: the sampler is broken" in report.words()


def test_sorted_data_without_shuffling():
    report = check_sampler(BatchSampler(SequentialSampler(SIX), 50, False), sorted(SIX))
    assert kinds(report)[0] == ("single-class", "fault")
    assert "one class each (0, 1, 2)" in report.remarks[0].message


@pytest.mark.parametrize("size", [4, 16, 32])
def test_a_stratified_and_a_random_sampler_are_good(size):
    drawn = RandomSampler(SIX, generator=torch.Generator().manual_seed(1))
    for sampler in (StratifiedBatchSampler(SIX, size), BatchSampler(drawn, size, False)):
        report = check_sampler(sampler, SIX)
        assert (report.verdict, report.remarks, report.duplicates) == ("good", (), 0)
        assert len(report.batches) == 5


def test_an_imbalanced_data_set():
    labels = ["a"] * 550 + ["b"] * 10 + ["c"] * 8
    report = check_sampler(StratifiedBatchSampler(labels, 32), labels)
    assert kinds(report) == [("imbalance", "fault")]
    assert "class a makes up 97 % of the data" in report.words()
    balanced = check_sampler(StratifiedBatchSampler(labels, 32, balanced=True), labels, 60)
    assert ("imbalance", "fault") in kinds(balanced)  # of the data, whatever the batches
    assert ("duplicates", "note") in kinds(balanced)


def test_batches_that_are_skewed_though_the_data_are_not():
    labels = [0, 1] * 200
    skewed = [[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 1]] * 5
    report = check_sampler(skewed, labels)
    assert ("skewed", "fault") in kinds(report)
    assert ("duplicates", "fault") in kinds(report)
    assert report.duplicates == 84


def test_small_batches_of_one_class_may_be_chance():
    labels = [0, 1] * 200
    report = check_sampler([[0, 2], [1, 3], [4, 5], [6, 7], [8, 9]], labels)
    assert kinds(report) == [("single-class", "note")]
    assert report.verdict == "good"
    many = check_sampler([[4 * i, 4 * i + 2] for i in range(50)], labels, batches=50)
    assert ("single-class", "fault") in kinds(many)


def test_what_cannot_be_judged():
    assert kinds(check_sampler([[0], [1]], [0, 1])) == [("cannot-judge", "unknown")]
    assert kinds(check_sampler([], [0, 1])) == [("no-batches", "unknown")]
    assert check_sampler([], [0, 1]).verdict == "unknown"
    assert kinds(check_sampler([[0, 1]], [7, 7])) == [("same-class", "fault")]


def test_replacement_is_no_fault():
    own = torch.Generator().manual_seed(0)
    sampler = WeightedRandomSampler(torch.ones(600), 600, generator=own)
    report = check_sampler(BatchSampler(sampler, 100, False), SIX)
    assert kinds(report) == [("duplicates", "note")]


def test_single_indices_need_a_batch_size():
    sampler = SequentialSampler(SIX)
    assert [sum(b.values()) for b in check_sampler(sampler, SIX, batch_size=60).batches] == [60] * 5
    with pytest.raises(UsageError, match="how many make a batch"):
        check_sampler(sampler, SIX)


class Named(TensorDataset):
    """A data set that keeps its labels where torchvision does."""

    def __init__(self, labels):
        super().__init__(torch.zeros(len(labels), 1), torch.tensor(labels))
        self.targets = labels

    def __getitem__(self, index):
        raise AssertionError("only indices are to be drawn")


def test_labels_of_the_data_set_are_found_without_reading_it():
    data = Named(sorted(SIX))
    assert check_sampler(DataLoader(data, batch_size=32)).verdict == "fault"
    assert check_sampler(DataLoader(data, batch_size=32, shuffle=True)).verdict == "good"
    part = check_sampler(DataLoader(Subset(data, range(100, 300)), batch_size=40, shuffle=True))
    assert part.data == {1: 100, 2: 100}


@pytest.mark.parametrize("as_mapping", [False, True])
def test_labels_in_the_batches(as_mapping):
    rows = [{"x": 0.0, "label": c} if as_mapping else (0.0, c) for c in sorted(SIX)]
    report = check_sampler(DataLoader(rows, batch_size=50))
    assert kinds(report) == [("single-class", "fault")]
    assert report.data is None
    assert report.duplicates is None
    own = check_sampler(DataLoader(rows, batch_size=50), labels_of=lambda b: np.arange(50) % 2)
    assert own.verdict == "good"


@pytest.mark.parametrize(
    ("source", "labels", "said"),
    [
        ([[0, 9]], [0, 1], "index 9, but there are 2 labels"),
        ([[0, 1]], None, "give the labels of the data set"),
        (DataLoader([1.0, 2.0]), [0, 1, 1], "3 labels for a data set of 2 samples"),
        (DataLoader([1.0, 2.0]), None, "no labels in a batch that is a Tensor"),
        (DataLoader([{"x": 1.0}]), None, "no labels in a batch with x"),
    ],
)
def test_bad_input(source, labels, said):
    with pytest.raises(UsageError, match=said):
        check_sampler(source, labels)


def test_nothing_is_changed_by_the_check():
    own = torch.Generator().manual_seed(3)
    before = (torch.get_rng_state(), str(np.random.get_state()), random.getstate(), own.get_state())
    stratified = StratifiedBatchSampler(SIX, 8)
    for source in (
        DataLoader(Named(SIX), batch_size=8, shuffle=True),
        DataLoader(Named(SIX), batch_size=8, shuffle=True, generator=own),
        stratified,
    ):
        first = check_sampler(source, SIX)
        assert check_sampler(source, SIX).batches == first.batches
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (str(np.random.get_state()), random.getstate()) == before[1:3]
    assert torch.equal(own.get_state(), before[3])
    assert list(stratified) == list(StratifiedBatchSampler(SIX, 8))


def results(path, rule):
    found = trainlens.diagnose(trainlens.load_one(path), select=[rule]).results
    return [one.status for one in found if one.rule == rule]


def test_the_rules_read_what_is_logged(tmp_path):
    imbalanced = [0] * 570 + [1] * 30
    for name, sampler, labels in (
        ("broken", Broken(), SIX),
        ("good", StratifiedBatchSampler(SIX, 32), SIX),
        ("imbalanced", StratifiedBatchSampler(imbalanced, 32), imbalanced),
    ):
        with RunLogger(tmp_path / name) as log:
            check_sampler(sampler, labels).log_to(log)
    assert results(tmp_path / "broken", "single-class-batch") == ["fail"]
    assert results(tmp_path / "good", "single-class-batch") == ["pass"]
    assert results(tmp_path / "good", "class-imbalance") == ["pass"]
    assert results(tmp_path / "imbalanced", "class-imbalance") == ["fail"]


MODULE = """
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, TensorDataset

labels = [c for c in range(6) for _ in range(100)]

def broken():
    return BatchSampler(SequentialSampler(labels), 32, False), labels

def good():
    data = TensorDataset(torch.zeros(600), torch.tensor(labels))
    return DataLoader(data, batch_size=32, shuffle=True, generator=torch.Generator().manual_seed(0))

def empty():
    return [], labels

def raises():
    raise ValueError("no\\nsuch file")

def drawing():
    def batches():
        yield [0, 1]
        raise OSError("disk gone")
    return batches(), labels

def number():
    return 7
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "made_loaders.py").write_text(MODULE)

    def call(*arguments):
        outcome = CliRunner().invoke(command, arguments, standalone_mode=False)
        if outcome.exception is not None:
            raise outcome.exception
        return outcome.return_value, outcome.stdout

    yield call
    sys.modules.pop("made_loaders", None)


@pytest.mark.parametrize("where", ["made_loaders", "made_loaders.py"])
@pytest.mark.parametrize(("name", "code"), [("broken", 1), ("good", 0), ("empty", 2)])
def test_the_command_gives_a_verdict(run, where, name, code):
    found, out = run(f"{where}:{name}", "--json")
    verdict = json.loads(out)["verdict"]
    assert (found, verdict) == (code, {0: "good", 1: "fault", 2: "unknown"}[code])


def test_the_command_in_words(run):
    code, out = run("made_loaders:broken", "--batches", "2")
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == "Batch 0: 32 samples of 1 class (0: 32)"
    assert lines[2].startswith("Data: 600 samples; 0: 100 (17 %)")
    assert lines[3].startswith("FAULT: 2 of 2 batches hold class 0 only")


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("nowhere_at_all:f", "there is no module nowhere_at_all"),
        ("nowhere.py:f", "there is no such file"),
        ("made_loaders", "name a module and a function"),
        ("made_loaders:nothing", "made_loaders has no nothing; it has"),
        ("made_loaders:raises", r"raised ValueError: no such file \(made_loaders.py, line 18\)"),
        ("made_loaders:drawing", "drawing batches .* raised OSError: disk gone"),
        ("made_loaders:number", "gave an object of type int"),
    ],
)
def test_errors_of_the_command_are_one_line(run, factory, said):
    with pytest.raises(UsageError, match=said) as caught:
        run(factory)
    assert "\n" not in str(caught.value)


def test_the_command_as_a_program(tmp_path):
    (tmp_path / "made_loaders.py").write_text(MODULE)
    code = "from trainlens_torch.cli import main; main()"
    command = [sys.executable, "-c", code, "check-sampler", "made_loaders:broken"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, "")
    assert "the sampler is broken" in done.stdout
