"""All reactions together: the watch is never held up, and its end ends everything."""

import json
import os
import socket
import threading

import pytest
from reaction_server import Server
from reaction_updates import CLOSED, change, standing, until, update

import trainlens.monitor.reactions as package
from trainlens.errors import UsageError
from trainlens.monitor.reactions import Reactions, Wanted, process

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the hooks here are of a POSIX shell")
ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.4)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def hook_to(folder):
    return f"cd {folder} && cat > .new && mv .new $TRAINLENS_RUN"


def test_nothing_wanted_starts_nothing():
    before = threading.active_count()
    reactions = Reactions(Wanted(), environ=ENV)
    assert reactions.react(update(change())) == ()
    assert threading.active_count() == before
    assert (reactions.stopping, reactions.close(0)) == ("", ())


def test_each_channel_is_told(tmp_path, server):
    wanted = Wanted(on_finding=hook_to(tmp_path), webhook=server.url)
    reactions = Reactions(wanted, environ=ENV)
    assert reactions.react(update(change(), runs=[standing(verdict="failing")])) == ()
    until(lambda: (tmp_path / "gpt").exists())
    assert json.loads((tmp_path / "gpt").read_text())["verdict"] == "failing"
    assert reactions.close(20) == ()
    assert len(json.loads(server.asked[0][2])["findings"]) == 1


def test_changes_of_rounds_close_to_each_other_are_posted_together(server):
    reactions = Reactions(Wanted(webhook=server.url), environ=ENV)
    reactions.react(update(change(number=1), change(number=2)))
    reactions.react(update(change(CLOSED, number=1)))
    assert reactions.close(20) == ()
    ((_, _, body),) = server.asked
    assert [f["number"] for f in json.loads(body)["findings"]] == [1, 2, 1]


def test_a_group_goes_out_by_itself(server, monkeypatch):
    monkeypatch.setattr(package, "_WINDOW", 0.05)
    reactions = Reactions(Wanted(webhook=server.url), environ=ENV)
    reactions.react(update(change()))
    until(lambda: server.asked)
    assert reactions.close(20) == ()


def test_the_watch_does_not_wait_for_a_hook(tmp_path):
    go = tmp_path / "go"
    line = f"while [ ! -e {go} ]; do sleep 0.02; done; exit 5"
    reactions = Reactions(Wanted(on_finding=line, most=3), environ=ENV)
    # The hook cannot end before these return: it waits for what comes after them.
    for n in range(50):
        reactions.react(update(*(change(number=100 * n + k) for k in range(20))))
    go.touch()
    said = reactions.close(20)
    assert said.count("hook: exit code 5") == 3
    # Each of the 1000 is either passed on or counted.
    counts = [int(text.split()[1]) for text in said if text.split()[1].isdigit()]
    assert sum(counts) == 997
    assert said[-1].endswith("were not passed on")


def test_what_is_held_back_is_said_and_summed_up_in_the_next_message(server, monkeypatch):
    monkeypatch.setattr(package, "_WINDOW", 0.0)
    now = [0.0]
    reactions = Reactions(Wanted(webhook=server.url, most=1), clock=lambda: now[0], environ=ENV)
    said = list(reactions.react(update(change(number=0))))
    until(lambda: len(server.asked) == 1)
    for n in range(1, 8):
        said += reactions.react(update(change(number=n)))

    def warned():
        said.extend(reactions.react(update()))
        return said

    until(warned)
    lane = reactions._lanes[0]
    until(lambda: lane._outbox.held == 7)
    now[0] = 700.0
    said += reactions.react(update(change(number=9)))
    until(lambda: len(server.asked) == 2)
    assert json.loads(server.asked[1][2])["held_back"] == 7
    said += reactions.close(20)
    assert said == [
        "webhook: too many messages, holding findings back",
        "webhook: 7 more findings were held back",
    ]


def test_a_slow_hook_holds_up_no_other_channel(server, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "_WINDOW", 0.0)
    wanted = Wanted(on_finding="sleep 300", webhook=server.url, hook_timeout=300)
    reactions = Reactions(wanted, environ=ENV)
    reactions.react(update(change()))
    until(lambda: server.asked)
    assert reactions.close(0) == ("hook: ended with the watch",)


def test_the_end_of_the_watch_ends_a_hook_that_refuses(tmp_path):
    pid = tmp_path / "pid"
    line = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.05; done"
    reactions = Reactions(Wanted(on_finding=line, hook_timeout=300), environ=ENV)
    reactions.react(update(change()))
    until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    assert reactions.close(0.1) == ("hook: ended with the watch",)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_ctrl_c_while_the_end_is_waited_for_ends_a_hook(tmp_path, monkeypatch):
    pid = tmp_path / "pid"
    reactions = Reactions(Wanted(on_finding=f"echo $$ > {pid}; exec sleep 300"), environ=ENV)
    reactions.react(update(change()))
    until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    join, calls = package.Lane.join, []

    def interrupted(self, wait):
        calls.append(wait)
        if len(calls) == 1:
            raise KeyboardInterrupt
        join(self, wait)

    monkeypatch.setattr(package.Lane, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reactions.close(300)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_hook_that_nearly_ended_is_given_its_time(tmp_path):
    reactions = Reactions(Wanted(on_finding=f"sleep 0.3; cat > {tmp_path}/out"), environ=ENV)
    reactions.react(update(change()))
    assert reactions.close(20) == ()
    assert json.loads((tmp_path / "out").read_text())["number"] == 1


def test_a_host_that_never_answers_does_not_hold_up_the_end():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        wanted = Wanted(webhook=f"http://127.0.0.1:{mute.getsockname()[1]}/x")
        reactions = Reactions(wanted, environ=ENV)
        reactions.react(update(change()))
        joined = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(package.Lane, "join", lambda self, wait: joined.append(wait))
            assert reactions.close(0) == ("webhook: 1 finding was not passed on",)
        assert max(joined) <= 0


def test_how_long_an_end_may_take():
    assert Wanted().patience == 0
    assert Wanted(on_finding="x", hook_timeout=5).patience == 5
    assert Wanted(on_finding="x", hook_timeout=5, webhook="https://x").patience == 30


def test_mild_findings_are_not_passed_on(tmp_path):
    reactions = Reactions(Wanted(on_finding=hook_to(tmp_path)), environ=ENV)
    reactions.react(update(change(severity="info", run="mild"), change(run="grave")))
    assert reactions.close(20) == ()
    assert [p.name for p in tmp_path.iterdir()] == ["grave"]


def test_what_is_missing_is_said_at_the_first_round(tmp_path):
    wanted = Wanted(notify=True, webhook="http://example.org/secret")
    reactions = Reactions(wanted, environ={"PATH": str(tmp_path)})
    said = reactions.react(update())
    assert len(said) == 2
    assert "prefer https" in said[0]
    assert "secret" not in said[0]
    assert said[1].startswith("desktop note: ")
    assert reactions.react(update()) == ()
    assert reactions.close(0) == ()


def test_a_mistake_in_a_channel_reaches_the_watch(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(process, "run", broken)
    reactions = Reactions(Wanted(on_finding="true"), environ=ENV)
    reactions.react(update(change()))

    def raised():
        try:
            reactions.react(update())
        except ZeroDivisionError:
            return True
        return False

    until(raised)
    assert reactions.close(0) == ("hook: 1 finding was not passed on",)


def test_bad_options_are_told_before_the_watch_begins():
    for wanted in (Wanted(webhook="x"), Wanted(stop_on=("x",)), Wanted(pid=2**22 + 1)):
        with pytest.raises(UsageError):
            Reactions(wanted, environ=ENV)


def test_hooks_inherit_nothing_but_what_they_should(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_THE_TEST", "1")
    out = tmp_path / "env"
    reactions = Reactions(Wanted(on_finding=f"env > {out}"), environ={**ENV, "GIVEN": "2"})
    reactions.react(update(change()))
    assert reactions.close(20) == ()
    text = out.read_text()
    assert "GIVEN=2" in text
    assert "TOKEN_OF_THE_TEST" not in text
