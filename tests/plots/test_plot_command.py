"""``trainlens plot``: every registered picture can be had, and what cannot be is one clear line."""

import json

import numpy as np
import pytest

from tests.test_cli import run
from trainlens.plots._comparing import comparison_plots
from trainlens.plots.base import available

PNG = b"\x89PNG"


def write(path, seed=0, **more):
    rng = np.random.default_rng(seed)
    with path.open("w") as out:
        for step in range(1, 401):
            loss = 0.5 + 2 * np.exp(-step / 60) + 0.02 * rng.standard_normal()
            row = {"step": step, "train/loss": loss, "train/lr": 1e-3, "train/grad_norm": 1.0,
                   "val/loss": loss + 0.1, "gpu_util": 0.9}  # fmt: skip
            out.write(json.dumps(row | more) + "\n")
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write(folder / "a.jsonl")
    write(folder / "b.jsonl", seed=1)
    return folder


@pytest.fixture
def one(two):
    return two / "a.jsonl"


OF_ONE = [name for name, plot in available().items() if not plot.several]
OF_SEVERAL = [name for name, plot in available().items() if plot.several]


@pytest.mark.parametrize("kind", [k for k in available() if k != "planned-schedules"])
def test_every_picture_of_a_run_can_be_had(kind, one, tmp_path):
    target = tmp_path / "p.png"
    assert run("plot", one, "--kind", kind, "-o", target) == (0, f"{target}\n", "")
    assert target.read_bytes().startswith(PNG)


@pytest.mark.parametrize("kind", OF_SEVERAL)
def test_those_of_several_runs_show_them_together(kind, two, tmp_path):
    target = tmp_path / "p.svg"
    assert run("plot", two, "--kind", kind, "-o", target)[0] == 0
    drawn = target.read_text()
    assert ">a<" in drawn or ">a, train<" in drawn
    assert ">b<" in drawn or ">b, train<" in drawn


def test_every_picture_of_a_comparison_needs_no_metric(two, tmp_path):
    target = tmp_path / "p.png"
    done = 0
    for kind in ("comparison", *comparison_plots()):
        code, _, err = run("plot", two, "--kind", kind, "-o", target)
        assert code == 0 or "these runs have nothing that it could show" in err
        done += code == 0
    assert done >= 3


@pytest.mark.parametrize("kind", OF_ONE)
def test_a_picture_of_one_run_is_refused_for_two_in_one_line(kind, two, tmp_path):
    code, out, err = run("plot", two, "--kind", kind, "-o", tmp_path / "p.png")
    assert (code, out) == (2, "")
    if kind != "planned-schedules":
        assert "shows one run, and 2 were read" in err
        assert "a folder" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_a_picture_of_each_run(two, tmp_path):
    out = tmp_path / "pictures"
    code, said, _ = run("plot", two, "--kind", "dashboard", "-o", out)
    assert code == 0
    names = ["run-01-dashboard.png", "run-02-dashboard.png"]
    assert sorted(p.name for p in out.iterdir()) == names
    assert said.splitlines() == [str(out / name) for name in names]


def test_a_run_without_the_data_is_named(two, tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.jsonl")
    (tmp_path / "in" / "b.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    code, _, err = run("plot", tmp_path / "in", "--kind", "learning-rate", "-o", tmp_path / "out")
    assert code == 0
    assert "b: it has nothing that learning-rate could show" in err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["run-01-learning-rate.png"]


def test_the_list_names_every_picture_with_a_sentence():
    code, out, _ = run("plot", "--kind", "list")
    assert code == 0
    for name in ("comparison", *available(), *comparison_plots()):
        line = next(x for x in out.splitlines() if x.split()[:1] == [name])
        assert len(line.split()) > 4
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--kind", "dashbord"], "did you mean 'dashboard'?"),
        (["--kind", "spikes"], "'spikes-and-jumps'"),
        (["--kind", "qqq"], "--kind list"),
        (["--kind", "dashboard", "--metric", "loss"], "dashboard has no --metric"),
        (["--kind", "comparison", "--log-y"], "comparison has no --log-y"),
        (["--kind", "comparison"], "only one was read"),
        (["--kind", "planned-schedules"], "nothing that it could show"),
        (["--kind", "dashboard", "-o", "x.jpg"], "end the name with one"),
        ([], "Missing option '--metric'"),
    ],
)
def test_what_cannot_be_is_told(given, told, one, tmp_path):
    aside = [] if "-o" in given else ["-o", tmp_path / "p.png"]
    code, out, err = run("plot", one, *given, *aside)
    assert (code, out) == (2, "")
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_an_overlay_takes_the_options_of_a_metric(two, tmp_path):
    first, second, third = (tmp_path / f"{i}.png" for i in "123")
    assert run("plot", two, "--kind", "metric-overlay", "-o", first)[0] == 0
    assert run("plot", two, "--metric", "val/loss", "-o", second)[0] == 0
    assert run("plot", two, "--metric", "val/loss", "--kind", "metric-overlay", "--log-y", "-o",
               third)[0] == 0  # fmt: skip
    assert first.read_bytes() == second.read_bytes() != third.read_bytes()
