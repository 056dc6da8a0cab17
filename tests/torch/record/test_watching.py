"""Anomalies at the entry that shows them: the findings of the detectors, however it is cut."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainlens
from trainlens.detect.base import watch
from trainlens.detect.non_finite import NonFiniteDetector
from trainlens.detect.sigma import SigmaDetector
from trainlens.detect.spike import SpikeDetector
from trainlens.detect.surge import SurgeDetector
from trainlens.detect.threshold import ThresholdDetector
from trainlens.schema import header_line, record_line
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.watching import Watcher


def curve(seed, n=400):
    """A falling loss with a spike, an outlier, a NaN, and a burst that goes on to the end."""
    rng = np.random.default_rng(seed)
    y = 2 * np.exp(-np.arange(n) / 150) + 0.5 + 0.02 * rng.standard_normal(n)
    at = int(rng.integers(100, 150))
    y[at : at + 12] *= 4
    y[at + 80] *= 9
    y[at + 120] = math.nan
    y[n - 4 :] *= 6
    return y


def norms(seed, n=400):
    rng = np.random.default_rng(seed)
    g = np.exp(0.2 * rng.standard_normal(n))
    g[[150, 151, 300]] *= 400
    g[200] = math.inf
    return g


def entries(seed, n=400):
    rng = np.random.default_rng(seed + 1000)
    loss, norm = curve(seed, n), norms(seed, n)
    alpha, ratio = rng.uniform(0.05, 0.95, n), rng.uniform(0.25, 1.0, n)
    seconds = 0.1 * np.exp(0.05 * rng.standard_normal(n))
    seconds[250] = 400.0
    for i in range(n):
        stats = {
            "grad_norm": float(norm[i]),
            "alpha_mean": float(alpha[i]),
            "valid_ratio": float(ratio[i]),
            "time/batch_time": float(seconds[i]),
        }
        yield Entry(5 * i, 1.0 * i, {"total_loss": float(loss[i]), "b": 1.0}, stats)


def recorded(watcher, given):
    return [e._replace(anomalies=tuple(watcher.see(e))) for e in given]


def written(path, given):
    lines = [header_line("a", 0.0)]
    for e in given:
        lines.append(record_line(e.step, e.time, e.losses, e.stats, anomalies=e.anomalies))
    path.write_bytes(b"".join(lines))


def of_file(path):
    """Entries of a written log."""
    for line in path.read_text().splitlines()[1:]:
        o = json.loads(line)
        yield Entry(o["step"], o["timestamp"], o["losses"], o["stats"], anomalies=o["anomalies"])


def told(given, kind):
    return [e.step for e in given for a in e.anomalies if a["type"] == kind]


def test_each_kind_is_told_where_it_begins():
    done = recorded(Watcher(), entries(0))
    rise = told(done, "loss_spike")[0]
    assert 500 <= rise <= 780
    assert told(done, "loss_outlier")
    assert told(done, "gradient_explosion")[0] == 750
    assert told(done, "slow_batch") == [1250]
    assert told(done, "non_finite")[-1] in (1000, rise + 600, *range(1000, 2000, 5))
    assert {a["type"] for e in done for a in e.anomalies} == {
        "loss_spike",
        "loss_outlier",
        "gradient_explosion",
        "slow_batch",
        "non_finite",
        "alpha_polarized",
        "low_coverage",
    }
    seed = recorded(Watcher("seed"), entries(0))
    assert told(seed, "slow_batch") == [1250]
    assert told(seed, "gradient_explosion")[0] == 750


@pytest.mark.parametrize("profile", ["default", "seed"])
@pytest.mark.parametrize("seed", range(3))
def test_live_findings_are_those_on_the_written_file_record_by_record(tmp_path, profile, seed):
    done = recorded(Watcher(profile), entries(seed))
    written(tmp_path / "log.jsonl", done)
    again = recorded(Watcher(profile), of_file(tmp_path / "log.jsonl"))
    assert [repr(list(e.anomalies)) for e in again] == [repr(list(e.anomalies)) for e in done]
    assert sum(len(e.anomalies) for e in done) > 5


DETECTORS = {
    "default": {
        "total_loss": [("loss_spike", SpikeDetector), ("non_finite", NonFiniteDetector)],
        "grad_norm": [("gradient_explosion", SurgeDetector), ("non_finite", NonFiniteDetector)],
        "valid_ratio": [("low_coverage", lambda: ThresholdDetector(0.3, "below"))],
        "time/batch_time": [("slow_batch", lambda: SurgeDetector(5.0))],
    },
    "seed": {
        "total_loss": [("loss_spike", SigmaDetector), ("non_finite", NonFiniteDetector)],
        "grad_norm": [("gradient_explosion", lambda: ThresholdDetector(100.0))],
        "time/batch_time": [("slow_batch", lambda: ThresholdDetector(300.0))],
    },
}


@pytest.mark.parametrize("profile", ["default", "seed"])
@pytest.mark.parametrize("seed", range(3))
def test_events_are_those_of_the_detectors_on_the_whole_series(tmp_path, profile, seed):
    watcher = Watcher(profile)
    done = recorded(watcher, entries(seed))
    written(tmp_path / "log.jsonl", done)
    run = trainlens.load_one(tmp_path / "log.jsonl")
    live = [(n, k.replace("outlier", "spike"), repr(e)) for _, n, k, e in watcher.events()]
    for name, detectors in DETECTORS[profile].items():
        series = run[name, "train"]
        for kind, make in detectors:
            events = watch(make(), series.step, series.value)
            assert [e for n, k, e in live if (n, k) == (name, kind)] == [repr(e) for e in events]
            # Each is told once while it is open, and an outlier that lasts a second time.
            at = [s for s in series.step.tolist() if any(a <= s <= b for a, b in spans(events))]
            said = told(done, kind) + (told(done, "loss_outlier") if kind == "loss_spike" else [])
            if kind != "non_finite":
                assert len(events) <= len(said) <= 2 * len(events)
                assert set(said) <= set(at)


def spans(events):
    # A median of 5 fires up to 4 points behind the first.
    return [(e.first_step, e.last_step + 20) for e in events]


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_no_cutting_changes_an_event_of_the_seed_detector(cuts, seed):
    value = curve(seed)
    value[50] = 1e300
    step = np.arange(len(value))
    whole = SigmaDetector()
    expected = whole.update(step, value) + whole.finish()
    edges = np.unique(np.clip(np.cumsum(cuts), 0, len(value))).tolist()
    parts, found = SigmaDetector(), []
    for a, b in zip([0, *edges], [*edges, len(value)], strict=True):
        found += parts.update(step[a:b], value[a:b])
    assert [repr(e) for e in found + parts.finish()] == [repr(e) for e in expected]


def test_the_seed_detector_finds_what_the_seed_rule_finds(tmp_path):
    done = recorded(Watcher("seed"), entries(4))
    written(tmp_path / "log.jsonl", done)
    run = trainlens.load_one(tmp_path / "log.jsonl")
    findings = trainlens.diagnose(run, profile="seed").results
    rule = [f for f in findings if f.rule == "loss-spike" and f.status == "fail"]
    assert len(rule) >= 2
    assert [f.first_step for f in rule] == told(done, "loss_spike")


def test_the_written_anomalies_are_read_and_told(tmp_path):
    done = recorded(Watcher(), entries(1))
    written(tmp_path / "log.jsonl", done)
    run = trainlens.load_one(tmp_path / "log.jsonl")
    for kind in ("loss_spike", "gradient_explosion", "non_finite", "low_coverage"):
        assert run[f"anomalies/{kind}", "train"].step.tolist() == sorted(told(done, kind))


def test_a_finite_value_within_many_is_cheap_and_a_nan_is_never_missed():
    watcher = Watcher()
    bad = {7, 1500, 1501, 3000}
    seen = [
        i
        for i in range(3100)
        if watcher.see(Entry(i, 0.0, {}, {"x": math.nan if i in bad else 1.0}))
    ]
    assert seen == [7, 1500, 3000]
    events = [e for *_, e in watcher.events()]
    assert [(e.first_step, e.last_step, e.recovered_step) for e in events] == [
        (7, 7, 8),
        (1500, 1501, 1502),
        (3000, 3000, 3001),
    ]


def test_counts_that_rise_are_told_each_time():
    watcher = Watcher()
    counts = [0, 0, 1, 1, 3, 0, 1]
    found = [watcher.see(Entry(i, 0.0, {}, {"skipped_updates": c})) for i, c in enumerate(counts)]
    assert [i for i, one in enumerate(found) if one] == [2, 4, 6]
    assert found[4] == [
        {"type": "skipped_update", "value": 3.0, "message": "skipped_updates rose from 1 to 3"}
    ]
    assert watcher.see(Entry(9, 0.0, {}, {"oom": 1}))[0]["type"] == "out_of_memory"
    assert len(list(watcher.events())) == 4


def test_a_restart_begins_anew_and_a_repeated_step_is_looked_at_for_nan_only():
    watcher = Watcher()
    low = {"valid_ratio": 0.1}
    assert watcher.see(Entry(10, 0.0, {}, low))
    assert not watcher.see(Entry(11, 0.0, {}, low))
    assert watcher.see(Entry(5, 0.0, {}, low))
    assert not watcher.see(Entry(5, 0.0, {}, {"valid_ratio": 0.9}))
    assert watcher.see(Entry(5, 0.0, {}, {"valid_ratio": math.nan}))[0]["type"] == "non_finite"
    assert not watcher.see(Entry(5, 0.0, {}, {"valid_ratio": math.nan}))
    # What the restart replaced is forgotten.
    assert sorted(kind for *_, kind, _ in watcher.events()) == ["low_coverage", "non_finite"]


def test_which_loss_is_watched():
    def spiked(watcher, name, split="train"):
        found = []
        for i in range(200):
            value = (9.0 if i >= 190 else 1.0) + 0.01 * math.sin(i * 7.0)
            entry = Entry(i, 0.0, {"other": 1.0, name: value}, {}, split)
            found += watcher.see(entry)
        return {a["type"] for a in found}

    assert "loss_spike" in spiked(Watcher(), "loss")
    assert not spiked(Watcher(), "loss", "val")
    assert not spiked(Watcher(), "strange")
    assert "loss_spike" in spiked(Watcher(loss="strange"), "strange")


def test_the_callback_gets_each_anomaly_and_its_faults_stay_its_own():
    got = []
    watcher = Watcher(callback=lambda entry, anomaly: got.append((entry.step, anomaly["type"])))
    for e in entries(2):
        watcher.see(e)
    again = recorded(Watcher(), entries(2))
    assert got == [(e.step, a["type"]) for e in again for a in e.anomalies]

    def broken(entry, anomaly):
        raise KeyError("x")

    watcher = Watcher(callback=broken)
    with pytest.warns(RuntimeWarning, match="callback for anomalies raised KeyError"):
        watcher.see(Entry(0, 0.0, {}, {"valid_ratio": 0.1}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = watcher.see(Entry(1, 0.0, {}, {"a": math.nan}))
    assert found[0]["message"] == "a is nan"
    assert watcher.faults == 2


def test_an_unknown_profile_is_told():
    with pytest.raises(ValueError, match="profile is"):
        Watcher("sagemaker")
