"""A headless Chromium, driven over the WebDriver protocol with the standard library.

The benchmarks measure pages in it and the tests look at pages in it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
MISSING = "no chromium with chromedriver here" if not (CHROMIUM and DRIVER) else ""
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


FRAMES = (
    "const done = arguments[1]; let n = arguments[0];"
    "const tick = () => n-- > 0 ? requestAnimationFrame(tick) : done(0); tick();"
)
"""A script that is done after as many frames as its argument says."""


def pointer(*steps: tuple[Any, ...]) -> dict[str, Any]:
    """Steps ``("move", x, y)``, ``("down",)``, ``("up",)`` of a mouse as a WebDriver takes them."""
    kinds = {"move": "pointerMove", "down": "pointerDown", "up": "pointerUp"}
    actions = [
        {"type": kinds[name], "x": round(at[0]), "y": round(at[1]), "duration": 0}
        if name == "move"
        else {"type": kinds[name], "button": 0}
        for name, *at in steps
    ]
    return {
        "type": "pointer",
        "id": "mouse",
        "actions": actions,
        "parameters": {"pointerType": "mouse"},
    }


class Browser:
    """One browser with a fresh profile; close it with `quit`."""

    def __init__(self, width: int = 1280, height: int = 900, flags: Sequence[str] = ()) -> None:
        if DRIVER is None:
            raise RuntimeError(MISSING)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._profile = tempfile.mkdtemp(prefix="trainlens-browser-")
        self._process = subprocess.Popen(
            [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._root = f"http://127.0.0.1:{port}"
        options = {
            "binary": CHROMIUM,
            "args": [*_FLAGS, *flags, f"--user-data-dir={self._profile}",
                     f"--window-size={width},{height}"],
        }  # fmt: skip
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self._wait()
        answer = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"

    def _wait(self) -> None:
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"{self._root}/status", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError("chromedriver does not answer")

    def _post(self, path: str, body: object) -> Any:
        request = urllib.request.Request(
            self._root + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def open(self, path: str | Path) -> None:
        """Load a file and wait until its script is ready."""
        self._post(f"{self._session}/url", {"url": path if ":" in str(path) else f"file://{path}"})

    def run(self, script: str, *arguments: object) -> Any:
        """Value of a script that returns one."""
        return self._post(
            f"{self._session}/execute/sync", {"script": script, "args": list(arguments)}
        )

    def command(self, name: str, **parameters: object) -> Any:
        """A command of the developer protocol."""
        return self._post(f"{self._session}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def frames(self, count: int = 2) -> None:
        """Wait until some frames were drawn."""
        self._post(
            f"{self._session}/execute/async",
            {"script": FRAMES, "args": [count]},
        )

    def mouse(self, *steps: tuple[Any, ...]) -> None:
        """Move, press or release the pointer: ``("move", x, y)``, ``("down",)``, ``("up",)``."""
        self._post(f"{self._session}/actions", {"actions": [pointer(*steps)]})

    def console(self) -> list[str]:
        """Messages of the console since the last call."""
        return [e["message"] for e in self._post(f"{self._session}/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Addresses asked for since the last call."""
        events = [
            json.loads(e["message"])["message"]
            for e in self._post(f"{self._session}/se/log", {"type": "performance"})
        ]
        return [
            e["params"]["request"]["url"]
            for e in events
            if e["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Picture of the page."""
        data = self.command("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def quit(self) -> None:
        """Close it and remove its profile."""
        try:
            request = urllib.request.Request(self._root + self._session, method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()
        finally:
            self._process.terminate()
            self._process.wait(20)
            shutil.rmtree(self._profile, ignore_errors=True)


class _Sandbox(http.server.SimpleHTTPRequestHandler):
    """Serves files as careful build servers do: no script, no style, no origin."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "sandbox; default-src 'none'")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextlib.contextmanager
def sandboxed(folder: str | Path) -> Iterator[str]:
    """The address of a server on this machine that lets no script and no style of a page run."""
    handler = functools.partial(_Sandbox, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
