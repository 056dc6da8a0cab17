"""The Markdown twin says the same, and log text formats nothing and calls nobody."""

import re

import pytest
import report_demo as demo
import report_states as states

from trainlens.render._escape import coded
from trainlens.render.markdown import code, escaped, page
from trainlens.reporting import Table, build

markdown_it = pytest.importorskip("markdown_it", reason="needs the extra dev")

CALLS = (
    "@everyone look", "mail a.b@c.org now", "fixes #123 and user/repo#7", "GH-12", "see !45 or $6",
    "https://evil.example/a(b)?c=d|e", "www.evil.example", "http://x.y<script>", ":smile: a:b:c",
    "ssh+git://x/y", "&1 %2 ~3",
)  # fmt: skip
MARKUP = (
    "*a* _b_ **c** ~~d~~ `e`", "[l](javascript:alert(1))", "![i](x.png)", "<b>bold</b>",
    "<!-- c -->", "&lt;b&gt; &#60;", "# head", "- item", "+ item", "1. one", "2) two", "> quote",
    "===", "---", "***", "    indented", "\tcode", "```\nfence", "~~~", "[x]: /url", "[^1]: note",
    "| a | b |\n|---|---|\n| 1 | 2 |", "a\nb\r\nc", "trailing\\", "- [ ] task", "a  \nb",
    "`` ` ``", "<details>", "</details>", "{{ 7*7 }}", '{"a": [1]}', "$x$ and $$y$$", "a|b||c",
)  # fmt: skip


def parser():
    return markdown_it.MarkdownIt("gfm-like", {"linkify": False})


def leaves(tokens):
    for token in tokens:
        yield token
        yield from leaves(token.children or ())


def shown(text):
    """What a reader sees of Markdown, and the kinds of what it is made of."""
    tokens = list(leaves(parser().parse(text)))
    told = "".join(t.content for t in tokens if t.type in ("text", "text_special", "code_inline"))
    return told, {t.type for t in tokens}


def sizes(tokens):
    """Cells of each row of each table."""
    tables = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in ("td_open", "th_open"):
            tables[-1][-1] += 1
    return tables


def report(diagnoses, **more):
    return build(
        diagnoses, title="", command="trainlens report a", now=demo.NOW, version="0", **more
    )


def test_the_words_of_the_page_in_its_order():
    text = page(report([demo.overfitting()]))
    order = [
        "# Do not use",
        "- Found: 1 error · 1 warning · 1 note",
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
    assert "3 records were lost." in text


def test_forty_findings_are_grouped_and_all_at_length():
    text = page(report([demo.forty()]))
    assert len(re.findall(r"^### \d+\. ", text, re.MULTILINE)) == 3
    assert len(re.findall(r"^#### \d+\. ", text, re.MULTILINE)) == 37
    assert text.count("<details>") == text.count("</details>") == 9
    full = page(report([demo.forty()]), full=True)
    assert len(re.findall(r"^### \d+\. ", full, re.MULTILINE)) == 40


def test_tables_and_settings():
    table = Table("A | B", ("B is worse.",), ("metric", "A"), (("loss", "1"),), ("One seed.",))
    text = page(report(demo.dozen(200), tables=[table]))
    assert "## A \\| B" in text
    assert "| loss | 1 |" in text
    assert "## Settings that differ (3)" in text
    assert "- lr: 0.0001 (6), 0.0003 (6)" in text
    assert "| lr | 0.0001 | 0.0003 | 0.0001 |" in page(report(demo.dozen(200)[:3]))


def test_pictures_are_linked_relative_to_it():
    text = page(report([demo.healthy()]), pictures=("run-01-dashboard.png", "a b.png"))
    images = [t for t in leaves(parser().parse(text)) if t.type == "image"]
    assert [t.attrs["src"] for t in images] == ["run-01-dashboard.png", "a%20b.png"]
    assert [t.content for t in images] == ["baseline", "a b"]


def test_the_comparison_stands_in_it():
    text = page(states.state("comparison"))
    assert "## Compared with sweep-02" in text
    assert "### val/mpjpe against sweep-02" in text
    assert text.count("Settings that differ") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<b>", "\\<b\\>"),
        ("[a](http://x)", "\\[a\\](`http://x)`"),
        ("a\nb\r\n# c", "a b \\# c"),
        ("- item", "\\- item"),
        ("12. item", "12\\. item"),
        ("71.7 mm", "71.7 mm"),
        ("www.x.org a@b.c", "`www.x.org` `a@b.c`"),
        ("a|b", "a\\|b"),
        ("see #12 at step 12", "see `#12` at step 12"),
        ("10 % at 12:30:45", "10 % at 12:30:45"),
    ],
)
def test_escaped(text, told):
    assert escaped(text) == told


@pytest.mark.parametrize("text", MARKUP + CALLS)
def test_a_reader_sees_the_text_and_no_markup(text):
    told, kinds = shown(f"{escaped(text)}\n\n- {escaped(text)}\n\n# {escaped(text)}")
    assert told == " ".join(text.split()) * 3 or told == escaped_once(text) * 3
    assert kinds <= {
        *("inline", "text", "text_special", "code_inline", "paragraph_open", "paragraph_close"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
        *("heading_open", "heading_close"),
    }


def escaped_once(text):
    # Spaces within a line are kept; only line breaks and what surrounds them become one.
    return re.sub(r"\s*[\r\n\t]+\s*", " ", text).strip()


@pytest.mark.parametrize("text", CALLS)
def test_what_would_call_somebody_is_code(text):
    plain = [t.content for t in leaves(parser().parse(escaped(text))) if t.type != "code_inline"]
    rest = "".join(t for t in plain if t != escaped(text))
    assert not re.search(r"@\w|#\d|://|www\.|GH-\d|[!$&%~]\d|:\w+:", rest)


def test_words_of_ours_may_hold_code():
    assert coded("use `trainlens ls` on *it*") == "use `trainlens ls` on \\*it\\*"
    assert coded("a lone ` tick") == "a lone \\` tick"
    assert coded("`a` `b`") == "`a` `b`"


def test_code_survives_backticks():
    assert code("a``b") == "``` a``b ```"
    assert code("a") == "`a`"


@pytest.mark.parametrize("name", states.STATES)
def test_every_table_has_the_cells_that_it_should_have(name):
    tokens = parser().parse(page(states.state(name), pictures=("a.png",)))
    rows = sizes(tokens)
    assert rows
    assert all(len(set(table)) == 1 and len(table) > 1 for table in rows)
    folds = [t.content for t in tokens if t.type == "html_block"]
    assert all(re.fullmatch(r"<details><summary>[^<>]*</summary>\n|</details>\n", f) for f in folds)


def test_hostile_runs_leave_no_markup_no_control_and_whole_tables():
    text = page(report(demo.hostile()), pictures=("x.png",))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    text.encode()
    tokens = list(leaves(parser().parse(text)))
    kinds = {t.type for t in tokens}
    assert not kinds & {"link_open", "html_inline", "em_open", "s_open", "fence", "code_block"}
    strong = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "strong_open"]
    assert set(strong) == {"error"}
    for block in (t.content for t in tokens if t.type == "html_block"):
        assert re.fullmatch(r"<details><summary>[^<>]*</summary>\n|</details>\n", block)
    tables = sizes(tokens)
    assert all(len(set(rows)) == 1 for rows in tables)
    assert 1 + len(demo.HOSTILE) in map(len, tables)
