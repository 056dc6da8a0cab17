"""A report on a terminal: stored texts, any width, colour for severity only, nothing acts."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import click
import pytest
import report_demo as demo
import report_states as states

from trainlens.render import text
from trainlens.render.markdown import page as markdown
from trainlens.render.terminal import closing, page
from trainlens.reporting import build

KNOWN = Path(__file__).parent.parent / "golden" / "pages"
ANSI = re.compile("\x1b\\[[0-9;]*m")


def cells(line):
    """Columns that a line takes, counted without the code under test."""
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in line
    )  # fmt: skip


def outputs(report):
    """What is stored of a report, by the ending of its file."""
    return {
        "80.txt": click.unstyle(page(report, columns=80)),
        "120.txt": click.unstyle(page(report, columns=120)),
        "80.colour.txt": page(report, columns=80).replace("\x1b", "^"),
        "120.colour.txt": page(report, columns=120).replace("\x1b", "^"),
        "md": markdown(report, pictures=("run-01-dashboard.png",)).rstrip("\n"),
    }


@pytest.mark.parametrize("name", states.STATES)
def test_the_output_is_the_stored_one(name, request):
    """`pytest --update-golden` writes them anew; look at what changed."""
    for ending, told in outputs(states.state(name)).items():
        path = KNOWN / f"{name}.{ending}"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(told + "\n", encoding="utf-8")
        assert told + "\n" == path.read_text(encoding="utf-8"), path.name


def test_there_is_no_stored_output_of_a_state_that_is_gone():
    assert {p.name.split(".")[0] for p in KNOWN.iterdir()} == set(states.STATES)


@pytest.fixture(scope="module")
def hostile():
    return build(demo.hostile(), title="", command="x", now=demo.NOW, version="0")


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("name", ["sick", "forty", "twelve", "comparison", "damaged"])
def test_no_line_is_wider_than_the_terminal(name, columns):
    for plain in (False, True):
        told = click.unstyle(page(states.state(name), columns=columns, plain=plain))
        assert max(map(cells, told.splitlines())) <= columns


def test_hostile_names_neither_act_nor_widen(hostile):
    for columns in (60, 80, 200):
        told = page(hostile, columns=columns, full=columns == 80)
        bare = ANSI.sub("", told)
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", bare
        )
        assert max(map(cells, bare.splitlines())) <= columns
        bare.encode()


def test_wide_letters_are_counted():
    base = demo.overfitting()
    run = replace(base.run, name="手の姿勢推定の学習" * 9)
    both = [replace(base, run=run), base]
    told = build(both, title="", command="", now=demo.NOW, version="0")
    shown = click.unstyle(page(told, columns=60))
    assert "手の姿勢" in shown
    assert max(map(cells, shown.splitlines())) <= 60
    rows = [line for line in shown.splitlines() if " failing  " in line]
    assert len({cells(row[: row.index("failing")]) for row in rows}) == 1
    assert len(rows) == 2


def test_colour_is_for_severity_and_verdict_only():
    told = page(states.state("twelve"), columns=200)
    painted = re.findall("\x1b\\[3([0-7])m(.*?)\x1b\\[0m", told)
    words = {"1": "errors?|failing", "3": "warnings?", "4": "notes?"}
    assert painted
    for colour, word in painted:
        assert re.fullmatch(f"(\\d+ )?({words[colour]})", word), word
    assert set(re.findall("\x1b\\[([0-9]+)m", told)) <= {"0", "1", "31", "33", "34"}


def test_a_table_drops_its_least_important_columns():
    report = states.state("twelve")

    def heads(columns):
        lines = click.unstyle(page(report, columns=columns)).splitlines()
        return next(line for line in lines if line.startswith("Run "))

    every = ("Status", "Findings", "Last step", "Best", "at step", "Final", "Course", "Duration")
    assert all(head in heads(200) for head in every)
    for columns in (60, 80):
        assert all(head in heads(columns) for head in ("Run", "Status", "Best", "Final", "Course"))
    assert "Duration" not in heads(80)
    assert "Findings" not in heads(80)
    assert "Best val/mpjpe (mm)" in heads(80)


def test_plain_output_has_curves_of_ascii():
    told = page(states.state("twelve"), plain=True)
    assert not re.search("[\u2800-\u28ff]", told)
    assert re.search("sweep-00 .*[-'.]_+", click.unstyle(told))


def test_forty_findings_and_what_full_adds():
    report = states.state("forty")
    brief, full = (click.unstyle(page(report, full=f)) for f in (False, True))
    assert len(re.findall(r"^\d+\. ", brief, re.MULTILINE)) == 3
    assert len(re.findall(r"^\d+\. \w", full, re.MULTILINE)) == 40
    assert "--full" in brief
    assert "--full" not in full
    assert "All 24 240 values are finite." in full


def test_damage_stands_right_below_the_verdict():
    told = click.unstyle(page(states.state("damaged")))
    parts = [
        "Found ",
        "Data quality (3)",
        "not all of them can be counted",
        "torn-tail:",
        "Findings",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


def test_the_closing_lines_of_a_report_are_its_head_and_its_runs():
    report = states.state("twelve")
    told, whole = (click.unstyle(f(report, columns=120)) for f in (closing, page))
    lines = [line for line in told.splitlines() if line]
    assert lines[0] == whole.splitlines()[0]
    assert set(lines) <= set(whole.splitlines())
    assert sum(line.startswith("sweep-") for line in lines) == 12
    assert "Findings (" not in told


def test_the_age_of_a_running_run():
    assert "Last record  42 s ago, may be running" in page(states.state("running"))
    assert "may be running" not in page(states.state("healthy"))


def test_more_than_a_hundred_runs():
    report = build(demo.many(240), title="", command="", now=demo.NOW, version="0")
    told = click.unstyle(page(report))
    assert "Runs (240): the 10 best ones without a fault" in told
    assert len(told.splitlines()) < 150
    assert re.search(r"^Loss spike +warning +20 +20$", told, re.MULTILINE)


def test_text_for_one_line():
    assert text.clean("a\n b\tc") == "a b c"
    assert text.clean("\x1b]0;owned\x07") == "[U+001B]]0;owned[U+0007]"
    assert text.clean("right\u202eleft") == "right[U+202E]left"


def test_rows_with_wide_letters_stay_aligned():
    told = click.unstyle(text.table([["手", "1"], ["ab", "22"]], ["run", "n"]))
    assert told.splitlines() == ["run   n", "手    1", "ab   22"]
