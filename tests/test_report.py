"""A report holds every fact of its runs, in the order of the page."""

import hashlib
import os

import numpy as np
import pytest
import report_demo as demo

from trainlens.reporting import GROUP_ABOVE, Table, build
from trainlens.reporting.charts import MOST_CHARTS, build_charts
from trainlens.reporting.curves import curves
from trainlens.reporting.inputs import inspect
from trainlens.reporting.phases import phases
from trainlens.rules import Diagnosis
from trainlens.run import Notice


def report(diagnoses, **more):
    return build(diagnoses, title="", command="x", now=demo.NOW, version="0", **more)


def lone(columns, found=(), **more):
    return Diagnosis(demo.run("a", columns, **more), tuple(found))


def test_findings_are_numbered_by_gravity_then_confidence():
    held = report([demo.overfitting()])
    assert [i.finding.rule for i in held.items] == ["overfitting", "loss-spike", "validation-jump"]
    assert [i.number for i in held.items] == [1, 2, 3]
    assert [i.certainty for i in held.items] == ["certain", "very likely", "may be chance"]
    assert held.counts == {"error": 1, "warning": 1, "info": 1}
    assert held.groups == ()
    by_metric = {c.metric: c.key for c in held.charts}
    assert [i.chart for i in held.items] == [by_metric[m] for m in ("loss", "grad_norm", "mpjpe")]


def test_many_findings_are_grouped_without_loss():
    held = report([demo.forty()])
    assert len(held.items) == 40 > GROUP_ABOVE
    assert sorted(i.number for g in held.groups for i in g.items) == list(range(1, 41))
    assert held.groups[0].rule == "gradient-explosion"
    assert len({g.rule for g in held.groups}) == len(held.groups) == 5


def test_of_thousands_of_metrics_the_most_telling_are_drawn():
    step = [1, 2, 3]
    columns = [demo.column(f"m{i:04d}", step, [1.0, 2.0, 3.0]) for i in range(MOST_CHARTS + 30)]
    run = demo.run("wide", [demo.column("loss", step, [3.0, 2.0, 1.0]), *columns])
    found = demo.finding("outlier", "info", "m0415", "train", 2, 2)
    held = report([Diagnosis(run, (found,))])
    assert held.charts[0].metric == "loss"
    assert len(held.charts) == MOST_CHARTS + 1
    assert held.undrawn == 30
    assert held.items[0].chart in {c.key for c in held.charts if c.metric == "m0415"}
    assert report([demo.healthy()]).undrawn == 0


def test_the_first_three_of_many_are_of_different_rules():
    rules = ["loss-spike"] * 4 + ["validation-jump"] * 2 + ["outlier"]
    found = [
        demo.finding(rule, "warning" if rule != "outlier" else "info", "loss", "train", i, i + 1,
                     confidence=0.99 - i / 100)
        for i, rule in enumerate(rules)
    ]  # fmt: skip
    held = report([Diagnosis(demo.training("a", 5), tuple(found))])
    # A note never comes before a warning, not even to show another rule.
    assert [i.finding.first_step for i in held.items] == [0, 4, 1, 2, 3, 5, 6]
    assert [i.number for i in held.items] == list(range(1, 8))
    assert [g.rule for g in held.groups] == ["loss-spike", "validation-jump", "outlier"]
    few = report([Diagnosis(demo.training("a", 5), (*found[:3], found[4]))])
    assert few.groups == ()
    assert [i.finding.first_step for i in few.items] == [0, 1, 2, 4]


def test_the_same_fault_at_the_same_step_points_at_what_runs_share():
    held = report(demo.dozen(400))
    spikes = [i for i in held.items if i.finding.rule == "loss-spike"]
    assert "sweep-01, sweep-02" in spikes[0].also
    assert all(not i.also for i in held.items if i.finding.rule == "overfitting")
    assert not any(i.also for i in report([demo.overfitting()]).items)


def test_outcomes_of_several_runs_are_told_once():
    held = report(demo.dozen(400))
    assert {o.rule for o in held.passed} == {"non-finite", "divergence"}
    assert all(len(o.runs) == 12 for o in held.passed)
    assert {o.rule for o in held.not_applicable} == {"frozen-parameters", "low-coverage"}
    assert {o.rule for o in held.undecided} == {"stagnation"}


def test_charts_come_in_the_order_of_their_roles():
    names = [c.metric for c in report([demo.overfitting()]).charts]
    assert names == [
        "loss", "mpjpe", "lr", "grad_norm", "loss_theta", "batch_time", "system/gpu_util"
    ]  # fmt: skip


def test_train_and_validation_share_a_chart_and_keep_exact_extremes():
    d = demo.overfitting()
    chart = report([d]).charts[0]
    assert [line.split for line in chart.lines] == ["train", "val"]
    train, val = d.run["loss"], d.run["loss", "val"]
    buckets = chart.lines[0].buckets
    assert buckets.count.sum() == len(train)
    assert np.nanmin(buckets.low) == train.value.min() == chart.lines[0].best
    assert np.nanmax(buckets.high) == train.value.max()
    assert np.array_equal(chart.lines[1].buckets.mean, val.value)
    assert chart.lines[1].final == val.value[-1]


def test_validation_that_counts_epochs_has_a_chart_of_its_own():
    d = lone(
        [
            demo.column("loss", np.arange(10_000), np.ones(10_000)),
            demo.column("val/loss", np.arange(20), np.ones(20)),
        ]
    )
    charts = report([d]).charts
    assert [(c.own_axis, [x.split for x in c.lines]) for c in charts] == [
        (True, ["val"]),
        (False, ["train"]),
    ]


def test_every_point_around_a_finding_is_kept():
    n = 50_000
    found = demo.finding("loss-spike", "error", "loss", "train", 20_000, 20_050)
    value = np.random.default_rng(0).normal(size=n)
    d = lone([demo.column("loss", np.arange(n), value)], [found])
    buckets = report([d]).charts[0].lines[0].buckets
    inside = (buckets.first >= 20_000) & (buckets.last <= 20_050)
    assert np.array_equal(buckets.first[inside], np.arange(20_000, 20_051))
    assert np.array_equal(buckets.mean[inside], value[20_000:20_051])
    assert len(buckets) < 1000


def test_a_short_run_among_long_ones_keeps_its_shape():
    long = demo.run("long", [demo.column("loss", np.arange(100_000), np.ones(100_000))])
    short = demo.run("short", [demo.column("loss", np.arange(2_000), np.linspace(3, 1, 2_000))])
    held = {i: curves(run, (), 2) for i, run in enumerate((long, short))}
    lines = build_charts(held, ())[0][0].lines
    assert len(lines[1].buckets) > 200


def test_damage_is_counted_and_unknown_losses_stay_unknown():
    assert report([demo.diverging()]).lost == 3
    assert report([demo.diverging()]).damaged
    assert not report([demo.healthy()]).damaged
    unknown = report([demo.diverging()], notices=[Notice("corrupt", "b", "torn", None)])
    assert unknown.lost is None
    assert unknown.damaged
    assert [name for name, _ in unknown.all_notices] == ["", "diverging"]


def test_attempts_gaps_age_and_speed():
    step = np.concatenate([np.arange(600), np.arange(450, 900)])
    wall = 1e9 + np.arange(1050.0)
    wall[700:] += 5000
    d = lone([demo.column("loss", step, np.ones(1050))])
    series = d.run["loss"]
    object.__setattr__(series, "wall_time", wall)
    run = build([d], title="", command="", now=wall[-1] + 7200, version="0").runs[0]
    assert [(a.first, a.last) for a in run.attempts] == [(0, 599), (450, 899)]
    assert [(g.before, g.seconds) for g in run.gaps] == [(549, 5001.0)]
    assert run.age == 7200
    assert not run.running
    assert run.rate == pytest.approx(1.0)
    assert run.seconds == wall[-1] - wall[0]


@pytest.mark.parametrize(("last", "running"), [(90, True), (99, False)])
def test_a_run_at_the_end_of_its_plan_no_longer_runs(last, running):
    step = np.arange(last + 1)
    wall = 1e9 + step.astype(float)
    d = lone([demo.column("loss", step, np.ones(len(step)))])
    d.run.config["total_steps"] = 100
    object.__setattr__(d.run["loss"], "wall_time", wall)
    run = build([d], title="", command="", now=wall[-1] + 5, version="0").runs[0]
    assert run.running is running


def test_flagged_runs_have_the_first_colours_and_the_others_what_is_left():
    held = report(demo.dozen(400))
    flagged = [r.verdict in ("failing", "warning") for r in held.runs]
    coloured = [r.colour for r in held.runs]
    assert [c for c, f in zip(coloured, flagged, strict=True) if f] == [0, 1, 2]
    assert [c for c, f in zip(coloured, flagged, strict=True) if not f] == [3, 4, 5, 6, 7] + 4 * [
        None
    ]
    few = report(demo.dozen(400)[:8])
    assert [r.colour for r in few.runs] == list(range(8))
    calm = report(demo.dozen(400, faulty=0))
    assert [(r.colour, r.dash) for r in calm.runs[7:9]] == [(7, 0), (0, 1)]
    hundred = report([demo.healthy()] * 30)
    assert {r.colour for r in hundred.runs} == {None}


def test_settings_that_differ_and_no_others():
    held = report(demo.dozen(400))
    assert [name for name, _ in held.config_differences] == ["lr", "seed", "data.aug"]
    assert held.config_differences[1][1][:3] == ("0", "1", "2")
    assert report([demo.healthy()]).config_differences == ()


def test_runs_without_settings_do_not_make_differences():
    bare = demo.run("bare", [demo.column("loss", [1], [1.0])])
    same = [demo.healthy(), Diagnosis(bare, ()), demo.healthy()]
    assert report(same).config_differences == ()
    other = demo.training("b", 9, 400)
    held = report([*same, Diagnosis(other, ())])
    assert held.config_differences == (("seed", ("1", "", "1", "9")),)


def test_the_best_run_is_named_with_its_noise():
    d = demo.dozen(400)
    held = report(d)
    best = min(d, key=lambda x: x.run["mpjpe", "val"].value.min()).run.name
    assert held.best.startswith(f"{best}, ")
    assert "±" in held.best


def test_phases_of_warmup_drop_and_dropout():
    step = np.arange(100)
    rate = np.where(step < 10, step / 10, np.where(step < 60, 1.0, 0.1))
    drop = np.where(step < 30, 0.0, 0.2)
    d = demo.run("a", [demo.column("lr", step, rate), demo.column("dropout", step, drop)])
    assert [(p.step, p.label) for p in phases(d)] == [
        (10, "warmup ends"),
        (30, "dropout on"),
        (60, "LR drop"),
    ]
    cosine = demo.run("c", [demo.column("lr", step, demo.rate(100))])
    assert [p.label for p in phases(cosine)] == ["warmup ends"]


def test_a_warmup_ends_where_it_does_and_not_where_the_rate_is_raised_later():
    step = np.arange(300)
    rate = 1e-3 * np.minimum(step / 50, 1.0) * np.where(step < 150, 1.0, 1.5)
    d = demo.run("a", [demo.column("lr", step, rate * np.where(step < 250, 1.0, 1.5))])
    assert [(p.step, p.label) for p in phases(d)] == [(50, "warmup ends")]


def test_phases_of_unfreezing_whatever_is_counted():
    step = np.arange(100)
    frozen = np.where(step < 20, 5e6, np.where(step < 50, 2e6, 0.0))
    expected = [(20, "unfreezing"), (50, "unfreezing")]
    for name, value in (("frozen_parameters", frozen), ("trainable_params", 5e6 - frozen)):
        d = demo.run("a", [demo.column(name, step, value)])
        assert [(p.step, p.label) for p in phases(d)] == expected
    refrozen = demo.run("b", [demo.column("frozen_layers", step, np.where(step < 7, 0.0, 3.0))])
    assert [(p.step, p.label) for p in phases(refrozen)] == [(7, "freezing")]
    # A count that flickers tells no phase.
    odd = demo.run("c", [demo.column("trainable_params", step, 1.0 * (step % 2))])
    assert phases(odd) == ()


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [("loss", [5], [1.0])],
        [("loss", [], [])],
        [("loss", range(900), [np.nan] * 900)],
        [("loss", range(900), [np.inf, -np.inf] * 450)],
        [("loss", [7] * 900, range(900))],
        [("loss", [0, 2**40], [1.0, 1e300])],
    ],
)
def test_odd_runs_make_a_report(columns):
    d = lone([demo.column(name, list(step), list(value)) for name, step, value in columns])
    held = report([d])
    assert held.verdict.startswith("Cannot tell")
    assert sum(line.points for c in held.charts for line in c.lines) <= d.run.points


def test_no_run_at_all_makes_a_report():
    held = report([], notices=[Notice("not-a-log", "a.bin", "no log", 0)])
    assert held.verdict == "Cannot tell: there is no run here."
    assert held.charts == ()


def test_a_further_table_is_kept():
    table = Table("Comparison", ("B is worse.",), ("metric", "A"), (("loss", "1"),))
    assert report([demo.healthy()], tables=[table]).tables == (table,)


def test_fingerprints_change_with_the_file(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("one\n")
    os.utime(file, (1e9, 1e9))
    first = inspect(str(file))
    assert (first.files, first.size, first.modified) == (1, 4, 1e9)
    assert first.sha256 == hashlib.sha256(b"one\n").hexdigest()
    file.write_text("two\n")
    assert inspect(str(file)).fingerprint != first.fingerprint
    assert inspect(str(tmp_path)).files == 1
    assert inspect(str(tmp_path)).sha256 == ""
    (tmp_path / "b").write_text("")
    assert inspect(str(tmp_path)).files == 2
    assert inspect(str(tmp_path / "missing")).files == 0
    assert inspect("s3://bucket/a\0b").files == 0


def test_all_bytes_of_a_file_are_hashed_up_to_a_limit(tmp_path):
    file = tmp_path / "a.jsonl"
    whole = b"x" * (32 << 20)
    file.write_bytes(whole)
    assert inspect(str(file)).sha256 == hashlib.sha256(whole).hexdigest()
    with file.open("ab") as more:
        more.write(b"y")
    assert inspect(str(file)).sha256 == ""


def test_a_run_without_the_ranked_quantity_stands_with_its_own():
    step = list(range(50))
    ranked = [
        demo.run(f"r{i}", [demo.column("val_mpjpe", step, [9.0 - 0.1 * s for s in step])])
        for i in range(2)
    ]
    other = demo.run("other", [demo.column("loss", step, [3.0 - 0.01 * s for s in step])])
    held = report([Diagnosis(r, ()) for r in [*ranked, other]])
    assert held.ranking == ("mpjpe", "val")
    assert [(s.metric, s.split) for r in held.runs if (s := r.standing)] == [
        ("mpjpe", "val"), ("mpjpe", "val"), ("loss", "train"),
    ]  # fmt: skip
    assert "other" not in held.best


def test_what_matters_first_of_many_runs_is_not_one_rule_three_times():
    held = report(demo.many(300))
    assert held.many
    assert len({i.finding.rule for i in held.top}) == 3
    assert [i.number for i in held.top] == sorted(i.number for i in held.top)
