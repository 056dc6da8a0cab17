"""AIM repositories: two closed runs, a killed one, a run that was never indexed."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

from tests.robustness.truth import Log, LogFile, Point

FORMAT = "aim"

_WRITER = r"""
import os, random, signal, sys
from aim import Run
from aim.sdk.index_manager import RepoIndexManager
rng = random.Random(7)
for number, count in enumerate((16, 10, 13)):
    run = Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
              system_tracking_interval=None)
    print("run", run.hash, flush=True)
    run["hparams"] = {"lr": number / 8, "layers": [1, 2]}
    for i in range(count):
        for name, split in (("loss", "train"), ("acc", "val")):
            value = rng.uniform(0, 9)
            run.track(value, name=name, step=10 * i, context={"subset": split})
            print(name, split, 10 * i, value.hex(), flush=True)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    run.close()
    if number == 0:
        RepoIndexManager.get_index_manager(run.repo).index(run.hash)
"""


@lru_cache(maxsize=1)
def _written() -> tuple[tempfile.TemporaryDirectory[str], str]:
    """A folder with a repository, and what was logged; seconds to make, so made once."""
    folder = tempfile.TemporaryDirectory(prefix="robustness-aim-")
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, folder.name],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode != -9:
        raise RuntimeError(done.stderr)
    return folder, done.stdout


def write(folder: Path, rng: random.Random) -> Log:
    """A repository of three runs, written by the SDK in a process of its own."""
    pytest.importorskip("aimrocks", reason="the aim extra is not installed")
    if importlib.util.find_spec("aim") is None:
        pytest.skip("the AIM SDK, which writes the repositories, is missing")
    place, text = _written()
    shutil.copytree(place.name, folder, dirs_exist_ok=True)
    whole: dict[str, list[Point]] = {}
    key = ""
    for line in text.splitlines():
        words = line.split()
        if words[0] == "run":
            key = words[1]
        else:
            point = Point(words[0], words[1], int(words[2]), float.fromhex(words[3]))
            whole.setdefault(key, []).append(point)
    runs = {key: tuple(points) for key, points in whole.items()}
    return Log(FORMAT, tuple(_victims(folder)), ".aim", runs, costly=True)


def _victims(folder: Path) -> list[LogFile]:
    found = []
    for path in sorted((folder / ".aim").rglob("*")):
        wanted = path.suffix in (".sst", ".log", ".sqlite") or path.name[:8] in (
            "CURRENT",
            "MANIFEST",
        )
        if wanted and path.is_file() and path.stat().st_size:
            name = path.relative_to(folder)
            owner = name.parts[3] if "chunks" in name.parts else ""
            found.append(LogFile(str(name), path.read_bytes(), "store", run=owner))
    return found
