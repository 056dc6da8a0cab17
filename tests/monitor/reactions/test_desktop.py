"""``--notify``, with stand-ins for the programs that show notes."""

import json
import os
import sys

import pytest
from hostile import PAYLOADS
from reaction_updates import CLOSED, change

from trainlens.monitor.reactions.desktop import Desktop, texts
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import told

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are scripts of POSIX")


@pytest.fixture
def stand_in(tmp_path):
    """Makes a program that writes its arguments to a file."""

    def make(name, code=0):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            f"told = sys.argv[1:], os.environ['TRAINLENS_TITLE'], os.environ['TRAINLENS_BODY']\n"
            f"json.dump(told, open({str(tmp_path / 'shown')!r}, 'w'))\n"
            f"print('no bus', file=sys.stderr)\nsys.exit({code})\n"
        )
        program.chmod(0o755)
        return {"PATH": str(program.parent), "DISPLAY": ":0"}

    return make


def one(**more):
    return Message((told(change(**more), None),))


def shown(tmp_path):
    return json.loads((tmp_path / "shown").read_text())


def test_a_note_on_linux(stand_in, tmp_path):
    assert Desktop(stand_in("notify-send"), "linux").send(one(message="a < b & c")) == ""
    arguments, _, _ = shown(tmp_path)
    assert arguments == [
        "--app-name=trainlens",
        "--urgency=critical",
        "--",
        "Error: Divergence at step 12\u202f000",
        "Run gpt: a &lt; b &amp; c",
    ]


def test_only_an_error_is_urgent(stand_in, tmp_path):
    desktop = Desktop(stand_in("notify-send"), "linux")
    for more in ({"severity": "warning"}, {"kind": CLOSED}):
        assert desktop.send(one(**more)) == ""
        assert "--urgency=normal" in shown(tmp_path)[0]


def test_a_note_on_macos(stand_in, tmp_path):
    assert Desktop(stand_in("osascript"), "darwin").send(one()) == ""
    arguments, title, body = shown(tmp_path)
    assert arguments[-2:] == [title, body]
    assert arguments[:6:2] == ["-e"] * 3
    assert "argv" in arguments[3]


def test_a_note_on_windows(stand_in, tmp_path):
    assert Desktop(stand_in("powershell"), "win32").send(one(message="$(hit)'\"")) == ""
    arguments, _, body = shown(tmp_path)
    assert not any("hit" in a for a in arguments)
    assert body == "Run gpt: $(hit)'\""


def test_several_findings_are_one_note():
    told_of = [told(change(number=n, severity="warning"), None) for n in range(6)]
    title, body = texts(Message((told(change(), None), *told_of), 7))
    assert title == "trainlens: 1 error, 6 warnings"
    lines = body.splitlines()
    assert lines[0] == "Error: Divergence at step 12\u202f000 (run gpt)"
    assert lines[-2:] == ["and 3 more findings", "7 more findings were held back"]
    assert len(lines) == 6


def test_what_is_missing_is_said(stand_in, tmp_path):
    env = stand_in("notify-send")
    assert Desktop(env, "linux").missing == ""
    assert "no display" in Desktop({"PATH": env["PATH"]}, "linux").missing
    assert Desktop({**env, "PATH": str(tmp_path)}, "linux").missing == (
        "desktop note: notify-send is not installed, none is shown"
    )
    assert "osascript" in Desktop(env, "darwin").missing


def test_a_note_that_fails_is_said(stand_in):
    assert Desktop(stand_in("notify-send", 1), "linux").send(one()) == "exit code 1: no bus"


@pytest.mark.parametrize("text", ["--help", "-x", "\x1b[31m", "\ud800", "\0", *PAYLOADS[::17]])
def test_hostile_text_is_only_text(text, stand_in, tmp_path):
    assert Desktop(stand_in("notify-send"), "linux").send(one(run=text, message=text)) == ""
    arguments, _, body = shown(tmp_path)
    assert len(arguments) == 5
    assert "<" not in arguments[4]
    assert body.isprintable()
