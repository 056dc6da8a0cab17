"""A process is killed while it saves, at moments of no plan: what was saved before is there.

A few kills; as many as ``TRAINLENS_KILLS`` says where it is set.
"""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.torch.loop.saving import filled, save_until_killed, saver_of  # noqa: E402

if not hasattr(signal, "SIGKILL"):
    pytest.skip("there is no SIGKILL", allow_module_level=True)

KILLS = int(os.environ.get("TRAINLENS_KILLS", "6"))


def acknowledged(folder):
    path = folder / "done"
    text = path.read_text() if path.exists() else ""
    return [int(line) for line in text.splitlines()]


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


def test_what_was_saved_survives_a_kill(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.torch.loop.saving"])
    moments, unfinished = random.Random(4), 0
    for _ in range(KILLS):
        before = len(acknowledged(tmp_path))
        process = context.Process(target=save_until_killed, args=(str(tmp_path),), daemon=True)
        process.start()
        until(lambda before=before: len(acknowledged(tmp_path)) > before)
        time.sleep(moments.uniform(0.0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        saves = tmp_path / "saves"
        unfinished += any(p.name.startswith(".") for p in Path(saves).iterdir())
        model, clock, saver = saver_of(saves)
        found = saver.resume()  # no fallback: the newest one is whole
        done = acknowledged(tmp_path)
        assert done[-1] <= found.step <= done[-1] + 1
        assert torch.equal(model["w"].detach(), filled(found.step))
        assert clock.updates == found.step
    assert done == sorted(set(done))
    assert KILLS < 100 or unfinished > 0  # some kills came in the middle of a save
