"""The live page in a browser: it takes over what is new and lets alone what a person did."""

import time

import hostile
import numpy as np
import pytest
import report_demo as demo
from browser import MISSING, Chromium

from tests.monitor.serving.stages import STRIDE, digests, live, overfitting, spike, until
from trainlens.monitor.serving import Limits, Server
from trainlens.render.html import page
from trainlens.reporting import build
from trainlens.reporting.digest import digest
from trainlens.rules import Diagnosis
from trainlens.run import Chunk

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

TOKEN = "token-of-these-tests"


@pytest.fixture(scope="module")
def browser():
    held = Chromium()
    held.before_every_page(hostile.CANARY)
    yield held
    held.quit()


# How often a page was there.
ASKED = ("performance.getEntriesByType('resource')"
         ".filter((e) => e.name.endsWith('/page') && e.responseEnd).length")  # fmt: skip
FINDINGS = "document.querySelectorAll('.finding').length"
STEP = "document.querySelector('#runs td:nth-child(5)').textContent"


class Watched:
    """A page in a browser and the server behind it."""

    def __init__(self, browser, server, first):
        self.b, self.server, self.version = browser, server, 1
        server.publish(first, 1)
        browser.plain()
        browser.open("about:blank")
        browser.console()
        browser.requests()
        browser.open(server.url)
        browser.frames()
        self.settle(lambda: browser.run(f"return {ASKED}"))
        browser.run("window.marker = Math.random()")
        self.marker = browser.run("return marker")

    def settle(self, done):
        """Wait until something is so, for ten seconds at most."""
        for _ in range(200):
            if done():
                return
            time.sleep(0.05)
        raise AssertionError("it did not come about")

    def publish(self, text, done):
        """A newer page, and wait until a script says that it is there."""
        self.version += 1
        self.server.publish(text, self.version)
        self.settle(lambda: self.b.run(f"return {done}"))
        self.b.frames()

    def silent(self):
        """It is the page that was loaded, nothing was said, run or asked of anybody else."""
        assert self.b.run("return window.marker") == self.marker
        assert self.b.run("return window.hits") == []
        assert self.b.console() == []
        root = self.server.url.split("?")[0]
        asked = [a for a in self.b.requests() if not a.startswith(("about:", "chrome", "data:"))]
        assert {a.split("#")[0] for a in asked} <= {
            self.server.url, root, f"{root}page", f"{root}events"}  # fmt: skip


@pytest.fixture
def watch(browser):
    with Server(token=TOKEN, limits=Limits(beat=0.3)) as server:
        yield lambda first: Watched(browser, server, first)
        browser.open("about:blank")


def press(b, key, chart="c0"):
    b.run(f"document.querySelector('#{chart} .plot').dispatchEvent("
          "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key)  # fmt: skip
    b.frames(6)


def ends(b):
    """Of the first chart on the screen, the place of a share of its steps."""
    box = b.run("const r = document.querySelector('#c0 .plot').getBoundingClientRect();"
                "return [r.x, r.y, r.width]")  # fmt: skip
    return lambda share: (box[0] + 52 + share * (box[2] - 60), box[1] + 90)


def last_step(b, chart="c0"):
    """The last step of a chart, as the arrow keys tell it."""
    press(b, "End", chart)
    said = b.run("return document.querySelector('#tip .when').textContent")
    b.run(f"document.querySelector('#{chart} .plot').dispatchEvent(new Event('blur'))")
    return int("".join(c for c in said.split("–")[-1] if c.isdigit()))


def pixels(b, chart="c0"):
    return b.run(f"return document.querySelector('#{chart} canvas').toDataURL()")


def test_charts_grow_and_findings_appear_without_a_reload(watch):
    w = watch(live(digests(4000, found=[(0, spike())])))
    b = w.b
    assert last_step(b) == 4000
    b.run("document.getElementById('charts').scrollIntoView()")
    b.frames(3)
    before, plot = pixels(b), "window.plot = document.querySelector('#c0 canvas')"
    b.run(plot)
    w.publish(live(digests(8000, found=[(0, spike()), (1, overfitting())])), f"{FINDINGS} === 2")
    assert last_step(b) == 8000
    assert pixels(b) != before
    # The very canvas: moved on, not made anew.
    assert b.run("return window.plot === document.querySelector('#c0 canvas')")
    assert b.run("return document.querySelectorAll('#c0 canvas').length") == 1
    assert b.run("return performance.getEntriesByType('navigation').length") == 1
    assert "Validation loss has risen since step 5000" in b.run("return document.body.innerText")
    assert b.run("return document.querySelector('h1').textContent").startswith("1 of 3 runs fails")
    assert b.run("return document.querySelectorAll('#c0 .mark').length") == 2
    assert b.run("return document.querySelector('#runs .error-word').textContent") == "failing"
    assert "new: Overfitting" in b.run("return document.getElementById('pulse').textContent")
    told = b.run("return JSON.parse(document.getElementById('findings-json').textContent)")
    assert sum(r["status"] == "fail" for run in told["runs"] for r in run["results"]) == 2
    b.run("[...document.querySelectorAll('[data-evidence]')][1].click()")
    b.frames()
    assert "f=2" in b.run("return location.hash")
    w.silent()


def test_what_a_person_did_stays(watch):
    first = live(digests(6000, found=[(0, spike())]))
    w = watch(first)
    b = w.b
    b.run("""
      const set = (id, value, kind) => { const n = document.getElementById(id); n.value = value;
        n.dispatchEvent(new Event(kind, {bubbles: true})); };
      set("smooth", "4", "input"); set("y-axis", "log", "change"); set("theme", "dark", "change");
      document.querySelector("[data-run-chip='1']").click();
      document.querySelector("#findings .fold").open = true;
      document.querySelectorAll("#runs th button")[2].click();
      document.querySelectorAll("#runs th button")[2].click();
    """)
    b.run("document.querySelector('#c1 .plot').scrollIntoView({block: 'center'})")
    at = ends(b)
    b.mouse(("move", *at(0.25)), ("down",), ("move", *at(0.5)), ("up",))
    b.run("document.querySelector('#c1 .plot').focus({preventScroll: true})")
    b.frames(8)
    view = """
      const c = document.querySelector("#c1"); return {
      hash: location.hash, theme: document.documentElement.dataset.theme,
      smooth: document.getElementById("smooth").value, y: document.getElementById("y-axis").value,
      said: document.getElementById("smooth-value").textContent,
      pressed: [...document.querySelectorAll("[data-run-chip]")].map((n) => n.ariaPressed),
      boxes: Object.fromEntries([...document.querySelectorAll("[data-run-box]")]
        .map((n) => [n.ariaLabel, n.checked])),
      open: [...document.querySelectorAll("details")].filter((n) => n.open)
        .map((n) => n.querySelector("summary").textContent.replace(/\\d+/g, "")),
      sorted: [...document.querySelectorAll("#runs th")].map((n) => n.ariaSort),
      rows: [...document.querySelectorAll("#runs tbody .name")].map((n) => n.textContent),
      top: c.getBoundingClientRect().top,
      focus: document.activeElement === c.querySelector(".plot"),
      reset: document.getElementById("reset").disabled }"""
    before = b.run(view)
    assert "z=" in before["hash"]
    assert before["pressed"] == ["true", "false", "true"]
    assert before["focus"]
    assert not before["reset"]
    assert "Passed" in before["open"][0]
    found = [(0, spike()), (0, spike(4000, "grad_norm")), (2, spike(5000, "lr"))]
    w.publish(live(digests(9000, found=found)), f"{FINDINGS} === 3")
    after = b.run(view)
    assert after.pop("top") == pytest.approx(before.pop("top"), abs=1)
    assert sorted(after.pop("rows")) == sorted(before.pop("rows"))
    assert after == before
    # Another number of findings in each row: sorted by it still, downwards.
    column = before["sorted"].index("descending")
    values = b.run("return [...document.querySelectorAll('#runs tbody tr')]"
                   ".map((n) => Number(n.cells[arguments[0]].dataset.v))", column)  # fmt: skip
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1
    w.silent()


def test_a_zoom_stays_at_its_steps_while_the_axis_grows(watch):
    w = watch(live(digests(4000)))
    w.b.run("location.hash = ''")
    for key in ("End", "+", "+"):
        press(w.b, key)
    zoom = w.b.run("return location.hash")
    assert "z=" in zoom
    w.publish(live(digests(9000)), f"{STEP}.startsWith('9')")
    assert w.b.run("return location.hash") == zoom
    # "Show all" now shows more than there was when it was zoomed.
    w.b.run("document.getElementById('reset').click()")
    w.b.frames()
    assert last_step(w.b) == 9000
    w.silent()


def test_runs_and_metrics_come_and_go(watch):
    w = watch(live(digests(3000, runs=("base",), metrics={"lr"})))
    b = w.b
    figures = "[...document.querySelectorAll('.chart .name .cut')].map((n) => n.title)"
    assert b.run(f"return {figures}") == ["lr"]
    b.run("window.plot = document.querySelector('.chart canvas')")
    w.publish(live(digests(3500, runs=("base", "wide"))), f"{figures}.length > 4")
    names = b.run(f"return {figures}")
    assert names[0] == "loss"
    at = names.index("lr")
    assert b.run(f"return window.plot === document.querySelectorAll('.chart canvas')[{at}]")
    assert b.run("return document.querySelectorAll('.chart canvas').length") == len(names)
    # What came with the newer page is heard as well.
    b.run("document.querySelector(\"[data-run-chip='0']\").click()")
    assert not b.run("return document.querySelector(\"[data-run-box='0']\").checked")
    b.run("document.querySelector('#c1 [data-do=log]').click();"
          "document.getElementById('runs-all').click()")  # fmt: skip
    assert last_step(b, "c1") > 3000
    # Another run in front: the one that was switched off is known by its name.
    b.run("document.querySelector(\"[data-run-chip='1']\").click()")
    w.publish(live(digests(3600, runs=("new", "base", "wide"))),
              "document.querySelectorAll('[data-run-chip]').length === 3")  # fmt: skip
    pressed = "[...document.querySelectorAll('[data-run-chip]')].map((n) => n.ariaPressed)"
    assert b.run(f"return {pressed}") == ["true", "true", "false"]
    w.publish(live(digests(3750, runs=("wide",), metrics={"loss"})), f"{figures}.length === 1")
    assert b.run("return document.querySelectorAll('.chart').length") == 1
    assert last_step(b) == 3750
    w.publish(live([]), "!document.querySelector('.chart')")
    w.publish(live(digests(4000)), f"{figures}.length > 4")
    assert last_step(b) == 4000
    assert not b.run("return document.querySelector('.controls').hidden")
    w.silent()


def many_metrics(step, extra):
    """A page of one run with further metrics, the most telling of which come first."""
    held = until("base", step)
    at = np.arange(0, step, STRIDE)
    columns = tuple(demo.column(f"val/loss_{k}", at, 1 + k + np.exp(-at / 900), split="val")
                    for k in range(extra))  # fmt: skip
    held = held.extend(Chunk(columns, {}, ()))
    return live([digest(Diagnosis(held, demo.passes()), runs=1, now=demo.NOW)])


def test_a_chart_that_leaves_its_place_stays_the_same(watch):
    w = watch(many_metrics(3000, 0))
    b = w.b
    folds = ("Object.fromEntries([...document.querySelectorAll('.chart')].map((n) => ["
             "n.querySelector('.cut').title, Boolean(n.closest('details'))]))")  # fmt: skip
    before = b.run(f"return {folds}")
    b.run("window.plots = new Map([...document.querySelectorAll('.chart')].map((n) => "
          "[n.querySelector('.cut').title, n.querySelector('canvas')]))")  # fmt: skip
    w.publish(many_metrics(3500, 10), "document.querySelectorAll('.chart').length > 14")
    after = b.run(f"return {folds}")
    assert [name for name in before if after[name] != before[name]]
    assert b.run("return [...document.querySelectorAll('.chart')].every((n) => { const plot = "
                 "window.plots.get(n.querySelector('.cut').title); "
                 "return !plot || plot === n.querySelector('canvas'); })")  # fmt: skip
    assert b.run("return [...document.querySelectorAll('.chart')].every((n) => "
                 "n.querySelectorAll('canvas').length === 1)")  # fmt: skip
    w.silent()


def test_a_sweep_and_a_table_of_many_take_newer_values(watch):
    w = watch(live(demo.many(130)))
    b = w.b
    text = lambda n: b.run("return document.querySelectorAll(arguments[0]).length", n)  # noqa: E731
    assert text("#table tbody tr") == 100
    b.run("document.getElementById('table-after').click();"
          "document.querySelectorAll('#table thead button')[5].click();")  # fmt: skip
    b.run("document.querySelector('.axis').dispatchEvent("
          "new KeyboardEvent('keydown', {key: 'ArrowUp', bubbles: true}))")  # fmt: skip
    b.frames(3)
    said = b.run("return document.getElementById('table-told').textContent")
    sort = "return [...document.querySelectorAll('#table th')].map((n) => n.ariaSort)"
    sorted_ = b.run(sort)
    chosen = "return document.querySelector('.axis').ariaValueText"
    handle = b.run(chosen)
    w.publish(live(demo.many(131)), "document.querySelector('#runs .count').textContent === '131'")
    assert b.run(sort) == sorted_
    assert "of 131 runs" in b.run("return document.getElementById('table-told').textContent")
    assert said != b.run("return document.getElementById('table-told').textContent")
    assert b.run(chosen).split()[0] == handle.split()[0]
    assert text(".axis") == text(".parallels .axis") > 2
    assert text("svg.parallel path.hot") == 1
    w.silent()


def test_a_page_of_another_kind_is_loaded_and_keeps_its_view(watch):
    w = watch(live(digests(3000)))
    w.b.run("document.querySelector(\"[data-run-chip='1']\").click();"
            "const t = document.getElementById('theme'); t.value = 'dark';"
            "t.dispatchEvent(new Event('change'))")  # fmt: skip
    w.b.frames(6)
    w.server.publish(live(demo.many(105)), 2)
    w.settle(lambda: w.b.run("return document.getElementById('table') !== null"))
    assert w.b.run("return window.marker === undefined")
    assert w.b.run("return location.search + location.hash") == "#view&off=1"
    assert w.b.run("return document.documentElement.dataset.theme") == "dark"
    assert w.b.run("return document.getElementById('theme').value") == "dark"
    assert w.b.console() == []


def test_hostile_names_in_a_newer_page_are_text(watch):
    w = watch(live(digests(3000)))
    held = demo.hostile()
    bad = build(held, title=" ".join(hostile.PAYLOADS), command=" ".join(hostile.PAYLOADS),
                now=demo.NOW, version="0")  # fmt: skip
    planted, _ = hostile.planted(bad, {"Report.counts", "Report.counts key", "Report.ranking",
        "Judged.verdict", "RunSummary.verdict", "RunSummary.counts key", "Chart.key", "Chart.role",
        "Chart.direction", "Item.chart", "Standing.direction", "Run", "Judged.status", "Series",
        "Report.versions key"})  # fmt: skip
    for k, text in enumerate((page(planted, live=True), live(held), page(planted, live=True))):
        w.publish(text, "document.querySelectorAll('[data-run-chip]').length === 10 && "
                  f"document.title.length {'<' if k == 1 else '>'} 100")  # fmt: skip
        w.b.run("for (const n of document.querySelectorAll('details')) n.open = true;"
                "for (const n of document.querySelectorAll('[data-run-chip], th button'))"
                "  n.click()")  # fmt: skip
        w.b.frames(3)
        assert w.b.run("return document.querySelectorAll('header, main, footer').length") == 3
        assert w.b.run("return document.querySelectorAll('main script, main img, main iframe, "
                       "[onload], [onerror], [onmouseover]').length") == 0  # fmt: skip
    w.silent()


def test_a_lost_connection_is_said_and_found_again(browser):
    server = Server(token=TOKEN, limits=Limits(beat=0.3))
    server.start()
    port = int(server.url.split(":")[2].split("/")[0])
    w = Watched(browser, server, live(digests(2000)))
    pulse = "document.getElementById('pulse')"
    assert browser.run(f"return {pulse}.textContent").startswith("live · updated ")
    server.close()
    w.settle(lambda: browser.run(f"return {pulse}.className") == "lost")
    assert browser.run(f"return {pulse}.textContent").startswith("connection lost, trying again")
    with Server(token=TOKEN, port=port, limits=Limits(beat=0.3)) as again:
        again.publish(live(digests(2500)), 5)
        w.settle(lambda: browser.run(f"return {pulse}.className") == "")
        w.settle(lambda: last_step(browser) == 2500)
        assert browser.run("return marker") == w.marker
    with Server(token="another", port=port):
        w.settle(lambda: "another address" in browser.run(f"return {pulse}.textContent"))
    browser.open("about:blank")
    browser.console()


def test_a_drag_is_not_cut_short(watch):
    w = watch(live(digests(4000)))
    b = w.b
    b.run("document.querySelector('#c0 .plot').scrollIntoView({block: 'center'})")
    at = ends(b)
    b.mouse(("move", *at(0.25)), ("down",), ("move", *at(0.4)))
    before = b.run(f"return {ASKED}")
    w.publish(live(digests(8000)), f"{ASKED} > {before}")
    b.mouse(("move", *at(0.5)), ("up",))
    w.settle(lambda: b.run(f"return {STEP}[0]") == "8")
    b.frames(6)
    zoom = b.run("return location.hash").split("z=")[1].split("&")[0].split(",")
    assert [float(v) for v in zoom] == pytest.approx([1000, 2000], abs=40)
    w.silent()


def test_the_page_of_a_file_asks_nobody(browser, tmp_path):
    told = build(digests(2000), title="", command="", now=demo.NOW, version="0")
    (tmp_path / "a.html").write_text(page(told), encoding="utf-8")
    browser.open("about:blank")
    browser.console()
    browser.requests()
    browser.open(tmp_path / "a.html")
    browser.frames(3)
    assert browser.requests() == [f"file://{tmp_path}/a.html"]
    assert browser.run("return document.getElementById('pulse')") is None
    assert browser.console() == []
