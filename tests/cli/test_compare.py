"""``trainlens compare``: exact output, exit codes, files, and one clear line for bad input."""

import csv
import json
import math
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from tests import shell
from trainlens import cli

KNOWN = Path(__file__).parent / "compare_small.txt"


def run(*arguments):
    """Exit code, stdout and stderr of ``trainlens compare``."""
    return shell.run("compare", *arguments)


def write(path, points, split="val", metric="mpjpe", config=None, step=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"schema": "trainlens.log/1", "config": config or {}})]
    for i, value in enumerate(points):
        told = "NaN" if math.isnan(value) else repr(float(value))
        lines.append(
            f'{{"step": {step * (i + 1)}, "split": "{split}", "stats": {{"{metric}": {told}}}}}'
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two runs of twelve evaluations whose differences are 20 mm, a little more or less."""
    monkeypatch.chdir(tmp_path)
    base = [100, 84, 77, 74, 72, 71, 70.5, 70.2, 70, 69.9, 70.1, 70]
    more = [20, 20.25, 19.75, 20, 20.5, 19.5, 20, 20.25, 19.75, 20, 20.5, 19.5]
    write(tmp_path / "old.jsonl", base, config={"lr": 0.001})
    write(tmp_path / "new.jsonl", [a + b for a, b in zip(base, more, strict=True)],
          config={"lr": 0.003})  # fmt: skip
    return "old.jsonl", "new.jsonl"


@pytest.fixture
def seeds(tmp_path, monkeypatch):
    """Two folders with five seeds each, of which one is clearly better."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    for name, level in (("small", 0.80), ("large", 0.90)):
        for seed in range(5):
            points = level - 0.5 * 2.0 ** (-np.arange(30) / 3) + rng.normal(0, 0.005, 30)
            config = {"model": name, "seed": seed}
            write(tmp_path / "runs" / name / f"s{seed}.jsonl", points, metric="accuracy",
                  config=config)  # fmt: skip
    return "runs/small", "runs/large"


# --- what is printed --------------------------------------------------------------------------


def test_the_output_is_the_stored_one(pair, request):
    """`pytest --update-golden` writes it anew; look at what changed."""
    Path("targets.toml").write_text('expect = ["end(val/mpjpe) < 95 mm", "std(val/mpjpe) < 8 mm"]')
    code, out, err = run(*pair, "--at", "300,1200", "--threshold", "mpjpe=91", "--expect",
                         "targets.toml")  # fmt: skip
    if request.config.getoption("--update-golden"):
        KNOWN.write_text(out, encoding="utf-8")
    assert out == KNOWN.read_text(encoding="utf-8")
    assert err == ""
    assert code == 1


def test_a_clear_difference_of_two_runs_is_told(pair):
    code, out, _ = run(*pair)
    assert code == 0
    assert out.splitlines()[0].startswith("These two runs differ: new is worse than old")
    assert "\x1b" not in out
    assert "lr" in out.split("Settings that differ")[1]
    assert max(map(len, out.splitlines())) <= 80


def test_the_chosen_places_are_shown(pair):
    document = json.loads(run(*pair, "--at", "300,1200", "--json")[1])
    at = document["metrics"][0]["at"]
    assert [one["step"] for one in at] == [300, 1200]
    assert [one["delta"] for one in at] == [19.75, 19.5]
    assert at[0]["percent"] == pytest.approx(100 * 19.75 / 77)


def test_groups_by_folder_and_by_setting_say_the_same(seeds):
    code, out, _ = run(*seeds, "--json")
    by_folder = json.loads(out)
    by_setting = json.loads(run("runs", "--group-by", "model", "--baseline", "small", "--json")[1])
    assert code == 0
    assert by_folder["baseline"] == "small"
    assert by_folder["candidates"] == ["large"]
    (one,), (other,) = by_folder["metrics"], by_setting["metrics"]
    assert one["verdict"] == other["verdict"] == "better"
    assert one["difference"]["mean"] == other["difference"]["mean"]
    assert run(*seeds)[1].splitlines()[0] == "large is better than small in val/accuracy."


def test_the_baseline_can_be_named(seeds):
    document = json.loads(run(*seeds, "--baseline", "large", "--json")[1])
    assert document["baseline"] == "large"
    assert document["metrics"][0]["verdict"] == "worse"
    code, out, err = run(*seeds, "--baseline", "larg")
    assert (code, out) == (2, "")
    assert "did you mean 'large'?" in err


def test_many_candidates(seeds):
    code, out, _ = run(*(f"runs/large/s{i}.jsonl" for i in range(5)), "runs/small/s0.jsonl")
    assert code == 0
    assert "of 5 candidates" in out.splitlines()[0]


def test_a_meaning_turns_the_verdict(pair):
    metrics = json.loads(run(*pair, "--json", "--role", "mpjpe=metric:max")[1])["metrics"]
    assert [m["verdict"] for m in metrics] == ["better"]


@pytest.mark.parametrize("form", ["text", "md", "latex", "csv", "json"])
def test_every_format_names_both_runs(pair, form):
    code, out, _ = run(*pair, "--format", form)
    assert code == 0
    assert "old" in out
    assert "new" in out
    if form == "json":
        assert out == run(*pair, "--json")[1]
    if form == "csv":
        assert {"mpjpe"} == {row["metric"] for row in csv.DictReader(StringIO(out))} - {""}


# --- expectations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strict", "code"),
    [
        ("end(val/mpjpe) < 100 mm", False, 0),
        ("end(val/mpjpe) < 60 mm", False, 1),
        ("val/mpjpe at 99000 < 60 mm", False, 0),
        ("val/mpjpe at 99000 < 60 mm", True, 1),
    ],
)
def test_the_exit_code_tells_of_targets(pair, text, strict, code):
    Path("targets.toml").write_text(f'expect = ["{text}"]')
    assert run(*pair, "--expect", "targets.toml", *["--strict"] * strict)[0] == code


def test_a_lost_record_counts_where_that_is_asked_for(pair):
    with open("new.jsonl", "a") as file:
        file.write('{"step": 1300, "split": "val", "stats": {"mp')
    assert run(*pair)[0] == 0
    assert run(*pair, "--strict")[0] == 1


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "form"), [("md", "md"), ("tex", "latex"), ("csv", "csv"), ("json", "json")]
)
def test_a_file_holds_what_would_be_printed(pair, ending, form):
    code, out, err = run(*pair, "-o", f"told.{ending}")
    assert code == 0
    assert out.startswith("These two runs differ: new is worse than old")
    assert err == f"Comparison: told.{ending}\n"
    assert Path(f"told.{ending}").read_text() == run(*pair, "--format", form)[1]


def test_several_files_at_once(pair):
    code, _, _ = run(*pair, "-o", "a.md", "-o", "b.json", "-o", "c.txt")
    assert code == 0
    assert json.loads(Path("b.json").read_text())["schema"] == "trainlens.comparison/1"
    assert "\x1b" not in Path("c.txt").read_text()


def test_json_on_stdout_beside_a_file(pair):
    code, out, _ = run(*pair, "--json", "-o", "a.md")
    assert code == 0
    assert json.loads(out)["baseline"] == "old"
    assert Path("a.md").exists()


def test_a_folder_that_is_missing_leaves_nothing(pair, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, _, err = run(*pair, "-o", "no/such/told.md")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


# --- bad input --------------------------------------------------------------------------------


def refused(*arguments):
    """The one line of a command that could not be done."""
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    return err


def test_one_path_is_told_the_two_ways(pair, seeds):
    for path in ("old.jsonl", "runs/small"):
        said = refused(path)
        assert "name a baseline and a candidate" in said
        assert "--group-by KEY" in said


def test_a_run_is_named_once(pair):
    assert "name every run once" in refused("old.jsonl", "old.jsonl")
    assert "name every run once" in refused(".", "new.jsonl")


def test_nothing_in_common(pair, seeds):
    said = refused("old.jsonl", "runs/small")
    assert "no metric in common" in said
    assert "val/mpjpe" in said
    assert "val/accuracy" in said


def test_no_common_step(pair, tmp_path):
    write(tmp_path / "late.jsonl", [70.0, 69, 68, 67], step=100_000)
    said = refused("old.jsonl", "late.jsonl")
    assert "nothing to compare" in said


def test_nothing_finite(pair, tmp_path):
    write(tmp_path / "nan.jsonl", [math.nan] * 12)
    said = refused("old.jsonl", "nan.jsonl")
    assert "nan" in said
    assert "finite" in said


def test_a_metric_of_unknown_direction(pair, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.jsonl", range(12), metric="alpha_mean", split="train")
    said = refused("a.jsonl", "b.jsonl", "--metric", "alpha_mean")
    assert "--role train/alpha_mean=metric:min" in said


def test_a_malformed_target_has_its_place(pair):
    Path("bad.toml").write_text('expect = [\n  "mean(val/mpjpe < 80 mm",\n]\n')
    said = refused(*pair, "--expect", "bad.toml", "-o", "told.md")
    assert "bad.toml:2:" in said
    assert not Path("told.md").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metric", "nonsense"], ["no common metric that is nonsense", "val/mpjpe"]),
        (["--at", "300;400"], ["--at 300;400", "3000,6000"]),
        (["--at", "nan"], ["--at nan"]),
        (["--threshold", "mpjpe"], ["METRIC=VALUE"]),
        (["--threshold", "mpjpe=low"], ["METRIC=VALUE"]),
        (["-o", "told.pdf"], ["told.pdf", ".html", ".tex"]),
        (["-o", "told.md", "--format", "csv"], ["exclude each other"]),
        (["--json", "--format", "csv"], ["exclude each other"]),
        (["--group-by", "nothing"], ["nothing", "lr"]),
        (["--expect", "none.toml"], ["none.toml"]),
        (["--config", "none.toml"], ["none.toml"]),
        (["--role", "mpjpe=what"], ["there is no role 'what'"]),
        (["--baseline", "what"], ["--baseline what", "old"]),
    ],
)
def test_a_wrong_option_is_one_line(pair, arguments, words):
    said = refused(*pair, *arguments)
    for word in words:
        assert word in said


def test_a_path_that_is_not_there(pair):
    assert "none.jsonl" in refused("old.jsonl", "none.jsonl")


# --- weight -----------------------------------------------------------------------------------


def test_printing_a_comparison_imports_nothing_of_weight(pair):
    script = (
        "import sys\nfrom trainlens.cli import cli\n"
        "cli.main(['compare', 'old.jsonl', 'new.jsonl'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                         env={"PYTHONPATH": str(Path(cli.__file__).parents[2]),
                              "TRAINLENS_CACHE": "off"})  # fmt: skip
    loaded = {name.split(".")[0] for name in ran.stderr.split()}
    assert "numpy" in loaded
    assert not loaded & {"pandas", "matplotlib", "jinja2", "dask", "aim", "torch"}
    assert "scipy.stats" not in ran.stderr.split()
