"""``--on-finding``: real commands that read, hang, refuse to end, flood, or are not there."""

import json
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest
from hostile import PAYLOADS
from reaction_updates import AT, change, standing, until

from trainlens.monitor.model import WORSE
from trainlens.monitor.reactions import process
from trainlens.monitor.reactions.command import Command, variables
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import told
from trainlens.render.json import finding_dict

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the hooks here are of a POSIX shell")
ENV = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.4)


def send(line, one=None, *, held=0, timeout=20.0):
    one = one or told(change(), standing())
    return Command(line, timeout, ENV).send(Message((one,), held))


def alive(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def pid_in(file):
    until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_a_hook_gets_the_finding(tmp_path):
    out = tmp_path / "told.json"
    one = told(change(WORSE, 7, before="warning"), standing())
    assert send(f"cat > {out}", one, held=3) == ""
    assert json.loads(out.read_text()) == {
        "schema": "trainlens.finding/1",
        "event": "worse",
        "number": 7,
        "run": "gpt",
        "source": "/logs/gpt.jsonl",
        "at": "2023-11-14T22:13:20.250Z",
        "unix": AT,
        "before": "warning",
        **finding_dict(one.change.finding),
        "step": 12500,
        "planned": 20000,
        "progress": 0.625,
        "verdict": "failing",
        "held_back": 3,
    }
    assert out.read_text().count("\n") == 1


def test_a_hook_gets_variables(tmp_path):
    out = tmp_path / "env"
    assert send(f"env | grep -e ^TRAINLENS -e ^HOME | sort > {out}") == ""
    assert out.read_text().splitlines() == [
        "HOME=/nowhere",
        "TRAINLENS_EVENT=opened",
        "TRAINLENS_RULE=divergence",
        "TRAINLENS_RUN=gpt",
        "TRAINLENS_SEVERITY=error",
        "TRAINLENS_STEP=12000",
    ]


def test_the_step_is_that_of_the_finding_else_of_the_run_else_none():
    steps = [
        variables(told(change(), standing())),
        variables(told(change(first_step=None), standing())),
        variables(told(change(first_step=None), None)),
    ]
    assert [v["TRAINLENS_STEP"] for v in steps] == ["12000", "12500", ""]


def test_a_hook_that_reads_nothing_is_not_waited_for():
    large = told(change(message="x" * 2_000_000), standing())
    assert send("true", large) == ""
    assert send("exec 0<&-; true", large) == ""


def test_a_large_finding_arrives_whole(tmp_path):
    out = tmp_path / "told.json"
    assert send(f"cat > {out}", told(change(message="x" * 2_000_000), None)) == ""
    assert len(json.loads(out.read_text())["message"]) == 2_000_000


def test_a_failure_tells_its_last_line_without_control_characters():
    said = send(r"printf 'first\nbad \033[31mthing\007\n\n' >&2; exit 3")
    assert said == "exit code 3: bad [U+001B][31mthing[U+0007]"


def test_a_failure_that_speaks_on_standard_output_is_told_too():
    assert send("echo no such channel; exit 1") == "exit code 1: no such channel"


def test_a_command_that_is_not_there():
    assert send("no-such-command-at-all --now").startswith("command not found: ")


def test_a_shell_that_is_not_there(monkeypatch):
    def refuse(*args, **kwargs):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(process.subprocess, "Popen", refuse)
    assert send("true") == "cannot be started: No such file or directory"


def test_a_hook_that_dies_of_a_signal():
    assert send("kill -USR1 $$") == f"killed by signal {int(signal.SIGUSR1)}"


def test_a_hook_that_hangs_is_ended_with_its_children(tmp_path):
    child = tmp_path / "child"
    said = send(f"sleep 300 & echo $! > {child}; echo waiting >&2; wait", timeout=0.5)
    assert said == "no end within 0.5 s, so it was ended: waiting"
    until(lambda: not alive(pid_in(child)))


def test_a_hook_that_refuses_to_end_is_killed(tmp_path):
    child = tmp_path / "child"
    line = f"trap '' TERM; echo $$ > {child}; while :; do sleep 0.05; done"
    assert send(line, timeout=0.5).startswith("no end within 0.5 s")
    assert not alive(pid_in(child))


def test_a_child_that_refuses_to_end_is_killed_though_its_shell_ends(tmp_path):
    child = tmp_path / "child"
    inner = shlex.quote(f"trap '' TERM; echo $$ > {child}; while :; do sleep 0.05; done")
    assert send(f"sh -c {inner} & wait", timeout=0.5).startswith("no end within 0.5 s")
    until(lambda: not alive(pid_in(child)))


def test_what_a_hook_leaves_running_goes_on_and_is_not_waited_for(tmp_path):
    child = tmp_path / "child"
    # It holds both outputs of the hook.
    assert send(f"sleep 300 & echo $! > {child}; echo oops >&2; exit 4") == "exit code 4: oops"
    pid = pid_in(child)
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_flood_is_not_kept():
    flood = f"{sys.executable} -c \"import os; [os.write(2, b'y' * 65536) for _ in range(64)]\""
    streams = []
    heard = process._Heard._listen

    def listen(self, stream):
        streams.append(self)
        heard(self, stream)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process._Heard, "_listen", listen)
        said = send(f"{flood}; echo >&2; echo the end >&2; exit 1")
    assert said == "exit code 1: the end"
    assert max(len(s._kept) for s in streams) == 1 << 16


def test_a_flood_without_end_is_ended():
    said = send("yes >&2", timeout=0.5)
    assert said.startswith("no end within 0.5 s, so it was ended: ")
    assert len(said) < 400


def test_a_hook_can_be_ended_early(tmp_path):
    child = tmp_path / "child"
    hook = Command(f"echo $$ > {child}; sleep 300", 300.0, ENV)
    said = []
    thread = threading.Thread(
        target=lambda: said.append(hook.send(Message((told(change(), None),))))
    )
    thread.start()
    pid = pid_in(child)
    hook.cancel()
    thread.join(20)
    assert said == ["ended with the watch"]
    assert not alive(pid)


def test_ctrl_c_at_the_keyboard_is_not_for_hooks(tmp_path):
    out = tmp_path / "session"
    assert send(f"ps -o sid= -p $$ > {out} || cut -d' ' -f6 /proc/$$/stat > {out}") == ""
    assert int(out.read_text()) != os.getsid(0)


# --- hostile logs -----------------------------------------------------------------------------

INJECTIONS = (
    "$(touch hit)", "`touch hit`", "; touch hit;", "| touch hit", "&& touch hit", "\ntouch hit\n",
    "'; touch hit; '", '"; touch hit; "', "x\0y", "--help", "-rf", "../../etc/passwd", "~root",
    "*", "() { :;}; touch hit", "%PATH%", "\x1b]0;t\x07", "\ud800", "\u202eabc", "${IFS}touch$IFS",
)  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_of_a_log_runs_nothing(text, tmp_path):
    """Not even where a hook hands the variables to another shell without quotes."""
    one = told(change(run=text, rule=text, message=text, metric=text), None)
    hook = Command(
        f"cd {tmp_path} && cat > told.json && env > variables && "
        'sh -c "printf %s. $TRAINLENS_RUN $TRAINLENS_RULE > words" && eval echo $TRAINLENS_RUN',
        20.0,
        ENV,
    )
    assert hook.send(Message((one,))) == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["told.json", "variables", "words"]
    assert (tmp_path / "words").read_text().count(".") >= 2
    given = json.loads((tmp_path / "told.json").read_text())
    assert given["run"] == given["message"] == text
    assert (tmp_path / "told.json").read_text().isascii()


def test_variables_are_plain_words():
    for text in (*INJECTIONS, *PAYLOADS):
        for name, word in variables(told(change(run=text, rule=text), None)).items():
            assert word.isascii()
            assert word.isprintable()
            assert not set(word) & set(" \t\n\\'\"`$;&|<>(){}[]*?~#!%^"), (name, text)
            assert not word.startswith("-")
            assert ".." not in word
