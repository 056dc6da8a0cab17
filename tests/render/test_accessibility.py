"""The page for everyone: no violation that axe-core knows, and every part under the keyboard."""

import axe
import pytest
import report_demo as demo
from browser import MISSING

from tests.comparison import made
from trainlens.render import write_text
from trainlens.render.comparison.page import page as comparison_page
from trainlens.render.html import page
from trainlens.reporting import build
from trainlens.rules import Diagnosis

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def _page(judged, **more):
    return page(build(judged, title="", command="x", now=demo.NOW, version="0", **more))


PAGES = {
    "one": lambda: _page([demo.overfitting()]),
    "damaged": lambda: _page([demo.diverging()]),
    "dozen": lambda: _page(demo.dozen(600)),
    "hundred": lambda: _page(
        [Diagnosis(demo.training(f"run-{i}", i, 200), demo.passes()) for i in range(100)]
    ),
    "many": lambda: _page(demo.many(300), pages={"sweep/run-00014": "runs/a.html"}),
    "comparison": lambda: comparison_page(made.seed_case(), now=demo.NOW, command="x"),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, text in PAGES.items():
        write_text(folder / f"{name}.html", text())
    return folder


@pytest.fixture
def show(browser, pages):
    def load(name, width=1280, **features):
        browser.plain(width)
        browser.media(**features)
        browser.open("about:blank")
        browser.open(f"{pages / name}.html")
        browser.frames()
        return browser

    return load


def opened(b):
    b.run("for (const n of document.querySelectorAll('details')) n.open = true")
    b.frames(3)
    return b


fetched = pytest.mark.skipif(
    axe.script() is None, reason="axe-core cannot be had: no npm or no network"
)


@fetched
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(show, name):
    b = opened(show(name))
    found = axe.violations(b)
    assert not found, "\n".join(found)


@fetched
@pytest.mark.parametrize("name", ["one", "damaged", "dozen", "many", "comparison"])
def test_axe_finds_every_colour_legible_in_the_dark(show, name):
    b = opened(show(name, prefers_color_scheme="dark"))
    assert b.run("return getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 21)"
    found = axe.violations(b, axe.COLOURS)
    assert not found, "\n".join(found)


@fetched
@pytest.mark.parametrize("name", ["one", "dozen", "many", "comparison"])
def test_axe_finds_nothing_on_a_phone(show, name):
    found = axe.violations(opened(show(name, width=390)))
    assert not found, "\n".join(found)


@fetched
def test_axe_would_say_what_is_wrong(show):
    b = show("one")
    b.run("document.querySelector('main').append(document.createElement('img'), "
          "document.createElement('button'))")  # fmt: skip
    assert {text.split(":")[0] for text in axe.violations(b)} == {"image-alt", "button-name"}


STOP = """
const n = document.activeElement, s = getComputedStyle(n), r = n.getBoundingClientRect();
const x = Math.min(Math.max(r.x + Math.min(r.width, 40) / 2, 1), innerWidth - 2);
const y = Math.min(Math.max(r.y + Math.min(r.height, 24) / 2, 1), innerHeight - 2);
const at = document.elementFromPoint(x, y);
return {name: n.id || n.dataset.evidence || n.dataset.do || n.className || n.tagName,
  path: [...document.querySelectorAll('*')].indexOf(n), ring: n.matches(':focus-visible') &&
  s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, seen: r.bottom > 0 &&
  r.top < innerHeight && (n.contains(at) || at?.contains(n) || n.closest('label')?.contains(at))};
"""
REACHED = """
return [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')]
  .filter(n => n.checkVisibility({visibilityProperty: true}) && !n.disabled && n.tabIndex >= 0)
  .map(n => [...document.querySelectorAll('*')].indexOf(n));
"""


@pytest.mark.parametrize("name", ["one", "comparison"])
@pytest.mark.parametrize("step", ["Tab", "Shift+Tab"])
def test_every_control_is_reached_and_seen_by_keyboard(show, name, step):
    b = show(name)
    b.run("document.querySelector('.chart .plot').scrollIntoView()")
    b.frames(3)
    b.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("
          "'tabindex')")  # fmt: skip
    wanted, stops = set(b.run(REACHED)), []
    assert len(wanted) > 20
    # Marks of findings come as charts are drawn, when a stop brings them into view.
    for _ in range(3 * len(wanted)):
        b.keys(step)
        stop = b.run(STOP)
        if stops and stop["path"] == stops[0]["path"]:
            break
        # Between the last and the first the keys are with the window.
        if stop["name"] not in ("BODY", "HTML"):
            stops.append(stop)
    assert wanted <= {s["path"] for s in stops}
    assert not [s for s in stops if not s["ring"]]
    assert not [s for s in stops if not s["seen"]]


def test_evidence_leads_to_the_chart_and_escape_back(show):
    b = show("one", prefers_reduced_motion="reduce")
    b.run("document.querySelector('[data-evidence=\"2\"]').focus()")
    b.keys("Enter")
    b.frames(3)
    assert b.run("return document.activeElement.closest('.chart').querySelector('.cut').title") == (
        "grad_norm"
    )
    assert "f=2" in b.run("return location.hash")
    assert b.run("const r = document.activeElement.getBoundingClientRect();"
                 "return r.top >= 0 && r.bottom <= innerHeight")  # fmt: skip
    assert b.run("return document.getAnimations().length") == 0
    b.keys("Escape")
    b.frames()
    assert b.run("return document.activeElement.dataset.evidence") == "2"
    assert "z=" not in b.run("return location.hash")
    # Whoever left the chart is not called back.
    b.keys("Enter")
    b.keys("Tab")
    b.run("document.activeElement.closest('.chart').querySelector('.plot').focus()")
    b.keys("Escape")
    assert b.run("return document.activeElement.className") == "plot"


def test_nothing_moves_by_itself(show):
    b = show("many", prefers_reduced_motion="reduce")
    moving = b.run(
        "return [...document.querySelectorAll('*')].filter(n => { const s = getComputedStyle(n);"
        " return parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none' ||"
        " s.scrollBehavior === 'smooth'; }).map(n => n.className || n.tagName)"
    )
    assert moving == []
