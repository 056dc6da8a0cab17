"""The overview of many runs in a real browser: sorted, filtered, brushed, silent and safe."""

import shlex

import pytest
import report_demo as demo
from browser import MISSING, sandboxed
from many_page import axis_box, click, drag, key, names, search, sort, told
from test_many import columns, report

from trainlens import words
from trainlens.render import _table, write_text
from trainlens.render._payload import payload
from trainlens.render.html import page

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

ADDRESS = "runs/run 00015.html"


@pytest.fixture(scope="module")
def built():
    return report(demo.many(300), pages={"sweep/run-00014": ADDRESS})


@pytest.fixture(scope="module")
def held(built):
    """The columns of the table by heading, in the order of its rows."""
    return columns(payload(built))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("many")
    wild = demo.hostile_many()
    told = {
        "many": built,
        "thousands": report(demo.many(3000)),
        "few": report(demo.many(40)),
        "hostile": report(wild, pages={wild[0].told.name: "javascript:alert(1)"}),
    }
    for name, one in told.items():
        write_text(folder / f"{name}.html", page(one))
    return folder


@pytest.fixture
def show(browser, pages):
    def load(name, width=1280, hash_=""):
        browser.plain(width)
        browser.open("about:blank")
        browser.console()
        browser.requests()
        browser.open(f"{pages / name}.html{hash_}")
        browser.frames()
        return browser

    return load


@pytest.mark.parametrize("name", ["many", "thousands", "few", "hostile"])
def test_silent_offline_and_within_its_width(show, name):
    for width in (1280, 390):
        b = show(name, width=width)
        assert b.run("return document.documentElement.dataset.ready") == "yes"
        b.run("for (const n of document.querySelectorAll('details')) n.open = true")
        b.frames()
        assert b.console() == []
        assert [r for r in b.requests() if not r.startswith("about:")] == [
            b.run("return location.href")
        ]
        assert b.run("return document.documentElement.scrollWidth") <= width


def test_the_script_says_what_the_static_rows_said(show, pages, browser):
    b = show("many")
    live = b.run("return [...document.querySelectorAll('#table tbody tr')].map(r => "
                 "[...r.cells].slice(1).map(c => c.innerText.trim()))")  # fmt: skip
    bare = b.run(
        "const page = new DOMParser().parseFromString(arguments[0], 'text/html');"
        "return [...page.querySelectorAll('#table tbody tr')].map(r => "
        "[...r.cells].slice(1).map(c => c.textContent.trim()))", (pages / "many.html").read_text()
    )  # fmt: skip
    assert len(live) == 100
    assert live == bare


def test_every_column_sorts_both_ways(show, held):
    b = show("many")
    sort(b, "Best val/loss")
    order = sorted(range(300), key=lambda k: held["Best val/loss"][k])
    assert names(b) == [held["Run"][k] for k in order[:100]]
    sort(b, "Best val/loss")
    assert names(b) == [held["Run"][k] for k in reversed(order)][:100]
    state = "return [...document.querySelectorAll('#table th')].map(h => h.ariaSort)"
    assert [s for s in b.run(state) if s] == ["descending"]
    sort(b, "weight_decay")
    known = [k for k in range(300) if held["weight_decay"][k]]
    known.sort(key=lambda k: float(held["weight_decay"][k]))
    assert names(b) == [held["Run"][k] for k in known[:100]]
    sort(b, "weight_decay")
    assert names(b)[0] == held["Run"][known[-1]]
    click(b, "#table-after")
    click(b, "#table-after")
    assert set(names(b)) >= {
        n for n, v in zip(held["Run"], held["weight_decay"], strict=True) if not v
    }
    sort(b, "Course")
    level = _table._LEVELS.tobytes().decode().index
    climb = {n: level(c[-1]) - level(c[0]) for n, c in zip(held["Run"], held["Course"], strict=True)
             if "." not in c}  # fmt: skip
    shown = [climb[n] for n in names(b) if n in climb]
    assert shown == sorted(shown)
    for heading in held:
        sort(b, heading)
    assert b.console() == []


def test_filter_by_name_setting_and_status(show, held):
    b = show("many")
    search(b, "run-0001")
    assert sorted(names(b)) == [f"sweep/run-000{k}" for k in range(10, 20)]
    assert told(b) == "10 of 300 runs"
    search(b, "OPTIMIZER=sgd batch_size=64")
    both = zip(held["Run"], held["optimizer"], held["batch_size"], strict=True)
    assert names(b) == [n for n, o, s in both if (o, s) == ("sgd", "64")]
    search(b, status="warning")
    assert told(b) == "25 of 300 runs"
    both = zip(held["Run"], held["Status"], strict=True)
    assert set(names(b)) == {n for n, v in both if v == "warning"}
    search(b, "nothing of this name")
    assert (names(b), told(b)) == ([], "0 of 300 runs")
    search(b)
    assert told(b) == "300 runs, 1–100"


def test_pages_turn_and_end(show, held):
    b = show("many")
    assert b.run("return document.getElementById('table-before').disabled")
    click(b, "#table-after")
    assert told(b) == "300 runs, 101–200"
    assert names(b) == held["Run"][100:200]
    b.run("document.getElementById('table-after').focus()")
    click(b, "#table-after")
    assert names(b) == held["Run"][200:]
    assert b.run("return document.getElementById('table-after').disabled")
    assert b.run("return document.activeElement.id") == "table-before"
    click(b, "#table-before")
    assert told(b) == "300 runs, 101–200"


def test_filter_order_and_page_survive_in_the_address(show, held):
    b = show("many")
    search(b, "optimizer=adam", "healthy")
    sort(b, "lr")
    sort(b, "lr")
    b.frames(8)
    address = b.run("return location.hash")
    assert "q=optimizer%3Dadam&v=healthy&down=lr" in address
    wanted = names(b)
    assert 50 < len(wanted) < 100
    b = show("many", hash_=f"{address}&off=1")
    assert (names(b), told(b)) == (wanted, f"{len(wanted)} of 300 runs")
    shown = b.run("return ['filter', 'status'].map(n => "
                  "document.getElementById(`table-${n}`).value)")  # fmt: skip
    assert shown == ["optimizer=adam", "healthy"]
    assert b.run("return [...document.querySelectorAll('#table th')].find(h => h.ariaSort)"
                 ".textContent") == "lr"  # fmt: skip
    assert {"q=optimizer%3Dadam", "v=healthy", "down=lr", "off=1"} <= set(
        b.run("return location.hash").split("&")
    )
    search(b)
    click(b, "#table-after")
    click(b, "#table-after")
    b.frames(8)
    state = b.run("return location.hash")
    assert "page=3" in state
    assert "q=" not in state
    wanted = names(b)
    b = show("many", hash_=state)
    assert names(b) == wanted
    assert told(b) == "300 runs, 201–300"


@pytest.mark.parametrize(
    "hash_",
    ["#view&q=%E0%A4%A&v=nonsense&up=nothing&page=-7", "#view&page=1e9", "#view&page=NaN&down=",
     "#view&q=<img src=x onerror=alert(1)>", "#view&v=__proto__&up=constructor"],
)  # fmt: skip
def test_a_wrong_address_shows_the_table_all_the_same(show, hash_):
    b = show("many", hash_=hash_)
    assert b.run("return document.documentElement.dataset.ready") == "yes"
    assert "of 300 runs" in told(b) or told(b).startswith("300 runs, ")
    assert b.console() == []


def test_a_run_leads_to_its_page_or_to_the_command(show):
    b = show("many")
    links = b.run("return [...document.querySelectorAll('#table a')].map(a => "
                  "[a.textContent, a.getAttribute('href')])")  # fmt: skip
    assert links == [["sweep/run-00014", "runs/run%2000015.html"]]
    click(b, "#table .how")
    assert b.run("return document.querySelector('#table code').textContent") == (
        "trainlens report logs/sweep/run-00002.jsonl"
    )
    assert b.run("return document.querySelector('#table .how').ariaExpanded") == "true"
    click(b, "#table .how")
    assert b.run("return document.querySelectorAll('#table code').length") == 0


def test_brushes_choose_runs_and_the_table_follows(show, built, held):
    b = show("many")
    drag(b, 3, 0.3, 0.6)
    sweep = built.sweep
    who = [built.runs[i].name for i in sweep.runs]
    places = list(zip(who, sweep.axes[3].place, sweep.axes[1].place, strict=True))
    kept = {name for name, rate, _ in places if 0.302 < rate < 0.598}
    near = {name for name, rate, _ in places if 0.29 < rate < 0.61}
    count = int(told(b, "sweep").split()[0])
    assert len(kept) <= count <= len(near)
    assert told(b, "sweep") == f"{count} of 300 runs"
    assert told(b).startswith(f"{count} of 300 runs")
    assert set(names(b)) <= near
    dimmed = b.run("return document.querySelectorAll('.parallel path.off').length")
    assert dimmed == 300 - count
    key(b, 1, "ArrowUp")
    both = {name for name, rate, batch in places if 0.29 < rate < 0.61 and batch >= 0.8}
    assert set(names(b)) <= both
    assert int(told(b, "sweep").split()[0]) == len(names(b))
    key(b, 1, "Escape")
    assert (told(b, "sweep"), told(b)) == ("", "300 runs, 1–100")
    assert b.run("return document.querySelectorAll('.parallel path.off').length") == 0
    drag(b, 3, 0.3, 0.6)
    x, y, tall = axis_box(b, 2)
    b.mouse(("move", x, y + tall / 2), ("down",), ("up",), ("down",), ("up",))
    b.frames(3)
    assert told(b, "sweep") == ""
    assert b.console() == []


def test_keys_move_grow_and_clear_a_brush(show):
    b = show("many")
    span = "return document.querySelectorAll('.axis')[3].firstElementChild.style.cssText"
    state = (
        "const a = document.querySelectorAll('.axis')[3];"
        "return [a.role, a.tabIndex, a.ariaLabel, a.ariaValueNow, a.ariaValueText]"
    )
    label = "lr: goes with 76 % of the result's variance (ranks)"
    assert b.run(state) == ["slider", 0, label, "50", "all"]
    key(b, 3, "ArrowDown")
    assert "bottom: 0%; height: 20%" in b.run(span)
    key(b, 3, "ArrowUp")
    assert "bottom: 5%; height: 20%" in b.run(span)
    key(b, 3, "ArrowUp", shiftKey=True)
    assert "bottom: 5%; height: 25%" in b.run(span)
    key(b, 3, "End")
    assert "bottom: 75%; height: 25%" in b.run(span)
    now = b.run(state)
    assert now[3] == "88"
    first, last = (float(v) for v in now[4].split(" to "))
    assert 1e-3 < first < last <= 1e-2
    key(b, 3, "Delete")
    assert b.run(state)[4] == "all"


def test_a_hover_names_the_run(show, built):
    b = show("many")
    x, y, tall = axis_box(b, 4)
    best = built.runs[built.sweep.runs[-1]]
    b.mouse(("move", x - 30, y + tall - 3), ("move", x - 2, y + tall))
    b.frames()
    tip = b.run("const t = document.getElementById('tip'); return t.hidden ? '' : t.innerText")
    assert best.name in tip
    assert f"best val/loss: {words.number(best.standing.best)}" in tip
    assert f"lr: {dict(best.config)['lr']}" in tip
    assert b.run("return document.querySelector('.parallel .hot').getAttribute('d')")
    b.mouse(("move", 5, 5))
    b.frames()
    assert b.run("return document.getElementById('tip').hidden")


def test_below_a_hundred_runs_the_rows_of_the_small_table_follow(show):
    b = show("few")
    key(b, 3, "ArrowUp")
    count = int(told(b, "sweep").split()[0])
    shown = "return [...document.querySelectorAll('tr[data-row]')].filter(r => !r.hidden).length"
    assert 0 < count < 40
    assert b.run(shown) == count
    click(b, "#sweep-clear")
    assert b.run(shown) == 40


def test_evidence_of_a_drawn_run_zooms_the_charts(show):
    b = show("many")
    click(b, "[data-evidence]")
    assert "f=1" in b.run("return location.hash")
    b.run("document.querySelector('#charts').scrollIntoView()")
    b.frames(3)
    marks = b.run("return [...document.querySelectorAll('.mark')].map(m => m.hash.slice(1))")
    assert marks
    assert all(b.run("return !!document.getElementById(arguments[0])", m) for m in marks)


def test_hostile_text_runs_nothing_and_commands_are_quoted(show):
    b = show("hostile")
    b.run("for (const n of document.querySelectorAll('details')) n.open = true")
    b.run("for (const n of document.querySelectorAll('#table .how, #table th button, "
          "#table-after, #sweep-clear, .chip, [data-evidence]')) n.click()")  # fmt: skip
    b.frames()
    for status in ("failing", "healthy", ""):
        search(b, "<script>", status)
    search(b)
    x, y, tall = axis_box(b, 0)
    for part in range(8):
        b.mouse(("move", x + 20, y + tall * part / 8))
        key(b, 0, "ArrowUp")
    key(b, 0, "Escape")
    b.run("for (const n of document.querySelectorAll('#table .how')) n.click()")
    lines = b.run("return [...document.querySelectorAll('#table td code')].map(n => n.textContent)")
    assert lines
    for line in lines:
        assert shlex.split(line)[:2] == ["trainlens", "report"]
        assert len(shlex.split(line)) == 3
    assert b.run("return document.title").startswith("130 runs")
    assert b.run("return document.querySelectorAll('img, iframe').length") == 0
    hrefs = b.run("return [...document.querySelectorAll('a')].map(a => new URL("
                  "a.getAttribute('href'), location.href).protocol)")  # fmt: skip
    assert set(hrefs) == {"file:"}
    assert b.console() == []


def test_readable_without_script_and_style(browser, pages):
    with sandboxed(pages) as address:
        browser.open(f"{address}/many.html")
        state = browser.run(
            "const best = document.querySelector('.parallel g.q5'), s = getComputedStyle(best);"
            "return {ready: document.documentElement.dataset.ready || '', stroke: s.stroke,"
            " seen: document.querySelector('.parallel').checkVisibility(),"
            " rows: [...document.querySelectorAll('#table tbody tr')].filter(r => "
            "r.checkVisibility()).length,"
            " dead: [...document.querySelectorAll('[data-script]')].filter(n => !n.hidden).length,"
            " bar: document.querySelector('.tablebar').checkVisibility(),"
            " text: document.body.innerText}"
        )
    assert state.pop("text").count("in 25 of 300 runs") == 4
    assert state == {"ready": "", "stroke": "rgb(11, 58, 112)", "seen": True, "rows": 100,
                     "dead": 0, "bar": False}  # fmt: skip


def test_the_ramp_is_lightness_in_both_themes(show):
    b = show("many")
    light = """
      const v = (n) => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim();
      const lum = (hex) => { const c = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
        .map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
        return .2126 * c[0] + .7152 * c[1] + .0722 * c[2]; };
      const paper = lum(v('paper'));
      return [0, 1, 2, 3, 4, 5].map(n => { const l = lum(v('q' + n));
        return (Math.max(l, paper) + .05) / (Math.min(l, paper) + .05); });"""
    for theme in ("light", "dark"):
        b.run("const s = document.getElementById('theme'); s.value = arguments[0]; "
              "s.dispatchEvent(new Event('change'))", theme)  # fmt: skip
        contrast = b.run(light)
        assert contrast == sorted(contrast), theme
        assert contrast[0] > 1.5
        assert contrast[-1] > 7
