"""The page as text: self-contained, escaped, complete, small, and readable without a script."""

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
import report_demo as demo

from trainlens.render._axes import ticks
from trainlens.render._payload import payload
from trainlens.render._svg import domain, thinned
from trainlens.render._visible import visible
from trainlens.render.html import page
from trainlens.reporting import Table, build
from trainlens.rules import Diagnosis
from trainlens.run import Notice
from trainlens.stats.resample import points


def report(diagnoses, **more):
    more = {"title": "", "command": "trainlens report logs", **more}
    return build(diagnoses, now=demo.NOW, version="0.1.0", **more)


class Page(HTMLParser):
    """Elements, text and scripts of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.raw, self.scripts = [], [], {}, []
        self._open = []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, attrs = self._open[-1] if self._open else ("", {})
        if tag in ("script", "style"):
            self.raw[attrs.get("id", tag)] = data
            if tag == "script" and "id" not in attrs:
                self.scripts.append(data)
        else:
            self.words.append(data)


CASES = {
    "none": lambda: [],
    "healthy": lambda: [demo.healthy()],
    "overfitting": lambda: [demo.overfitting()],
    "diverging": lambda: [demo.diverging()],
    "forty": lambda: [demo.forty()],
    "hostile": demo.hostile,
    "one-point": lambda: [Diagnosis(demo.run("p", [demo.column("loss", [3], [1.0])]), ())],
    "empty": lambda: [Diagnosis(demo.run("e", []), ())],
    "nan": lambda: [
        Diagnosis(demo.run("n", [demo.column("loss", np.arange(9), [np.nan] * 9)]), ())
    ],
    "huge": lambda: [
        Diagnosis(demo.run("h", [demo.column("loss", [0, 5, 2**40], [-1.7e308, 1.7e308, 0.0])]), ())
    ],
    "huge-noise": lambda: [
        Diagnosis(
            demo.run("h", [demo.column("loss", np.arange(900), [-1.7e308, 1.7e308, 3] * 300)]), ()
        )
    ],
    "constant": lambda: [
        Diagnosis(demo.run("c", [demo.column("loss", np.arange(900), np.zeros(900))]), ())
    ],
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return page(report(CASES[request.param]()))


def test_nothing_external_and_nothing_inline(case):
    held = Page(case)
    assert "http" not in re.sub(r"http-equiv", "", held.raw["style"] + case.split("<style>")[0])
    for tag, attrs in held.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img", "script src"}
        assert not [a for a in attrs if a.startswith("on") or a in ("style", "src", "srcset")]
        for name in ("href", "xlink:href"):
            assert attrs.get(name, "#").startswith("#")


def test_policy_allows_exactly_what_is_there(case):
    held = Page(case)
    policy = next(a["content"] for t, a in held.elements if a.get("http-equiv"))
    for kind, texts in (("style", [held.raw["style"]]), ("script", held.scripts)):
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        allowed = " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)
        assert f"; {kind}-src {allowed};" in policy
    assert policy.startswith("default-src 'none';")
    told = [a.get("type") for t, a in held.elements if t == "script"]
    assert told == [None, "application/json", "application/json", None]


def test_data_blocks_are_json_without_markup(case):
    held = Page(case)
    for name in ("data", "findings-json"):
        assert not set("<>&") & set(held.raw[name])
        json.loads(held.raw[name])


def test_page_is_valid_text(case):
    case.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", case)
    ids = [a["id"] for _, a in Page(case).elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_hostile_text_stands_as_text():
    held = Page(page(report(demo.hostile(), title=demo.HOSTILE[0], command=demo.HOSTILE[1])))
    for text in demo.HOSTILE:
        assert " ".join(visible(text).split()) in held.text
    assert "49" not in re.findall(r"\{\{ (\S+) \}\}", held.text)
    tags = {t for t, _ in held.elements}
    assert not tags & {"img", "iframe"}
    assert sum(t == "script" for t, _ in held.elements) == 4


def test_findings_say_everything():
    d = demo.overfitting()
    held = Page(page(report([d])))
    for f in d.findings:
        for words in (
            f.message,
            *f.causes,
            *(p["text"] for p in f.prescriptions),
            f.verify,
            f.rule,
        ):
            assert words in held.text
    assert "val_seed: 42" in held.text
    assert "--ignore overfitting" in held.text
    assert "no coverage in this log" in held.text
    assert "All 24 240 values are finite." in held.text


def test_order_of_the_page():
    text = page(report([demo.overfitting()], tables=[Table("Comparison")]))
    order = ["<h1>", 'id="findings"', "Passed", "Not applicable", "Could not decide", 'id="runs"',
             "Comparison", 'id="charts"', 'id="details"', "<footer>"]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_damage_moves_up_and_is_counted():
    text = page(report([demo.diverging()]))
    assert text.index('id="quality"') < text.index('id="findings"')
    assert "3 records were lost." in text
    mild = page(report([demo.healthy()], notices=[Notice("assumed", "a", "took x as step", 0)]))
    assert mild.index('id="quality"') > mild.index('id="details"')
    unknown = page(report([demo.healthy()], notices=[Notice("corrupt", "a", "torn", None)]))
    assert "not all of them can be counted" in unknown


def test_groups_of_many_findings_keep_every_one():
    held = Page(page(report([demo.forty()])))
    articles = [a["id"] for t, a in held.elements if t == "article"]
    assert sorted(articles, key=lambda i: int(i[1:])) == [f"f{n}" for n in range(1, 41)]
    assert articles[:3] == ["f1", "f2", "f3"]


def test_curves_survive_the_encoding():
    d = demo.overfitting()
    held = report([d])
    packed = payload(held)
    chart, line = held.charts[0], packed["charts"][0]["lines"][0]
    mean = np.frombuffer(base64.b64decode(line["m"]), "<f4")
    low = np.frombuffer(base64.b64decode(line["l"]), "<f4")
    grid = packed["grids"][line["g"]]
    first = np.frombuffer(base64.b64decode(grid["a"]), "<u4") + grid["o"]
    buckets = chart.lines[0].buckets
    assert np.array_equal(first, buckets.first)
    assert np.allclose(mean, buckets.mean, rtol=1e-7)
    assert np.allclose(low, buckets.low, rtol=1e-7)


def test_lines_with_the_same_steps_share_a_grid():
    packed = payload(report(demo.dozen(400, faulty=0)))
    assert len(packed["grids"]) == 2


def test_twelve_runs_of_eight_metrics_stay_below_a_megabyte():
    rng = np.random.default_rng(0)
    step = np.arange(50_000)
    noise = rng.standard_normal(50_000)
    judged = []
    for i in range(12):
        columns = [
            demo.column(f"m{k}", step, 5 / (1 + step) ** 0.3 + noise * (i + k)) for k in range(8)
        ]
        judged.append(Diagnosis(demo.run(f"run-{i}", columns), demo.passes()))
    held = report(judged)
    assert len(page(held).encode()) <= 1_000_000
    assert all(len(line.buckets) > 250 for c in held.charts for line in c.lines)


def test_metrics_beyond_twelve_are_folded_and_the_system_always():
    step = np.arange(50)
    names = [f"m{i:02d}" for i in range(100)] + ["system/gpu"]
    columns = [demo.column(n, step, step * 1.0, "train") for n in names]
    text = page(report([Diagnosis(demo.run("a", columns), ())]))
    shown, folded = text.split('<details class="fold charts"', 1)
    assert shown.count('<figure class="chart"') == 12
    assert folded.count('<figure class="chart"') == 89
    few = page(report([Diagnosis(demo.run("a", columns[-2:]), ())]))
    assert 'class="fold charts"' in few


def filled(node, above=None):
    """Every path with the fill that it has or inherits."""
    fill = node.get("fill", above)
    if node.tag == "path":
        yield node, fill
    for child in node:
        yield from filled(child, fill)


def test_static_pictures_use_presentation_attributes_only():
    text = page(report([demo.overfitting()]))
    pictures = re.findall(r'<svg class="fixed".*?</svg>', text, re.DOTALL)
    assert len(pictures) == 7 + 3
    for picture in pictures:
        assert "style=" not in picture
        for path, fill in filled(ET.fromstring(picture)):
            assert "stroke" in path.attrib or "fill" in path.attrib
            # Without a fill the inside of a curve would be black.
            straight = set(re.findall("[a-zA-Z]", path.get("d"))) <= set("MVH")
            assert fill is not None or straight


def test_static_pictures_keep_the_extremes():
    value = np.ones(3000)
    value[1234] = 9.0
    buckets = points(np.arange(3000), value)
    small = thinned(buckets, 100)
    assert len(small) <= 100
    assert small.high.max() == 9.0
    assert small.count.sum() == 3000
    assert small.mean @ small.count == pytest.approx(value.sum())


def test_axis_cuts_what_a_few_extremes_blow_up():
    value = np.ones(2000) + np.linspace(0, 1, 2000)
    value[7] = 1e9
    value[100:115] = 0.5
    low, high, cut = domain([points(np.arange(2000), value)], log=False)
    assert cut
    assert high < 3
    # What lies near the rest is never cut, on whichever side the extremes are.
    assert low < 0.5
    assert domain([points(np.arange(9), np.full(9, np.nan))], log=True) == (0.1, 1.0, False)


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (0.9, 1100, True, [1, 10, 100, 1000]),
        (-1e300, 1e300, False, [-1e300, -5e299, 0, 5e299, 1e300]),
    ],
)
def test_ticks(low, high, log, expected):
    assert ticks(low, high, log) == pytest.approx(expected)
