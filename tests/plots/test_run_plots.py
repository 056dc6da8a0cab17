"""What the plots of schedules, events, stagnation and the machine say, on runs of known content."""

import numpy as np
import pytest

from tests.plots.picture_runs import (
    OFF_PLAN,
    SPIKES,
    column,
    diagnosed,
    healthy,
    run_of,
    sick,
    stalled,
)
from trainlens import plots
from trainlens.detect.rates import schedule_of
from trainlens.plots._events import eventful
from trainlens.plots._flat import flat_stretches
from trainlens.plots._lines import make_curve, scatter
from trainlens.plots._machine import by_time, quantities
from trainlens.plots._schedule import fitted, named
from trainlens.plots.dashboard import panels
from trainlens.plots.planned_schedules import compared
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Run
from trainlens.stats.planned import parse


def texts(ax):
    found = plots.figure_of(ax).findobj(lambda a: hasattr(a, "get_text"))
    return " | ".join(t.get_text().replace("\u202f", " ") for t in found if t.get_text())


def draw(name, run, *findings):
    return plots.available()[name].draw(run, None, findings)


WARM = {"kind": "linear-warmup", "until_steps": 500}
SCHEDULES = {
    "constant": {"kind": "constant"},
    "linear": {"kind": "linear"},
    "cosine": {"kind": "cosine", "end": 0.01},
    "cosine-restarts": {"kind": "cosine-restarts", "cycles": 3, "growth": 2.0, "end": 0.01},
    "polynomial": {"kind": "polynomial", "power": 2.0, "end": 0.01},
    "exponential": {"kind": "exponential", "end": 0.01},
    "step": {"kind": "step", "at": [0.3, 0.6, 0.8]},
    "inverse-sqrt": {"kind": "inverse-sqrt", "warmup": 0.05},
    "warmup-stable-decay": {"kind": "warmup-stable-decay", "warmup": 0.05, "shape": "root"},
    "one-cycle": {"kind": "one-cycle"},
    "ramp": {"kind": "ramp"},
}


def rate(spec, upto=5000):
    step = np.arange(0, upto, 10)
    return run_of(column("lr", step, 1e-3 * parse(spec).value(step, 5000)))["lr"]


@pytest.mark.parametrize("family", SCHEDULES)
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("upto", [5000, 3500])
def test_the_curve_of_a_recognised_schedule_is_the_schedule(family, warm, upto):
    spec = SCHEDULES[family]
    own_rise = family in ("inverse-sqrt", "warmup-stable-decay", "one-cycle", "ramp")
    if warm and not own_rise and family != "cosine-restarts":
        spec = {"kind": "chain", "parts": [WARM, spec]}
    series = rate(spec, upto)
    found = schedule_of(series)
    if upto == 5000:
        assert found.family == family
    step, value = fitted(found, series.finite)
    away = np.abs(np.interp(series.step, step, value) - series.value)
    assert away.max() < 0.012 * series.value.max()


def test_a_schedule_is_named_with_its_figures():
    spec = {"kind": "chain", "parts": [WARM, {"kind": "cosine", "end": 0.05}]}
    shown = texts(draw("learning-rate", run_of(column("lr", *_points(rate(spec))))))
    assert "cosine · warmup 500 · peak 0.001 · floor 5e−5" in shown
    cut = rate(spec, 3500)
    assert named(schedule_of(cut), 3490).endswith("last 0.00029")
    steps = rate(SCHEDULES["step"])
    assert named(schedule_of(steps), 4990) == "4 levels · peak 0.001 · floor 1e−6"


def _points(series):
    return series.step, series.value


def test_what_follows_no_schedule_is_said_and_not_drawn():
    value = 1e-3 * (1.2 + np.sin(np.arange(500) ** 1.3))
    ax = draw("learning-rate", run_of(column("lr", np.arange(500), value)))
    assert "no known schedule · peak" in texts(ax)
    assert not [line for line in ax.lines if line.is_dashed()]
    ax = draw("learning-rate", run_of(column("lr", *_points(rate(SCHEDULES["linear"])))))
    assert len([line for line in ax.lines if line.is_dashed()]) == 1


def test_two_of_three_points_lie_in_the_band_of_the_loss():
    rng = np.random.default_rng(0)
    for spread in (lambda x: 3 + 0.2 * x, lambda x: np.exp(0.3 * x)):
        series = run_of(column("loss", range(6000), spread(rng.standard_normal(6000))))["loss"]
        curve = make_curve(series)
        low, high = (np.interp(series.step, curve.x, edge) for edge in scatter(curve))
        inside = np.mean((series.value > low) & (series.value < high))
        assert inside == pytest.approx(0.68, abs=0.03)


def test_few_points_have_no_band():
    assert scatter(make_curve(run_of(column("loss", range(30), np.ones(30)))["loss"])) is None


def test_a_stall_is_found_where_it_is_and_told():
    series = stalled()["loss"]
    (one,) = flat_stretches(series)
    assert one.first == pytest.approx(4000, abs=200)
    assert one.last == 20_000
    assert abs(one.moved) < 0.01
    shown = texts(draw("stagnation-windows", stalled()))
    assert "flat for 80 % of the run" in shown
    assert "80 % of the run: it " in shown


def test_what_falls_all_along_is_nowhere_flat():
    step = np.arange(1, 2001)
    noise = np.exp(0.02 * np.random.default_rng(0).standard_normal(2000))
    for level in (np.exp(-step / 1000.0), 1 / np.sqrt(step)):
        assert flat_stretches(run_of(column("loss", step, level * noise))["loss"]) == []
    assert flat_stretches(run_of(column("loss", range(20), np.ones(20)))["loss"]) == []


def test_the_best_so_far_never_rises():
    ax = draw("stagnation-windows", sick())
    (line,) = [x for x in ax.lines if x.get_drawstyle() == "steps-post"]
    held = np.asarray(line.get_ydata())
    assert (np.diff(held) <= 0).all()
    assert held[-1] == sick()["loss"].value.min()


def test_events_carry_value_step_and_sigma():
    run = sick()
    train, val = eventful(run)
    assert (train.series.split, val.series.split) == ("train", "val")
    assert len(train.marks) == len(SPIKES)
    for mark, first in zip(sorted(train.marks, key=lambda m: m.step), SPIKES, strict=True):
        assert first <= mark.step < first + 60
        assert mark.value == run["loss"].value[mark.step // 10 - 1]
        assert mark.sigma > 5
    assert [m.step for m in val.marks] == [21_000]
    shown = texts(draw("spikes-and-jumps", run))
    largest = train.marks[0]
    assert f"at {largest.step:,}".replace(",", " ") + f", {largest.sigma:.2g} sigma" in shown
    assert "5 events" in shown


def test_of_many_events_the_eight_largest_are_told():
    rng = np.random.default_rng(2)
    value = np.exp(0.03 * rng.standard_normal(6000))
    first = np.sort(rng.choice(np.arange(200, 5800, 60), 14, replace=False))
    for i, at in enumerate(first):
        value[at : at + 5] *= 2 + 0.5 * i
    shown = texts(draw("spikes-and-jumps", run_of(column("loss", range(6000), value))))
    assert "14 events, the 8 largest told" in shown
    assert shown.count("sigma") == 8


def test_labels_lie_on_no_other_text():
    from matplotlib.text import Text

    diagnosis = diagnosed(sick())
    ax = plots.available()["spikes-and-jumps"].draw(diagnosis.run, findings=diagnosis.findings)
    boxes = [t.get_window_extent() for t in ax.findobj(Text) if t.get_text()]
    assert sum("sigma" in t.get_text() for t in ax.texts) == 5
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])


def test_a_calm_run_says_that_there_is_nothing():
    assert "no spike or jump" in texts(draw("spikes-and-jumps", stalled()))


def test_the_plan_is_drawn_and_the_first_step_off_it_marked():
    (one,) = compared(sick())
    assert one.series.step[one.found.first] == OFF_PLAN
    assert one.found.factor == pytest.approx(1.4)
    ax = draw("planned-schedules", sick())
    shown = texts(ax)
    assert "off its plan from 20 010 · 1.4 times the plan" in shown
    inner = next(a for a in plots.figure_of(ax).axes if a.lines)
    ring = next(line for line in inner.lines if line.get_marker() == "o")
    assert ring.get_xdata() == [OFF_PLAN]
    dashed = next(line for line in inner.lines if line.is_dashed())
    np.testing.assert_allclose(dashed.get_ydata(), one.planned)


def test_what_keeps_to_its_plan_is_said_to():
    run = sick()
    kept = {k: s for k, s in run.series.items() if k[0] != "lr"}
    planned = parse(run.config["schedules"]["lr"]).value(run["lr"].step, 30_000)
    run = Run("kept", "x", "jsonl", kept, run.config)
    run = run.extend(_chunk(column("lr", np.arange(1, 3001) * 10, planned)))
    assert "as planned" in texts(draw("planned-schedules", run))


def test_a_plan_is_drawn_times_its_logged_factor():
    step = np.arange(1000)
    times = np.where(step < 300, 1.0, 1.5)
    plan = {"kind": "linear", "base": 0.1, "total_steps": 1000, "times": "lr_factor"}
    value = 0.1 * (1 - step / 1000) * times
    rate, factor = column("lr", step, value), column("lr_factor", step, times)
    run = run_of(rate, factor, config={"schedules": {"lr": plan}})
    (one,) = compared(run)
    np.testing.assert_allclose(one.planned, value, rtol=1e-12)
    assert "as planned" in texts(draw("planned-schedules", run))
    assert compared(run_of(rate, config={"schedules": {"lr": plan}})) == []


def _chunk(*columns):
    from trainlens.run import Chunk

    return Chunk(tuple(columns))


def test_plans_that_cannot_be_read_draw_nothing():
    for plans in ({"lr": {"kind": "nothing"}}, {"lr": {"kind": "cosine"}}, "x", {"else": {}}):
        run = run_of(column("lr", range(9), np.ones(9)), config={"schedules": plans})
        assert compared(run) == []
        assert not plots.available()["planned-schedules"].applies(run)


def test_readings_have_their_names_and_units():
    found = {(q.name, q.unit): len(q.series) for q in quantities(sick())}
    assert found == {
        ("Speed", "samples/s"): 1,
        ("Step time", "s"): 2,
        ("GPU use", "%"): 2,
        ("GPU memory", "GB"): 1,
        ("CPU use", "%"): 1,
    }
    ax = draw("system-metrics", sick())
    plots.figure_of(ax).draw_without_rendering()
    shown = texts(ax)
    assert "GPU use (%)" in shown
    assert "4 h" in shown
    assert "highest 70" in shown


def test_readings_of_the_machine_lie_over_its_time():
    cpu = quantities(sick())[-1]
    moved = by_time(cpu, sick().wall_times[0])
    assert moved.series[0].step[[0, -1]].tolist() == [0, 15_000]
    assert by_time(quantities(sick())[0], 0.0) is None


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("gpu_mem_mb", 40_960.0, "GB", 40.0),
        ("gpu_util", 0.5, "%", 50.0),
        ("gpu_memory_bytes", 2.0**34, "GB", 16.0),
    ],
)
def test_readings_come_in_units_that_people_read(name, value, unit, expected):
    (found,) = quantities(run_of(column(name, range(5), np.full(5, value))))
    assert found.unit == unit
    np.testing.assert_allclose(found.series[0].value, expected)


def test_the_sheet_shows_what_tells_something():
    names = [p.name for p in panels(sick(), diagnosed(sick()).findings)]
    assert "spikes-and-jumps" in names
    assert "planned-schedules" in names
    assert "system-metrics" in names
    assert "stagnation-windows" not in names
    names = [p.name for p in panels(stalled(), diagnosed(stalled()).findings)]
    assert "stagnation-windows" in names
    plain = [p.name for p in panels(healthy(), diagnosed(healthy()).findings)]
    assert plain == ["loss-curves", "train-validation", "learning-rate", "gradient-norm",
                     "moving-average-and-rate"]  # fmt: skip
    assert len(plots.available()) <= 13  # of which a sheet shows twelve at most


def test_sheets_of_a_report_show_the_machine_where_a_fault_is_about_it():
    slow = Finding("throughput-drop", Status.FAIL, Severity.WARNING, "", "train", 10, 20, "Slower.")
    every = [p.name for p in panels(sick())]
    assert "system-metrics" in every
    assert [p.name for p in panels(sick(), (), brief=True)] == every[:-1]
    assert [p.name for p in panels(sick(), (slow,), brief=True)] == every


@pytest.mark.parametrize("name", plots.available())
def test_every_text_can_be_read_at_800_pixels(name):
    from matplotlib.text import Text

    diagnosis = diagnosed(sick())
    ax = plots.available()[name].draw(diagnosis.run, findings=diagnosis.findings)
    figure = plots.figure_of(ax)
    wide = figure.get_size_inches()[0] * figure.dpi
    sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text()]
    assert min(sizes) * figure.dpi / 72 * min(1.0, 800 / wide) >= 9


LONG = "loss_" + "ab_" * 99


@pytest.mark.parametrize("name", plots.available())
def test_no_text_leaves_the_picture(name):
    rng = np.random.default_rng(3)
    value = 2 + np.exp(-np.arange(900) / 99) + 0.1 * rng.standard_normal(900)
    value[500:505] *= 3
    metrics = (LONG, f"val/{LONG}", "lr_" + "x" * 300, "samples_per_sec_" + "y" * 300)
    run = run_of(*(column(m, range(1, 901), value) for m in metrics), name="W" * 300)
    ax = plots.available()[name].draw(run, findings=diagnosed(run).findings)
    figure = plots.figure_of(ax)
    wide, high = figure.get_size_inches() * figure.dpi
    figure.draw_without_rendering()
    # Ticks beyond the axes are not drawn.
    for text in (text for inner in figure.axes for text in inner.texts):
        box = text.get_window_extent()
        assert box.x0 > -1, text.get_text()
        assert box.x1 < wide + 1, text.get_text()
        assert -1 < box.y0 < high, text.get_text()
