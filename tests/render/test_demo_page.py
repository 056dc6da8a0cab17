"""The page that the README's first command makes, in a real browser and as a file."""

import html
import json
import re
from pathlib import Path

import pytest
from browser import MISSING, Browser

import trainlens
from trainlens.render.folder import write_report

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    runs = trainlens.load(SAMPLES)
    write_report([trainlens.diagnose(r) for r in runs], out, notices=runs.notices, now=1.78e9)
    return out


def test_it_is_one_small_file_without_an_address(folder):
    text = (folder / "index.html").read_text()
    assert len(text.encode()) <= 1 << 20
    assert re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?\w+:""", text) == []
    assert re.findall(r"https?://", text) == []
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket|EventSource", text)
    assert "default-src 'none'" in html.unescape(text)


def test_the_pictures_and_the_json_are_beside_it(folder):
    assert len(list(folder.glob("*.png"))) >= 3
    document = json.loads((folder / "report.json").read_text())
    assert len(document["runs"]) == 16


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_it_opens_silently_and_shows_what_is_wrong(folder):
    browser = Browser()
    try:
        browser.open("about:blank")
        browser.console()
        browser.requests()
        browser.open(f"file://{folder}/index.html")
        browser.frames(5)
        shown = browser.run("return document.body.innerText")
        asked = [r for r in browser.requests() if not r.startswith("about:")]
        said = browser.console()
        drawn = browser.run(
            "const c = document.querySelector('#charts canvas'); c.scrollIntoView();"
            "return c.width > 0 && c.height > 0"
        )
    finally:
        browser.quit()
    assert said == []
    assert asked == [f"file://{folder}/index.html"]
    assert drawn
    wanted = ("Non-finite", "Overfitting", "Never learned", "Single-class batch", "Polarized gate")
    for finding in wanted:
        assert finding in shown
    assert "7 of 16 runs fail; 1 needs a look; 8 look healthy" in shown
