"""Real trainings in other processes, followed from their start until they are killed."""

import importlib.util
import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import trainlens
from tests.heeding import HEEDING
from trainlens.monitor.loop import Clocks, Monitor
from trainlens.monitor.model import OPENED
from trainlens.work import Judging

_SCRIPT = Path(__file__).with_name("training.py")
_spec = importlib.util.spec_from_file_location("watched_training", _SCRIPT)
training = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(training)

SPIKE, NAN = ("loss-spike", training.SPIKE), ("non-finite", training.BREAK + 2)
LIMIT = 240.0
"""Seconds after which a test gives up waiting: far beyond what a busy machine needs."""
SLACK = 60.0
"""Seconds beyond an interval that a busy machine may take to tell of a finding."""

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is missing"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9"),
]


def until(holds, what):
    """Wait until something holds; what it gives."""
    end = time.monotonic() + LIMIT
    while not (found := holds()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


class Training:
    """A training in a process of its own, and what it has acknowledged."""

    def __init__(self, folder, forms):
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), str(folder), ",".join(forms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.written = []
        self._ready = threading.Event()
        self._errors = []
        self._threads = [
            threading.Thread(target=self._hear, daemon=True),
            threading.Thread(target=self._heed, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _hear(self):
        for line in self._process.stdout:
            if line == "ready\n":
                self._ready.set()
            elif line.endswith("\n"):
                step, unix = line.split()
                assert int(step) == len(self.written)
                self.written.append(float(unix))

    def _heed(self):
        self._errors += self._process.stderr

    @property
    def last(self):
        """Step that was acknowledged last; -1 for none."""
        return len(self.written) - 1

    def begin(self):
        """Let it train, once it is ready to."""
        until(lambda: self._ready.is_set() or self._process.poll() is not None, "the training")
        assert self._process.poll() is None, "".join(self._errors)
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def reach(self, step):
        """Wait until a step was acknowledged."""
        until(lambda: self.last >= step, f"step {step}")

    def kill_amid(self, log):
        """End it at once while a record stands there by half."""
        with log.open("rb") as file:
            for _ in range(20_000):
                file.seek(-1, 2)
                if file.read() != b"\n":
                    break
        self.kill()

    def kill(self):
        """End it at once."""
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            stream.close()


@pytest.fixture
def train(tmp_path):
    """Starts trainings that end with the test."""
    started = []

    def start(*forms):
        started.append(Training(tmp_path / "runs", forms))
        return started[-1]

    yield start
    for one in started:
        one.kill()


# --- round by round ---------------------------------------------------------------------------


@dataclass
class Seen:
    """What rounds have shown of one run."""

    steps: list = field(default_factory=list)
    """Last step of the loss after each round; -1 before there was one."""
    opened: dict = field(default_factory=dict)
    """Round at which a rule and first step was told of."""
    changes: list = field(default_factory=list)


def loss_of(run):
    """The course of the training loss."""
    return next((t for t in run.trails if t.role == "loss" and t.split == "train"), None)


def said_of(told):
    """Rule, metric and first step of what a hook was told."""
    found = told
    return found["rule"], found["metric"], found["first_step"]


def facts(finding):
    """What of a finding a watch must have as a cold read has it."""
    return finding.rule, finding.metric, finding.split, finding.first_step, finding.severity


class Prefixes:
    """What a cold read of the first records of a log says."""

    def __init__(self, lines, folder):
        self._lines, self._file, self._known = lines, folder / "prefix.jsonl", {}

    def tells(self, what, last):
        """Whether a finding is told of the steps up to the last one."""
        if last not in self._known:
            self._file.write_bytes(b"".join(self._lines[: last + 1]))
            found = trainlens.diagnose(trainlens.load_one(self._file)).findings
            self._known[last] = {(f.rule, f.first_step) for f in found}
        return what in self._known[last]


def test_a_training_is_followed_from_before_its_start_until_it_is_killed(train, tmp_path):
    needed = {"tensorboard": "tensorboard", "aim": "aim"}
    forms = [f for f in training.LOGS if importlib.util.find_spec(needed.get(f, "json"))]
    process = train(*forms)
    ticks = itertools.count()  # a second a round, however long it takes
    monitor = Monitor(
        [str(process.folder)], Judging(), clocks=Clocks(tick=lambda: float(next(ticks)))
    )
    first = monitor.round()
    assert not first.runs
    assert "does not exist yet" in " ".join(first.notices)
    process.begin()
    seen = {}
    end = time.monotonic() + LIMIT
    while process.last < training.BREAK + 30:
        assert time.monotonic() < end
        take(monitor, seen, process.last)
        time.sleep(0.1)
    process.kill_amid(process.folder / training.LOGS["jsonl"])
    take(monitor, seen, process.last)
    last = take(monitor, seen, process.last, everything=True, final=True)
    monitor.close()

    lines = (process.folder / training.LOGS["jsonl"]).read_bytes().splitlines(keepends=True)
    oracle = Prefixes(lines, tmp_path)
    assert sorted(run.format for run in last.runs) == sorted(forms)
    for run in last.runs:
        one = seen[run.format]
        for what in (SPIKE, NAN):
            rounds = [n for n, step in enumerate(one.steps) if step >= what[1]]
            found = next(n for n in rounds if oracle.tells(what, one.steps[n]))
            assert one.opened[what] <= found + 1, (run.format, what)
        told = Counter((c.finding.rule, c.finding.metric, c.finding.first_step, c.kind)
                       for c in one.changes)  # fmt: skip
        assert told["loss-spike", loss_of(run).metric, SPIKE[1], OPENED] == 1
        assert told["non-finite", loss_of(run).metric, NAN[1], OPENED] == 1
        assert set(told.values()) == {1}

    cold = {run.format: run for run in trainlens.load(process.folder)}
    for run in last.runs:
        found = trainlens.diagnose(cold[run.format])
        assert sorted(facts(f) for _, f in run.findings) == sorted(map(facts, found.findings))
        assert run.verdict == found.verdict
        assert run.points == cold[run.format].points


def take(monitor, seen, acknowledged, **more):
    """A round; nothing that was acknowledged before it may be missing after it."""
    update = monitor.round(**more)
    for run in update.runs:
        one = seen.setdefault(run.format, Seen())
        loss = loss_of(run)
        one.steps.append(loss.last_step if loss is not None else -1)
        assert loss is None or loss.points == loss.last_step + 1
        assert one.steps[-1] >= acknowledged, (run.format, run.state, run.reason)
    for change in update.changes:
        run = next(r for r in update.runs if r.source == change.source)
        one = seen[run.format]
        one.changes.append(change)
        if change.kind == OPENED:
            what = (change.finding.rule, change.finding.first_step)
            one.opened.setdefault(what, len(one.steps) - 1)
    return update


# --- the command ------------------------------------------------------------------------------


class Watch:
    """The command in a process of its own; what it says, and what its hook has heard."""

    def __init__(self, log, folder, name):
        self._heard, self._state = folder / f"{name}.heard", folder / f"{name}.state"
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        hook = folder / f"{name}.sh"
        hook.write_text(
            'read -r told\nprintf \'{"heard": %s, "told": %s}\\n\' "$(date +%s.%N)" "$told" '
            f">> {self._heard.name}\n"
        )
        self._command = [
            sys.executable, "-m", "trainlens", "monitor", str(log), "--interval", "1", "--plain",
            "--state", str(self._state), "--on-finding", f"sh {hook.name}",
            # A busy machine slows the training down, and then no longer.
            "--ignore", "throughput-drop", "--ignore", "slow-batch",
        ]  # fmt: skip
        self._folder = folder
        self.process = None
        self.start()

    def start(self):
        """Begin to watch, or begin again."""
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                self._command, stdout=out, stderr=err, cwd=self._folder, **HEEDING
            )

    @property
    def heard(self):
        """What the hook has heard: rule, first step and event, and when."""
        if not self._heard.exists():
            return []
        lines = map(json.loads, self._heard.read_text().splitlines())
        return [(one["told"], one["heard"]) for one in lines]

    def hears(self, rule):
        """Wait until the hook has heard of a rule."""
        until(lambda: any(t["rule"] == rule for t, _ in self.heard), rule)

    @property
    def said(self):
        """Its output; it must not have ended."""
        assert self.process.poll() is None, self.complaints
        return self.lines

    @property
    def lines(self):
        """Its output."""
        return self._out.read_text()

    @property
    def complaints(self):
        """Its errors."""
        return self._err.read_text()

    @property
    def told(self):
        """Findings that its state keeps as open."""
        (run,) = json.loads(self._state.read_text())["runs"].values()
        return {(f["rule"], f["metric"], f["split"], f["first_step"])
                for f in run["findings"] if f["open"]}  # fmt: skip

    def end(self, number):
        """Send a signal, and give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT)


@pytest.fixture
def watch(tmp_path):
    """Starts watches that end with the test."""
    started = []

    def start(log, name):
        started.append(Watch(log, tmp_path, name))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


_LINE = re.compile(r"\d\d:\d\d:\d\d  \S.*|          what to do: \S.*")


def test_the_command_tells_once_and_in_time_though_it_is_killed_itself(train, watch):
    process = train("jsonl")
    log = process.folder / training.LOGS["jsonl"]
    steady, killed = watch(log, "steady"), watch(log, "killed")
    for one in (steady, killed):
        until(lambda one=one: "does not exist yet" in one.said, "the first line")
    process.begin()
    killed.hears("loss-spike")
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    process.reach(training.BREAK + 20)
    killed.start()
    begun = time.time()
    time.sleep(float(np.random.default_rng(0).uniform(0, 0.2)))
    process.kill()
    for one in (steady, killed):
        one.hears("non-finite")
        until(lambda one=one: f"step {process.last}" in one.said, f"step {process.last}")

    written = {"loss-spike": process.written[training.SPIKE + training.LASTS],
               "non-finite": process.written[training.BREAK + 2]}  # fmt: skip
    for one in (steady, killed):
        for rule, step in (SPIKE, NAN):
            what = rule, "total", step
            same = [(told, at) for told, at in one.heard if said_of(told) == what]
            assert [t["event"] for t, _ in same] == ["opened"], (rule, one.heard)
            late = same[0][1] - written[rule]
            assert late < 1 + SLACK or (one is killed and same[0][1] - begun < 1 + SLACK)
        told = Counter((t["number"], t["event"]) for t, _ in one.heard)
        assert set(told.values()) == {1}

    cold = {facts(f)[:4] for f in trainlens.diagnose(trainlens.load_one(log)).findings}
    for one in (steady, killed):
        assert one.told <= cold
        assert {rule for rule, *_ in one.told} >= {"loss-spike", "non-finite"}

    assert killed.end(signal.SIGINT) == 130
    assert steady.end(signal.SIGTERM) == 143
    for one in (steady, killed):
        assert "Traceback" not in one.complaints
        assert one.lines.endswith("\n")
        assert all(_LINE.fullmatch(line) for line in one.lines.splitlines())
