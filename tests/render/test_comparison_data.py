"""A comparison for programs: JSON keeps its contract, CSV every digit."""

import csv as reader
import io
import json as parser
import math
from dataclasses import replace

import pytest

from tests.comparison import made
from trainlens.chunk import Notice
from trainlens.comparison.model import At
from trainlens.render.comparison import csv, json

NAN = float("nan")


def parsed(comparison, **given):
    told = json.dumps(comparison, **given)
    assert told.isascii()
    return parser.loads(told, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def lines(comparison):
    return list(reader.DictReader(io.StringIO(csv.page(comparison))))


# --- JSON -------------------------------------------------------------------------------------


def test_json_is_the_contract():
    document = parsed(made.seed_case())
    assert document["schema"] == "trainlens.comparison/1"
    assert document["baseline"] == made.BEFORE
    assert document["candidates"] == [made.AFTER]
    assert document.keys() >= {"metrics", "config_diff", "expectations"}
    first = document["metrics"][0]
    assert first.keys() >= {"metric", "split", "unit", "direction", "runs", "at", "difference",
                            "variance", "verdict", "because"}  # fmt: skip
    assert (first["metric"], first["split"], first["unit"], first["direction"]) == (
        "mpjpe", "val", "mm", "min",
    )  # fmt: skip
    for name in (made.BEFORE, made.AFTER):
        assert first["runs"][name].keys() >= {"n", "mean", "std", "min", "min_step", "last"}
    assert first["difference"].keys() >= {"mean", "interval", "n_effective"}
    assert first["variance"].keys() >= {"ratio", "p"}


def test_json_has_the_figures_of_the_seed():
    document = parsed(made.seed_case())
    first = document["metrics"][0]
    assert first["runs"][made.AFTER]["mean"] == pytest.approx(84.47)
    assert first["runs"][made.AFTER]["std"] == pytest.approx(22.41)
    (jump,) = [at for at in first["at"] if at["step"] == 12000]
    assert jump[made.BEFORE] == pytest.approx(82.61)
    assert jump[made.AFTER] == pytest.approx(105.23)
    assert jump["delta"] == pytest.approx(22.62)
    assert round(jump["percent"], 1) == 27.4
    assert jump["interval"][0] < jump["delta"] < jump["interval"][1]
    assert first["variance"] == {"std": [19.62, 22.41], "ratio": 1.30, "p": 0.57, "needed": 220}
    assert document["gaps"][0]["at"][0] == {
        "step": 3000, "values": [48.1, 57.5], "delta": pytest.approx(9.4),
    }  # fmt: skip


def test_json_of_settings_and_expectations():
    document = parsed(made.seed_case())
    assert document["config_diff"]["GENERAL.val_seed"] == {made.BEFORE: None, made.AFTER: 42}
    assert [e["status"] for e in document["expectations"]] == [
        "met", "missed", "met", "met", "cannot-judge",
    ]  # fmt: skip
    missed = document["expectations"][1]
    assert missed["text"] == "std(val/mpjpe) < 18 mm"
    assert (missed["metric"], missed["split"], missed["stat"]) == ("mpjpe", "val", "std")
    assert (missed["actual"], missed["before"], missed["limits"]) == (19.1, 22.41, [None, 18.0])
    assert document["expectations"][4]["actual"] is None


def test_what_json_cannot_hold_is_null():
    comparison = made.seed_case()
    first, *rest = comparison.rows
    gone = replace(
        first, at=(At(3000.0, NAN, 1.0, NAN, NAN, None),), difference=None, variance=None
    )
    one = parsed(replace(comparison, rows=(gone, *rest)))["metrics"][0]
    assert one["difference"] is one["variance"] is None
    (at,) = one["at"]
    assert at[made.BEFORE] is at["delta"] is at["percent"] is at["interval"] is None
    assert one["q"] == 0.44


def test_a_run_called_like_a_field_leaves_the_field():
    comparison = made.seed_case()
    rows = tuple(replace(row, baseline="step", candidate="delta") for row in comparison.rows)
    (at, *_) = parsed(replace(comparison, rows=rows))["metrics"][0]["at"]
    first = comparison.rows[0].at[0]
    assert (at["step"], at["delta"]) == (first.step, first.delta)
    assert at["values"] == [first.baseline, first.candidate]


def test_json_of_groups_has_every_score():
    comparison = made.groups()
    told = parsed(comparison)
    known = comparison.rows[0].replicates
    assert told["metrics"][0]["replicates"]["runs"]["large"]["scores"] == list(known.scores[1])
    assert [arm["seeds"] for arm in told["arms"]] == [["0", "1", "2", "3", "4"]] * 2
    assert [run["name"] for run in told["arms"][0]["runs"]] == [f"small/seed{i}" for i in range(5)]


def test_notices_of_other_files_are_in_json_too():
    extra = Notice("unreadable", "x.jsonl", "permission denied", None)
    kinds = [n["kind"] for n in parsed(made.seed_case(), notices=[extra])["notices"]]
    assert kinds == ["torn-tail", "unreadable"]


# --- CSV --------------------------------------------------------------------------------------


def test_csv_has_every_digit():
    comparison = made.seed_case()
    held = lines(comparison)
    assert tuple(held[0]) == csv.COLUMNS
    for row in comparison.rows:
        own = [x for x in held if (x["metric"], x["split"]) == row.key and x["part"] != "gap"]
        for name, summary in zip((row.baseline, row.candidate), row.summaries, strict=True):
            told = {
                x["quantity"]: float(x["value"])
                for x in own
                if x["part"] == "run" and x["run"] == name and x["quantity"] != "reached"
            }
            for quantity, value in told.items():
                known = float(getattr(summary, quantity))
                assert value == known or (math.isnan(value) and math.isnan(known))
        look = {x["quantity"]: x["value"] for x in own if x["part"] == "difference"}
        assert float(look["mean"]) == row.difference.mean
        assert float(look["low"]) == row.difference.interval.low
        assert float(look["n_effective"]) == row.difference.n_effective
        (verdict,) = [x["value"] for x in own if x["quantity"] == "verdict"]
        assert verdict == row.verdict


def test_csv_of_places_gaps_settings_and_expectations():
    held = lines(made.seed_case())
    (percent,) = [
        float(x["value"])
        for x in held
        if x["part"] == "at" and x["at"] == "12000.0" and x["quantity"] == "percent"
    ]
    assert round(percent, 1) == 27.4
    gaps = [(x["run"], x["at"], x["value"]) for x in held if x["part"] == "gap"]
    assert (made.AFTER, "3000", "57.5") in gaps
    assert (made.AFTER, "9000", "nan") in gaps
    settings = {(x["run"], x["quantity"]): x["value"] for x in held if x["part"] == "setting"}
    assert settings[made.AFTER, "MODEL.handec.dropout"] == "0.1"
    assert settings[made.BEFORE, "GENERAL.val_seed"] == ""
    status = {x["at"]: x["value"] for x in held if x["quantity"] == "status"}
    assert status["std(val/mpjpe) < 18 mm"] == "missed"
    reached = [x["value"] for x in held if x["quantity"] == "reached"]
    assert reached == ["30000.0", ""]


def test_csv_of_groups_has_every_score():
    comparison = made.groups()
    held = [x for x in lines(comparison) if x["quantity"] == "score" and x["run"] == "large"]
    assert tuple(float(x["value"]) for x in held) == comparison.rows[0].replicates.scores[1]


def test_no_line_of_csv_steers_a_terminal():
    comparison = made.seed_case()
    rows = tuple(replace(row, candidate="a\x1b[2Jb") for row in comparison.rows)
    told = csv.page(replace(comparison, rows=rows))
    assert "\x1b" not in told
    assert "a[U+001B][2Jb" in told
