"""One benchmark in a process of its own: ``python -m benchmarks.alone NAME OUT [--quick]``.

Its rows go to the file OUT as JSON, and its pictures, if it draws any, into ``--pictures DIR``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.process import last_line
from benchmarks.table import Row


def measure(name: str, *, quick: bool, pictures: Path | None = None) -> list[Row]:
    """Run a benchmark in a new process.

    Raises
    ------
    RuntimeError
        If it fails; the last line of its errors is the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks.alone", name, str(out)]
        command += ["--quick"] * quick + (["--pictures", str(pictures)] if pictures else [])
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(last_line(done.stderr))
        return [Row(**row) for row in json.loads(out.read_text())]


def title(name: str) -> str:
    """The first line of what a benchmark says about itself."""
    about = importlib.import_module(f"benchmarks.{name}").__doc__ or name
    return about.strip().splitlines()[0].rstrip(".")


def main() -> None:
    """Measure, and leave the rows and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    module = importlib.import_module(f"benchmarks.{options.name}")
    rows = list(module.results(quick=options.quick))
    options.out.write_text(json.dumps([asdict(row) for row in rows]))
    if options.pictures and hasattr(module, "draw"):
        module.draw(rows, options.pictures)


if __name__ == "__main__":
    main()
