"""The page in real browsers: silent, offline, correct under the pointer, safe, readable bare."""

import re

import firefox
import numpy as np
import pytest
import report_demo as demo
from browser import MISSING, Chromium, sandboxed

from trainlens import words
from trainlens.render import write_text
from trainlens.render.html import page
from trainlens.reporting import build
from trainlens.rules import Diagnosis

BROWSERS = [
    pytest.param(Chromium, id="chromium", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING)),
    pytest.param(
        firefox.Firefox,
        id="firefox",
        marks=pytest.mark.skipif(bool(firefox.MISSING), reason=firefox.MISSING),
    ),
]


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request):
    held = request.param()
    yield held
    held.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    cases = {
        "overfitting": [demo.overfitting()],
        "dozen": demo.dozen(600),
        "forty": [demo.forty()],
        "diverging": [demo.diverging()],
        "hostile": demo.hostile(),
        "empty": [],
        "hundred": [
            Diagnosis(demo.training(f"run-{i}", i, 200), demo.passes()) for i in range(100)
        ],
    }
    for name, judged in cases.items():
        built = build(judged, title="", command="x", now=demo.NOW, version="0")
        write_text(folder / f"{name}.html", page(built))
    return folder


@pytest.fixture
def show(browser, pages):
    def load(name, hash_="", width=1280):
        browser.plain(width)
        browser.open("about:blank")
        browser.console()
        browser.requests()
        browser.open(f"{pages / name}.html{hash_}")
        browser.frames()
        if not hash_.startswith("#f"):
            browser.run("document.getElementById('charts')?.scrollIntoView()")
            browser.frames(3)
        return browser

    return load


def plot(key="c0"):
    return f"document.querySelector('#{key} .plot')"


def press(browser, key, chart="c0", **more):
    browser.run(
        f"{plot(chart)}.dispatchEvent(new KeyboardEvent('keydown', "
        "{key: arguments[0], bubbles: true, ...arguments[1]}))", key, more
    )  # fmt: skip
    browser.frames()


def tip(browser):
    return browser.run(
        "const t = document.getElementById('tip'); return t.hidden ? null : "
        "[...t.children].map(r => [...r.children].map(c => c.textContent).join('|')"
        " || r.textContent)"
    )


def drag(browser, key, a, b):
    browser.run(f"{plot(key)}.scrollIntoView({{block: 'center'}})")
    box = browser.run(f"const r = {plot(key)}.getBoundingClientRect(); return [r.x, r.y, r.width]")
    place = lambda share: (box[0] + 52 + share * (box[2] - 60), box[1] + 90)  # noqa: E731
    browser.mouse(("move", *place(a)), ("down",), ("move", *place((a + b) / 2)),
                  ("move", *place(b)), ("up",))  # fmt: skip
    browser.frames()


@pytest.mark.parametrize(
    "name", ["overfitting", "dozen", "forty", "diverging", "hostile", "empty", "hundred"]
)
def test_silent_offline_and_within_its_width(show, name):
    for width in (1280, 390):
        b = show(name, width=width)
        assert b.run("return document.documentElement.dataset.ready") == "yes"
        assert b.console() == []
        assert [r for r in b.requests() if not r.startswith("about:")] == [
            b.run("return location.href")
        ]
        assert b.run("return document.documentElement.scrollWidth <= innerWidth")


def test_hostile_text_runs_nothing(show):
    b = show("hostile")
    for query in ("select", "button:not([data-do=png]):not([data-do=csv]):not([id^=save])"):
        b.run(f"for (const n of document.querySelectorAll('{query}')) n.click()")
    b.run("for (const n of document.querySelectorAll('details')) n.open = true")
    b.run("document.getElementById('runs-all').click()")
    press(b, "End")
    assert tip(b)
    assert b.run("return document.title").startswith("10 runs")
    assert b.run("return document.querySelectorAll('img, iframe, script').length") == 4
    assert b.console() == []


def test_findings_are_visible(show):
    b = show("overfitting")
    seen = b.run(
        "return [...document.querySelectorAll('.finding')].map(f => f.checkVisibility() && "
        "f.innerText)"
    )
    assert len(seen) == 3
    assert "Validation loss rose from 1.66 to 2.31" in seen[0]
    assert "error" in seen[0]
    assert b.run("return document.querySelectorAll('#c0 .mark').length") == 1


def test_the_tooltip_says_what_the_data_say(show):
    b = show("overfitting")
    run = demo.overfitting().run
    series = run["mpjpe", "val"]
    key = b.run(
        "return [...document.querySelectorAll('.chart')].find(c => "
        "c.querySelector('.name').textContent.startsWith('mpjpe')).id"
    )
    press(b, "Home", key)
    for i in range(8):
        said = tip(b)
        assert said[0] == f"step {words.step(int(series.step[i]))}"
        assert said[1].split("|")[2] == words.number(series.value[i])
        press(b, "ArrowRight", key)


def test_buckets_tell_mean_and_extremes(show):
    b = show("overfitting")
    press(b, "Home")
    said = tip(b)
    train = demo.overfitting().run["loss", "train"]
    last = int(said[0].split("–")[1].split(",")[0].replace(words.THIN, ""))
    inside = train.value[train.step <= last]
    row = next(r for r in said[1:] if r.split("|")[1] == "train")
    assert row.split("|")[2] == words.number(inside.mean())
    assert row.split("|")[3] == f"{words.number(inside.min(), 3)}–{words.number(inside.max(), 3)}"


def test_all_runs_are_told_sorted_and_toggles_take_them_away(show):
    b = show("dozen")
    press(b, "End", "c1")
    values = [float(r.split("|")[2]) for r in tip(b)[1:]]
    assert len(values) == 12
    assert values == sorted(values, reverse=True)
    b.run("document.querySelector('[data-run-chip=\"1\"]').click()")
    press(b, "End", "c1")
    assert not any("sweep-01" in r for r in tip(b))
    assert not b.run("return document.querySelector('[data-run-box=\"1\"]').checked")
    assert "off=1" in b.run("return location.hash")
    b.run("document.getElementById('runs-flagged').click()")
    press(b, "End", "c1")
    assert len(tip(b)) == 4
    b.run("document.querySelector('[data-run-chip=\"4\"]').dispatchEvent("
          "new MouseEvent('click', {shiftKey: true}))")  # fmt: skip
    press(b, "End", "c1")
    assert [r.split("|")[1] for r in tip(b)[1:]] == ["sweep-04"]


def test_zoom_is_linked_and_undone(show):
    b = show("overfitting")
    drag(b, "c0", 0.25, 0.5)
    zoom = [float(v) for v in b.run("return location.hash").split("z=")[1].split("&")[0].split(",")]
    assert zoom == pytest.approx([25_000, 50_000], abs=800)
    press(b, "Home", "c2")
    first = int(tip(b)[0].split("–")[0].removeprefix("steps ").replace(words.THIN, ""))
    assert first == pytest.approx(zoom[0], abs=500)
    press(b, "Escape", "c2")
    assert "z=" not in b.run("return location.hash")
    press(b, "ArrowRight")
    press(b, "+")
    assert "z=" in b.run("return location.hash")
    b.run("document.getElementById('reset').click()")
    assert b.run("return document.getElementById('reset').disabled")


def test_evidence_zooms_all_charts_and_links_back(show):
    b = show("overfitting")
    b.run("document.querySelector('[data-evidence=\"2\"]').click()")
    b.frames()
    state = b.run("return location.hash")
    assert "f=2" in state
    a, z = (float(v) for v in state.split("z=")[1].split("&")[0].split(","))
    assert a < 61_000 < 61_375 < z < 70_000
    mark = b.run("return document.querySelector('#c3 .mark').getAttribute('href')")
    assert mark == "#f2"
    b.run("document.querySelector('#c3 .mark').click()")
    assert b.run("return document.querySelector('#f2').getBoundingClientRect().top") < 900


def test_a_folded_finding_opens_from_its_address(show):
    b = show("forty", "#f30")
    assert b.run("return document.getElementById('f30').checkVisibility()")


def test_a_view_survives_in_its_address(show):
    b = show("dozen", "#view&x=epoch&z=5,20&s=3&y=log&off=0,2")
    assert b.run("return document.getElementById('x-axis').value") == "epoch"
    assert b.run("return document.getElementById('smooth').value") == "3"
    assert b.run("return document.getElementById('y-axis').value") == "log"
    assert not b.run("return document.querySelector('[data-run-box=\"2\"]').checked")
    press(b, "End", "c1")
    assert tip(b)[0].startswith("epoch ")
    assert len(tip(b)) == 11
    wrong = show("dozen", "#view&x=nonsense&z=9,1&s=x&off=999,abc")
    assert wrong.run("return document.documentElement.dataset.ready") == "yes"
    assert wrong.console() == []


def test_time_axis_and_log_switch_draw_something_else(show):
    b = show("overfitting")
    shot = "return document.querySelector('#c0 canvas').toDataURL()"
    before = b.run(shot)
    b.run("document.querySelector('#c0 [data-do=log]').click()")
    b.frames()
    log = b.run(shot)
    assert log != before
    b.run("const s = document.getElementById('x-axis'); s.value = 'time'; "
          "s.dispatchEvent(new Event('change'))")  # fmt: skip
    b.frames()
    assert b.run(shot) != log
    press(b, "End")
    assert tip(b)[0].startswith("22 h 1")


def test_tables_sort_by_number_and_by_name(show):
    b = show("dozen")
    names = "return [...document.querySelectorAll('#runs tbody .name')].map(n => n.dataset.v)"
    column = "document.querySelectorAll('#runs thead button')[arguments[0]].click()"
    b.run(column, 4)
    d = demo.dozen(600)
    best = sorted(d, key=lambda x: x.run["mpjpe", "val"].value.min())
    assert b.run(names) == [x.run.name for x in best]
    b.run(column, 0)
    b.run(column, 0)
    assert b.run(names) == sorted((x.run.name for x in d), reverse=True)


def test_curves_leave_as_csv(show):
    b = show("overfitting")
    b.run("window.kept = []; URL.createObjectURL = (blob) => { kept.push(blob); return '#'; }")
    b.run("document.querySelector('#c1 [data-do=csv]').click()")
    text = b.run("return kept[0].text()")
    rows = text.strip().split("\n")
    series = demo.overfitting().run["mpjpe", "val"]
    assert rows[0] == "metric,run,split,first_step,last_step,mean,min,max"
    assert len(rows) == 1 + len(series)
    assert float(rows[1].split(",")[5]) == pytest.approx(series.value[0], rel=1e-7)


def test_both_themes_are_legible(show):
    b = show("overfitting")
    ratio = """
      const v = (n) => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim();
      const lum = (hex) => { const c = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
        .map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
        return .2126 * c[0] + .7152 * c[1] + .0722 * c[2]; };
      const paper = lum(v('paper'));
      return ['ink', 'soft', 'accent', 'error', 'warning', 'info'].map(n => { const l = lum(v(n));
        return (Math.max(l, paper) + .05) / (Math.min(l, paper) + .05); });"""
    for theme in ("light", "dark"):
        b.run("const s = document.getElementById('theme'); s.value = arguments[0]; "
              "s.dispatchEvent(new Event('change'))", theme)  # fmt: skip
        assert min(b.run(ratio)) >= 4.5, theme


def test_print_shows_pictures_and_every_fold(show, browser):
    if not isinstance(browser, Chromium):
        pytest.skip("only chromium emulates paper")
    b = show("forty")
    b.media("print")
    b.run("dispatchEvent(new Event('beforeprint'))")
    state = b.run(
        "return {canvas: document.querySelector('#c0 canvas').checkVisibility(),"
        " picture: document.querySelector('#c0 svg').checkVisibility(),"
        " controls: document.querySelector('.controls').checkVisibility(),"
        " last: document.getElementById('f40').checkVisibility()}"
    )
    assert state == {"canvas": False, "picture": True, "controls": False, "last": True}
    b.run("dispatchEvent(new Event('afterprint'))")
    b.media()
    assert not b.run("return document.getElementById('f40').checkVisibility()")


def test_a_page_whose_script_fails_shows_its_static_charts(browser, pages, tmp_path):
    text = (pages / "overfitting.html").read_text(encoding="utf-8")
    main = text.index("<script>", text.index('id="data"'))
    # No policy, as what is broken has another hash; the rest of the page is as it was written.
    broken = text[:main] + "<script>nothing.of.this()</script></body></html>"
    broken = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", broken)
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    browser.open(path)
    drawn = "return getComputedStyle(document.querySelector('.plot .fixed')).display"
    assert browser.run(drawn) == "block"
    assert any("nothing is not defined" in message for message in browser.console())


def test_readable_without_script_and_style(browser, pages):
    with sandboxed(pages) as address:
        browser.open(f"{address}/overfitting.html")
        state = browser.run(
            "const p = document.querySelector('#c0 svg path.r0[stroke]');"
            "const s = getComputedStyle(p);"
            "return {ready: document.documentElement.dataset.ready || '', stroke: s.stroke,"
            " fill: s.fill, seen: document.querySelector('#c0 svg').checkVisibility(),"
            " width: document.querySelector('#c0 svg').getBoundingClientRect().width,"
            " dead: [...document.querySelectorAll('[data-script]')].filter(n => !n.hidden).length,"
            " text: document.body.innerText}"
        )
    assert state["ready"] == ""
    assert (state["stroke"], state["fill"]) == ("rgb(0, 114, 178)", "none")
    assert state["seen"]
    assert state["width"] == 560
    assert state["dead"] == 0
    for f in demo.overfitting().findings:
        assert f.message in state["text"]


def test_values_that_are_not_finite_leave_a_gap_and_a_mark(show):
    b = show("diverging")
    press(b, "End")
    assert tip(b)[1].split("|")[2] == "NaN"
    assert b.run("return document.querySelectorAll('#c0 svg .bad').length") == 1


def test_a_metric_in_a_corner_of_the_steps_has_a_range_of_its_own(browser, tmp_path):
    columns = [
        demo.column("loss", np.arange(100_000), np.ones(100_000)),
        demo.column("accuracy", np.arange(300), np.linspace(0, 1, 300)),
    ]
    judged = [Diagnosis(demo.run("a", columns), ())]
    write_text(
        tmp_path / "a.html", page(build(judged, title="", command="", now=demo.NOW, version="0"))
    )
    browser.open(f"{tmp_path}/a.html")
    browser.frames()
    press(browser, "End", "c1")
    assert tip(browser)[0] == "step 299"
    x = browser.run(
        "return document.querySelector('#c1 .cursor').style.transform.match(/[\\d.]+/)[0]"
    )
    width = browser.run(f"return {plot('c1')}.clientWidth")
    assert float(x) == pytest.approx(width - 8, abs=1)


def test_a_hundred_runs_are_grey(show):
    b = show("hundred")
    assert b.run("return document.querySelectorAll('.chips .key:not(.rg)').length") == 0
    press(b, "End")
    assert tip(b)[-1].startswith("and ")
    assert np.isclose(len(tip(b)), 18)
