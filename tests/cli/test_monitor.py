"""``trainlens monitor`` as a shell starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.heeding import HEEDING
from tests.monitor.growing import add, falling, record
from tests.shell import run

SICK = [
    *(record(s, falling(s)) for s in range(80)),
    *(record(s, float("nan")) for s in range(80, 90)),
]


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINLENS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def log(tmp_path):
    (tmp_path / "logs").mkdir()
    add(tmp_path / "logs" / "nan.jsonl", *SICK)
    return tmp_path / "logs" / "nan.jsonl"


def test_once_tells_what_is_new_since_the_last_time(log):
    code, out, _ = run("monitor", "--once", log)
    assert code == 0
    assert out.count("NEW error: Non-finite values at step 80") == 1
    code, out, _ = run("monitor", "--once", log)
    assert code == 0
    assert "NEW" not in out
    assert "failing" in out


def test_no_state_tells_everything_and_keeps_nothing(log, state):
    for _ in range(2):
        assert "NEW error" in run("monitor", "--once", "--no-state", log)[1]
    assert not state.exists()


def test_the_state_may_lie_elsewhere(log, tmp_path):
    file = tmp_path / "mine.json"
    run("monitor", "--once", "--state", file, log)
    assert json.loads(file.read_text())["schema"] == "trainlens.monitor/1"


@pytest.mark.parametrize("path", ["later.jsonl", "logs/*.csv", "empty"])
def test_once_without_a_run_is_the_error_of_the_other_commands(tmp_path, path):
    (tmp_path / "empty").mkdir()
    code, out, err = run("monitor", "--once", tmp_path / path)
    assert (code, out) == (2, "")
    assert err == run("diagnose", tmp_path / path)[2]


def test_once_tells_of_the_runs_that_are_there_and_that_a_path_is_missing(log, tmp_path):
    code, out, _ = run("monitor", "--once", log, tmp_path / "later.jsonl")
    assert code == 2
    assert "NEW error" in out
    assert "does not exist yet" in out


@pytest.mark.parametrize(
    ("wanted", "code"), [("error", 1), ("non-finite", 1), ("stagnation", 0), ("warning", 1)]
)
def test_stop_on_is_the_exit_code(log, wanted, code):
    assert run("monitor", "--once", "--stop-on", wanted, log)[0] == code


def test_strict_is_the_exit_code_of_damage(log):
    assert run("monitor", "--once", "--strict", log)[0] == 0
    add(log, '{"step": 90, "losses": {"to\n', *(record(s, 1.0) for s in range(91, 95)))
    assert run("monitor", "--once", "--strict", log)[0] == 1


def test_a_command_hears_of_a_finding(log, tmp_path):
    out = tmp_path / "heard.json"
    run("monitor", "--once", "--on-finding", f"cat > {out}", log)
    told = json.loads(out.read_text())
    assert told["schema"] == "trainlens.finding/1"
    assert (told["event"], told["rule"]) == ("opened", "non-finite")


def test_a_page_is_kept(log, tmp_path):
    page = tmp_path / "live.html"
    run("monitor", "--once", "--html", page, log)
    assert "Non-finite values" in page.read_text()


def test_once_a_page_that_cannot_be_written_is_an_error_after_all_is_told(log, tmp_path):
    code, out, err = run("monitor", "--once", "--html", tmp_path / "no" / "live.html", log)
    assert code == 2
    assert "NEW error" in out
    assert "live.html: cannot be written" in err
    assert "again" not in out + err


def test_the_mode_for_pictures(log, tmp_path):
    code, out, _ = run("monitor", "--mode", "plot", "-o", tmp_path / "out", log)
    assert code == 0
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".png"}
    assert len(out.splitlines()) == len(list((tmp_path / "out").iterdir()))


def test_the_mode_for_all(log, tmp_path):
    code, out, _ = run("monitor", "--mode", "all", "-o", tmp_path / "out", log)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert code == 0
    assert {"index.html", "report.json"} < names
    assert any(name.endswith(".png") for name in names)
    assert "Broken at step 80" in out


@pytest.mark.parametrize("mode", ["all", "plot"])
def test_strict_holds_for_every_mode(log, tmp_path, mode):
    asked = ("monitor", "--mode", mode, "--strict", "-o", tmp_path / "out", log)
    assert run(*asked)[0] == 0
    add(log, '{"step": 90, "losses": {"to\n', *(record(s, 1.0) for s in range(91, 95)))
    assert run(*asked)[0] == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--state", "a", "--no-state"], "exclude each other"),
        (["--target", "a<1", "--baseline", "b"], "exclude each other"),
        (["--target", "what is this"], "what is this"),
        (["--stop-on", "nonsense"], "nonsense"),
        (["--signal-on", "error"], "--pid"),
        (["--interval", "0"], "interval"),
        (["--mode", "none"], "none"),
        (["--profile", "none"], "none"),
    ],
)
def test_wrong_options_are_one_line(log, options, problem):
    code, out, err = run("monitor", "--once", *options, log)
    assert code == 2
    assert problem in err
    assert "Traceback" not in err
    assert out == ""


# --- as a process -------------------------------------------------------------------------------


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "trainlens", "monitor", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **HEEDING,
    )  # fmt: skip


def line_with(stream, text, seconds=60):
    """The first line that holds a text."""
    until = time.monotonic() + seconds
    for line in stream:
        if text in line:
            return line
        if time.monotonic() > until:
            break
    pytest.fail(f"no line with {text!r}")


@pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_asked_to(log, number, code):
    with started("--interval", "0.2", "--plain", log) as process:
        line_with(process.stdout, "NEW error")
        process.send_signal(number)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err


def test_a_growing_log_is_followed(log):
    with started("--interval", "0.2", "--plain", "--no-state", log.parent) as process:
        try:
            line_with(process.stdout, "NEW error")
            add(log.parent / "second.jsonl", *SICK)
            line = line_with(process.stdout, "NEW error")
            assert "second" in line
        finally:
            process.kill()


def test_a_pipe_that_is_closed_is_no_traceback(log):
    with started("--interval", "0.2", "--plain", "--no-state", log) as process:
        line_with(process.stdout, "NEW error")
        process.stdout.close()
        add(log, *(record(s, 1.0) for s in range(90, 95)))
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
        assert "Traceback" not in process.stderr.read()


def test_the_names_that_browsers_may_use_reach_the_server(log):
    with started("--interval", "0.2", "--plain", "--serve", "--known-as", "lab", log) as process:
        try:
            url = urlsplit(line_with(process.stderr, "Live page").split()[-1])
            line_with(process.stdout, "NEW error")
            codes = [answered(url, f"{name}:{url.port}") for name in ("lab", "localhost", "evil")]
        finally:
            process.kill()
    assert codes == [200, 200, 403]


def answered(url, host):
    """Status of an answer to a request for the page by a name of the machine."""
    connection = HTTPConnection(url.hostname, url.port, timeout=30)
    try:
        connection.request("GET", f"{url.path}?{url.query}", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()
