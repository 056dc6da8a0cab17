"""A headless Firefox for tests, driven over its own Marionette protocol: no driver is needed."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.browser import FRAMES, pointer

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
MISSING = "" if FIREFOX else "no firefox here"
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.aboutConfig.showWarning": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
    "ui.systemUsesDarkTheme": 0,
}
_CONSOLE = """
const done = arguments[0], kept = Services.console.getMessageArray() || [];
Services.console.reset();
done(kept.filter((m) => m instanceof Ci.nsIScriptError && /^(file|blob):/.test(m.sourceName || ""))
  .map((m) => m.errorMessage));
"""


class Firefox:
    """One browser with a fresh profile; the same methods as `benchmarks.browser.Browser`."""

    def __init__(self, width=1280, height=900):
        self._profile = tempfile.mkdtemp(prefix="trainlens-firefox-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        held = {**_PREFERENCES, "marionette.port": port}
        told = "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in held.items())
        (Path(self._profile) / "user.js").write_text(told)
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
             "--profile", self._profile, f"--width={width}", f"--height={height}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._numbers = itertools.count(1)
        self._socket = self._connect(port)
        self._line = self._socket.makefile("rwb")
        self._told()
        self._ask("WebDriver:NewSession", capabilities={"alwaysMatch": {}})

    def _connect(self, port):
        for _ in range(300):
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=60)
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("firefox does not answer")

    def _told(self):
        """One message: its length, a colon, JSON."""
        size = b""
        while (one := self._line.read(1)) != b":":
            if not one:
                raise RuntimeError("firefox is gone")
            size += one
        return json.loads(self._line.read(int(size)))

    def _ask(self, name, **parameters):
        number = next(self._numbers)
        text = json.dumps([0, number, name, parameters]).encode()
        self._line.write(b"%d:%s" % (len(text), text))
        self._line.flush()
        _, answered, error, value = self._told()
        assert answered == number
        if error:
            raise RuntimeError(error["message"])
        return value

    def open(self, path):
        """Load a file and wait until its script is ready."""
        self._ask("WebDriver:Navigate", url=path if ":" in str(path) else f"file://{path}")

    def run(self, script, *arguments):
        """Value of a script that returns one."""
        # The page's own objects, not the wrapped ones of the driver.
        return self._ask("WebDriver:ExecuteScript", script=script, args=list(arguments),
                         sandbox=None, newSandbox=False)["value"]  # fmt: skip

    def frames(self, count=2):
        """Wait until some frames were drawn."""
        self._ask(
            "WebDriver:ExecuteAsyncScript", sandbox=None, newSandbox=False, args=[count],
            script=FRAMES,
        )  # fmt: skip

    def mouse(self, *steps):
        """Move, press or release the pointer: ``("move", x, y)``, ``("down",)``, ``("up",)``."""
        self._ask("WebDriver:PerformActions", actions=[pointer(*steps)])

    def console(self):
        """Errors and warnings of pages since the last call."""
        self._ask("Marionette:SetContext", value="chrome")
        try:
            return self._ask("WebDriver:ExecuteAsyncScript", script=_CONSOLE, args=[])["value"]
        finally:
            self._ask("Marionette:SetContext", value="content")

    def requests(self):
        """Addresses that the page asked for."""
        return self.run(
            "return [location.href.split('#')[0], "
            "...performance.getEntriesByType('resource').map(e => e.name)]"
        )

    def plain(self, width=1280):
        """A window of a width; Firefox makes none narrower than 450 px."""
        self._ask("WebDriver:SetWindowRect", width=width, height=900)

    def quit(self):
        """Close it and remove its profile."""
        try:
            self._ask("Marionette:Quit", flags=["eForceQuit"])
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait(20)
            self._line.close()
            self._socket.close()
            shutil.rmtree(self._profile, ignore_errors=True)
