"""Values of charts that are deflated: the same numbers, bit by bit, in Python and in the page."""

import base64
import copy
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import report_demo as demo
import trainlens.templates
from browser import MISSING, Browser

from trainlens.render._payload import _AT_ONCE, dumps, lean, payload
from trainlens.render.html import page
from trainlens.reporting import build, digest
from trainlens.rules import Diagnosis

SCRIPT = Path(trainlens.templates.__file__).with_name("inflate.js")


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(5)
    held = []
    for run in range(3):
        sizes = [(k, 900 + 4000 * (k % 2)) for k in range(7)]
        columns = [
            demo.column(f"part{k}/loss", np.arange(size), rng.normal(k, 1, size))
            for k, size in sizes
        ]
        held.append(digest(Diagnosis(demo.run(f"run{run}", columns), ()), runs=3, now=demo.NOW))
    return build(held, title="", command="", now=demo.NOW, version="0.1.0")


@pytest.fixture(scope="module")
def browser():
    if MISSING:
        pytest.skip(MISSING)
    held = Browser()
    yield held
    held.quit()


def numbers(line):
    """The encoded arrays of a line as they come from `payload`."""
    return [base64.b64decode(line[key]) for key in "mlh" if key in line]


def test_deflated_charts_hold_the_same_bits(report):
    plain = payload(report)
    kept = copy.deepcopy(plain)
    small = lean(plain)
    assert plain == kept
    assert small["charts"][:_AT_ONCE] == plain["charts"][:_AT_ONCE]
    assert len(plain["charts"]) == 7
    for before, after in zip(plain["charts"][4:], small["charts"][4:], strict=True):
        data = zlib.decompress(base64.b64decode(after["z"]), -zlib.MAX_WBITS)
        planes = np.frombuffer(data, np.uint8).reshape(4, -1)
        assert planes.T.tobytes() == b"".join(b for line in before["lines"] for b in numbers(line))
        for one, two in zip(before["lines"], after["lines"], strict=True):
            assert {k: v for k, v in one.items() if k not in "mlh"} == {
                k: v for k, v in two.items() if k not in "mlh"
            }
            assert two["m"] == 1
            assert ("l" in one) == (two.get("l") == 1)
        assert len(dumps(after)) < len(dumps(before))


def test_a_page_without_charts_stays_as_it_is():
    assert lean({"charts": [], "runs": []}) == {"charts": [], "runs": []}


def streams():
    """Every kind of block and code, beside its plain bytes."""
    rng = np.random.default_rng(0)
    plain = [
        b"",
        b"a",
        b"abc" * 1000,
        bytes(70_000),
        rng.bytes(70_000),
        np.cumsum(rng.normal(size=10_000)).astype("<f4").tobytes(),
        rng.geometric(0.05, 30_000).clip(0, 255).astype("u1").tobytes(),
        b"\0" * 300 + rng.bytes(33_000) + b"\0" * 300 + bytes(range(256)) * 200,
    ]
    for data in plain:
        for level in (0, 1, 6, 9):
            for strategy in (
                zlib.Z_DEFAULT_STRATEGY,
                zlib.Z_FIXED,
                zlib.Z_HUFFMAN_ONLY,
                zlib.Z_RLE,
            ):
                deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
                half = len(data) // 2
                parts = [deflate.compress(data[:half]), deflate.flush(zlib.Z_FULL_FLUSH)]
                parts += [deflate.compress(data[half:]), deflate.flush()]
                yield b"".join(parts), data


def test_the_page_inflates_what_zlib_deflates(browser):
    browser.open("about:blank")
    script = (
        SCRIPT.read_text()
        + """
      const read = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      return JSON.parse(arguments[0]).map(([small, size, whole]) => {
        const found = inflate(read(small), size), wanted = read(whole);
        return found.length === wanted.length && found.every((v, i) => v === wanted[i]);
      });"""
    )
    cases = [
        [base64.b64encode(small).decode(), len(data), base64.b64encode(data).decode()]
        for small, data in streams()
    ]
    assert browser.run(script, json.dumps(cases)) == [True] * 8 * 16


def test_curves_that_the_page_saves_are_those_of_the_report(report, browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(page(report))
    browser.open(path)
    browser.console()
    browser.run(
        "window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { blob.text().then((t) => { window.saved = t; });"
        " return make(blob); }; document.getElementById('save-csv').click();"
    )
    for _ in range(50):
        if text := browser.run("return window.saved"):
            break
        browser.frames(2)
    rows = [line.split(",")[-5:] for line in text.splitlines()[1:]]
    found = np.array([[float(v) for v in row] for row in rows]).T
    held = [line.buckets for chart in report.charts for line in chart.lines]
    names = ("first", "last", "mean", "low", "high")
    for name, column in zip(names, found, strict=True):
        wanted = np.concatenate([getattr(b, name) for b in held])
        kind = wanted.dtype if name in ("first", "last") else np.float32
        np.testing.assert_array_equal(column.astype(kind), wanted.astype(kind))
    assert browser.console() == []
