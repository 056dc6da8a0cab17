"""What a notebook shows of runs, diagnoses and comparisons: words, numbers, and no way out."""

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import trainlens
from trainlens.render import notebook
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></table></div><b>",
    "{{ 7*7 }} {% x %} ${1} {0} {}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "a\u202egnp.exe",
    "x" * 500,
]
ALLOWED = {"div", "span", "b", "table", "thead", "tbody", "tr", "th", "td", "svg", "path"}
VOID_OF_STYLE = re.compile(r"url\(|expression|@import|behavior", re.IGNORECASE)


def column(name, value, split=None):
    n = len(value)
    return Column(name, np.arange(n), np.asarray(value, float), unknown(n), unknown(n), split)


def made(*columns, name="r"):
    return Run(name, "r", "jsonl").extend(Chunk(columns))


def falling(n=400, shift=0.0):
    return 3 / (1 + np.arange(n)) ** 0.4 + shift


class Reader(HTMLParser):
    """Tags, attributes and text of a fragment; says where tags do not match."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], set(), set(), ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        assert not [value for _, value in attrs if VOID_OF_STYLE.search(value or "")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(shown):
    found = Reader(shown._repr_html_())
    assert found.tags <= ALLOWED
    assert not {name for name in found.attributes if name.startswith("on") or name == "href"}
    return found


def test_a_run_shows_its_metrics_with_last_value_and_course():
    run = made(column("train/loss", falling()), column("val/accuracy", np.linspace(0, 0.5, 400)))
    found = read(run)
    assert found.text.startswith("rjsonl · steps 0–399 · 2 metrics")
    assert "train/loss" in found.text
    assert f"{falling()[-1]:.4g}" in found.text
    assert run._repr_html_().count("<svg") == 2


def test_a_diagnosis_shows_verdict_findings_and_what_to_do():
    loss = np.concatenate([falling(300), np.full(100, np.nan)])
    found = read(trainlens.diagnose(made(column("train/loss", loss))))
    (first,) = (
        f for f in trainlens.diagnose(made(column("train/loss", loss))).findings
        if f.rule == "non-finite"
    )  # fmt: skip
    assert "✕ error Non-finite" in found.text
    assert first.message in found.text
    assert f"Do: {first.prescriptions[0]['text']}" in found.text


def test_a_healthy_run_says_so_without_findings():
    found = read(trainlens.diagnose(made(column("train/loss", falling()))))
    assert "Healthy so far." in found.text
    assert "error" not in found.text


def test_many_findings_and_metrics_are_counted_not_shown():
    columns = [column(f"loss_{i}", falling(60)) for i in range(9)]
    told = trainlens.diagnose(made(*columns))
    many = tuple(
        Finding("loss-spike", Status.FAIL, Severity.WARNING, metric=f"m{i}", split="train",
                message=f"message {i}")
        for i in range(9)
    )  # fmt: skip
    text = read(replace(told, results=many)).text
    assert f"and {9 - notebook.FINDINGS} more findings" in text
    assert f"and {9 - notebook.SERIES} more metrics" in text
    assert "message 4" in text
    assert "message 5" not in text


def test_a_comparison_shows_headline_both_curves_and_the_table():
    rng = np.random.default_rng(1)
    runs = [
        made(column("val/mpjpe", falling(80, shift) + rng.normal(0, 0.01, 80)), name=name)
        for name, shift in (("old", 0.0), ("new", 1.0))
    ]
    comparison = trainlens.compare(runs[0], [runs[1]])
    found = read(comparison)
    assert "against old" in found.text
    assert comparison.rows[0].verdict in found.text
    assert comparison._repr_html_().count("<svg") == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(name):
    loss = np.concatenate([falling(300), np.full(100, np.nan)])
    runs = [
        made(column(name, loss, "train"), column("loss", falling(), name), name=name),
        made(column(name, falling(), "train"), column("loss", falling(), name), name=name + "2"),
    ]
    shown = [runs[0], trainlens.diagnose(runs[0]), trainlens.compare(runs[0], [runs[1]])]
    for one in shown:
        found = read(one)
        assert "\u202e" not in found.text
        if len(name) < 30 and "\u202e" not in name:
            assert name in found.text


@pytest.mark.parametrize(
    "values", [[], [1.0], [np.nan] * 5, [np.inf, -np.inf, 1.0], [1e308, -1e308] * 50, [0.0] * 300]
)
def test_odd_curves_are_shown_as_far_as_they_go(values):
    run = made(column("loss", values))
    assert read(run).text
    assert read(trainlens.diagnose(run)).text


def test_a_long_curve_makes_a_short_picture():
    run = made(column("loss", np.random.default_rng(0).normal(size=200_000)))
    assert len(run._repr_html_()) < 4000


def test_nothing_of_it_is_imported_before_a_notebook_asks():
    code = (
        "import sys, trainlens; from trainlens.run import Run; run = Run('r', 'r', 'jsonl'); "
        "assert 'trainlens.render' not in sys.modules; html = run._repr_html_(); "
        "assert 'trainlens.render.notebook' in sys.modules and 'no points' in html; "
        "assert not {'matplotlib', 'IPython', 'aim'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
