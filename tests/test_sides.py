"""Which runs of which paths stand together."""

import os

import pytest

from tests.seed_logs import write_sides
from trainlens.errors import UsageError
from trainlens.readers import Survey
from trainlens.sides import by_path, enough, sides_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two sides of three seeds, a run beside them, and a folder deeper down."""
    monkeypatch.chdir(tmp_path)
    write_sides(tmp_path / "runs", 3)
    write_sides(tmp_path / "runs" / "more", 2, (("wide", 0.1, 0.5),))
    lone = (tmp_path / "runs" / "treated" / "seed-0.jsonl").read_text()
    (tmp_path / "runs" / "alone.jsonl").write_text(lone.replace("0.03", "0.5"))
    return tmp_path


def told(paths, baseline=""):
    """The sides, each as its path and its runs, and whether the baseline is the first."""
    survey = Survey(*paths)
    sides, found = by_path(survey, paths, baseline)
    held = [(s.path, sorted(survey.sources[i].path.name for i in s.places)) for s in sides]
    assert sorted(i for s in sides for i in s.places) == list(range(len(survey)))
    return held, found


SEEDS = ["seed-0.jsonl", "seed-1.jsonl", "seed-2.jsonl"]
APART = {
    "runs/baseline": SEEDS,
    "runs/treated": SEEDS,
    "runs/more": ["seed-0.jsonl", "seed-1.jsonl"],
    "runs/alone.jsonl": ["alone.jsonl"],
}


def test_each_path_is_a_side(here):
    held, found = told(["runs/treated", "runs/baseline", "runs/alone.jsonl"])
    assert held == [(p, APART[p]) for p in ("runs/treated", "runs/baseline", "runs/alone.jsonl")]
    assert not found


@pytest.mark.parametrize("baseline", ["runs/baseline", "runs/baseline/", "baseline", "absolute"])
def test_the_baseline_is_a_path_or_the_last_part_of_one(here, baseline):
    baseline = os.path.abspath("runs/baseline") if baseline == "absolute" else baseline
    held, found = told(["runs/treated", "runs/baseline"], baseline)
    assert [path for path, _ in held] == ["runs/baseline", "runs/treated"]
    assert found


@pytest.mark.parametrize("path", ["runs", "./runs/", "absolute", "runs/*"])
@pytest.mark.parametrize("baseline", ["runs/baseline", "baseline", "absolute"])
def test_a_folder_within_a_path_splits_it(here, path, baseline):
    path = os.path.abspath("runs") if path == "absolute" else path
    baseline = os.path.abspath("runs/baseline") if baseline == "absolute" else baseline
    held, found = told([path], baseline)
    assert held[0] == ("runs/baseline", SEEDS)
    assert dict(held) == APART
    assert found


def test_a_deeper_folder_splits_deeper(here):
    held, found = told(["runs"], "more/wide")
    assert held[0] == ("runs/more/wide", ["seed-0.jsonl", "seed-1.jsonl"])
    # What lies less deep is a side of its own.
    assert len(held) == 1 + 3 + 3 + 1
    assert found


def test_a_file_may_be_the_baseline(here):
    held, found = told(["runs"], "runs/alone.jsonl")
    assert held[0] == ("runs/alone.jsonl", ["alone.jsonl"])
    assert dict(held) == APART
    assert found


def test_only_the_path_that_holds_the_baseline_is_split(here):
    write_sides(here / "old", 2)
    held, _ = told(["old", "runs"], "runs/baseline")
    assert held[0] == ("runs/baseline", SEEDS)
    assert {path: len(names) for path, names in held}["old"] == 4


@pytest.mark.parametrize("baseline", ["", "nothing", "runs/nothing", "..", "/"])
def test_anything_else_leaves_the_paths_as_they_are(here, baseline):
    held, found = told(["runs"], baseline)
    assert [path for path, _ in held] == ["runs"]
    assert not found


def test_a_run_in_two_paths_is_refused(here):
    with pytest.raises(UsageError, match="its run is in runs, too"):
        told(["runs", "runs/baseline"])


def test_one_side_is_not_enough(here):
    survey = Survey("runs/baseline")
    sides, _ = by_path(survey, ["runs/baseline"])
    with pytest.raises(UsageError, match="one path with 3 runs is nothing to compare"):
        enough(sides, survey, "runs/baseline")
    with pytest.raises(UsageError, match="--baseline x: runs/baseline is no second side"):
        enough(sides, survey, "runs/baseline", "x")


@pytest.mark.parametrize(
    ("paths", "asked", "said"),
    [
        (["runs"], {"baseline": "runs/basline"}, "no such run or path"),
        (["runs"], {"baseline": "baseline/seed-9"}, "did you mean 'baseline/seed-"),
        (["runs/treated"], {"baseline": "runs/baseline"}, "none of the runs lies there"),
        (["runs/baseline"], {"baseline": "runs/baseline"}, "nothing beside it"),
        (["runs/alone.jsonl"], {"baseline": "alone"}, "there is no other run"),
        (["runs/alone.jsonl"], {"group_by": "lr"}, "--group-by lr: there is no other run"),
    ],
)
def test_what_a_report_cannot_compare_is_known_before_a_run_is_read(here, paths, asked, said):
    with pytest.raises(UsageError, match=said):
        sides_of(Survey(*paths), paths, **asked)


def test_nothing_is_compared_where_nothing_is_asked(here):
    assert sides_of(Survey("runs"), ["runs"]) is None
