"""Charts that leave the page as SVG, PNG and CSV: what is on the screen, and its numbers."""

import csv
import re
import struct
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import report_demo as demo
from browser import MISSING

from trainlens import words
from trainlens.render import write_text
from trainlens.render.html import page
from trainlens.reporting import build
from trainlens.rules import Diagnosis

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</text><script>alert(1)</script> a&b \uffff <!-- ]]> '\" \x01 name"
HEAD = 30
ATTRIBUTES = {
    "clip-path", "d", "fill", "fill-opacity", "font-family", "font-size", "font-weight", "height",
    "id", "stroke", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity",
    "stroke-width", "text-anchor", "transform", "viewBox", "width", "x", "y",
}  # fmt: skip


def odd():
    """A run whose metrics have names that no file system and no XML likes."""
    names = ("../../etc/passwd", "a b:c*?", "A B:C*?", "=1+1", EVIL, "con", "größe/Ä")
    step = np.arange(100)
    columns = [demo.column(n, step, 1 + np.cos(step / (5 + k)), split="val")
               for k, n in enumerate(names)]  # fmt: skip
    return Diagnosis(demo.run(EVIL, columns), ())


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    cases = {"one": [demo.overfitting()], "dozen": demo.dozen(600), "odd": [odd()],
             "bad": [demo.diverging()]}  # fmt: skip
    for name, judged in cases.items():
        built = build(judged, title="", command="x", now=demo.NOW, version="0")
        write_text(folder / f"{name}.html", page(built))
    return folder


@pytest.fixture
def show(browser, pages):
    def load(name, hash_=""):
        browser.plain()
        browser.open("about:blank")
        browser.console()
        browser.open(f"{pages / name}.html{hash_}")
        browser.run("for (const n of document.querySelectorAll('details')) n.open = true;"
                    "document.getElementById('charts').scrollIntoView()")  # fmt: skip
        browser.frames(3)
        return browser

    return load


@pytest.fixture
def save(browser, tmp_path):
    browser.downloads(tmp_path)

    def saved(key, kind, name):
        browser.run(
            "document.querySelector(`#${arguments[0]} [data-do=${arguments[1]}]`).click()",
            key,
            kind,
        )
        return browser.saved(tmp_path, name)

    return saved


def key_of(b, name):
    """Key of the chart of a metric."""
    return b.run("return [...document.querySelectorAll('.chart')].find(c => "
                 "c.querySelector('.name .cut').title === arguments[0]).id", name)  # fmt: skip


def texts(root):
    return [node.text for node in root.iter(f"{SVG}text")]


def lines(root, width="1.3"):
    """Points of the drawn lines of a width, each of shape (n, 2)."""
    held = [n for n in root.iter(f"{SVG}path") if n.get("stroke-width") == width]
    return [np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", n.get("d")), float) for n in held]


def levels(root):
    """How heights become values, from the labels of the left axis."""
    held = [
        (float(n.get("y")) - 0.35 * 11, float(n.text.replace(words.THIN, "").replace("−", "-")))
        for n in root.iter(f"{SVG}text")
        if n.get("text-anchor") == "end" and float(n.get("x")) < 52
    ]
    assert len(held) >= 3
    return np.polyfit(*np.array(held).T, 1)


def steps(root):
    """How places become steps, from the labels of the lower axis."""
    held = [
        (float(n.get("x")), float(n.text.replace(words.THIN, "")))
        for n in root.iter(f"{SVG}text")
        if n.get("text-anchor") == "middle" and n.get("font-size") == "11"
    ]
    assert len(held) >= 3
    return np.polyfit(*np.array(held).T, 1)


def test_an_svg_holds_the_points_of_the_data(show, save):
    b = show("one")
    series = demo.overfitting().run["mpjpe", "val"]
    root = ET.fromstring(save(key_of(b, "mpjpe"), "svg", "mpjpe.svg"))
    (drawn,) = lines(root)
    assert len(drawn) == len(series)
    # Labels and points are rounded to pixels and to hundredths of them.
    value = np.polyval(levels(root), drawn[:, 1])
    step = np.polyval(steps(root), drawn[:, 0])
    assert value == pytest.approx(series.value, abs=np.ptp(series.value) / 100)
    assert step == pytest.approx(series.step, abs=np.ptp(series.step) / 300)
    assert b.console() == []


def test_an_svg_is_text_paths_and_presentation_attributes_alone(show, save):
    b = show("one")
    root = ET.fromstring(save("c0", "svg", "loss.svg"))
    assert {n.tag.removeprefix(SVG) for n in root.iter()} == {
        "svg", "title", "path", "text", "g", "clipPath"
    }  # fmt: skip
    assert {name for n in root.iter() for name in n.attrib} <= ATTRIBUTES
    assert root.find(f"{SVG}title").text == "loss"
    assert texts(root)[0] == "loss"
    assert {"train", "val", "1"} <= set(texts(root))
    size = b.run("const p = document.querySelector('#c0 .plot'); "
                 "return [p.clientWidth, p.clientHeight]")  # fmt: skip
    assert float(root.get("width")) == size[0]
    assert float(root.get("height")) > size[1] + HEAD
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_an_svg_shows_the_zoom_the_axis_and_the_runs_of_the_screen(show, save):
    b = show("dozen", "#view&x=epoch&z=5,20&s=0&off=0,2,4,5,6,7,8,9")
    root = ET.fromstring(save(key_of(b, "mpjpe"), "svg", "mpjpe.svg"))
    told = [t for t in texts(root) if t.startswith("sweep-")]
    assert told == ["sweep-01", "sweep-03", "sweep-10", "sweep-11"]
    assert len(lines(root)) == 4
    assert {"10", "15", "20"} <= set(texts(root))
    show("dozen", "#view&off=1")
    whole = ET.fromstring(save(key_of(b, "loss"), "svg", "loss.svg"))
    assert not [t for t in texts(whole) if t.startswith("sweep-")]


def test_smoothing_leaves_the_raw_curve_faint(show, save):
    b = show("one", "#view&s=0")
    rough = ET.fromstring(save(key_of(b, "loss_theta"), "svg", "loss_theta.svg"))
    b = show("one", "#view&s=5")
    smooth = ET.fromstring(save(key_of(b, "loss_theta"), "svg", "loss_theta.svg"))
    assert len(lines(rough)) == len(lines(smooth)) == 1
    late = len(lines(smooth)[0]) // 2
    jumps = [np.abs(np.diff(lines(r)[0][late:, 1])).mean() for r in (rough, smooth)]
    assert jumps[1] < jumps[0] / 5
    faint = [n for n in smooth.iter(f"{SVG}path") if n.get("stroke-opacity") == "0.25"]
    assert len(faint) == 1


def test_values_that_are_not_finite_break_the_line(show, save):
    b = show("bad")
    root = ET.fromstring(save(key_of(b, "loss"), "svg", "loss.svg"))
    assert all(np.isfinite(line).all() for line in lines(root))
    assert "NaN" not in "".join(n.get("d") for n in root.iter(f"{SVG}path"))


def test_a_png_has_the_size_of_the_svg(show, save):
    b = show("one")
    root = ET.fromstring(save("c0", "svg", "loss.svg"))
    data = save("c0", "png", "loss.png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    size = struct.unpack(">II", data[16:24])
    ratio = b.run("return devicePixelRatio")
    assert size == (
        round(float(root.get("width")) * ratio),
        round(float(root.get("height")) * ratio),
    )


def test_a_csv_holds_every_point(show, save):
    b = show("one")
    text = save(key_of(b, "mpjpe"), "csv", "mpjpe.csv").decode()
    rows = list(csv.DictReader(text.splitlines()))
    series = demo.overfitting().run["mpjpe", "val"]
    assert [int(r["first_step"]) for r in rows] == series.step.tolist()
    assert [float(r["mean"]) for r in rows] == pytest.approx(series.value.tolist(), rel=1e-6)
    assert {r["run"] for r in rows} == {"29-01-2026"}


def test_names_of_files_are_safe_and_distinct(show, save, tmp_path):
    b = show("odd")
    keys = {name: key_of(b, name) for name in ("../../etc/passwd", "a b:c*?", "A B:C*?", "=1+1",
                                               "con", "größe/Ä")}  # fmt: skip
    expected = {
        "../../etc/passwd": "etc-passwd",
        "a b:c*?": f"a-b-c-{keys['a b:c*?']}",
        "A B:C*?": f"A-B-C-{keys['A B:C*?']}",
        "=1+1": "1-1",
        "con": "con_",
        "größe/Ä": "größe-Ä",
    }
    for name, wanted in expected.items():
        assert ET.fromstring(save(keys[name], "svg", f"{wanted}.svg")) is not None
    text = save(keys["=1+1"], "csv", "1-1.csv").decode()
    assert '"\'=1+1"' in text


def test_hostile_names_are_text_in_valid_xml(show, save, tmp_path):
    b = show("odd")
    key = b.run("return [...document.querySelectorAll('.chart')].find(c => "
                "c.textContent.includes('alert(1)')).id")  # fmt: skip
    b.run("document.querySelector(`#${arguments[0]} [data-do=svg]`).click()", key)
    for _ in range(100):
        b.frames()
        if held := list(tmp_path.glob("*.svg")):
            break
    root = ET.fromstring(held[0].read_bytes())
    assert "<script>alert(1)</script> a&b \ufffd" in root.find(f"{SVG}title").text
    assert not list(root.iter(f"{SVG}script"))
    assert b.console() == []


def test_the_three_files_are_reached_and_saved_by_keyboard(show, tmp_path, browser):
    browser.downloads(tmp_path)
    b = show("one")
    b.run("document.querySelector('#c0 [data-do=log]').focus()")
    for kind in ("csv", "svg", "png"):
        b.keys("Tab")
        assert b.run("return document.activeElement.ariaLabel") == f"{kind.upper()} of loss"
        assert float(b.run("return getComputedStyle(document.activeElement.parentElement)"
                           ".opacity")) == 1  # fmt: skip
        b.keys("Enter")
        assert b.saved(tmp_path, f"loss.{kind}")
