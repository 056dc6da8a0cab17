"""Checkpoints that are damaged, or hostile, are refused in one line."""

import json
import os
import pickle

import pytest

torch = pytest.importorskip("torch")

from tests.torch.loop.test_checkpoint import lone, names  # noqa: E402 - after the skip
from trainlens_torch.loop import DamagedCheckpoint  # noqa: E402
from trainlens_torch.loop.plain import Written  # noqa: E402

DAMAGES = {
    "cut in half": (
        r"shared.pt has \d+ of \d+ bytes", lambda p: _rewrite(p, lambda b: b[: len(b) // 2]),
    ),
    "empty": (r"has 0 of \d+ bytes", lambda p: _rewrite(p, lambda b: b"")),
    "one bit": ("checksum", lambda p: _rewrite(p, lambda b: b[:99] + bytes([b[99] ^ 1]) + b[100:])),
    "missing": ("No such file", lambda p: (p / "shared.pt").unlink()),
    "no manifest": ("manifest.json cannot be read", lambda p: (p / "manifest.json").unlink()),
    "torn manifest": ("manifest.json cannot be read", lambda p: _manifest(p, lambda t: t[:50])),
    "other manifest": ("none of trainlens", lambda p: _manifest(p, lambda t: "[1]")),
    "manifest without files": ("lacks entries", lambda p: _told(p, files={})),
    "manifest that leads away": ("lacks entries", lambda p: _told(p, files={
        "../../x.pt": {"bytes": 1, "sha256": ""}, "shared.pt": {"bytes": 1, "sha256": ""}})),
}  # fmt: skip


def _rewrite(path, change):
    file = path / "shared.pt"
    file.write_bytes(change(file.read_bytes()))


def _manifest(path, change):
    file = path / "manifest.json"
    file.write_text(change(file.read_text()))


def _told(path, **changed):
    _manifest(path, lambda text: json.dumps({**json.loads(text), **changed}))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_taken(damage, tmp_path):
    says, do = DAMAGES[damage]
    clock, saver = lone(tmp_path)
    for step in (1, 2):
        clock.tick()
        saver.save(step)
    clock.tick()
    do(tmp_path / "save-000001-step-2")
    with pytest.raises(DamagedCheckpoint, match=says) as raised:
        saver.resume()
    assert "\n" not in str(raised.value)
    assert "resume(fallback=True)" in str(raised.value)
    assert clock.updates == 3
    with pytest.warns(RuntimeWarning, match="passed over: .*save-000001"):
        found = saver.resume(fallback=True)
    assert (found.step, clock.updates, len(found.passed_over)) == (1, 1, 1)
    saver.save(5)  # numbers go on behind the damaged one, which is left alone
    assert names(tmp_path)[1:] == ["save-000001-step-2", "save-000002-step-5"]


def test_nothing_but_damaged_ones(tmp_path):
    _, saver = lone(tmp_path)
    _rewrite(saver.save(1), lambda data: b"")
    with pytest.raises(DamagedCheckpoint, match="all checkpoints are damaged, 1 of them"):
        saver.resume(fallback=True)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("form", ["zip", "pickle", "text"])
def test_nothing_in_a_file_is_run(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, saver = lone(tmp_path / "saves")
    path = saver.save(1)
    bad = path / "shared.pt"
    if form == "zip":
        torch.save({"clock": Evil()}, bad)
    else:
        bad.write_bytes(pickle.dumps(Evil()) if form == "pickle" else b"not a checkpoint at all")
    _told(path, files={**json.loads((path / "manifest.json").read_text())["files"],
                       "shared.pt": Written.of(bad)})  # fmt: skip
    with pytest.raises(DamagedCheckpoint, match="more than tensors and plain values") as raised:
        saver.resume()
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "evil").exists()
