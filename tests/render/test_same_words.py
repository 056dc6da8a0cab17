"""Page, Markdown, terminal and JSON say the same in the same words, whitespace and markup aside."""

import json
import re
from html.parser import HTMLParser

import click
import pytest
import report_demo as demo
import report_states as states

import trainlens
from trainlens.render import html, markdown, terminal
from trainlens.render import json as as_json
from trainlens.render.comparison import blocks, in_report
from trainlens.reporting import build
from trainlens.rules.base import Status

markdown_it = pytest.importorskip("markdown_it", reason="needs the extra dev")


class Text(HTMLParser):
    """What a reader sees of a page."""

    def __init__(self):
        super().__init__()
        self.hidden, self.parts = 0, []

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("style", "script", "title")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script", "title")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def bare(text):
    return re.sub(r"[\s`\u202f\u00a0]+", "", text)


def seen(report):
    """The text of every output, without whitespace."""
    page = Text()
    page.feed(html.page(report))
    tokens = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).parse(
        markdown.page(report, full=True)
    )
    inline = [child for t in tokens for child in t.children or () if child.content]
    document = as_json.document(report.judged, report.notices)
    return {
        "page": bare("".join(page.parts)),
        "markdown": bare("".join(t.content for t in inline)),
        "terminal": bare(click.unstyle(terminal.page(report, columns=200, full=True))),
        "narrow": bare(click.unstyle(terminal.page(report, columns=60, full=True))),
        "json": bare("\n".join(strings(json.loads(json.dumps(document))))),
    }


def strings(value):
    if isinstance(value, str):
        yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from strings(one)


def sentences(report):
    """(what it is, the sentence, whether JSON holds it)."""
    yield "verdict", report.verdict, len(report.runs) == 1
    for item in report.items:
        f = item.finding
        yield "title", item.title, False
        yield "message", f.message, True
        yield "others", item.also, False
        yield "check", f.verify, True
        yield from (("cause", cause, True) for cause in f.causes)
        for one in f.prescriptions:
            yield "advice", one["text"], True
            yield from (("setting", f"{k}: {v}", False) for k, v in one["patch"].items())
    for judged in report.judged:
        for result in judged.results:
            if result.status is Status.INCONCLUSIVE:
                yield "open", result.message, True


def compared(report):
    """What page, Markdown and terminal say of a comparison."""
    held = blocks(report.comparison, parts=in_report(report.comparison))
    return [
        held[0].title,
        *(sentence for block in held for sentence in (*block.sentences, *block.notes)),
    ]


def check(report):
    held, told = seen(report), 0
    for kind, sentence, in_json in sentences(report):
        for output, text in held.items():
            if sentence and (in_json or output != "json"):
                told += 1
                assert bare(sentence) in text, (output, kind, sentence)
    return told


@pytest.mark.parametrize("name", states.STATES)
def test_the_states_of_a_report(name):
    assert check(states.state(name)) >= 4


def test_what_the_rules_say_of_real_runs(sample_runs):
    judged = trainlens.diagnose_all(list(trainlens.load(sample_runs)))
    report = build(judged, title="", command="", now=demo.NOW, version="0")
    assert len(report.items) > 3
    assert check(report) > 100


def test_the_comparison():
    report = states.state("comparison")
    held = seen(report)
    del held["json"]
    told = [sentence for sentence in compared(report) if sentence]
    assert len(told) > 3
    for output, text in held.items():
        for sentence in told:
            assert bare(sentence) in text, (output, sentence)


@pytest.mark.parametrize("count", [1, 3])
def test_counts_best_and_span(count):
    report = build(demo.dozen(200)[:count], title="", command="", now=demo.NOW, version="0")
    for output, text in seen(report).items():
        if output != "json":
            assert bare(report.span) in text
            assert bare(report.best) in text
