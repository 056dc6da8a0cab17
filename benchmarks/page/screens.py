"""The pictures of the report in the docs: light, dark, phone, print.

``python -m benchmarks.page.screens`` draws them anew from ``sample_runs``.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.browser import MISSING, Browser

ROOT = Path(__file__).parents[2]
WIDE, PHONE = (1280, 1130), (390, 1150)


def screens(docs: Path) -> list[Path]:
    """Write the pictures into a folder.

    Parameters
    ----------
    docs : Path

    Returns
    -------
    list of Path
        Without the print where ``pdftoppm`` (poppler) is missing.
    """
    with tempfile.TemporaryDirectory() as place:
        made = Path(place, "demo")
        command = ["trainlens", "report", "sample_runs", "-o", str(made), "--no-plots"]
        subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        page = made / "index.html"
        written = [
            _screen(page, docs / "report.png", WIDE, "light"),
            _screen(page, docs / "report-dark.png", WIDE, "dark"),
            _screen(page, docs / "report-phone.png", PHONE, "light"),
        ]
        return written + _print(page, docs / "report-print.png", Path(place))


def _screen(page: Path, target: Path, size: tuple[int, int], theme: str) -> Path:
    width, height = size
    browser = Browser(width, height)
    try:
        features = [{"name": "prefers-color-scheme", "value": theme}]
        browser.command("Emulation.setEmulatedMedia", features=features)
        phone = width < 760
        browser.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        browser.open(page)
        browser.frames(3)
        browser.screenshot(target, whole=False)
    finally:
        browser.quit()
    return target


def _print(page: Path, target: Path, place: Path) -> list[Path]:
    """The first two sheets of paper side by side."""
    if shutil.which("pdftoppm") is None:
        return []
    browser = Browser(*WIDE)
    try:
        browser.open(page)
        told = browser.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
    finally:
        browser.quit()
    pdf = place / "page.pdf"
    pdf.write_bytes(base64.b64decode(told["data"]))
    command = ["pdftoppm", "-r", "60", "-l", "2", "-png", str(pdf), str(place / "sheet")]
    subprocess.run(command, check=True)
    _beside(sorted(place.glob("sheet*.png")), target)
    return [target]


def _beside(pictures: list[Path], target: Path) -> None:
    from PIL import Image

    held = [Image.open(path).convert("RGB") for path in pictures]
    gap = 12
    width = sum(one.width for one in held) + gap * (len(held) + 1)
    sheet = Image.new("RGB", (width, max(one.height for one in held) + 2 * gap), "#d9d9d6")
    left = gap
    for one in held:
        sheet.paste(one, (left, gap))
        left += one.width + gap
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    if MISSING:
        sys.exit(MISSING)
    for path in screens(ROOT / "docs"):
        print(path.relative_to(ROOT), path.stat().st_size)
