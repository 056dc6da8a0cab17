"""``--pid``: signals to processes that these tests start."""

import os
import signal
import subprocess
import sys

import pytest
from reaction_updates import AGAIN, CLOSED, OPENED, WORSE, change, finding, standing, until, update

from trainlens.errors import UsageError
from trainlens.monitor.model import WAITING
from trainlens.monitor.reactions import Reactions, Wanted, signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no signals")
KNOWN = ("loss-spike", "divergence")
CALM = update()


@pytest.fixture
def training():
    """A process that ends with code 42 on SIGTERM and 43 on SIGUSR1."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(43))\n"
        "print('on', flush=True)\ntime.sleep(120)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"on\n"
        yield process
        process.kill()


def watch(process, *updates, **options):
    """What was said over some rounds."""
    reactions = Reactions(Wanted(pid=process.pid, **options), known=KNOWN, environ={})
    said = [line for one in updates for line in reactions.react(one)]
    assert reactions.close(0) == ()
    return said


def test_what_opens_while_watching_sends_the_signal_once(training):
    said = watch(training, CALM, update(change()), update(change(number=2)))
    assert said == [
        f"sent SIGTERM to process {training.pid} because of error "
        "'Divergence at step 12\u202f000' of run gpt (--signal-on error)"
    ]
    assert training.wait(20) == 42


def test_another_signal(training):
    assert len(watch(training, CALM, update(change()), signal="usr1")) == 1
    assert training.wait(20) == 43


@pytest.mark.parametrize(
    "late",
    [
        update(change(WORSE, before="warning")),
        update(change(AGAIN)),
        update(change(run="new"), runs=[standing(), standing("new", [finding()])]),
    ],
)
def test_what_counts(training, late):
    assert len(watch(training, CALM, late)) == 1
    assert training.wait(20) == 42


def test_a_run_that_began_after_the_watch_counts_from_its_first_look(training):
    empty = standing(state=WAITING, points=0, step=None, looked=None)
    assert len(watch(training, update(runs=[empty]), update(change()))) == 1
    assert training.wait(20) == 42


def test_a_run_of_a_folder_that_was_empty_counts(training):
    assert len(watch(training, update(runs=[]), update(change()))) == 1
    assert training.wait(20) == 42


@pytest.mark.parametrize(
    "rounds",
    [
        # Opened at the first look; told by an earlier watch; looked at first in a later round.
        [update(change(), runs=[standing(findings=[finding()])])],
        [update(runs=[standing(findings=[finding()])])],
        [update(runs=[standing(looked=None)]),
         update(change(), runs=[standing(findings=[finding()])])],
    ],
)  # fmt: skip
def test_what_was_there_at_the_first_look_sends_nothing(training, rounds):
    said = watch(training, *rounds, update(runs=[standing(findings=[finding()])]))
    assert said == [
        f"process {training.pid} gets no signal for error 'Divergence at step 12\u202f000' of run "
        "gpt: that was there when the watch began"
    ]
    assert training.poll() is None


def test_what_is_too_mild_or_over_sends_nothing(training):
    late = update(change(OPENED, 1, "warning"), change(CLOSED, 2))
    assert watch(training, CALM, late) == []
    assert training.poll() is None


def test_it_follows_stop_on_unless_told_otherwise(training):
    spike = update(change(severity="info", rule="loss-spike"))
    assert watch(training, CALM, update(change()), stop_on=("loss-spike",)) == []
    assert watch(training, CALM, spike, stop_on=("loss-spike",), signal_on=("error",)) == []
    assert len(watch(training, CALM, spike, stop_on=("loss-spike",))) == 1
    assert training.wait(20) == 42


def test_a_process_that_has_ended_gets_nothing(training):
    reactions = Reactions(Wanted(pid=training.pid), environ={})
    reactions.react(CALM)
    training.kill()
    until(lambda: signals.began(training.pid) == "")  # not asked for yet: a zombie
    (said,) = reactions.react(update(change()))
    assert said.startswith(f"process {training.pid} has ended, so that SIGTERM was not sent")


def test_another_process_with_that_number_gets_nothing(training, monkeypatch):
    reactions = Reactions(Wanted(pid=training.pid), environ={})
    reactions.react(CALM)
    monkeypatch.setattr(signals, "began", lambda pid: "later")
    (said,) = reactions.react(update(change()))
    assert "has ended" in said
    assert training.poll() is None


def test_what_is_refused_is_said_once(training, monkeypatch):
    reactions = Reactions(Wanted(pid=training.pid), environ={})
    reactions.react(CALM)

    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(signals.os, "kill", refuse)
    (said,) = reactions.react(update(change()))
    assert "could not be sent" in said
    assert "Operation not permitted" in said
    assert reactions.react(update(change(number=2))) == ()


def test_when_a_process_began(training, monkeypatch, tmp_path):
    own, other = signals.began(os.getpid()), signals.began(training.pid)
    assert own
    assert other
    assert int(own) <= int(other)
    assert signals.began(2**22 + 1) == ""


def test_a_name_with_brackets_hides_no_moment(monkeypatch, tmp_path):
    for folder in ("self", "7"):
        (tmp_path / folder).mkdir()
    fields = " ".join(str(n) for n in range(4, 23))
    (tmp_path / "self" / "stat").write_text("")
    (tmp_path / "7" / "stat").write_text(f"7 (a) Z (b) S {fields}")
    monkeypatch.setattr(signals, "_PROC", tmp_path)
    assert signals.began(7) == "22"
    (tmp_path / "7" / "stat").write_text(f"7 (python) Z {fields}")
    assert signals.began(7) == ""


def test_without_proc_ps_is_asked(training, monkeypatch, tmp_path):
    ps = tmp_path / "ps"
    ps.write_text("#!/bin/sh\necho 'S+   Sat Nov 21 18:00:00 2026 '\n")
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(signals, "_PROC", tmp_path / "none")
    assert signals.began(training.pid) == "Sat Nov 21 18:00:00 2026"
    ps.write_text("#!/bin/sh\nexit 1\n")
    assert signals.began(training.pid) == ""
    ps.write_text("#!/bin/sh\necho 'Z    Sat Nov 21 18:00:00 2026'\n")
    assert signals.began(training.pid) == ""


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**70])
def test_no_such_process(pid):
    with pytest.raises(UsageError, match=r"^--pid"):
        Reactions(Wanted(pid=pid), environ={})


def test_not_this_process_nor_one_that_is_not_ours(training, monkeypatch):
    with pytest.raises(UsageError, match="the process that trains"):
        Reactions(Wanted(pid=os.getpid()), environ={})

    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(signals.os, "kill", refuse)
    with pytest.raises(UsageError, match="belongs to another user"):
        Reactions(Wanted(pid=training.pid), environ={})


def test_a_process_that_ended_before_the_watch(training):
    training.kill()
    until(lambda: signals.began(training.pid) == "")
    with pytest.raises(UsageError, match="has ended"):
        Reactions(Wanted(pid=training.pid), environ={})


def test_names_of_signals():
    assert {signals.number(t) for t in ("TERM", "sigterm", " 15 ")} == {signal.SIGTERM}
    for text in ("", "0", "KILLL", "999", "-15", "SIG", "\u0661\u0665"):
        with pytest.raises(UsageError, match="is no signal"):
            signals.number(text)
