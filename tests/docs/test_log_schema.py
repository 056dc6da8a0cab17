"""The page of the log's format: each key that it names is read, each key of the code is named."""

import ast
import inspect
import json
import re

import numpy as np
import pytest

import trainlens
from docs.make.kinds import pages
from tests.docs.documents import DOCS, ROOT
from trainlens import schema
from trainlens.readers._json import reader, reported
from trainlens.rules import diagnose
from trainlens.rules.base import Status
from trainlens.stats import planned
from trainlens.stats.formulas import KINDS
from trainlens.stats.planned import parse

PAGE = (DOCS / "log-schema.md").read_text("utf-8")


def section(title):
    """What stands on the page beneath a heading."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    return found


def keys(title):
    """Keys in the first column of the table beneath a heading, with whether they are needed."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", section(title), re.M)
    return {key: need.strip() for key, _, need in rows}


HEADER, RECORD = keys("The header"), keys("A record")
ANOMALY, PLAN = keys("Anomalies"), keys("Planned schedules")


# --- every key of the code is named -----------------------------------------------------------


def asked(function):
    """Texts that a function asks a mapping for: ``row.get("x")``, ``"x" in row``, ``row["x"]``."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield node.slice.value
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get":
            yield getattr(node.args[0], "value", None)
        elif isinstance(node, ast.Tuple):
            yield from (e.value for e in node.elts if isinstance(e, ast.Constant))


def test_what_is_written_is_named():
    header = schema.header_line("a", 1.0, {"x": 1}, {"lr": {}}, ["tb"], ranks=2)
    assert set(json.loads(header)) == set(HEADER)
    record = schema.record_line(
        1, 2.0, {"a": 1.0}, {"b": 2.0}, progress=0.5, epoch=1, split="val", anomalies=["x"]
    )
    assert set(json.loads(record)) == set(RECORD)


@pytest.mark.parametrize(
    "function",
    [schema.is_header, schema.copies_of, schema.ranks_of, reader.JsonLines._take_header],
)
def test_what_is_read_of_a_header_is_named(function):
    found = {key for key in asked(function) if isinstance(key, str)}
    assert found
    assert found <= set(HEADER)


def test_what_is_read_of_a_record_is_named():
    assert set(RECORD) >= schema.RECORD_KEYS
    assert {key for key, need in RECORD.items() if need == "yes"} == schema.RECORD_KEYS
    assert {k for k in ANOMALY if k != "value"} == {reported._NAMES[0], reported._MESSAGES[0]}
    assert {key for key in asked(reported._item) if isinstance(key, str)} == {"value"}


def test_what_is_read_of_a_plan_is_named():
    places = {key.removesuffix("_steps") for key in planned._WORDS - {"total_steps"}}
    assert places | {"total_steps", "parts"} == set(PLAN)
    made = "".join(
        line for line in section("Planned schedules").splitlines() if "schedules/" in line
    )
    for kind, formula in KINDS.items():
        assert f"[`{kind}`](schedules/{kind}.md)" in made
        names = set(inspect.signature(formula).parameters) - {"p"}
        assert [name for name in names if f"`{name}`" not in made] == []
    assert "log-schema.md" in pages()


def test_anomalies_that_the_companion_writes_are_named():
    found = set()
    for path in (ROOT / "trainlens_torch").rglob("*.py"):
        found |= set(re.findall(r'"type": "([a-z_]+)"', path.read_text("utf-8")))
    assert len(found) > 3
    assert [kind for kind in found if f"`{kind}`" not in section("Anomalies")] == []


# --- every key that is named is read ----------------------------------------------------------


@pytest.fixture
def log(tmp_path):
    def write(*lines, name="run.jsonl"):
        path = tmp_path / name
        texts = [
            one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines
        ]
        path.write_bytes(b"".join(texts))
        return path

    return write


def records(count=3, **more):
    return [{"step": i, "losses": {"loss": 1.0 / i}, "stats": {}, **more} for i in range(1, count)]


def test_a_header_is_read(log):
    given = {"schema": schema.SCHEMA, "run": "a", "created": 1.5, "config": {"lr": 0.1},
             "schedules": {"lr": {"kind": "constant"}}}  # fmt: skip
    run = trainlens.load_one(log(given, *records()))
    assert run.config == {"lr": 0.1, "run": "a", "created": 1.5, "schedules": given["schedules"]}
    assert run.notices == ()


@pytest.mark.parametrize("key", [k for k in HEADER if k != "schema"])
def test_only_the_schema_of_a_header_is_needed(key, log):
    assert HEADER["schema"] == "yes"
    assert HEADER[key] == "no"
    bare = trainlens.load_one(log({"schema": schema.SCHEMA}, *records()))
    assert (bare.points, bare.notices) == (2, ())


def test_copies_and_ranks_are_one_run(log):
    header = {"schema": schema.SCHEMA, "copies": ["metrics.csv"], "ranks": 2}
    folder = log(header, *records()).parent
    log({"schema": schema.SCHEMA}, *records(), name="run.rank1.jsonl")
    (folder / "metrics.csv").write_text("step,loss\n1,1.0\n2,0.5\n")
    assert len(trainlens.discover(folder)) == 1
    log({"schema": schema.SCHEMA}, *records())
    assert len(trainlens.discover(folder)) == 3


def test_a_second_header_begins_another_attempt(log):
    header = {"schema": schema.SCHEMA}
    run = trainlens.load_one(log(header, *records(4), header, *records(4)))
    assert run.attempts == 2


def values(run, metric, axis="value", split="train"):
    """What stands on an axis of a series; nothing where there is no such series."""
    held = run.series.get((metric, split))
    return [] if held is None else getattr(held, axis).tolist()


@pytest.mark.parametrize(
    ("key", "given", "seen"),
    [
        ("timestamp", 1.7e9, lambda run: values(run, "loss", "wall_time") == [1.7e9, 1.7e9]),
        ("epoch", 2.5, lambda run: values(run, "loss", "epoch") == [2.5, 2.5]),
        ("split", "val", lambda run: values(run, "loss", split="val") == [1.0, 0.5]),
        ("progress", 0.5, lambda run: values(run, "progress") == [0.5, 0.5]),
        ("stats", {"lr": 0.1}, lambda run: values(run, "lr") == [0.1, 0.1]),
        ("losses", {"b": 3.0}, lambda run: values(run, "b") == [3.0, 3.0]),
        ("anomalies", ["nan"], lambda run: values(run, "anomalies/nan") == [1.0, 1.0]),
        ("step", 7, lambda run: values(run, "loss", "step") == [7, 7]),
    ],
)
def test_a_key_of_a_record_is_read(key, given, seen, log):
    assert key in RECORD
    plain = trainlens.load_one(log({"schema": schema.SCHEMA}, *records()))
    with_it = trainlens.load_one(log({"schema": schema.SCHEMA}, *records(**{key: given})))
    assert seen(with_it)
    assert not seen(plain)


def test_every_key_of_a_record_is_tried():
    (mark,) = test_a_key_of_a_record_is_read.pytestmark
    assert {key for key, *_ in mark.args[1]} == set(RECORD)


def test_numbers_are_written_and_read_as_the_page_says(log):
    values = {"a": float("nan"), "b": float("inf"), "c": -float("inf"), "d": 1e-300, "e": 0.1}
    line = schema.record_line(1, 0.0, values, {"flag": True, "opt": {"lr": 0.1}})
    assert b'"a": NaN, "b": Infinity, "c": -Infinity' in line
    run = trainlens.load_one(log({"schema": schema.SCHEMA}, line, line.replace(b": 1,", b": 2,")))
    for name, value in values.items():
        assert np.array_equal(run[name].value, [value, value], equal_nan=True)
    assert run["flag"].value.tolist() == [1, 1]
    assert run["opt/lr"].value.tolist() == [0.1, 0.1]


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("loss_spike", 1.0),
        ({"type": "loss_spike"}, 1.0),
        ({"type": "LossSpike", "value": 3.2, "message": "3.2 sigma above"}, 3.2),
        ({"kind": "loss_spike", "value": 2}, 2.0),
        ({"name": "loss spike"}, 1.0),
    ],
)
def test_anomalies_are_points(entry, value, log):
    run = trainlens.load_one(log({"schema": schema.SCHEMA}, *records(40, anomalies=[entry])))
    assert run["anomalies/loss_spike"].value.tolist() == [value] * 39
    (found,) = diagnose(run, select=["reported-anomaly"]).findings
    assert "loss spike" in found.message.replace("_", " ")


FIRST = {"kind": "constant"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"kind": "linear"}, 0.5),
        ({"kind": "linear", "base": 4.0}, 2.0),
        ({"kind": "step", "at_steps": [40], "gamma": 0.1}, 0.1),
        ({"kind": "chain", "parts": [{**FIRST, "until": 0.4}, {"kind": "linear"}]}, 5 / 6),
        ({"kind": "chain", "parts": [{**FIRST, "until_steps": 50}, {"kind": "linear"}]}, 1.0),
    ],
)
def test_a_plan_is_read(spec, expected):
    plan = parse({"total_steps": 100, **spec})
    assert float(plan.value([50])[0]) == pytest.approx(expected)


def planned_log(log, plan, **stats):
    """A log of a linear decay of 100 steps, with the plan of a header."""
    header = {"schema": schema.SCHEMA, "schedules": {"total_steps": 100, "lr": plan}}
    lines = [
        {"step": i, "losses": {}, "stats": {k: f(i) for k, f in stats.items()}} for i in range(100)
    ]
    (found,) = diagnose(trainlens.load_one(log(header, *lines)), select=["plan-deviation"]).results
    return found.status


def test_ratios_and_times_are_read(log):
    groups = {"kind": "linear", "ratios": {"head": 0.1}}
    assert planned_log(log, groups, **{"lr/head": lambda i: 0.1 * (1 - i / 100)}) is Status.PASS
    assert planned_log(log, groups, **{"lr/head": lambda i: 0.3 * (1 - i / 100)}) is Status.FAIL
    times = {"kind": "linear", "times": "factor"}
    logged = {"lr": lambda i: (0.5 if i >= 30 else 1) * (1 - i / 100)}
    factor = {"factor": lambda i: 0.5 if i >= 30 else 1.0}
    assert planned_log(log, times, **logged, **factor) is Status.PASS
    assert planned_log(log, {"kind": "linear"}, **logged, **factor) is Status.FAIL
