"""Every text of every page as an attack: nothing runs, nothing is asked for, all of it is text."""

from dataclasses import replace

import hostile
import pytest
import report_demo as demo
from browser import MISSING, Chromium

from tests.comparison import made
from trainlens.comparison.model import Caution
from trainlens.render import write_text
from trainlens.render._visible import visible
from trainlens.render.comparison.page import page as comparison_page
from trainlens.render.html import page
from trainlens.reporting import Table, build
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Status
from trainlens.run import Notice

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

# Names of states and keys, which no log can choose.
STATES = {
    "Report.counts", "Report.counts key", "Report.ranking", "Judged.verdict", "RunSummary.verdict",
    "RunSummary.counts key", "Chart.key", "Chart.role", "Chart.direction", "Item.chart",
    "Standing.direction", "Row.verdict", "Row.direction", "Comparison.by", "Summary", "Run",
    "Judged.status", "Series", "Report.versions key", "Expectation.op", "Expectation.stat",
    "Expectation.axis", "Expectation.against",
}  # fmt: skip
NAMES_OF_MANY = {"RunSummary.name", "Judged.name", "Item.run_name", "Axis.name",
                 "Report.config_differences", "RunSummary.config"}  # fmt: skip
ARM_NAMES = {"Arm.name", "Row.baseline", "Row.candidate", "GapTable.baseline",
             "GapTable.candidate", "Caution.candidate"}  # fmt: skip


def small():
    """A report of five runs with every part that a report can have."""
    judged = [demo.overfitting(), demo.diverging(), *demo.dozen(200)[:3]]
    silenced = Finding("outlier", Status.FAIL, message="x", suppressed="why")
    judged[0] = replace(judged[0], results=(*judged[0].results, silenced))
    table = Table("Means", ("One sentence.",), ("a", "b"), (("c", "d"), ("e", "f")), ("A note.",))
    return build(judged, title="t", command="c", tables=[table], now=demo.NOW, version="0",
                 notices=[Notice("corrupt", "a file", "3 lines", 3)])  # fmt: skip


def many():
    """A report of more runs than payloads, each with one as the address of its page."""
    built = build(demo.many(len(hostile.PAYLOADS) + 5), title="t", command="c", now=demo.NOW,
                  version="0")  # fmt: skip
    held, told = hostile.planted(built, STATES, NAMES_OF_MANY)
    names = [run.name for run in held.runs]
    return replace(held, pages=dict(zip(names, hostile.PAYLOADS, strict=False))), told


def logged():
    """Runs whose names, metrics, splits, settings and notices were read from a log."""
    step, judged = list(range(60)), []
    for k in range(0, len(hostile.PAYLOADS), 10):
        texts = hostile.PAYLOADS[k : k + 10]
        columns = [replace(demo.column(t, step, [1 + 1 / (s + 1) for s in step], split=t), unit=t)
                   for t in texts]  # fmt: skip
        config = {"nested": dict(zip(texts, texts[::-1], strict=True)), texts[0]: list(texts)}
        notices = tuple(Notice(t, t, t, None) for t in texts)
        held = demo.run(texts[0], columns, config, notices, source=texts[1], fmt=texts[2])
        key = next(iter(held.series))
        found = [demo.finding(t, "error", *key, 10, 20, message=t, causes=(t,), verify=t,
                              prescriptions=({"text": t, "patch": {t: t}},), evidence={t: 1.0})
                 for t in texts]  # fmt: skip
        judged.append(Diagnosis(held, tuple(found)))
    everything = " ".join(hostile.PAYLOADS)
    return build(judged, title=everything, command=everything, now=demo.NOW, version="0")


def compared():
    """A comparison with payloads wherever a log or a person puts text."""
    case = made.seed_case()
    cautions = tuple(Caution("seed", case.arms[1].name, f"caution {k}") for k in range(20))
    held, told = hostile.planted(replace(case, cautions=cautions), STATES, ARM_NAMES)
    # An arm is found again by its name, and a setting by it.
    diff = tuple(replace(s, values=dict.fromkeys([a.name for a in held.arms], s.key))
                 for s in held.config_diff)  # fmt: skip
    return replace(held, config_diff=diff), told


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    everything = " ".join(hostile.PAYLOADS)
    held, few = hostile.planted(small(), STATES)
    case, arms = compared()
    lots, table = many()
    texts = {
        "small": page(held),
        "many": page(lots),
        "logged": page(logged()),
        "compared": comparison_page(
            case, title=everything, command=everything, now=demo.NOW,
            notices=[Notice(t, t, t, None) for t in hostile.PAYLOADS],
        ),
    }  # fmt: skip
    for name, text in texts.items():
        write_text(folder / f"{name}.html", text)
    logged_ = {"payload": list(hostile.PAYLOADS)}
    return folder, {"small": few, "many": table, "logged": logged_, "compared": arms}


@pytest.fixture(scope="module")
def browser():
    held = Chromium()
    held.before_every_page(hostile.CANARY)
    yield held
    held.quit()


@pytest.fixture
def show(browser, pages):
    def load(name):
        browser.plain()
        browser.open("about:blank")
        browser.console()
        browser.requests()
        browser.open(f"{pages[0] / name}.html")
        browser.run("for (const n of document.querySelectorAll('details')) n.open = true;"
                    "document.getElementById('charts')?.scrollIntoView()")  # fmt: skip
        browser.frames(3)
        return browser

    return load


NAMES = ("small", "many", "logged", "compared")
# All that a person can do with a pointer and keys, but leave the page.
USED = """
const fire = (n, kind, more) => n.dispatchEvent(new (more?.key ? KeyboardEvent : PointerEvent)(
  kind, {bubbles: true, clientX: 300, clientY: 300, ...more}));
for (const n of document.querySelectorAll("button:not([data-do=png]):not([data-do=csv])"))
  if (!n.id.startsWith("save") && n.dataset.do !== "svg") n.click();
for (const n of document.querySelectorAll("[data-run-chip], tr, .axis, .parallel, .mark, summary"))
  for (const kind of ["pointerenter", "pointerover", "pointermove", "mouseover", "focus"])
    fire(n, kind);
for (const n of document.querySelectorAll(".plot"))
  for (const key of ["End", "Home", "ArrowRight", "+", "Escape"]) fire(n, "keydown", {key});
for (const n of document.querySelectorAll("select"))
  for (const o of n.options) { n.value = o.value; n.dispatchEvent(new Event("change")); }
for (const n of document.querySelectorAll("input[type=search]"))
  for (const text of arguments[0]) { n.value = text; n.dispatchEvent(new Event("input")); }
for (const n of document.querySelectorAll("input[type=search]"))
  { n.value = ""; n.dispatchEvent(new Event("input")); }
document.getElementById("runs-all")?.click();
for (const n of document.querySelectorAll("details")) n.open = true;
"""


# What stands on the page, of scripts nothing, and what its nodes say when pointed at.
TEXT = """
const whole = document.body.cloneNode(true);
for (const n of whole.querySelectorAll("script")) n.remove();
return [document.title, whole.textContent, ...[...document.querySelectorAll("[title]")].map(
  n => n.title)].join("\\n");
"""
MARKUP = """
const plain = (n) => n.namespaceURI === "http://www.w3.org/1999/xhtml";
const odd = [...document.querySelectorAll("*")].filter(n => [...n.attributes].some(a =>
  /^on|^(src|srcdoc|formaction|action|data)$/i.test(a.name) ||
  (a.name === "href" && n.tagName !== "A" && !a.value.startsWith("#"))));
const tags = ["style", "meta", "title", "body", "base", "link", "img", "iframe", "object", "embed",
  "form", "template", "math", "video", "textarea", "marquee", "animate", "foreignObject"];
const links = [...document.querySelectorAll("a")].map(
  a => new URL(a.getAttribute("href"), location.href)).map(u => u.protocol + u.host);
return { odd: odd.map(n => n.outerHTML.slice(0, 200)), links: [...new Set(links)],
  scripts: document.getElementsByTagName("script").length,
  tags: Object.fromEntries(tags.map(t => [t,
    [...document.getElementsByTagName(t)].filter(plain).length]).filter(([, n]) => n)) };
"""
# Fields that stand on their page in full; of others some are shortened or only in the JSON.
SHOWN = {
    "small": {
        "Chart.group", "Chart.metric", "Chart.unit", "Input.path", "Outcome.message",
        "Outcome.rule", "Phase.label", "Report.best", "Report.command", "Report.span",
        "Report.thresholds", "Report.thresholds key", "Report.title", "Report.verdict",
        "Report.versions", "RunSummary.config", "RunSummary.format", "RunSummary.name",
        "RunSummary.sentence", "RunSummary.source", "Standing.split", "Standing.unit",
        "Table.columns", "Table.notes", "Table.rows", "Table.sentences", "Table.title",
    },
    "many": {
        "Axis.name", "Chart.group", "Chart.metric", "Group.title", "Item.run_name",
        "Outcome.message", "Outcome.rule", "Report.command", "Report.title", "Report.verdict",
        "RunSummary.name",
    },
    "logged": {"payload"},
    "compared": {
        "Caution.message", "Expectation.label", "Expectation.unit", "GapTable.unit",
        "Judged.because", "Notice.message", "Notice.where", "Row.because", "Row.split", "Row.unit",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_nothing_is_asked_for_and_all_is_text(show, pages, name):
    b = show(name)
    assert b.run("return document.documentElement.dataset.ready") == "yes"
    text = b.run(TEXT)
    whole = {place for place, texts in pages[1][name].items()
             if all(visible(t) in text for t in texts)}  # fmt: skip
    assert whole >= SHOWN[name]
    b.run(USED, hostile.PAYLOADS[:40])
    b.frames(8)
    found = b.run(MARKUP)
    assert found["odd"] == []
    assert set(found["links"]) <= {"file:"}
    assert found["scripts"] in (3, 4)
    assert found["tags"] == {"style": 1, "meta": 5, "title": 1, "body": 1}
    assert b.run("return hits") == []
    assert b.console() == []
    asked = [r for r in b.requests() if not r.startswith("about:")]
    assert asked == [b.run("return location.href.split('#')[0]")]


PLACES = {
    ".finding .words > p:first-child": 1,
    ".advice dd": 2,
    ".finding code": 1,
    ".run-detail .config dt": 1,
    ".run-detail .config dd": 1,
    ".evidence dt": 1,
    ".chart .name .cut": 1,
    ".chart .name small": 1,
    "h1, footer code": 1,
}


def test_each_place_of_a_logged_text_holds_every_attack(show):
    b = show("logged")
    for place, times in PLACES.items():
        text = b.run("return [...document.querySelectorAll(arguments[0])].map(n => n.textContent)"
                     ".join('\\n')", place)  # fmt: skip
        missing = [p for p in hostile.PAYLOADS if text.count(visible(p)) < times]
        if place == ".evidence dt":
            missing = [p for p in missing if visible(p).replace("_", " ") not in text]
        assert not missing, place


def test_the_canary_would_sing(browser, tmp_path):
    write_text(tmp_path / "a.html", "<!doctype html><body><img src=x onerror=hit(1)>"
               "<script>hit(2)</script>")  # fmt: skip
    browser.open(tmp_path / "a.html")
    browser.frames(5)
    assert "ran 2" in browser.run("return hits")
    assert "ran 1" in browser.run("return hits")
    browser.console()
    browser.requests()
