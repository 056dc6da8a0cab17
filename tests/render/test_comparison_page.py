"""The page of a comparison: self-contained, escaped, complete, of a sensible size."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from browser import MISSING, Browser
from click.testing import CliRunner

import trainlens
from tests.comparison import made
from trainlens import cli
from trainlens.comparison.model import Caution, Comparison
from trainlens.errors import OutputError, UsageError
from trainlens.render.comparison import _charts, headline
from trainlens.render.comparison._curves import COLOURS, curves
from trainlens.render.comparison.page import page, tell, write
from trainlens.run import Notice

NOW = 1_790_000_000.0
EVIL = "<img src=x onerror=alert(1)> \u202e{{7*7}} </script>"


def hostile():
    """The seed case with markup wherever a log can put text."""
    case = made.seed_case()
    names = {name: f"{name} {EVIL}" for name in (made.BEFORE, made.AFTER)}
    arms = tuple(replace(arm, name=names[arm.name]) for arm in case.arms)
    rows = tuple(
        replace(row, baseline=names[row.baseline], candidate=names[row.candidate], unit=EVIL,
                because=f"{EVIL} is higher")
        for row in case.rows
    )  # fmt: skip
    return replace(
        case, arms=arms, rows=rows, cautions=(Caution("seed", arms[1].name, EVIL),),
        notices=(Notice("torn-tail", EVIL, EVIL, 1),), gaps=(), expectations=(),
    )  # fmt: skip


CASES = {
    "seed": made.seed_case,
    "five": lambda: made.many(5, 3),
    "groups": made.groups,
    "hundred": lambda: made.many(100, 20),
    "hostile": hostile,
    "no rows": lambda: Comparison(made.seed_case().arms, "step", ()),
    "by epoch": lambda: replace(made.seed_case(), by="epoch"),
}


def html(case, **more):
    return page(CASES[case](), now=NOW, command="trainlens compare a b", **more)


def block(text, name):
    return re.search(rf"<{name}>(.*?)</{name}>", text, re.S)[1]


@pytest.mark.parametrize("case", CASES)
def test_policy_allows_its_own_style_and_script_alone(case):
    text = html(case)
    allowed = unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1])
    assert allowed.startswith("default-src 'none'")
    for kind, count in (("style", 1), ("script", 2)):
        own = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.S)
        digests = [hashlib.sha256(one.encode()).digest() for one in own]
        told = " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)
        assert f"; {kind}-src {told};" in allowed
        assert len(own) == count
    assert not re.search(r"(?:src|href)=[\"'](?!#)", text)
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_markup_of_a_log_stays_text():
    text = html("hostile", title=EVIL, notices=[Notice("x", EVIL, EVIL, None)])
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u202e" not in text
    assert "{{7*7}}" in text
    assert text.count("</script>") == 3


def test_it_says_what_the_other_outputs_say():
    case = made.seed_case()
    text = re.sub(r"<[^>]+>", " ", html("seed"))
    for part in (
        headline(case).split(". ")[0],
        case.rows[0].because.rstrip("."),
        "std(val/mpjpe) &lt; 18 mm",
        "MODEL.handec.dropout",
        "unfinished record left out",
        "+57.5",
        "105.2",
        "trainlens compare a b",
    ):
        assert part in text, part
    # A lost record is told before any number is.
    assert text.index("1 record lost") < text.index("difference [95 %]")


def test_verdicts_have_a_word_and_an_icon():
    text = html("seed")
    for word, icon in (
        ("worse", "error"),
        ("indistinguishable", "inconclusive"),
        ("met", "healthy"),
    ):
        assert re.search(rf'<use href="#i-{icon}"/></svg>{word}</span>', text)
        assert f'id="i-{icon}"' in text


@pytest.mark.parametrize("case", CASES)
def test_every_chart_stands_without_a_script(case):
    text, told = html(case), tell(CASES[case]())
    assert text.count('<svg class="fixed"') == len(told.curves.panels)
    for panel in told.curves.panels:
        figure = text[text.index(f'id="{panel.key}"') :].split("</figure>")[0]
        assert re.search(r'<path class="r', figure)


def test_the_script_reads_the_numbers_of_the_runs():
    case = made.seed_case()
    data = json.loads(re.search(r'id="data">(.*?)</script>', html("seed"), re.S)[1])
    first, second = (arm.runs[0]["mpjpe", "val"] for arm in case.arms)
    went, difference = data["charts"][:2]
    read = lambda text, kind: np.frombuffer(base64.b64decode(text), kind)  # noqa: E731
    for line, series in zip(went["lines"], (first, second), strict=True):
        np.testing.assert_array_equal(read(line["m"], "<f4"), series.value.astype("<f4"))
        grid = data["grids"][line["g"]]
        np.testing.assert_array_equal(read(grid["a"], "<u4") + grid["o"], series.step)
    points, mean = difference["lines"]
    assert points["faint"]
    np.testing.assert_allclose(
        read(points["m"], "<f4"), second.value - first.value, rtol=1e-6, atol=1e-5
    )
    assert (read(mean["l"], "<f4") < read(mean["h"], "<f4")).all()
    assert difference["zero"]
    assert difference["late"] == 33000


def test_a_group_is_a_band_over_its_runs():
    held = curves(made.groups())
    went, difference = held.panels
    assert [t.faint for t in went.traces] == ([True] * 5 + [False]) * 2
    assert went.traces[0].label == "seed 0"
    band = went.traces[5]
    assert band.label == "mean of 5 runs"
    value = np.array([r["accuracy", "val"].value for r in made.groups().arms[0].runs])
    np.testing.assert_allclose(band.buckets.mean, value.mean(0))
    np.testing.assert_allclose(band.buckets.high, value.mean(0) + value.std(0, ddof=1))
    assert len(difference.traces) == 1


def test_many_candidates_are_ranked_coloured_and_kept_small():
    case = made.many(100, 20)
    text = html("hundred")
    assert len(text.encode()) < 1_000_000
    held = curves(case)
    assert len(held.looks) == 24
    assert sum(look.colour is not None for look in held.looks) == COLOURS
    assert held.looks[0].name == case.baseline
    ahead = {r.candidate for r in case.rows if r.verdict == "better"}
    assert all(look.name in ahead for look in held.looks[1:] if look.colour is not None)
    assert "23 of 100 candidates" in text
    table = block(text[text.index("<h2>Candidates by") :], "tbody")
    assert table.count("<tr>") == 101


def test_a_page_is_a_file_or_a_folder(tmp_path):
    case = made.seed_case()
    assert write(case, tmp_path / "a.html", now=NOW) == [tmp_path / "a.html"]
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == page(case, now=NOW)
    files = write(case, tmp_path / "out", now=NOW, plots=False)
    assert [f.name for f in files] == ["index.html", "comparison.json"]
    assert json.loads(files[1].read_text())["schema"] == "trainlens.comparison/1"
    with pytest.raises(OutputError):
        write(case, tmp_path / "missing" / "a.html", now=NOW)
    with pytest.raises(OutputError):
        write(case, tmp_path / "a.html" / "folder", now=NOW)


def test_the_same_comparison_gives_the_same_bytes():
    assert html("groups") == html("groups")


def test_charts_know_what_they_were_matched_by():
    assert _charts.payload(curves(CASES["by epoch"]()), "epoch")["by"] == "epoch"
    assert _charts.payload(curves(made.seed_case()), "samples")["by"] == "step"
    assert "Points were matched by epoch." in html("by epoch")


# --- in a browser ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    if MISSING:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("pages")
    browser = Browser()

    def load(case):
        path = folder / f"{case}.html"
        path.write_text(html(case), encoding="utf-8")
        browser.open(path)
        browser.frames()
        return browser

    yield load
    browser.quit()


@pytest.mark.parametrize("case", ["seed", "five", "groups", "hostile", "no rows"])
def test_silent_and_ready(show, case):
    b = show(case)
    assert b.run("return document.documentElement.dataset.ready") == "yes"
    assert b.console() == []
    assert b.run("return document.documentElement.scrollWidth <= innerWidth")
    assert b.run("return document.querySelectorAll('img, iframe, script').length") == 3


def test_a_difference_tells_its_interval(show):
    b = show("seed")
    b.run("document.querySelector('#d0').scrollIntoView({block: 'center'})")
    b.frames()
    b.run("document.querySelector('#d0 .plot').dispatchEvent("
          "new KeyboardEvent('keydown', {key: 'End', bubbles: true}))")  # fmt: skip
    b.frames()
    told = b.run("return document.getElementById('tip').textContent")
    assert "step 60\u202f000, difference (95 % interval)" in told
    assert b.console() == []


def test_hiding_the_baseline_leaves_the_difference(show):
    b = show("seed")
    b.run("document.querySelector('[data-run-chip=\"0\"]').click()")
    b.frames()
    assert "off=0" in b.run("return location.hash")
    assert b.console() == []


# --- as a section of a report ---------------------------------------------------------------


def test_a_report_with_a_baseline_compares_its_runs(tmp_path):
    runs = [arm.runs[0] for arm in made.seed_case().arms]
    files = trainlens.report(runs, tmp_path, baseline=made.BEFORE, plots=False, config={})
    text = files[0].read_text(encoding="utf-8")
    assert f'Compared with <span class="as-is">{made.BEFORE}</span>' in text
    told = json.loads((tmp_path / "comparison.json").read_text())
    assert told["baseline"] == made.BEFORE
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    difference = next(c for c in data["charts"] if c["k"] == "d0")
    assert {data["runs"][line["r"]]["n"] for line in difference["lines"]} == {made.AFTER}
    assert all(line["g"] < len(data["grids"]) for c in data["charts"] for line in c["lines"])
    # Each chart of the script has its place on the page.
    assert all(f'id="{c["k"]}"' in text for c in data["charts"])


def test_a_report_without_a_baseline_has_no_trace_of_a_comparison(tmp_path):
    runs = [arm.runs[0] for arm in made.seed_case().arms]
    text = trainlens.report(runs, tmp_path, plots=False, config={})[0].read_text(encoding="utf-8")
    assert "Compared with" not in text
    assert ".good-word" not in text
    assert not (tmp_path / "comparison.json").exists()


def test_a_baseline_that_does_not_exist_is_named(tmp_path):
    runs = [arm.runs[0] for arm in made.seed_case().arms]
    with pytest.raises(UsageError, match="no such run; did you mean '28-01-2026'"):
        trainlens.report(runs, tmp_path, baseline="28-01-2025", config={})
    with pytest.raises(UsageError, match="nothing to compare"):
        trainlens.report(runs[:1], tmp_path, baseline=made.BEFORE, config={})


def test_workers_compare_what_one_process_compares(tmp_path):
    made_runs = {
        "a": 1 + np.exp(-np.arange(200) / 30),
        "b": 0.8 + np.exp(-np.arange(200) / 30) + 0.01 * np.sin(np.arange(200)),
    }
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, values in made_runs.items():
        lines = [json.dumps({"step": i, "loss": v}) for i, v in enumerate(values.tolist())]
        (logs / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    told = []
    for more in ([], ["--workers", "2"]):
        out = tmp_path / f"out{len(more)}"
        command = ["report", str(logs), "--baseline", "a", "--no-plots", "-o", str(out), *more]
        result = CliRunner().invoke(cli.cli, [*command, "--no-config"], standalone_mode=False)
        assert result.exception is None
        told.append((out / "comparison.json").read_text())
    assert told[0] == told[1]
