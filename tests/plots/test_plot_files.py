"""Pictures as files: names, formats, whole or not at all."""

import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest

from trainlens import plots
from trainlens.errors import OutputError, UsageError
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown


def run_of(name, n=50, metric="loss"):
    step = np.arange(n)
    column = Column(metric, step, 1 / (1.0 + step), unknown(n), unknown(n))
    return Run(name, "somewhere", "jsonl").extend(Chunk((column,)))


@pytest.fixture
def figure():
    return plots.metric_figure([run_of("a"), run_of("b")], "loss")


def size(png):
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_png_and_svg(figure, tmp_path):
    png = plots.save(figure, tmp_path / "a.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert size(png)[0] == 900
    svg = plots.save(figure, tmp_path / "a.svg").read_text()
    assert svg.startswith("<?xml")
    assert "loss, train" in svg
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.svg"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_equal_figures_give_equal_bytes(kind):
    made = [plots.figure_bytes(plots.metric_figure([run_of("a")], "loss"), kind) for _ in "ab"]
    assert made[0] == made[1]


def test_other_formats_are_refused(figure, tmp_path):
    with pytest.raises(UsageError, match="png, svg"):
        plots.save(figure, tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_one_clear_line(figure, tmp_path):
    with pytest.raises(OutputError, match=r"a\.png: cannot be written: No such file"):
        plots.save(figure, tmp_path / "missing" / "a.png")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(figure, tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        plots.save(figure, target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.skipif(os.name == "nt", reason="no permission bits")
def test_pictures_have_the_rights_of_any_new_file(figure, tmp_path):
    (tmp_path / "other").touch()
    made = plots.save(figure, tmp_path / "a.png")
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_smoothing_is_tensorboards():
    run = run_of("a", 200)
    plotted = plots.metric_figure([run], "loss", smooth=0.9).axes[0].get_lines()
    front = next(x for x in plotted if x.get_linewidth() == 1.6).get_ydata()
    weights = 0.9 ** np.arange(100)[::-1]
    assert front[99] == pytest.approx(weights @ run["loss"].value[:100] / weights.sum())


def test_no_smoothing_shows_the_values_themselves():
    run = run_of("a", 200)
    plotted = plots.metric_figure([run], "loss", smooth=0.0).axes[0].get_lines()
    front = next(x for x in plotted if x.get_linewidth() == 1.6).get_ydata()
    assert np.array_equal(front, run["loss"].value)


@pytest.mark.parametrize("log_y", [False, True])
def test_the_logarithmic_axis_is_the_users_choice(log_y):
    scale = plots.metric_figure([run_of("a")], "loss", log_y=log_y).axes[0].get_yscale()
    assert scale == ("log" if log_y else "linear")


def test_a_log_axis_without_positive_values_still_draws():
    run = Run("a", "x", "jsonl").extend(
        Chunk((Column("r", np.arange(3), np.array([-1.0, 0, -2]), unknown(3), unknown(3)),))
    )
    assert plots.figure_bytes(plots.metric_figure([run], "r", log_y=True))


def test_a_report_has_a_sheet_a_run_and_an_overlay_a_shared_metric(tmp_path):
    hostile = ["../../a", "b/c", "$x^2$", "CON", ""]
    runs = [run_of(name) for name in hostile] + [run_of("alone", metric="score")]
    made = plots.draw_report(plots.pictures([Diagnosis(r, ()) for r in runs]), tmp_path)
    assert [p.name for p in made] == [
        *(f"run-{i:02d}-dashboard.png" for i in range(1, 5)),
        "metric-01-overlay.png",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in made)
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in made)


def test_a_report_of_many_runs_shows_those_with_findings():
    bad = Finding("overfitting", Status.FAIL, Severity.ERROR, "loss", "train", 1, 2, "Bad.")
    runs = [Diagnosis(run_of(str(i), 3), (bad,) if i == 14 else ()) for i in range(15)]
    made = [p.name for p in plots.pictures(runs) if p.name.startswith("run-")]
    # And the first four of those without.
    assert made == [f"run-{i:02d}-dashboard.png" for i in (1, 2, 3, 4, 15)]
    noted = Finding("outlier", Status.FAIL, Severity.INFO, "loss", "train", 1, 2, "Odd.")
    runs = [Diagnosis(run_of(str(i), 3), (bad,) if i > 1 else (noted,)) for i in range(15)]
    made = [p.name for p in plots.pictures(runs) if p.name.startswith("run-")]
    assert made == [f"run-{i:02d}-dashboard.png" for i in range(3, 15)]


def test_a_run_without_points_gets_no_sheet(tmp_path):
    assert (
        plots.draw_report(plots.pictures([Diagnosis(Run("a", "x", "jsonl"), ())]), tmp_path) == []
    )


def test_drawing_touches_nothing_global(tmp_path):
    code = (
        "import sys, matplotlib, numpy as np\n"
        "from pathlib import Path\n"
        "from trainlens import plots\n"
        "from trainlens.rules import Diagnosis\n"
        "from trainlens.run import Chunk, Column, Run, unknown\n"
        "names = [n for n in matplotlib.rcParams if not n.startswith('backend')]\n"
        "before = [repr(matplotlib.rcParams[n]) for n in names]\n"
        "loss = Column('loss', np.arange(9), np.ones(9), unknown(9), unknown(9))\n"
        "run = Run('a', 'b', 'jsonl').extend(Chunk((loss,)))\n"
        "plots.draw_report(plots.pictures([Diagnosis(run, ())]), Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert [repr(matplotlib.rcParams[n]) for n in names] == before\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_plots_does_not_import_matplotlib():
    code = (
        "import sys, trainlens.plots as p\np.available()\nsys.exit('matplotlib' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_file_names_are_plain(tmp_path):
    made = plots.draw_report(plots.pictures([Diagnosis(run_of("x" * 300), ())] * 2), tmp_path)
    assert all(re.fullmatch(r"[a-z]+-\d+-[a-z]+\.png", p.name) for p in made)
