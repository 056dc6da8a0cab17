"""``trainlens report`` of several runs a side: the comparison of the sides, not of single runs."""

import json
import re

import pytest

import trainlens
from tests import shell
from tests.seed_logs import SEEDS, write_sides
from trainlens.errors import UsageError

WAYS = [
    ["runs/baseline", "runs/treated", "--baseline", "runs/baseline"],
    ["runs/treated", "runs/baseline", "--baseline", "baseline"],
    ["runs", "--baseline", "runs/baseline"],
    ["runs", "--baseline", "baseline"],
    ["runs", "--group-by", "name", "--baseline", "baseline"],
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The folder above the runs of two sides."""
    folder = tmp_path_factory.mktemp("logs")
    write_sides(folder / "runs")
    return folder


@pytest.fixture
def here(logs, tmp_path, monkeypatch):
    monkeypatch.chdir(logs)
    return tmp_path / "out"


def report(out, *arguments):
    return shell.run("report", *arguments, "--no-config", "--no-plots", "-o", out)


def compared(out):
    return json.loads((out / "comparison.json").read_text())


def verdicts(document):
    return [(m["metric"], m["split"], m["verdict"], m["difference"]) for m in document["metrics"]]


@pytest.mark.parametrize("arguments", WAYS, ids=" ".join)
def test_every_way_to_name_the_sides_compares_them(here, arguments):
    code, out, _ = report(here, *arguments)
    assert code == 0
    assert "treated is better than baseline in val/accuracy." in out
    document = compared(here)
    assert (document["baseline"], document["candidates"]) == ("baseline", ["treated"])
    assert [len(arm["runs"]) for arm in document["arms"]] == [SEEDS, SEEDS]
    alone = json.loads(shell.run("compare", "runs/baseline", "runs/treated", "--json")[1])
    assert verdicts(document) == verdicts(alone)
    assert document["metrics"][0]["replicates"]["paired"] == SEEDS


def test_a_setting_makes_sides(here):
    assert report(here, "runs", "--group-by", "lr", "--baseline", "0.1")[0] == 0
    document = compared(here)
    assert document["baseline"] == "lr=0.1"
    assert document["metrics"][0]["verdict"] == "better"
    assert report(here, "runs", "--group-by", "optimizer.lr")[0] == 0
    # Without a name the first is the baseline, the smallest number.
    assert compared(here)["baseline"] == "lr=0.03"


def test_the_name_of_a_run_compares_every_other_run_with_it(here):
    assert report(here, "runs", "--baseline", "baseline/seed-0")[0] == 0
    document = compared(here)
    assert document["baseline"] == "baseline/seed-0"
    assert len(document["candidates"]) == 2 * SEEDS - 1


def test_the_json_of_the_report_tells_the_verdict(here):
    report(here, "runs", "--baseline", "runs/baseline")
    told = json.loads((here / "report.json").read_text())
    brief, whole = told["comparison"], compared(here)
    assert told["schema"] == "trainlens.diagnosis/1"
    assert brief["file"] == "comparison.json"
    assert brief["sentence"] == whole["sentence"]
    assert brief["sides"] == {
        arm["name"]: [run["name"] for run in arm["runs"]] for arm in whole["arms"]
    }
    assert [(m["verdict"], m["because"]) for m in brief["metrics"]] == [
        (m["verdict"], m["because"]) for m in whole["metrics"]
    ]
    for one, other in zip(brief["metrics"], whole["metrics"], strict=True):
        assert one["difference"] == other["difference"]["mean"]
        assert one["interval"] == other["difference"]["interval"]


def test_the_json_of_a_report_without_a_comparison_has_none(here):
    report(here, "runs")
    assert "comparison" not in json.loads((here / "report.json").read_text())


def test_markdown_tells_verdict_interval_and_seeds(here):
    report(here, "runs", "--baseline", "runs/baseline", "--format", "md")
    text = (here / "report.md").read_text(encoding="utf-8")
    section = text[text.index("## Compared with baseline") :]
    assert "### treated is better than baseline in val/accuracy." in section
    difference = compared(here)["metrics"][0]["difference"]
    # 0.1 apart, whatever the seeds do.
    assert difference["interval"][0] < 0.1 < difference["interval"][1]
    assert re.search(r"95 % interval \\?\+0\.09\d+ to \\?\+0\.1", section)
    assert f"{SEEDS} runs against {SEEDS} runs, {SEEDS} pairs of the same seed" in section


def page_of(out):
    text = (out / "index.html").read_text(encoding="utf-8")
    return text, json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_the_page_draws_the_sides_with_their_bands(here):
    report(here, "runs", "--baseline", "runs/baseline")
    text, data = page_of(here)
    sides = [i for i, run in enumerate(data["runs"]) if run.get("side")]
    assert [data["runs"][i]["n"] for i in sides] == ["baseline", "treated"]
    chart = next(c for c in data["charts"] if c["k"] == "side-c0")
    means = [line for line in chart["lines"] if not line.get("faint")]
    assert [line["r"] for line in means] == sides
    assert all(line["s"] == f"mean of {SEEDS} runs" and "l" in line for line in means)
    assert len([line for line in chart["lines"] if line.get("faint")]) == 2 * SEEDS
    (difference,) = next(c for c in data["charts"] if c["k"] == "side-d0")["lines"]
    assert difference["r"] == sides[1]
    assert "l" in difference
    # Every chart of the script has its place, and none has that of another.
    keys = [chart["k"] for chart in data["charts"]]
    assert len(set(keys)) == len(keys)
    assert all(text.count(f'id="{key}"') == 1 for key in keys)
    assert all(line["g"] < len(data["grids"]) for c in data["charts"] for line in c["lines"])


def test_the_runs_of_a_side_have_its_colour(here):
    report(here, "runs", "--baseline", "runs/baseline")
    _, data = page_of(here)
    colours = {}
    for run in data["runs"]:
        colours.setdefault(run["n"].partition("/")[0], set()).add((run["c"], run["d"]))
    assert {name: len(held) for name, held in colours.items()} == {"baseline": 1, "treated": 1}
    assert colours["baseline"] != colours["treated"]


@pytest.mark.parametrize("seeds", [3, 7])
def test_workers_and_one_process_write_the_same(tmp_path, monkeypatch, seeds):
    """Three runs a side are held with all their points, seven are let go one by one."""
    monkeypatch.chdir(tmp_path)
    write_sides(tmp_path / "runs", seeds)
    told = []
    for workers in (["--workers", "1"], ["--workers", "2"]):
        out = tmp_path / f"out-{len(told)}"
        done = report(out, "runs", "--baseline", "runs/baseline", "--format", "html", "--format",
                      "md", *workers)  # fmt: skip
        assert done[0] == 0
        files = {p.name: p.read_text(encoding="utf-8") for p in sorted(out.iterdir())}
        told.append({name: _timeless(text) for name, text in files.items()})
    assert told[0].keys() == {"comparison.json", "index.html", "report.json", "report.md"}
    assert told[0] == told[1]
    assert f"{seeds} runs against {seeds} runs" in told[0]["report.md"]


def _timeless(text):
    """Without when it was made, and by which command."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "then", text)
    return re.sub(r"--workers \d|out-\d|\d+ d( \d+ h)?|\d+ (s|min|h)\b", "", text)


def test_a_run_that_cannot_be_read_is_no_part_of_its_side(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sides(tmp_path / "runs", 4)
    (tmp_path / "runs" / "treated" / "seed-2.jsonl").write_bytes(b"\x00" * 50 + b'{"step": 1}\n')
    bad = tmp_path / "runs" / "treated" / "seed-3.jsonl.gz"
    bad.write_bytes(b"\x1f\x8b\x08 this is no gzip")
    told = []
    for workers in ("1", "2"):
        out = tmp_path / f"out{workers}"
        assert report(out, "runs", "--baseline", "baseline", "--workers", workers)[0] == 0
        told.append([len(arm["runs"]) for arm in compared(out)["arms"]])
        notices = json.loads((out / "report.json").read_text())["notices"]
        assert [n["where"] for n in notices].count(str(bad.relative_to(tmp_path))) == 1
    assert told[0] == told[1]
    assert told[0][0] == 4


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "--baseline", "nothing"], "--baseline nothing: no such run or path"),
        (["runs/treated", "--baseline", "runs/baseline"], "none of the runs lies there"),
        (["runs", "--group-by", "widht"], "no run has a setting 'widht'"),
        (["runs", "--group-by", "name", "--baseline", "x"], "no such side of the comparison"),
        (["runs/treated", "--group-by", "lr"], "nothing to compare: all 5 runs have lr = 0.03"),
        (["runs", "runs/baseline", "--baseline", "runs/baseline"], "name every run once"),
    ],
)
def test_bad_sides_are_one_line_and_nothing_is_written(here, arguments, said, workers):
    code, out, err = report(here, *arguments, "--workers", workers)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not here.exists()


def test_from_python(here):
    runs = trainlens.load("runs")
    trainlens.report(runs, here, group_by="lr", baseline="lr=0.1", plots=False, config={})
    document = compared(here)
    assert (document["baseline"], document["candidates"]) == ("lr=0.1", ["lr=0.03"])
    with pytest.raises(UsageError, match="there is no such side"):
        trainlens.report(runs, here, group_by="lr", baseline="0.2", plots=False, config={})
