"""AIM: states of a repository that the SDK wrote, in their order, and what lies between two."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import pytest

from tests.growth.world import Kind
from tests.readers.aim_process import aim_process

FORMAT = "aim"

_WRITER = r"""
import shutil, sys
from aim import Run

def new():
    return Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
               system_tracking_interval=None)

run, other, step = new(), None, 0
run["lr"] = 0.5
for stage in range(16):
    for _ in range((stage * 7) % 5 + 1):
        run.track(step * 2.0 + stage, name="loss", step=step, context={"subset": "train"})
        if stage > 4:
            run.track(step / 8, name="acc", step=step, context={"subset": "val"})
        if other:
            other.track(step * 3.0, name="loss", step=step)
        step += 1
    if stage == 3:
        run["layers"] = [1, 2]
    if stage == 8:
        step -= 5  # those steps are logged anew, over the old ones
    if stage == 10:
        other = new()
    if stage == 13:
        other.close()
    if stage == 14:
        run.close()
        run = new()
    shutil.copytree(sys.argv[1] + "/.aim", f"{sys.argv[2]}/{stage:02d}")
"""


@lru_cache(maxsize=1)
def _states() -> tuple[tempfile.TemporaryDirectory[str], list[dict[str, bytes]]]:
    """The files of each state; seconds to make, so made once."""
    pytest.importorskip("aimrocks", reason="the aim extra is not installed")
    if importlib.util.find_spec("aim") is None:
        pytest.skip("the AIM SDK, which writes the repositories, is missing")
    folder = tempfile.TemporaryDirectory(prefix="growth-aim-")
    place = Path(folder.name)
    (place / "states").mkdir()
    command, options = aim_process(_WRITER, place, place / "states", capture_output=True)
    subprocess.run(command, timeout=300, check=True, **options)
    return folder, [_files(state) for state in sorted((place / "states").iterdir())]


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


class Repository:
    """A repository that goes from state to state; between two, a log is torn.

    Parameters
    ----------
    folder : Path
    kind : Kind
    """

    ordered = True
    verbs: ClassVar = {
        "append": 10,
        "many": 1,
        "tear": 6,
        "finish": 3,
        "away": 1,
        "back": 2,
        "replace": 1,
    }

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.path = folder / "watched"
        self.path.mkdir()
        self._root = self.path
        self._elsewhere = folder / "elsewhere"
        self._elsewhere.mkdir()
        self._state = -1
        self._torn = False

    @property
    def complete(self) -> bool:
        """Whether no record is torn and the repository is there."""
        return not self._torn and self._root == self.path

    def do(self, verb: str, rng: random.Random) -> None:
        """Make something happen."""
        getattr(self, f"_{verb}")(rng)

    def _append(self, rng: random.Random, most: int = 1) -> None:
        self._state = min(self._state + rng.randint(1, most), len(_states()[1]) - 1)
        self._show(_states()[1][self._state])

    def _many(self, rng: random.Random) -> None:
        self._append(rng, 5)

    def _finish(self, rng: random.Random) -> None:
        if self._torn:
            self._append(rng)

    def _replace(self, rng: random.Random) -> None:
        """A copy of an earlier state is put back."""
        if self._state > 0:
            self._state = rng.randrange(self._state)
            self._show(_states()[1][self._state])

    def _tear(self, rng: random.Random) -> None:
        states = _states()[1]
        if not 0 <= self._state < len(states) - 1:
            return
        now, after = states[self._state], states[self._state + 1]
        same = {n for n in now if not n.endswith(".log")} == {
            n for n in after if not n.endswith(".log")
        }
        logs = [n for n in now if n.endswith(".log") and after.get(n, b"").startswith(now[n])]
        grown = [n for n in logs if len(after[n]) > len(now[n]) and "/seqs/" in f"/{n}"]
        if not same or len(grown) != 1:
            return
        name = grown[0]
        cut = rng.randint(len(now[name]), len(after[name]))
        self._show({**now, name: after[name][:cut]})
        self._torn = True

    def _show(self, files: dict[str, bytes]) -> None:
        self._torn = False
        top = self._root / ".aim"
        for name in _files(top).keys() - files.keys() if top.exists() else ():
            (top / name).unlink()
        for folder in sorted(top.rglob("*"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        for name, data in files.items():
            path = top / name
            if not path.exists() or path.stat().st_size != len(data) or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    def _away(self, rng: random.Random) -> None:
        self._move(self._elsewhere)

    def _back(self, rng: random.Random) -> None:
        self._move(self.path)

    def _move(self, place: Path) -> None:
        if self._root != place:
            if (self._root / ".aim").exists():
                os.rename(self._root / ".aim", place / ".aim")
            self._root = place


KINDS = {"repository": Kind(world=Repository, cost=4)}
