"""A page opened in a headless Chromium, and how fast it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.browser import Browser

WIDTH, HEIGHT = 1280, 900
_PROBE = Path(__file__).with_name("probe.js")
# WebGL is drawn by the processor here, as there is no graphics card.
_FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_PATIENCE = 90.0  # seconds until a page counts as one that does not answer
_UNCHANGED = 3.0  # seconds until a movement counts as one that changes nothing
_LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
_STILL = 0.5  # seconds without drawing after which a zoom has ended


@dataclass(frozen=True)
class Visit:
    """What one opening of a page took.

    Parameters
    ----------
    ready : float
        Seconds from the start of the navigation to the end of the load event.
    interactive : float
        Seconds from the start of the navigation to the end of the frame that shows the first
        answer to a pointer over the first chart, which moves once the page has been read.
    busy : float
        CPU seconds of the page's main thread until then.
    hover : tuple of float
        Seconds from the arrival of each movement of the pointer in the page to the end of the
        frame with another tooltip.
    zoom : float
        Seconds from the release of a drag to the end of the last drawing.
    requests : int
        Addresses asked for besides the page itself.
    """

    ready: float
    interactive: float
    busy: float
    hover: tuple[float, ...]
    zoom: float
    requests: int


def visit(path: Path, kind: str, hovers: int = 0) -> Visit:
    """Open a page in a new browser, move over its first chart, and zoom into it.

    Parameters
    ----------
    path : Path
    kind : {'trainlens', 'plotly', 'bokeh'}
    hovers : int
        Movements that are measured.

    Raises
    ------
    RuntimeError
        If it does not answer, or there is no browser.
    """
    browser = Browser(WIDTH, HEIGHT, _FLAGS)
    try:
        browser.open("about:blank")
        time.sleep(0.5)  # a browser that has just begun still sets itself up
        browser.requests()
        browser.command("Performance.enable", timeDomain="threadTicks")
        browser.command(
            "Page.addScriptToEvaluateOnNewDocument",
            source=_PROBE.read_text(encoding="utf-8").replace("%PAGE%", kind),
        )
        browser.open(path)
        interactive = _until(browser, "return probe.interactive") / 1000
        busy = _busy(browser)
        tried = [_hover(browser, place) for place in _places(hovers)]
        moves = tuple(seconds for seconds in tried if seconds is not None)
        if len(moves) < hovers / 2:
            raise RuntimeError(f"the tooltip changed at {len(moves)} of {hovers} movements")
        ready = _until(browser, _LOADED) / 1000
        return Visit(ready, interactive, busy, moves, _zoom(browser), len(_asked(browser, path)))
    finally:
        browser.quit()


def _until(browser: Browser, script: str, *arguments: object, patience: float = _PATIENCE) -> float:
    """The first value of a script that is neither null nor false."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := browser.run(script, *arguments):
            return float(found)
        time.sleep(0.02)
    raise RuntimeError(f"the page did not answer within {patience:.0f} s")


def _busy(browser: Browser) -> float:
    metrics = browser.command("Performance.getMetrics")["metrics"]
    return next(float(held["value"]) for held in metrics if held["name"] == "TaskDuration")


def _places(count: int) -> list[float]:
    """Shares of a chart's width, each far from the one before, never the same twice."""
    return [0.1 + 0.8 * (place * 0.6180339887 % 1) for place in range(1, count + 1)]


def _point(browser: Browser, share: float) -> tuple[float, float]:
    box = browser.run("return probe.box()")
    return box["left"] + share * box["width"], box["top"] + 0.5 * box["height"]


def _pointer(browser: Browser, kind: str, at: tuple[float, float], **more: Any) -> None:
    browser.command("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)


def _hover(browser: Browser, share: float) -> float | None:
    """Seconds; None where the page has nothing else to tell at this place."""
    at = _point(browser, share)
    browser.run("probe.arm()")
    _pointer(browser, "mouseMoved", at)
    try:
        seconds = _until(browser, "return probe.latency", patience=_UNCHANGED) / 1000
    except RuntimeError:
        return None
    time.sleep(0.06)  # Plotly leaves out movements within 50 ms of each other
    return seconds


def _zoom(browser: Browser) -> float:
    held: dict[str, Any] = {"button": "left", "buttons": 1, "clickCount": 1}
    _pointer(browser, "mouseMoved", _point(browser, 0.3))
    _pointer(browser, "mousePressed", _point(browser, 0.3), **held)
    for share in (0.35, 0.4, 0.45, 0.5, 0.55, 0.6):
        _pointer(browser, "mouseMoved", _point(browser, share), **held)
        time.sleep(0.03)
    _pointer(browser, "mouseReleased", _point(browser, 0.6), **held | {"buttons": 0})
    still = "return probe.drawn && performance.now() - probe.drawn > arguments[0]"
    _until(browser, still, 1000 * _STILL)
    return float(browser.run("return probe.drawn - probe.released")) / 1000


def _asked(browser: Browser, path: Path) -> list[str]:
    own = ("about:", "data:", "blob:", f"file://{path}")
    return [address for address in browser.requests() if not address.startswith(own)]


@dataclass(frozen=True)
class Visits:
    """Several openings of one page: medians, in seconds."""

    ready: float
    interactive: float
    busy: float
    hover: float
    hover_late: float
    zoom: float
    requests: int


def visits(path: Path, kind: str, openings: int = 5, hovers: int = 100) -> Visits:
    """Open a page several times, each in a browser of its own.

    Movements are measured in the last one; `hover_late` is their 95th percentile. A page that
    takes more than ten seconds is opened twice only.
    """
    held = [visit(path, kind)]
    openings = openings if held[0].interactive <= 10 else 2
    held += [visit(path, kind) for _ in range(openings - 2)]
    held.append(visit(path, kind, hovers))
    moves = held[-1].hover
    return Visits(
        median(one.ready for one in held),
        median(one.interactive for one in held),
        median(one.busy for one in held),
        median(moves),
        float(np.quantile(moves, 0.95)),
        median(one.zoom for one in held),
        max(one.requests for one in held),
    )
