"""What a logger tells while it writes is what `trainlens` finds in the file afterwards."""

import json
from collections import Counter

import numpy as np
import pytest

import trainlens
from tests.shell import run
from tests.torch.record.random_logs import Training
from trainlens import words
from trainlens.detect.layers import gradient_norm
from trainlens.detect.spike import find_spikes
from trainlens.rules import all_rules
from trainlens_torch import RunLogger, Watcher
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.past import entries

PROFILES = ("default", "seed")
SEEDS = range(30)
WATCHED = ("loss-spike", "outlier", "gradient-explosion", "polarized-gate", "low-coverage",
           "slow-batch", "non-finite", "out-of-memory")  # fmt: skip
KINDS = ("gradient_explosion", "slow_batch", "alpha_polarized", "low_coverage", "non_finite",
         "out_of_memory")  # fmt: skip
SINGLE = [
    ("slow-batch", "slow_batch", "batch-time"),
    ("low-coverage", "low_coverage", "coverage"),
    ("polarized-gate", "alpha_polarized", "gate"),
]
RAW = ("non_finite", "out_of_memory")


class Recorded:
    """A log that was written with a watcher, and what was told while it was."""

    def __init__(self, folder, profile, seed):
        self.watcher = Watcher(profile)
        with RunLogger(folder, watchers=[self.watcher], sync=True, clock=lambda: 1.7e9) as log:
            for call in Training(seed).calls():
                log.log(call.step, call.losses, call.stats, split=call.split)
        assert (log.errors, log.dropped) == (0, 0)
        self.entries = list(entries(folder))
        self.run = trainlens.load_one(folder)
        self.profile = profile

    def told(self, series, kind):
        """Steps at which a kind was told of a series, of the records that hold in the end."""
        found = []
        for e in self.entries:
            if logged_as(e, series.name) != series.split:
                continue
            if kind not in RAW:
                found = [step for step in found if step < e.step]
            found += [e.step for a in e.anomalies if is_of(a, kind, series.name)]
        return found

    def known(self, series, kind):
        """Events that the watcher knows at the end, in order."""
        found = [
            event
            for split, name, of, event in self.watcher.events()
            if (split, name, of) == (series.split, series.name, kind)
        ]
        return sorted(found, key=lambda event: event.first_index)

    def findings(self, rule):
        settings = {"most": 10_000} if "most" in all_rules(self.profile)[rule].defaults else {}
        return all_rules(self.profile)[rule](self.run, settings)


def logged_as(entry, name):
    """Split under which an entry holds a name, None where it does not."""
    return entry.split if name in entry.losses or name in entry.stats else None


def is_of(anomaly, kind, name):
    return anomaly["type"] == kind and anomaly["message"].startswith(f"{name} ")


def failed(findings):
    return [f for f in findings if f.status == "fail"]


def passed(findings):
    return [f for f in findings if f.status == "pass"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    held = {}

    def get(profile, seed):
        if (profile, seed) not in held:
            folder = tmp_path_factory.mktemp("log") / "a"
            held[profile, seed] = Recorded(folder, profile, seed)
        return held[profile, seed]

    return get


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_new_watcher_tells_the_same_of_each_record_read_back(recorded, profile, seed):
    log = recorded(profile, seed)
    again = Watcher(profile)
    for entry in log.entries:
        assert repr(again.see(entry)) == repr(list(entry.anomalies))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_event_was_told_where_it_was_first_known_and_nothing_else(recorded, profile, seed):
    log = recorded(profile, seed)
    for series in log.run.series.values():
        for kind in KINDS:
            begun = [e.first_step for e in log.known(series, kind)]
            assert log.told(series, kind) == begun, (series, kind)
        of = {kind: log.known(series, f"loss_{kind}") for kind in ("spike", "outlier")}
        events = [*of["spike"], *of["outlier"]]
        for kind, found in of.items():
            told = log.told(series, f"loss_{kind}")
            # As what it ends each was told, and nothing was told but within one of them: an
            # outlier that lasts becomes a spike, a spike with a late single point an outlier.
            within = {e: range(e.first_step, reach(series, e) + 1) for e in events}
            assert all(any(step in within[e] for step in told) for e in found)
            assert all(any(step in within[e] for e in events) for step in told)
            assert len(told) <= len(events)


def reach(series, event):
    """The last step of which a median of 5 points holds one of an event."""
    step = series.finite.step
    return int(step[min(np.searchsorted(step, event.last_step) + 4, len(step) - 1)])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_default_rules_judge_the_events_that_were_told(recorded, seed):
    log = recorded("default", seed)
    loss, norm = log.run.main("loss", "train"), gradient_norm(log.run)
    found = find_spikes(loss)
    for kind in ("spike", "outlier"):
        assert [repr(e) for e in found.of(kind)] == [
            repr(e) for e in log.known(loss, f"loss_{kind}")
        ]
    spikes = [f for f in log.findings("loss-spike") if f.status == "fail" and "peak" in f.evidence]
    assert {f.first_step for f in spikes} <= {e.first_step for e in found.of("spike")}
    assert not (found.of("spike") and passed(log.findings("loss-spike")))
    single = log.findings("outlier")[0]
    if single.status != "inconclusive" or "count" in single.evidence:  # it takes 30 points
        assert single.evidence["count"] == len(found.of("outlier"))
    surges = [f for f in log.findings("gradient-explosion") if "events" in f.evidence]
    assert [f.first_step for f in surges] == log.told(norm, "gradient_explosion")
    for rule, kind in (("low-coverage", "low_coverage"), ("polarized-gate", "alpha_polarized")):
        for f in log.findings(rule):
            if f.status == "fail":
                events = log.known(log.run[f.metric, f.split], kind)
                assert any(
                    e.first_step <= f.last_step and f.first_step <= e.last_step for e in events
                )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_finite_and_what_ran_out_is_counted_alike(recorded, profile, seed):
    log = recorded(profile, seed)
    sick = {(f.metric, f.split): f.evidence["count"] for f in failed(log.findings("non-finite"))}
    told = {}
    for series in log.run.series.values():
        points = [e.points for e in log.known(series, "non_finite")]
        if points:
            told[series.metric, series.split] = int((~np.isfinite(series.value)).sum())
    assert sick == told
    counted = [f.evidence["records"] for f in failed(log.findings("out-of-memory"))
               if f.metric and "anomalies" not in f.metric]  # fmt: skip
    series = log.run.main("out-of-memory", "train")
    assert counted == [n] if (n := len(log.told(series, "out_of_memory"))) else counted == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seed_rules_fail_where_and_only_where_something_was_told(recorded, seed):
    log = recorded("seed", seed)
    loss, norm = log.run.main("loss", "train"), log.run.main("gradient-norm")
    rises = [f.first_step for f in failed(log.findings("loss-spike"))]
    assert rises == log.told(loss, "loss_spike")
    assert [f.first_step for f in failed(log.findings("gradient-explosion"))] == log.told(
        norm, "gradient_explosion"
    )
    for rule, kind, role in SINGLE:
        for series, finding in zip(log.run.with_role(role), log.findings(rule), strict=True):
            events = log.known(series, kind)
            assert (finding.status == "fail") == bool(events)
            if events:
                assert finding.first_step == min(e.first_step for e in events)
                assert finding.last_step == max(e.last_step for e in events)


def test_every_kind_of_anomaly_is_among_these_logs(recorded):
    for profile in PROFILES:
        logs = [recorded(profile, seed) for seed in SEEDS]
        told = Counter(a["type"] for log in logs for e in log.entries for a in e.anomalies)
        expected = {*KINDS, "loss_spike"} | ({"loss_outlier"} if profile == "default" else set())
        assert set(told) == expected
        assert min(told.values()) >= 10
        assert sum(log.run.attempts > 1 for log in logs) >= 20


def only_watched():
    return [word for rule in WATCHED for word in ("--select", rule)]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_command_line_says_the_same_of_the_file(recorded, profile):
    log = recorded(profile, 4)
    _, out, _ = run("diagnose", "--json", "--profile", profile, *only_watched(), log.run.source)
    (judged,) = json.loads(out)["runs"]
    said = {(f["rule"], f["status"], f["metric"], f["first_step"]) for f in judged["results"]}
    found = [f for rule in WATCHED for f in all_rules(profile)[rule](log.run)]
    assert said == {(f.rule, f.status.value, f.metric or None, f.first_step) for f in found}
    assert sum(status == "fail" for _, status, *_ in said) >= 3


def test_one_round_of_the_monitor_tells_of_the_same_steps(recorded):
    log = recorded("default", 4)
    code, out, _ = run("monitor", "--once", "--no-state", *only_watched(), log.run.source)
    assert code == 0
    # Of what may still pass, such as a gate, a first look says nothing yet.
    for rule in ("loss-spike", "non-finite", "out-of-memory", "slow-batch"):
        for finding in failed(all_rules("default")[rule](log.run)):
            assert f" at step {words.step(finding.first_step)}: {finding.message[:20]}" in out


def test_a_process_that_recalls_the_log_goes_on_as_one_that_never_ended(tmp_path):
    calls = list(Training(11).calls())
    parts = ((0, 90), (90, 140), (140, len(calls)))
    for folder in ("whole", "parts"):
        for first, last in parts if folder == "parts" else ((0, len(calls)),):
            watcher = Watcher()
            watcher.recall(tmp_path / folder)
            with RunLogger(tmp_path / folder, watchers=[watcher], sync=True) as log:
                for call in calls[first:last]:
                    log.log(call.step, call.losses, call.stats, split=call.split)
    told = [
        [repr(e.anomalies) for e in entries(tmp_path / folder / "log.jsonl")]
        for folder in ("whole", "parts")
    ]
    assert told[0] == told[1]
    assert sum(one != "()" for one in told[0][90:]) >= 5


def test_nothing_is_recalled_where_there_is_no_log_and_what_is_torn_is_passed_over(tmp_path):
    assert Watcher().recall(tmp_path / "new") == 0
    with RunLogger(tmp_path, sync=True) as log:
        for step in range(3):
            log.log(step, {"total": float("nan")})
    file = tmp_path / "log.jsonl"
    file.write_bytes(file.read_bytes() + b"[1, 2]\n" + file.read_bytes()[-20:-5])
    assert Watcher().recall(file) == 3


def test_a_total_that_comes_late_takes_over_from_its_parts():
    rng = np.random.default_rng(0)
    watcher, told = Watcher(), []
    for i in range(400):
        noise = 1 + 0.02 * rng.standard_normal()
        losses = {"loss_a": noise * (9 if i in (100, 300) else 1)}
        if i >= 150:
            losses["total_loss"] = noise * (9 if i == 250 else 1)
        told += [(i, a["message"].split()[0]) for a in watcher.see(Entry(i, 0.0, losses, {}))]
    assert told == [(100, "loss_a"), (250, "total_loss")]


def test_a_coverage_in_percent_is_known_by_its_values_and_what_is_no_share_is_left_alone():
    def told(name, values):
        watcher = Watcher()
        seen = [watcher.see(Entry(i, 0.0, {}, {name: v})) for i, v in enumerate(values)]
        return [i for i, found in enumerate(seen) if found]

    assert told("coverage", [90.0, 31.0, 29.0, 95.0]) == [2]
    assert told("coverage", [0.9, 0.31, 0.29, 0.95]) == [2]
    assert told("coverage", [90.0, 500.0, 10.0]) == []
    assert told("alpha", [0.5, 0.95, 7.0, 0.01]) == [1]


def test_a_flag_of_each_step_is_told_at_each_step_once_it_is_known_for_one():
    watcher = Watcher()
    flags = [0, 1, 0, 1, 1, 0, -1, float("nan"), 1]
    seen = [watcher.see(Entry(i, 0.0, {}, {"cuda_oom": v})) for i, v in enumerate(flags)]
    told = [i for i, found in enumerate(seen) for a in found if a["type"] == "out_of_memory"]
    assert told == [1, 3, 4, 8]
