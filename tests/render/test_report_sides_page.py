"""The page of a report of sides in a browser: runs and sides are hidden each among themselves."""

import pytest
from browser import MISSING, Browser

from tests import shell
from tests.seed_logs import SEEDS, write_sides

RUNS = 2 * SEEDS


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sides")
    write_sides(folder / "runs")
    code, _, err = shell.run("report", folder / "runs", "--baseline", "baseline", "--no-config",
                             "--no-plots", "-o", folder / "out")  # fmt: skip
    assert code == 0, err
    return folder / "out" / "index.html"


@pytest.fixture
def b(page):
    if MISSING:
        pytest.skip(MISSING)
    browser = Browser()
    browser.open(page)
    browser.frames()
    yield browser
    assert browser.console() == []
    browser.quit()


def off(b):
    """Entries that are hidden: the runs come first, then the two sides."""
    return b.run(
        "return [...document.querySelectorAll('[data-run-chip][aria-pressed=false]')]"
        ".map((chip) => Number(chip.dataset.runChip))"
    )


def click(b, entry, shift=False):
    b.run(
        f"document.querySelector('[data-run-chip=\"{entry}\"]').dispatchEvent("
        f"new MouseEvent('click', {{bubbles: true, shiftKey: {str(shift).lower()}}}))"
    )
    b.frames()


def test_the_page_is_ready_and_has_a_chip_for_each_run_and_side(b):
    assert b.run("return document.documentElement.dataset.ready") == "yes"
    assert b.run("return document.querySelectorAll('[data-run-chip]').length") == RUNS + 2
    assert b.run("return document.documentElement.scrollWidth <= innerWidth")
    drawn = "return !!document.querySelector('#side-c0 canvas, #side-c0 svg')"
    assert b.run(drawn)


def test_a_side_alone_leaves_the_runs_and_a_run_alone_the_sides(b):
    click(b, 0)
    click(b, RUNS + 1, shift=True)
    assert off(b) == [RUNS, 0]  # in the order of the page: the sides stand above the curves
    click(b, RUNS + 1, shift=True)
    assert off(b) == [0]
    click(b, 2, shift=True)
    assert off(b) == [i for i in range(RUNS) if i != 2]
    click(b, 2, shift=True)
    assert off(b) == []
