"""The browser of the benchmarks, with what only tests need."""

from __future__ import annotations

import base64
import time

from benchmarks.browser import CHROMIUM, DRIVER, MISSING, Browser, sandboxed

__all__ = ["CHROMIUM", "DRIVER", "MISSING", "Browser", "Chromium", "sandboxed"]

_KEYS = {"Tab": "\ue004", "Escape": "\ue00c", "Enter": "\ue007", "Space": "\ue00d",
         "Shift": "\ue008", "Home": "\ue011", "End": "\ue010"}  # fmt: skip


class Chromium(Browser):
    """A browser whose window, media, keys and downloads a test sets."""

    def plain(self, width=1280):
        """No emulation but a width; below 760 px a phone."""
        self.command("Emulation.clearDeviceMetricsOverride")
        self.command("Emulation.setEmulatedMedia", media="", features=[])
        if width != 1280:
            self.command("Emulation.setDeviceMetricsOverride", width=width, height=800,
                         deviceScaleFactor=1, mobile=True)  # fmt: skip

    def media(self, media="", **features):
        """Emulate a medium and its features, underscores for hyphens."""
        told = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
        self.command("Emulation.setEmulatedMedia", media=media, features=told)

    def keys(self, *names):
        """Press keys by name, one after another; ``Shift+Tab`` holds the first."""
        actions = []
        for name in names:
            held = [_KEYS.get(part, part) for part in name.split("+")] if len(name) > 1 else [name]
            actions += [{"type": "keyDown", "value": key} for key in held]
            actions += [{"type": "keyUp", "value": key} for key in reversed(held)]
        self._post(
            f"{self._session}/actions",
            {"actions": [{"type": "key", "id": "keys", "actions": actions}]},
        )

    def wait(self, script, *arguments):
        """What a script hands to the function that is its last argument."""
        return self._post(
            f"{self._session}/execute/async", {"script": script, "args": list(arguments)}
        )

    def downloads(self, folder):
        """Let files that a page saves go into a folder."""
        self.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def saved(self, folder, name):
        """Take a file that a page saves out of the folder, as soon as it is all there."""
        for _ in range(200):
            path = folder / name
            if path.exists() and not list(folder.glob("*.crdownload")):
                data = path.read_bytes()
                path.unlink()
                return data
            time.sleep(0.02)
        raise AssertionError(f"{name} was not saved; there are {sorted(folder.iterdir())}")

    def before_every_page(self, script):
        """Run a script in each page before the page's own."""
        self.command("Page.addScriptToEvaluateOnNewDocument", source=script)

    def pdf(self, **settings):
        """The page as it is printed: bytes of a PDF."""
        return base64.b64decode(self.command("Page.printToPDF", **settings)["data"])
