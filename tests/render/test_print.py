"""The page on paper: read in order, white, whole charts, everything unfolded, nothing to press."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import report_demo as demo
from browser import MISSING, Chromium

from tests.comparison import made
from trainlens.render import write_text
from trainlens.render.comparison.page import page as comparison_page
from trainlens.render.html import page
from trainlens.reporting import build

POPPLER = shutil.which("pdftotext") and shutil.which("pdftoppm")
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.skipif(not POPPLER, reason="no pdftotext and pdftoppm (poppler-utils) here"),
]
XHTML = "{http://www.w3.org/1999/xhtml}"
A4 = {"paperWidth": 8.27, "paperHeight": 11.69}
CONTROLS = (
    "Smoothing", "Show evidence", "CSV", "PNG", "system theme", "Show all steps", "All runs",
    "Filter", "next →", "log / linear", "Drag to zoom", "Findings as JSON",
)  # fmt: skip


def _page(judged):
    return page(build(judged, title="", command="trainlens report", now=demo.NOW, version="0"))


PAGES = {
    "one": lambda: _page([demo.overfitting()]),
    "dozen": lambda: _page(demo.dozen(600)),
    "forty": lambda: _page([demo.forty()]),
    "many": lambda: _page(demo.many(130)),
    "comparison": lambda: comparison_page(made.seed_case(), now=demo.NOW, command="x"),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Every page as a PDF, printed from a browser in its dark theme."""
    folder = tmp_path_factory.mktemp("printed")
    b = Chromium()
    try:
        b.plain()
        b.media(prefers_color_scheme="dark")
        for name, text in PAGES.items():
            write_text(folder / f"{name}.html", text())
            b.open(f"{folder / name}.html")
            b.frames()
            (folder / f"{name}.pdf").write_bytes(b.pdf(printBackground=True, **A4))
            assert b.console() == []
        b.open(f"{folder}/one.html")
        b.run("const s = new CSSStyleSheet(); s.replaceSync('@media print { .chart, .plot { "
              "break-inside: auto !important } .plot { break-before: page } }');"
              "document.adoptedStyleSheets = [s]")  # fmt: skip
        b.frames()
        (folder / "cut.pdf").write_bytes(b.pdf(printBackground=True, **A4))
    finally:
        b.quit()
    return folder


def call(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def read(printed, name):
    """The text of a PDF in the order of its content."""
    return re.sub(r"\s+", " ", call("pdftotext", "-raw", f"{printed / name}.pdf", "-").decode())


def sheets(printed, name):
    """Words of each sheet with the boxes they stand in: left, top, right, bottom."""
    text = call("pdftotext", "-bbox", f"{printed / name}.pdf", "-").decode()
    root = ET.fromstring(re.sub(r"<title>.*?</title>", "", text, flags=re.DOTALL))
    box = ("xMin", "yMin", "xMax", "yMax")
    return [
        [(word.text, *(float(word.get(side)) for side in box)) for word in sheet]
        for sheet in root.iter(f"{XHTML}page")
    ]


ORDER = {
    "one": ["Do not use the last checkpoint", "FINDINGS", "Overfitting at step", "May be",
            "Loss spike at step", "Validation jump at step", "Passed", "Could not decide", "RUNS 1",
            "CURVES", "grad_norm", "RUN BY RUN", "optimizer.name", "Command", "Thresholds"],
    "dozen": ["3 of 12 runs fail", "FINDINGS", "Overfitting at step", "RUNS 12", "sweep-11",
              "SETTINGS AGAINST THE RESULT", "SETTINGS THAT DIFFER", "CURVES", "RUN BY RUN",
              "logs/sweep-00 (jsonl)", "logs/sweep-11 (jsonl)", "Command"],
    "comparison": ["cannot be told apart", "CAUTIONS", "METRICS", "EXPECTATIONS", "CURVES",
                   "METRIC BY METRIC", "val/mpjpe (mm), lower", "SETTINGS THAT DIFFER", "Command"],
}  # fmt: skip


@pytest.mark.parametrize("name", ORDER)
def test_it_is_read_in_the_order_of_the_page(printed, name):
    text, at = read(printed, name), 0
    for part in ORDER[name]:
        at = text.find(part, at)
        assert at >= 0, part


def test_every_finding_is_unfolded_and_whole(printed):
    text = read(printed, "forty")
    assert text.count("May be") == 40
    assert text.count("No spike above 0.2 in the next") == 40
    for words in sheets(printed, "forty"):
        told = [w[0] for w in words]
        # A finding ends with its own last line on the sheet that it began on.
        assert told.count("May") == told.count("leave")


@pytest.mark.parametrize("name", PAGES)
def test_there_is_nothing_to_press(printed, name):
    text = read(printed, name)
    assert [c for c in CONTROLS if c in text] == []


@pytest.mark.parametrize("name", PAGES)
def test_paper_is_white_in_the_dark_theme(printed, name):
    stem = printed / f"sheet-{name}"
    call("pdftoppm", "-r", "20", "-gray", f"{printed / name}.pdf", str(stem))
    made_ = sorted(printed.glob(f"{stem.name}-*.pgm"))
    assert made_
    for path in made_:
        kind, size, most, data = path.read_bytes().split(b"\n", 3)
        assert (kind, most) == (b"P5", b"255")
        wide, tall = map(int, size.split())
        grey = np.frombuffer(data, np.uint8).reshape(tall, wide)
        assert grey[[0, -1]].min() == grey[:, [0, -1]].min() == 255
        assert grey.mean() > 225


METRICS = ("loss", "mpjpe", "lr", "grad_norm", "loss_theta", "batch_time", "system/gpu_util")


def charts(words, top):
    """Metric and whether its labels of steps stand below it, of each chart on a sheet."""
    for text, left, head, *_ in words:
        if text not in METRICS or head < top:
            continue
        numbers = [round(w[2]) for w in words if re.fullmatch("[0-9\u202f]+", w[0])
                   and left - 5 < w[1] < left + 240 and head + 50 < w[2] < head + 180]  # fmt: skip
        yield text, max(map(numbers.count, numbers), default=0) >= 2


def found_charts(printed, name):
    found, begun = {}, False
    for words in sheets(printed, name):
        head = next((w[2] for w in words if w[0] == "CURVES"), None)
        begun = begun or head is not None
        if begun and len(found) < len(METRICS):
            # The first time below the heading is the chart; later ones are in sentences.
            for metric, whole in charts(words, head or 0):
                found.setdefault(metric, whole)
    return found


@pytest.mark.parametrize("name", ["one", "dozen"])
def test_no_chart_is_cut_by_the_end_of_a_sheet(printed, name):
    assert found_charts(printed, name) == dict.fromkeys(METRICS, True)


def test_a_cut_chart_would_be_seen(printed):
    assert not all(found_charts(printed, "cut").values())


def test_the_heads_of_a_table_come_again_on_every_sheet(printed):
    with_rows = [
        [w[0] for w in words]
        for words in sheets(printed, "many")
        if sum(w[0] in ("healthy", "warning", "failing") for w in words) > 10
    ]
    assert len(with_rows) >= 2
    assert all("weight_decay" in words and "Status" in words for words in with_rows)


def test_nothing_runs_over_the_edge(printed):
    for name in PAGES:
        for words in sheets(printed, name):
            assert max(w[3] for w in words) <= 8.27 * 72
            assert min(w[1] for w in words) >= 0
