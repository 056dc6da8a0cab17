"""Reports beside logs: where they go, that nothing else changes, and what is refused."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.attach.helping import command, judged, prints, report, write_log
from trainlens.attach import WHERE, log, planned
from trainlens.cli.report import _WHERE
from trainlens.errors import MissingExtra, UsageError
from trainlens.readers import Survey, all_readers, discover
from trainlens.readers.base import Source
from trainlens.remote.shown import MARK

FILES = {"index.html", "report.json", "report.md"}


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    write_log(folder / "a.jsonl", rise=True)
    write_log(folder / "deep" / "b.jsonl")
    return folder


def test_each_log_gets_a_report_of_its_own_run(runs, tmp_path):
    before = prints(runs)
    code, _, err = report(tmp_path / "out", runs, "--attach", "log")
    assert code == 0
    told = [line for line in err.splitlines() if line.startswith("Attached: ")]
    a, b = runs / "trainlens-report" / "a.jsonl", runs / "deep" / "trainlens-report" / "b.jsonl"
    assert told == [f"Attached: a: {a}", f"Attached: deep/b: {b}"]
    assert {p.name for p in a.iterdir()} == {p.name for p in b.iterdir()} == FILES
    assert "overfitting" in (a / "report.md").read_text()
    assert "overfitting" not in (b / "report.md").read_text().split("<details>")[0]
    after = prints(runs)
    assert {name: after[name] for name in before} == before
    assert {Path(name).name for name in after.keys() - before.keys()} == FILES


def test_what_is_found_afterwards_is_what_was_found_before(runs, tmp_path):
    before = judged(runs)
    report(tmp_path / "out", runs, "--attach")
    assert judged(runs) == before
    # Patterns of trainlens and of a shell meet the folder of the report.
    for paths in ([runs / "*"], [runs / "**" / "*.json*"], sorted(runs.iterdir())):
        assert [one["name"] for one in judged(*paths)["runs"]] == ["a", "b"], paths


def test_a_second_report_replaces_the_first_and_leaves_what_is_not_its_own(runs, tmp_path):
    report(tmp_path / "out", runs / "a.jsonl", "--attach", "log", "--title", "One")
    place = runs / "trainlens-report" / "a.jsonl"
    (place / "note.txt").write_text("mine")
    report(tmp_path / "out", runs / "a.jsonl", "--attach", "log", "--title", "Two")
    assert "Two" in (place / "report.md").read_text()
    assert {p.name for p in place.iterdir()} == FILES | {"note.txt"}


def test_a_folder_of_reports_alone_is_no_log(runs, tmp_path):
    report(tmp_path / "out", runs / "a.jsonl", "--attach")
    code, _, err = command("ls", runs / "trainlens-report")
    assert code == 2
    assert "no training log in this folder" in err


def test_plots_are_attached_where_they_are_drawn(runs, tmp_path):
    code, _, err = command("report", runs / "a.jsonl", "--attach", "-o", tmp_path / "out",
                           "--no-config", "--no-cache")  # fmt: skip
    assert code == 0, err
    (sheet,) = (runs / "trainlens-report" / "a.jsonl").glob("*.png")
    assert sheet.read_bytes() == (tmp_path / "out" / sheet.name).read_bytes()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (("jsonl", "x/a.jsonl"), "x/trainlens-report/a.jsonl"),
        (("jsonl", "x/a.jsonl", "../../k"), "x/trainlens-report/a.jsonl-.._.._k"),
        (("aim", "x/.aim", "4f"), "x/trainlens-report/4f"),
        (("mlflow", "x/m.db", "4f"), "x/trainlens-report/m.db-4f"),
    ],
)
def test_places_of_reports(source, place):
    assert log.place(Source(source[0], Path(source[1]), *source[2:])) == Path(place)


def test_a_folder_run_has_its_report_within(tmp_path):
    assert log.place(Source("tensorboard", tmp_path)) == tmp_path / "trainlens-report"


@pytest.mark.parametrize("failing", [(shutil, "copyfile"), (os, "replace")])
def test_a_full_disk_leaves_nothing_half_written(runs, tmp_path, monkeypatch, failing):
    before = prints(runs)
    true = getattr(*failing)

    def full(source, target, **more):
        if str(target).endswith("report.json") and "trainlens-report" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return true(source, target, **more)

    monkeypatch.setattr(*failing, full)
    code, _, err = report(tmp_path / "out", runs, "--attach", "log")
    assert code == 2
    refused = [line for line in err.splitlines() if line.startswith("Not attached (log): ")]
    assert len(refused) == 2
    assert "No space left on device" in refused[0]
    assert "leave out --attach" in refused[0]
    assert (tmp_path / "out" / "index.html").exists()
    if failing[1] == "copyfile":
        assert prints(runs) == before
        assert not list(runs.rglob("trainlens-report"))
    assert not list(runs.rglob(".trainlens-*"))


def test_a_place_that_is_taken_is_one_line(runs, tmp_path):
    (runs / "trainlens-report").write_text("a file")
    code, _, err = report(tmp_path / "out", runs, "--attach", "log")
    assert code == 2
    assert "Not attached (log): a: " in err
    assert "Attached: deep/b: " in err
    assert "Traceback" not in err


def test_without_the_option_nothing_is_attached(runs, tmp_path):
    before = prints(runs)
    code, _, err = report(tmp_path / "out", runs)
    assert code == 0
    assert prints(runs) == before
    assert "ttached" not in err


def test_a_home_that_fits_no_run_is_refused_before_any_work(runs, tmp_path):
    code, _, err = report(tmp_path / "out", runs, "--attach", "aim", "--attach", "log")
    assert code == 2
    assert err == (
        "trainlens: --attach aim: there is no aim run here, only jsonl; use --attach log, or "
        "--attach auto for what each run is\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_option_does_not_swallow_a_path_without_a_word(runs, tmp_path):
    code, _, err = command("report", "--attach", runs, "-o", tmp_path / "out")
    assert code == 2
    assert "write --attach behind the paths, or --attach=auto before them" in err


def test_runs_behind_a_url_are_refused(tmp_path):
    path = write_log(tmp_path / f"{MARK}1" / "tree" / "a.jsonl")
    survey = Survey(path)
    assert planned(survey, ()) == {}
    with pytest.raises(UsageError, match="nothing is written to URLs; copy the run here"):
        planned(survey, ("log",))


def test_a_missing_sdk_is_said_before_any_work(tmp_path, monkeypatch):
    (tmp_path / ".aim" / "meta" / "chunks" / "4f").mkdir(parents=True)
    survey = Survey(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[aim\]'"):
        planned(survey, ("auto",))
    assert planned(survey, ("log",)) == {survey.names[0]: ("log",)}


def test_the_places_are_the_same_everywhere():
    assert _WHERE == WHERE
    assert set(WHERE) - {"auto", "log"} <= all_readers().keys()


def test_the_folder_is_passed_over_by_every_search(runs, tmp_path):
    report(tmp_path / "out", runs, "--attach")
    found = [source.path for source in discover(runs)]
    assert found == [runs / "a.jsonl", runs / "deep" / "b.jsonl"]
