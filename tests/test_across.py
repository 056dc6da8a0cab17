"""What several runs tell about each other: shared events, and values that are the same."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import trainlens
from trainlens.across import Across, compared
from trainlens.judged import judged
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.stats.binomial import tail
from trainlens.work import Judging

N = 2000


def a_run(name, config=None, **series):
    columns = []
    for metric, given in series.items():
        step, value = given if isinstance(given, tuple) else (np.arange(len(given)), given)
        n = len(step)
        columns.append(Column(metric, np.asarray(step, np.int64), np.asarray(value, float),
                              unknown(n), unknown(n)))  # fmt: skip
    return Run(name, f"logs/{name}", "synthetic").extend(Chunk(tuple(columns), config or {}))


def loss(seed, spikes=(), n=N, scale=0.01):
    value = 3 / (1 + np.arange(n)) ** 0.2
    value = value * np.exp(scale * np.random.default_rng(seed).standard_normal(n))
    for at in spikes:
        value[at : at + 6] *= 2.5
    return value


def told(*runs):
    return compared([Judging()(run) for run in runs])


def spikes(diagnosis):
    return [f for f in diagnosis.findings if f.rule == "loss-spike"]


def identical(diagnosis):
    return [n.message for n in diagnosis.run.notices if n.kind == "identical"]


# --- the same event -------------------------------------------------------------------------


def test_a_spike_at_the_same_step_is_the_data_for_certain_and_names_the_runs():
    held = told(*(a_run(f"seed-{i}", loss=loss(i, [900])) for i in range(3)))
    for i, diagnosis in enumerate(held):
        (spike,) = spikes(diagnosis)
        others = ", ".join(f"seed-{k}" for k in range(3) if k != i)
        assert spike.causes[0] == (
            f"the data, not the optimizer (certain): the same at step 900 in {others}"
        )
        assert spike.causes[1].startswith("not chance, not the optimizer: 2 other runs")
        keys = {key for p in spike.prescriptions for key in p["patch"]}
        assert keys == {"data.skip_steps"}


def test_two_runs_are_enough():
    held = told(a_run("a", loss=loss(1, [900])), a_run("b", loss=loss(2, [901])))
    assert all("(certain)" in spikes(d)[0].causes[0] for d in held)


def test_spikes_at_other_steps_say_nothing():
    alone = [Judging()(a_run(f"r{i}", loss=loss(i, [300 + 400 * i]))) for i in range(3)]
    assert compared(alone) == alone


def test_one_run_stays_as_it_is():
    one = Judging()(a_run("a", loss=loss(1, [900])))
    assert compared([one]) == [one]


def test_runs_with_spikes_everywhere_meet_by_chance():
    rng = np.random.default_rng(0)
    runs = [
        a_run(f"r{i}", loss=loss(i, np.sort(rng.choice(np.arange(150, 1900, 40), 12, False))))
        for i in range(2)
    ]
    for diagnosis in told(*runs):
        assert not any("(certain)" in c for f in spikes(diagnosis) for c in f.causes)


def test_a_jump_of_the_learning_rate_in_all_runs_is_not_blamed_on_the_data_alone():
    rate = np.where(np.arange(N) < 897, 1e-3, 5e-3)
    held = told(*(a_run(f"r{i}", loss=loss(i, [900]), lr=rate) for i in range(3)))
    (spike,) = spikes(held[0])
    assert spike.causes[0].startswith("the learning rate, which jumped here in r1, r2 as well")


def test_runs_on_other_data_do_not_count():
    runs = [a_run(f"r{i}", {"data": {"dataset": d}}, loss=loss(i, [900]))
            for i, d in enumerate("ab")]  # fmt: skip
    assert not any("(certain)" in c for d in told(*runs) for f in spikes(d) for c in f.causes)


def test_copies_of_one_log_are_no_witnesses():
    value = loss(1, [900])
    held = told(a_run("a", loss=value), a_run("copy", loss=value), a_run("snap", loss=value[:1500]))
    assert not any("(certain)" in c for d in held for f in spikes(d) for c in f.causes)


def test_an_outlier_is_seen_across_runs_too():
    values = [loss(i) for i in range(3)]
    for value in values:
        value[1200] *= 3
    held = told(*(a_run(f"r{i}", loss=v) for i, v in enumerate(values)))
    outliers = [f for d in held for f in d.findings if f.rule in ("outlier", "loss-spike")]
    assert len(outliers) == 3
    assert all("the same at step 1\u202f200" in f.causes[0] for f in outliers)


def test_a_validation_jump_in_all_runs_is_the_evaluation():
    step = np.arange(0, N, 50)
    runs = []
    for i in range(4):
        value = 2 / (1 + step) ** 0.2 * (1 + 0.004 * np.random.default_rng(i).standard_normal(40))
        value[25] *= 1.4
        runs.append(a_run(f"r{i}", loss=loss(i), val_loss=(step, value)))
    for diagnosis in told(*runs):
        jump = next(f for f in diagnosis.findings if f.rule == "validation-jump")
        assert jump.causes[0].startswith(
            "the evaluation data or its code, not the model (certain): the same jump at step "
            "1\u202f250 in all runs"
        )


def test_what_is_told_once_is_not_told_again():
    once = told(*(a_run(f"r{i}", loss=loss(i, [900])) for i in range(3)),
                a_run("r3", loss=loss(0, [900])))  # fmt: skip
    assert compared(once) == once


# --- the same values ------------------------------------------------------------------------


def test_runs_with_the_same_values_say_so_and_name_each_other():
    held = told(*(a_run(n, loss=loss(s)) for n, s in (("a", 1), ("b", 2), ("c", 1))))
    assert identical(held[0]) == ["holds the very same values as run c: count them once"]
    assert identical(held[2]) == ["holds the very same values as run a: count them once"]
    assert identical(held[1]) == []


@pytest.mark.parametrize("digits", [3, 4, 6])
def test_values_that_differ_by_rounding_are_found(digits):
    value = loss(1)
    held = told(a_run("a", loss=value), a_run("b", loss=np.round(value, digits)))
    expected = "holds the same values, but for rounding, as run b: count them once"
    assert identical(held[0]) == [expected]


def test_seeds_that_agree_roughly_are_not_taken_for_copies():
    held = told(*(a_run(f"r{i}", loss=np.round(loss(i, scale=1e-3), 3)) for i in range(8)))
    assert not any(map(identical, held))


@pytest.mark.parametrize("value", [np.zeros(N), np.full(N, 2.302), np.round(loss(1, n=6), 2)])
def test_constant_or_short_series_are_no_evidence(value):
    assert not any(map(identical, told(a_run("a", loss=value), a_run("b", loss=value.copy()))))


def test_a_snapshot_is_recognised():
    value = loss(1)
    held = told(a_run("whole", loss=value), a_run("half", loss=value[:1100]))
    assert identical(held[1]) == [
        "its first 1\u202f024 points or more are those of run whole: a snapshot, a fork or the "
        "same seed; the two are not independent"
    ]


def test_the_notice_reaches_every_output():
    runs = [a_run("a", loss=loss(1)), a_run("b", loss=loss(1))]
    held = trainlens.diagnose_all(runs)
    assert [len(identical(d)) for d in held] == [1, 1]
    assert judged(held[0]).notices[-1].kind == "identical"
    assert held[0].verdict == trainlens.diagnose(runs[0]).verdict


# --- the traces -----------------------------------------------------------------------------


def test_judged_runs_from_another_process_tell_the_same():
    diagnoses = [Judging()(a_run(f"r{i}", loss=loss(i, [900]))) for i in range(3)]
    here = [judged(d) for d in diagnoses]
    away = [pickle.loads(pickle.dumps(j)) for j in here]
    assert away == here
    assert compared(away) == [judged(d) for d in compared(diagnoses)]


def test_a_trace_is_small():
    one = judged(Judging()(a_run("a", loss=loss(1, [900], 20_000), val_loss=loss(2))))
    assert len(pickle.dumps(one.trace)) < 2500


def test_many_runs_cost_as_much_as_there_are():
    """Ten thousand runs that all share an event: each is looked at a bounded number of times."""
    base = judged(Judging()(a_run("a", loss=loss(1, [900]))))
    many = []
    for i in range(3000):
        prints = tuple(
            replace(p, whole=b"%08d" % i, heads=b"", sample=p.sample[8:] + bytes([i % 251] * 8))
            for p in base.trace.prints
        )
        many.append(replace(base, name=f"r{i}", trace=replace(base.trace, prints=prints)))
    across = Across(many)
    found = across.shared(7, base.findings[0])
    assert found is not None
    assert found.count >= 2999 - 1
    assert len(found.others) == 3


@pytest.mark.parametrize(("n", "k", "p"), [(5, 2, 0.3), (40, 1, 0.01), (300, 7, 0.02), (3, 3, 0.5)])
def test_the_binomial_tail_is_that_of_scipy(n, k, p):
    stats = pytest.importorskip("scipy.stats")
    assert tail(n, k, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-10)


# --- real logs ------------------------------------------------------------------------------


def test_three_snapshots_of_one_event_file(real_logs):
    runs = trainlens.load(real_logs / "tensorboard" / "Battam1111__DeepSC")
    held = trainlens.diagnose_all(runs)
    assert [len(identical(d)) for d in held] == [1, 1, 1]
    assert not any("(certain)" in c for d in held for f in d.findings for c in f.causes)
