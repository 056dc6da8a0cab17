"""Every plot on every kind of run: it draws, says what it must, and warns about nothing."""

import warnings

import numpy as np
import pytest

from trainlens import plots
from trainlens.plots.base import COLOURS, as_runs, line_style, plot, single
from trainlens.plots.gradient_norm import gradient_norm
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

NAMES = [
    "dashboard",
    "findings-annotated",
    "gradient-norm",
    "learning-rate",
    "loss-curves",
    "metric-overlay",
    "moving-average-and-rate",
    "planned-schedules",
    "spikes-and-jumps",
    "stagnation-windows",
    "system-metrics",
    "train-validation",
]


def column(name, step, value):
    step = np.asarray(step, np.int64)
    return Column(name, step, np.asarray(value, float), unknown(len(step)), unknown(len(step)))


def run_of(*columns, name="run"):
    return Run(name, "somewhere", "jsonl").extend(Chunk(tuple(columns)))


def full_run(name="run", n=400, scale=1.0, bad=()):
    step = np.arange(1, n + 1) * 10
    share = step / step[-1]
    wiggle = 1 + 0.05 * np.sin(7.0 * np.arange(n))
    loss = scale * (0.5 + 2 * np.exp(-6 * share)) * wiggle
    loss[list(bad)] = np.nan
    watched = slice(19, None, 20)
    return run_of(
        column("loss", step, loss),
        column("lr", step, 1e-3 * np.minimum(1, 10 * share)),
        column("grad_norm", step, wiggle),
        column("val_loss", step[watched], scale * (0.6 + (share[watched] - 0.4) ** 2)),
        name=name,
    )


def fault(rule="overfitting", first=1600, last=4000, severity="error", key=("loss", "val")):
    return Finding(
        rule, Status.FAIL, Severity(severity), *key, first, last, "Validation loss rose by $5^2$."
    )


def texts(ax):
    """All text of the figure that some axes belong to."""
    found = ax.get_figure(root=True).findobj(lambda a: hasattr(a, "get_text"))
    return [t.get_text() for t in found if t.get_text()]


def drawn(ax):
    """The picture of the figure that some axes belong to."""
    return plots.figure_bytes(plots.figure_of(ax))


ODD_RUNS = {
    "full": full_run(),
    "gap": full_run(bad=range(100, 140)),
    "one point": run_of(column("loss", [5], [1.0])),
    "two points": run_of(column("loss", [0, 1], [2.0, 1.0]), column("val_loss", [0], [3.0])),
    "all NaN": run_of(column("loss", range(100), [np.nan] * 100), column("lr", [1], [np.nan])),
    "infinite": run_of(column("loss", range(100), [np.inf, -np.inf] * 50)),
    "constant": run_of(column("loss", range(100), [1.0] * 100), column("lr", range(9), [0.0] * 9)),
    "zeros": run_of(column("loss", range(100), [0.0] * 100)),
    "negative": run_of(column("loss", range(100), np.linspace(-1, -5, 100))),
    "extreme": run_of(column("loss", range(100), np.r_[np.full(50, 1e-300), np.full(50, 1e308)])),
    "both signs": run_of(column("loss", range(100), np.r_[np.full(50, -1e308), [1e308] * 50])),
    "huge steps": run_of(column("loss", 2**60 + np.arange(100) * 2**40, np.arange(100.0))),
    "one step": run_of(column("loss", [7] * 100, np.arange(100.0))),
    "rewound": run_of(column("loss", [*range(80), *range(40, 120)], np.arange(160.0))),
    "no loss": run_of(column("gpu_util", range(5), range(5))),
    "empty": Run("empty", "somewhere", "jsonl"),
    "names": run_of(
        column("$\\frac{$ loss_$x^2$", range(90), range(90)),
        column("val/$", range(3), range(3)),
        name="$\\alpha$ _\x1b[31m\u202e 实验 \U0001f600" + "x" * 300,
    ),
    "underscore": run_of(column("_loss", range(90), range(90)), name="_hidden"),
}


def test_the_registry_lists_every_plot():
    assert list(plots.available()) == NAMES
    for name, held in plots.available().items():
        assert held.name == name
        assert held.title
        assert held.about.endswith(".")


def test_two_plots_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two plots are called 'dashboard'"):
        plot("dashboard", title="again")(lambda run, ax=None, findings=(): ax)


CASES = [
    # The dashboard holds most of the others.
    *((name, kind) for name in ("dashboard", "metric-overlay") for kind in ODD_RUNS),
    *((name, kind) for name in NAMES for kind in ("rewound", "all NaN", "empty")),
]


@pytest.mark.parametrize(("name", "kind"), dict.fromkeys(CASES))
def test_every_plot_draws_every_run(name, kind):
    run = ODD_RUNS[kind]
    findings = (fault(), fault("loss-spike", 0, None, "warning", ("loss", "train")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plots.available()[name].draw(run, findings=findings)
        assert drawn(ax).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_draws_into_the_axes_it_is_given(name):
    figure = plots.base.new_figure(8, 6)
    ax = plots.base.place(figure, (0, 0, 8, 6))
    assert plots.available()[name].draw(full_run(), ax) is ax
    assert plots.figure_of(ax) is figure


@pytest.mark.parametrize("name", ["loss-curves", "learning-rate", "gradient-norm"])
def test_several_runs_keep_the_colours_of_their_places(name):
    runs = [full_run(f"r{i}") for i in range(10)]
    ax = plots.available()[name].draw(runs)
    lines = [x for x in ax.get_lines() if x.get_linewidth() == 1.6]
    assert [x.get_color() for x in lines] == [COLOURS[i % 8] for i in range(10)]
    assert lines[0].is_dashed() is False
    assert lines[8].is_dashed() is True
    assert [f"r{i}" in texts(ax) for i in range(10)] == [True] * 10


@pytest.mark.parametrize("name", ["train-validation", "moving-average-and-rate", "dashboard"])
def test_plots_of_one_run_refuse_several(name):
    with pytest.raises(ValueError, match="one run, 2 were given"):
        plots.available()[name].draw([full_run(), full_run()])


def test_names_are_shown_as_they_are_and_cut():
    run = ODD_RUNS["names"]
    shown = texts(plots.available()["dashboard"].draw(run))
    assert any(t.startswith("$\\alpha$") and len(t) <= 64 and "\x1b" not in t for t in shown)
    overlay = plots.metric_figure([run, full_run("_b")], "loss")
    shown = texts(overlay.axes[0])
    assert "_b, train" in shown
    assert "_b, val" in shown


def test_hidden_direction_marks_become_visible():
    shown = " ".join(texts(plots.available()["dashboard"].draw(ODD_RUNS["names"])))
    assert "\u202e" not in shown
    assert "\ufffd" in shown


def test_values_and_best_step_are_told():
    run = run_of(
        column("loss", [1, 2, 3], [3.0, 2.0, 1.0]), column("val_loss", [1, 2, 3], [3.0, 2.5, 2.75])
    )
    shown = texts(plots.available()["train-validation"].draw(run))
    assert "last 2.75 · best 2.5 at 2" in shown
    assert {"loss", "train", "val"} <= set(shown)


def test_the_gap_of_nan_is_marked_on_the_axis_and_breaks_the_line():
    ax = plots.available()["loss-curves"].draw(full_run(bad=[100, 101, 102]))
    crosses = [x for x in ax.get_lines() if x.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [1010, 1020, 1030]
    front = next(x for x in ax.get_lines() if x.get_linewidth() == 1.6)
    assert np.flatnonzero(np.isnan(front.get_ydata())).tolist() == [100, 101, 102]


def test_long_series_keep_their_extremes():
    value = np.ones(100_000)
    value[54_321] = 9.0
    ax = plots.available()["loss-curves"].draw(run_of(column("loss", range(100_000), value)))
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == 9.0
    assert len(band) < 4_000


def test_an_average_never_shows_a_fault_before_it_happens():
    value = np.r_[np.ones(300), np.full(100, 1e6)]
    for tail in (value, np.r_[np.ones(300), np.full(100, 40.0)]):
        ax = plots.available()["loss-curves"].draw(run_of(column("loss", range(400), tail)))
        front = next(x for x in ax.get_lines() if x.get_linewidth() == 1.6)
        assert np.allclose(front.get_ydata()[:300], 1.0)


@pytest.mark.parametrize(("top", "scale"), [(10.0, "linear"), (1e5, "log")])
def test_the_axis_is_logarithmic_where_a_loss_spans_decades(top, scale):
    run = run_of(column("loss", range(100), np.geomspace(1, top, 100)))
    assert plots.available()["loss-curves"].draw(run).get_yscale() == scale


def test_the_moving_average_change_of_an_exponential_is_constant():
    from trainlens.plots.moving_average_and_rate import change

    step = np.arange(4001)
    run = run_of(column("loss", step, 40 * np.exp(-step / 4001)))
    edge, share = change(run["loss"], pieces=40)
    assert edge[[0, -1]].tolist() == [0, 4000]
    # A lagging average of an exponential falls at the same rate, but for its first moments.
    assert share[8:] == pytest.approx(np.exp(-100 / 4001) - 1, rel=1e-2)


def test_findings_are_shaded_on_their_own_series_only():
    findings = (fault(), fault("loss-spike", 200, 300, "warning", ("accuracy", "val")))
    held = plots.available()["train-validation"].draw(full_run(), findings=findings)
    assert "1" in texts(held)
    assert "2" not in texts(held)
    spans = [p.get_extents() for p in held.patches]
    assert len(spans) == 1


def test_findings_are_told_in_words_on_the_sheet():
    shown = texts(plots.available()["dashboard"].draw(full_run(), findings=(fault(),)))
    assert "1 error" in shown
    assert any(t.startswith("overfitting · steps 1\u202f600–4\u202f000 · Val") for t in shown)


def test_passes_are_no_findings():
    passed = Finding("overfitting", Status.PASS, metric="loss", split="val", first_step=1)
    ax = plots.available()["findings-annotated"].draw(full_run(), findings=(passed,))
    assert len(ax.patches) == 0


def test_styles_differ_for_32_runs():
    styles = {(s["color"], s.get("dashes")) for s in map(line_style, range(32))}
    assert len(styles) == 32


def test_one_or_many():
    run = full_run()
    assert list(as_runs(run)) == list(as_runs((run,))) == [run]
    assert single([run]) is run
    with pytest.raises(ValueError, match="0 were given"):
        single([])


def test_a_diagnosis_carries_its_findings_in_order():
    # The numbers in pictures are those of `Diagnosis.findings`.
    first, second = fault("a", severity="info"), fault("b")
    held = Diagnosis(full_run(), (first, second)).findings
    shown = texts(plots.available()["dashboard"].draw(full_run(), findings=held))
    assert "1 error" in shown
    assert "2 info" in shown


def test_where_only_norms_of_layers_are_logged_the_norm_over_all_is_drawn():
    step = np.arange(50)
    parts = [column(f"grad_norm/layer{i}", step, np.full(50, 3.0 + i)) for i in range(2)]
    run = run_of(column("loss", step, np.ones(50)), *parts)
    ax = gradient_norm(run)
    assert any("grad_norm of 2 layers" in text for text in texts(ax))
    assert any("median 5" in text for text in texts(ax))
