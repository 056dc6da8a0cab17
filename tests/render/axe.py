"""The accessibility checks of axe-core, fetched once by npm into the cache of the user."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "4.14.1"
EVERYTHING = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
COLOURS = {"type": "rule", "values": ["color-contrast"]}
_RUN = """
const done = arguments[1];
axe.run(document, {resultTypes: ["violations"], runOnly: arguments[0]}).then((found) => done({
  passes: found.passes.length,
  violations: found.violations.map((v) => `${v.id}: ${v.help}\\n` + v.nodes.slice(0, 4).map(
    (n) => `    ${n.target.join(" ")} ${n.html.slice(0, 160)} ${n.any.map((a) => a.message)}`)
    .join("\\n")),
}), (error) => done({error: String(error)}));
"""


@functools.cache
def script():
    """The source of axe-core, or None where it cannot be had."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    held = home / "trainlens-tests" / f"axe-{VERSION}.js"
    try:
        if not held.exists():
            held.parent.mkdir(parents=True, exist_ok=True)
            _install(held)
        return held.read_text("utf-8")
    except (OSError, subprocess.SubprocessError):
        return None


def _install(held):
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm")
    with tempfile.TemporaryDirectory(dir=held.parent) as folder:
        subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock",
             "--prefix", folder, f"axe-core@{VERSION}"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        os.replace(Path(folder) / "node_modules" / "axe-core" / "axe.min.js", held)


def violations(browser, rules=EVERYTHING):
    """What axe-core finds, by default at WCAG 2.2 AA and among its best practices; a text each."""
    if not browser.run("return typeof window.axe === 'object'"):
        browser.run(script() + "\nwindow.axe = axe;")
    found = browser.wait(_RUN, rules)
    assert "error" not in found, found
    assert found["passes"] >= (1 if rules is COLOURS else 20)
    return found["violations"]
