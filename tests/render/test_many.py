"""The page of more than a hundred runs: small, complete where it counts, and as safe as any."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import report_demo as demo
from hypothesis import given
from hypothesis import strategies as st
from test_html import Page

from trainlens.render import _overview, _sweep, _table
from trainlens.render._payload import payload
from trainlens.render.html import page
from trainlens.render.markdown import page as markdown
from trainlens.reporting import Axis, Outcome, Sweep, build, digest
from trainlens.rules import Diagnosis


def report(digests, **more):
    more = {"title": "", "command": "trainlens report logs", **more}
    return build(digests, now=demo.NOW, version="0.1.0", **more)


@pytest.fixture(scope="module")
def three_hundred():
    pages = {"sweep/run-00014": "runs/run 00015.html", "sweep/run-00000": "runs/ä.html"}
    return report(demo.many(300), pages=pages)


@pytest.fixture(scope="module")
def text(three_hundred):
    return page(three_hundred)


@pytest.fixture(scope="module")
def hostile():
    held = demo.hostile_many()
    return report(held, pages={held[0].told.name: "javascript:alert(1)//\ud800"})


def section(text, name):
    return re.search(rf'<section id="{name}">.*?</section>', text, re.DOTALL)[0]


def columns(packed):
    """Every column of the table's data with its heading, decoded."""
    held = packed["table"]
    return {
        head: [c["v"][k] for k in c["i"]] if "i" in c else c["v"]
        for head, c in zip(held["heads"], held["columns"], strict=True)
    }


# --- size ---


def test_three_hundred_runs_stay_below_a_megabyte(text):
    assert len(text.encode()) <= 1_000_000


def test_ten_thousand_runs_stay_below_four_megabytes():
    held = report(demo.many(10_000))
    told = page(held)
    assert len(told.encode()) <= 4_000_000
    assert "in 834 of 10\u202f000 runs" in told
    assert len(json.loads(Page(told).raw["data"])["table"]["columns"][0]["v"]) == 10_000
    assert len(markdown(held)) < 20_000


# --- findings ---


def test_every_rule_is_counted_and_the_gravest_are_told_in_full(three_hundred, text):
    shown = section(text, "findings")
    folds = re.findall(r'<details class="group">(.*?)</details>\n', shown, re.DOTALL)
    assert len(folds) == len({i.finding.rule for i in three_hundred.items}) == 4
    assert all("in 25 of 300 runs" in f for f in folds)
    assert [f.count("<article") for f in folds] == [2, 2, 2, 2]
    assert shown.count("<article") == 3 + 8
    ids = re.findall(r'id="f(\d+)"', shown)
    assert len(ids) == len(set(ids)) == len(three_hundred.items)


def test_at_most_forty_rows_a_rule_and_the_rest_is_counted():
    held = report(demo.many(700))
    folds = _overview.folds(held)
    assert [len(f.rows) for f in folds] == [40] * 4
    for f in folds:
        top = sum(i.finding.rule == f.full[0].finding.rule for i in held.top)
        assert top + len(f.full) + len(f.rows) + f.more == f.found
    assert f"And {folds[1].more} more, all in report.json." in page(held)


def test_charts_mark_what_the_page_tells_of_runs_that_are_drawn(three_hundred, text):
    packed = payload(three_hundred)
    told = set(re.findall(r'id="f(\d+)"', text))
    names = [r["n"] for r in packed["runs"]]
    by_number = {i.number: i for i in three_hundred.items}
    assert packed["marks"]
    for mark in packed["marks"]:
        assert str(mark["n"]) in told
        assert names[mark["run"]] == by_number[mark["n"]].run_name
    links = {a["href"] for t, a in Page(text).elements if t == "a" and a["href"].startswith("#f")}
    assert {link[2:] for link in links} <= told


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("The loss rose by 0.4 nats. It came back.", "The loss rose by 0.4 nats."),
        ("One sentence", "One sentence"),
        ("It broke at e.g. step 3. Then 4.", "It broke at e.g. step 3."),
        ("", ""),
    ],
)
def test_first_sentence(message, first):
    assert _overview.first_sentence(message) == first


def test_a_rule_that_says_the_same_of_many_says_it_once():
    told = [
        Outcome("a", "A", "1 value", ("x",)),
        Outcome("a", "A", "2 values", ("y", "z")),
        Outcome("b", "B", "fine", ("x", "y", "z")),
    ]
    assert _overview.brief(told) == [
        _overview.Brief("a", "2 values", 3, False),
        _overview.Brief("b", "fine", 3, True),
    ]


# --- the table ---


def test_the_table_holds_what_the_digests_say(three_hundred):
    held = columns(payload(three_hundred))
    known = {r.name: r for r in three_hundred.runs}
    assert sorted(held["Run"]) == sorted(known)
    for k, name in enumerate(held["Run"]):
        run, config = known[name], dict(known[name].config)
        assert held["Best val/loss"][k] == pytest.approx(run.standing.best, rel=1e-11)
        assert held["at step"][k] == run.standing.best_step
        assert held["Status"][k] == run.verdict
        assert held["Findings"][k] == sum(run.counts.values())
        assert held["lr"][k] == config["lr"]
        assert held["weight_decay"][k] == config.get("weight_decay", "")
        assert held["Last record"][k] == round(run.age)


def test_the_gravest_come_first_and_then_the_best(three_hundred):
    held = columns(payload(three_hundred))
    flagged = [v in ("failing", "warning") for v in held["Status"]]
    assert flagged == sorted(flagged, reverse=True)
    assert held["Status"][: flagged.count(True)] == sorted(held["Status"][: flagged.count(True)])
    best = held["Best val/loss"][flagged.count(True) :]
    assert best == sorted(best)


def test_a_hundred_rows_stand_without_a_script(three_hundred, text):
    rows = re.findall(r"<tr>\n<td class=\"name\">.*?</tr>", section(text, "runs"), re.DOTALL)
    held = columns(payload(three_hundred))
    assert len(rows) == 100
    for row, name in zip(rows, held["Run"], strict=False):
        assert name in row
        assert row.count("<td") == len(held)
    assert "trainlens report logs/sweep/run-00002.jsonl" in rows[0]


def test_runs_with_a_page_are_linked_and_addresses_encoded(three_hundred, text):
    links = {a["href"] for t, a in Page(text).elements if t == "a" and "runs/" in a["href"]}
    assert links == {"runs/run%2000015.html", "runs/%C3%A4.html"}
    packed = payload(three_hundred)["table"]
    names = packed["columns"][0]["v"]
    told = {names[row]: at for row, at in packed["pages"].items()}
    assert told == {
        "sweep/run-00014": "runs/run%2000015.html",
        "sweep/run-00000": "runs/%C3%A4.html",
    }


@pytest.mark.parametrize(
    "paths",
    [
        ["logs/a.jsonl", "logs/b.jsonl"],
        ["x", "x"],
        ["a", "ab", "abc"],
        ["bad\n", "\u202ebad", "good one", "q'uote", "-o", "\ud800", "y" * 500],
        [""],
    ],
)
def test_paths_come_back_from_what_they_share(paths):
    runs = report(demo.many(len(paths))).runs
    runs = [_named(r, name, path) for r, name, path in zip(runs, "abcdefg", paths, strict=False)]
    held = _table._paths(runs)
    back = [
        "" if m == 0 else held["a"] + (r.name if m is None else m) + held["b"]
        for m, r in zip(held["m"], runs, strict=True)
    ]
    assert back == [p if p.isprintable() and len(p) <= 400 else "" for p in paths]
    assert [bool(_table.command(r)) for r in runs] == [bool(p) for p in back]


def _named(run, name, source):
    return replace(run, name=name, source=source)


@given(st.lists(st.floats(width=64), max_size=60))
def test_a_course_is_letters_of_its_levels(values):
    value = np.array(values, dtype=float)
    told = _table.course(value)
    if np.isfinite(value).sum() < 2:
        assert told == ""
        return
    assert len(told) == min(len(value), 24)
    assert set(told) <= set(_table._LEVELS.tobytes().decode() + ".")
    if len(value) <= 24:
        assert [c == "." for c in told] == (~np.isfinite(value)).tolist()


def test_a_rising_course_rises_from_the_first_letter_to_the_last():
    told = _table.course(np.linspace(0, 1, 48))
    levels = [_table._LEVELS.tobytes().decode().index(c) for c in told]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, 63)


def test_settings_beyond_the_room_are_not_filtered_by():
    held = report(demo.many(120))
    wide = [(f"s{k}", tuple(f"{i}-{'x' * 50}" for i in range(120))) for k in range(200)]
    told = _table.table(replace(held, config_differences=(*held.config_differences, *wide)))
    assert len(told["hidden"]) == 12
    assert told["unseen"] == 188


# --- curves ---


def test_minima_and_maxima_keep_their_distance(three_hundred):
    packed = payload(three_hundred)
    checked = 0
    for chart, told in zip(three_hundred.charts, packed["charts"], strict=True):
        for line, one in zip(chart.lines, told["lines"], strict=True):
            held = line.buckets
            assert packed["runs"][one["r"]]["n"] == three_hundred.runs[line.run].name
            if "w" not in one:
                assert np.array_equal(held.low, held.high, equal_nan=True)
                continue
            half = np.frombuffer(base64.b64decode(one["w"]), "<u2").astype("<u4") << 16
            below, above = np.split(half.view("<f4"), 2)
            good = np.isfinite(held.mean)
            assert np.allclose(below[good], (held.mean - held.low)[good], rtol=0.004)
            assert np.allclose(above[good], (held.high - held.mean)[good], rtol=0.004)
            checked += 1
    assert checked > 200


def test_only_drawn_runs_have_a_chip_and_the_page_says_so(three_hundred, text):
    drawn = len(three_hundred.drawn)
    assert drawn < 300
    assert text.count("data-run-chip=") == drawn
    assert f"Curves of {drawn} of 300 runs" in text


# --- settings against the result ---


def test_the_picture_shows_the_best_and_a_sample(three_hundred):
    held = three_hundred.sweep
    drawn = _sweep.picture(held)
    assert drawn.count("<path d=") >= 300
    assert "style=" not in drawn
    assert "goes with 76 % of the" in drawn
    assert drawn.index('class="q0"') < drawn.index('class="q5"')


@given(st.integers(8, 5000))
def test_lines_hold_the_best_hundred_and_never_more_than_four_hundred(n):
    shown = _sweep.lines(Sweep(tuple(range(n)), (), np.arange(n) / n, 0))
    assert len(shown) == len(set(shown.tolist())) == min(n, 400)
    assert shown.tolist() == sorted(shown.tolist())
    assert shown[-min(n, 100) :].tolist() == list(range(n - min(n, 100), n))
    assert shown[0] == 0


def test_a_run_without_a_setting_leaves_a_gap():
    assert _sweep._path([0, 10, 20], [5, None, 7]) == "M0 5h0M20 7h0"
    assert _sweep._path([0, 10, 20], [5, 6, None]) == "M0 5L10 6"
    axis = Axis("a", np.array([0.0, np.nan, 1.0]), ())
    raw = np.frombuffer(base64.b64decode(_sweep._packed(axis.place)), "<u2")
    assert raw.tolist() == [0, 65535, 65534]


def test_the_script_gets_the_places_and_the_words_of_each_line(three_hundred):
    packed = payload(three_hundred)
    held, table = packed["sweep"], columns(packed)
    names = table["Run"]
    for k, run in enumerate(held["lines"]):
        row = held["rows"][run]
        assert names[row] == held["names"][k]
        for axis in held["axes"][:-1]:
            assert axis["v"][k] == table[axis["n"]][row]
    assert sorted(held["rows"]) == list(range(300))


def test_a_small_report_has_the_chart_before_its_settings():
    text = page(report(demo.many(40)))
    order = ['id="runs"', 'id="sweep"', 'id="config"', 'id="charts"', 'id="details"']
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert 'id="table"' not in text
    assert 'id="sweep"' not in page(report(demo.many(7)))


# --- the whole ---


def test_the_page_leaves_to_the_json_what_would_be_too_much(text):
    held = Page(text)
    assert "findings-json" not in held.raw
    assert 'id="save-json"' not in text
    assert 'id="details"' not in text
    footer = text[text.index("<footer>") :]
    assert footer.count("fingerprint") + footer.count("not on this disk") == 20
    assert "and 280 more, all in report.json" in footer


def test_few_findings_stay_embedded():
    calm = [d for d in demo.many(200) if not d.told.flagged][:110]
    assert json.loads(Page(page(report(calm))).raw["findings-json"])["runs"]


def test_runs_without_anything_to_rank_or_find_have_a_table():
    bare = [
        digest(Diagnosis(demo.run(f"e{i}", []), ()), runs=101, now=demo.NOW) for i in range(101)
    ]
    text = page(report(bare))
    row = re.search(r"<tr>\n<td class=\"name\">.*?</tr>", section(text, "runs"), re.DOTALL)[0]
    assert row.count("<td") == 6
    assert "No rule could judge" in text
    assert 'id="sweep"' not in text
    assert "## Runs (101): the 10 best ones without a fault" in markdown(report(bare))


def test_hostile_text_stands_as_text(hostile):
    told = page(hostile)
    held = Page(told)
    tags = {t for t, _ in held.elements}
    assert not tags & {"img", "iframe", "object", "embed", "base", "form", "link"}
    assert sum(t == "script" for t, _ in held.elements) == len(held.raw)
    for _, attrs in held.elements:
        assert not [a for a in attrs if a.startswith("on") or a in ("style", "src", "srcset")]
        assert not re.match(r"[\w+.-]*:|//", attrs.get("href", "#"))
    assert not set("<>&") & set(held.raw["data"])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told)
    told.encode()
    assert {t for t, _ in Page(_sweep.picture(hostile.sweep)).elements} == {
        "svg", "title", "g", "path", "text"
    }  # fmt: skip


# --- Markdown ---


def test_markdown_counts_by_rule_and_lists_the_ten_best(three_hundred):
    told = markdown(three_hundred)
    assert "| Loss spike | **warning** | 25 | 25 |" in told
    assert len(re.findall(r"^### \d+\. ", told, re.MULTILINE)) == 3
    rows = re.findall(r"^\| sweep/\S+ \| healthy \|.*$", told, re.MULTILINE)
    best = sorted(
        (r for r in three_hundred.runs if r.verdict == "healthy"), key=lambda r: r.standing.best
    )
    assert [r.split(" ")[1] for r in rows] == [r.name for r in best[:10]]
    assert "- optimizer: adam (100), sgd (100), lion (100)" in told


def test_hostile_markdown_is_escaped(hostile):
    told = markdown(hostile)
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", told)
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>)", prose)
    told.encode()
