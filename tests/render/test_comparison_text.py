"""A comparison for people: the same words in a terminal, as Markdown and as LaTeX."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import click
import pytest

from tests.comparison import made
from trainlens.comparison.model import Caution, Contrast, Interval
from trainlens.render.comparison import _words, blocks, headline, latex, markdown, text

KNOWN = Path(__file__).parent / "comparisons"
CASES = {
    "seed": made.seed_case,
    "few": lambda: made.many(3, 3),
    "many": lambda: made.many(99, 20),
    "groups": made.groups,
}
PAGES = {"txt": text.page, "md": markdown.page, "tex": latex.page}


def plain(comparison, columns=80, **options):
    return click.unstyle(text.page(comparison, columns=columns, **options))


def cells(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def renamed(comparison, name):
    """The same with another name of the candidate."""
    old = comparison.candidates[0]

    def row(one):
        return replace(one, candidate=name, because=one.because.replace(old, name))

    arms = (comparison.arms[0], replace(comparison.arms[1], name=name))
    return replace(
        comparison,
        arms=arms,
        rows=tuple(map(row, comparison.rows)),
        config_diff=(),
        expectations=tuple(replace(e, candidate=name) for e in comparison.expectations),
    )


@pytest.mark.parametrize("ending", PAGES)
@pytest.mark.parametrize("case", ["seed", "few", "groups"])
def test_the_page_is_the_stored_one(case, ending, request):
    """`pytest --update-golden` writes them anew; look at what changed."""
    told = click.unstyle(PAGES[ending](CASES[case]())).rstrip("\n") + "\n"
    path = KNOWN / f"{case}.{ending}"
    if request.config.getoption("--update-golden"):
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [plain, markdown.page, latex.page])
def test_the_figures_of_the_seed_are_there(page):
    told = re.sub(r"\s+", " ", page(made.seed_case()))
    told = told.replace("\\%", "%").replace("\\,", "\u202f")
    for figure in ("22.62", "27.4 %", "19.62", "22.41", "1.30", "220 independent evaluations",
                   "57.5", "33.3", "4.3", "82.61", "105.2"):  # fmt: skip
        assert figure in told, figure


def test_the_first_line_is_the_verdict():
    first = plain(made.seed_case()).splitlines()[0]
    assert first == "29-01-2026 and 28-01-2026 cannot be told apart in val/mpjpe."


@pytest.mark.parametrize("columns", [60, 72, 80, 100, 160])
@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_terminal(case, columns):
    comparison = CASES[case]()
    for everything in (False, True) if case != "many" else (False,):
        for line in plain(comparison, columns, everything=everything).splitlines():
            assert cells(line) <= columns, line


def test_a_long_name_keeps_the_width_and_the_verdict():
    told = plain(renamed(made.seed_case(), "experiments/2026/" + "x" * 300 + "/last"))
    assert max(map(cells, told.splitlines())) <= 80
    assert "indistinguishable" in told


def test_columns_of_chinese_names_stand_below_each_other():
    lines = plain(renamed(made.seed_case(), "实验二"), 120).splitlines()
    begin = lines.index("Metrics") + 2
    assert len({cells(line.split("]")[0]) for line in lines[begin : begin + 3]}) == 1
    assert cells(lines[begin - 1].split("  percent")[0]) == cells(lines[begin].split("]")[0]) + 1


def test_a_wide_terminal_shows_more_columns():
    narrow, wide = (plain(made.seed_case(), columns) for columns in (80, 120))
    assert "percent" not in narrow.split("Expectations")[0]
    assert "+4.31 %" in wide.split("Expectations")[0]
    assert "+3.49 [−6.11, +13.1]" in narrow


def test_a_hundred_runs_fit_two_screens():
    told = plain(made.many(99, 20))
    assert len(told.splitlines()) < 60
    assert "And 79 more candidates; --all shows them." in told
    assert told.splitlines()[0].startswith(
        "val/loss against sweep/run-000: of 99 candidates 33 are"
    )


def test_all_of_them_where_all_are_wanted():
    told = plain(made.many(30, 2), everything=True)
    assert "more candidates" not in told
    assert all(f"sweep/run-{i:03d}: val/mpjpe" in told for i in range(1, 31))


def test_the_best_candidate_stands_first():
    comparison = made.many(9, 1)
    lines = plain(comparison).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Candidates by"))
    order = [line.split()[0] for line in lines[start + 3 : start + 12]]
    sizes = {row.candidate: row.difference.mean for row in comparison.rows}
    better = [row.candidate for row in comparison.rows if row.verdict == "better"]
    assert order[:3] == sorted(better, key=sizes.get)
    assert order[3:] == sorted(set(sizes) - set(better), key=sizes.get)


def test_nothing_in_a_name_steers_the_terminal():
    told = text.page(renamed(made.seed_case(), "a\x1b[31mb\u202ec\nd"))
    bare = re.sub(r"\x1b\[(?:1|0|33|31)m", "", told).replace("\n", "")
    assert told.count("\x1b[31m") == 1  # the missed expectation, and no name
    assert not re.search("[\x00-\x1f\u202e]", bare)


@pytest.mark.parametrize("page", [markdown.page, latex.page])
def test_names_format_nothing(page):
    name = "a|b_c*d*<i>&#%$^~{}\\x"
    told = page(renamed(made.seed_case(), name))
    assert name not in told
    if page is markdown.page:
        assert "a\\|b\\_c\\*d\\*\\<i\\>" in told
    else:
        assert "a\\textbar{}b\\_c*d*\\textless{}i\\textgreater{}\\&\\#\\%\\$" in told


@pytest.mark.parametrize("case", ["seed", "few", "groups", "many"])
def test_every_table_of_markdown_is_one(case):
    tables = re.findall(r"(?:^\|.*\n)+", markdown.page(CASES[case]()), re.MULTILINE)
    assert len(tables) == sum(b.table is not None for b in blocks(CASES[case]()))
    for one in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in one.splitlines()}
        assert len(widths) == 1
        assert re.fullmatch(r"\|( -{3}:? \|)+", one.splitlines()[1])


@pytest.mark.parametrize("case", ["seed", "few", "groups", "many"])
def test_latex_is_balanced(case):
    told = latex.page(CASES[case]())
    bare = re.sub(r"\\[{}\\]", "", told)
    assert bare.count("{") == bare.count("}")
    assert told.count("\\begin{tabular}") == told.count("\\end{tabular}") > 0
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", told, re.DOTALL
    ):
        rows = [line for line in body.splitlines() if line.endswith("\\\\")]
        assert rows
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
    # What LaTeX prints without a further package is ASCII here.
    assert told.isascii()


# --- what is said -----------------------------------------------------------------------------


def with_verdict(comparison, verdict, **changes):
    first, *rest = comparison.rows
    return replace(comparison, rows=(replace(first, verdict=verdict, **changes), *rest))


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("better", "These two runs differ: 29-01-2026 is better than 28-01-2026 in val/mpjpe."),
        ("worse", "These two runs differ: 29-01-2026 is worse than 28-01-2026 in val/mpjpe."),
        ("cannot-judge", "29-01-2026 cannot be judged against 28-01-2026 in val/mpjpe."),
    ],
)
def test_a_verdict_of_single_runs_is_about_these_runs(verdict, said):
    assert headline(with_verdict(made.seed_case(), verdict)).startswith(said)


def test_a_verdict_of_several_runs_is_about_the_configuration():
    assert headline(made.groups()) == "large is better than small in val/accuracy."


def test_the_headline_counts_the_other_metrics_and_the_expectations():
    said = headline(made.seed_case())
    assert "Of 2 other metrics 1 is worse (train/total) and 1 is not to be judged." in said
    assert said.endswith("Of 5 expectations: 3 met, 1 missed, 1 not to be judged.")


def test_a_verdict_on_other_validation_data_says_so_at_once():
    note = " than 28-01-2026 in val/mpjpe, but they may have validated on different data. "
    other = Caution("validation-data", "", "val_seed is absent in a and 42 in b: they may have")
    case = replace(made.seed_case(), cautions=(other,))
    assert note in headline(with_verdict(case, "worse"))
    assert note in headline(with_verdict(case, "better"))
    assert note not in headline(with_verdict(case, "indistinguishable"))
    assert note not in headline(with_verdict(case, "worse", split="test"))
    assert note not in headline(with_verdict(made.seed_case(), "worse"))


def test_one_run_each_is_said_where_several_candidates_differ():
    note = "One run each: what a change of seed does is not known."
    comparison = made.many(4, 1)
    assert note in headline(comparison)
    same = tuple(replace(row, verdict="indistinguishable") for row in comparison.rows)
    assert note not in headline(replace(comparison, rows=same))


def test_a_metric_without_direction_never_leads():
    comparison = made.seed_case()
    turned = replace(comparison, rows=comparison.rows[::-1])
    assert "in train/total" in headline(turned)


def test_a_caution_of_all_candidates_is_said_once():
    comparison = made.many(3, 1)
    names = comparison.candidates
    shared = tuple(Caution("length", name, "the ends differ") for name in names)
    told = plain(replace(comparison, cautions=shared))
    assert told.count("the ends differ") == 1
    assert f"{names[0]}, {names[1]} and {names[2]}: the ends differ." in told


def test_many_cautions_of_a_kind_are_counted():
    comparison = made.many(9, 1)
    alike = tuple(Caution("length", name, f"{name} is short") for name in comparison.candidates)
    told = replace(comparison, cautions=alike)
    assert plain(told).count("is short") == 3
    assert "The like of 6 more candidates; --all shows them." in plain(told)
    assert plain(told, everything=True).count("is short") == 9


@pytest.mark.parametrize("columns", range(60, 101, 4))
def test_no_number_is_cut(columns):
    cut = [
        line for line in plain(CASES["few"](), columns).splitlines() if re.search(r"\d…|…\d", line)
    ]
    assert not [line for line in cut if "[" in line]


def test_a_candidate_without_the_metric_is_named():
    comparison = made.many(6, 2)
    rows = tuple(
        row for row in comparison.rows if (row.candidate, row.metric) != ("sweep/run-004", "loss")
    )
    told = plain(replace(comparison, rows=rows))
    assert "Without val/loss: sweep/run-004." in told
    assert "of 6 candidates" in told.splitlines()[0]
    assert "1 has no such metric" in " ".join(told.split())


def test_why_candidates_cannot_be_judged_is_said_once():
    comparison = made.many(6, 2)
    open_ones = comparison.candidates[2:5]
    rows = tuple(
        replace(row, verdict="cannot-judge", because="only 1 matched point", difference=None)
        if row.candidate in open_ones
        else row
        for row in comparison.rows
    )
    told = plain(replace(comparison, rows=rows), 120)
    assert told.count("only 1 matched point") == 1
    assert f"{_words.listed(open_ones)}: only 1 matched point." in told
    assert "3 are not to be judged" in told.splitlines()[0]


def test_a_share_of_nothing_is_a_dash():
    rate = plain(made.seed_case(), 120).split("train/dropout_rate")[1].splitlines()[0]
    assert rate.split() == ["0", "0.1", "+0.1", "[+0.1,", "+0.1]", "–", "cannot", "judge"]


def test_the_difference_has_no_digit_that_its_interval_makes_meaningless():
    vague = Contrast(0.0005456, Interval(-0.0105, 0.0116), 20, 18.0, 0.0, 0.9)
    told = plain(with_verdict(made.seed_case(), "indistinguishable", difference=vague))
    assert "+0.0005 [−0.0105, +0.0116]" in told
    open_ended = replace(vague, interval=Interval(float("-inf"), float("inf")))
    told = plain(with_verdict(made.seed_case(), "cannot-judge", difference=open_ended))
    assert "[−∞, +∞]" in told


def test_an_empty_comparison_says_so():
    empty = replace(made.seed_case(), rows=(), expectations=(), gaps=(), config_diff=())
    assert plain(empty).startswith("There is nothing to compare.")


def test_checked_expectations_without_a_baseline():
    told = click.unstyle(text.kept("run-7", made.predicted(), columns=80))
    assert told.splitlines()[0] == (
        "run-7. Of 5 expectations: 3 met, 1 missed, 1 not to be judged."
    )
    assert "28-01-2026" not in told
    assert "std(val/mpjpe) < 18 mm: 19.1 mm is above 18 mm." in told
