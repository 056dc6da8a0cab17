"""The Markdown twin says the same, and log text formats nothing."""

import re

import pytest
import report_demo as demo

from trainlens.render.markdown import code, escaped, page
from trainlens.reporting import Table, build


def report(diagnoses, **more):
    return build(
        diagnoses, title="", command="trainlens report a", now=demo.NOW, version="0", **more
    )


def test_the_words_of_the_page_in_its_order():
    text = page(report([demo.overfitting()]))
    order = [
        "# Do not use",
        "### 1. Overfitting",
        "### 3. Validation jump",
        "Passed (2)",
        "Not applicable (2)",
        "Could not decide (1)",
        "## Runs (1)",
        "`trainlens report a`",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "- Do: Fix the validation order `val_seed: 42`" in text
    assert "evidence: steps 12\u202f000–15\u202f000" in text
    assert text.endswith("\n")


def test_data_quality_moves_up_when_something_was_lost():
    text = page(report([demo.diverging()]))
    assert text.index("## Data quality") < text.index("## Findings")
    assert "3 records lost." in text


def test_forty_findings_are_grouped():
    text = page(report([demo.forty()]))
    assert len(re.findall(r"^### \d+\. ", text, re.MULTILINE)) == 3
    assert len(re.findall(r"^- forty, steps", text, re.MULTILINE)) == 37


def test_tables_and_settings():
    table = Table("A | B", ("B is worse.",), ("metric", "A"), (("loss", "1"),), ("One seed.",))
    text = page(report(demo.dozen(200), tables=[table]))
    assert "## A \\| B" in text
    assert "| loss | 1 |" in text
    assert "## Settings that differ (3)" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<b>", "\\<b\\>"),
        ("[a](http://x)", "\\[a\\](http\\://x)"),
        ("a\nb\r\n# c", "a b \\# c"),
        ("- item", "\\- item"),
        ("12. item", "12\\. item"),
        ("71.7 mm", "71.7 mm"),
        ("www.x.org a@b.c", "www\\.x.org a\\@b.c"),
        ("a|b", "a\\|b"),
    ],
)
def test_escaped(text, told):
    assert escaped(text) == told


def test_code_survives_backticks():
    assert code("a``b") == "``` a``b ```"
    assert code("a") == "`a`"


def test_hostile_text_leaves_no_markup_and_no_control():
    text = page(report(demo.hostile()))
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>)", prose)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    text.encode()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", r)) for r in rows if "---" not in r}) <= 2
