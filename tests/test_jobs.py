"""A job over many runs says the same wherever it is done, and one bad run stops nothing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trainlens import cli, jobs, place
from trainlens.engine import Here
from trainlens.readers import Survey
from trainlens.work import Judging

NOW = 1.8e9


def write(folder: Path, name: str, loss: float, steps: int = 60) -> None:
    rows = ({"step": i, "loss": loss / (1 + i), "lr": 0.1} for i in range(steps))
    header = {"schema": "trainlens.log/1", "run": name, "created": 1.0, "config": {"seed": loss}}
    lines = [json.dumps(header), *(json.dumps(row) for row in rows)]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def sweep(tmp_path):
    """Fifteen runs: more than get a sheet each."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    for i in range(15):
        write(folder, f"run-{i:02d}", 1.0 + i)
    (folder / "run-07.jsonl").write_text('{"step": 0, "loss": NaN}\n' * 30)
    return folder


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def reported(sweep, out, where):
    survey = Survey(sweep)
    page = jobs.Page(out, formats=("html", "md"), command="x")
    told, written = jobs.report(survey, page, Judging(), now=NOW, place=where)
    assert sorted(p.name for p in written) == sorted(contents(out))
    return told, contents(out)


def test_a_pool_says_what_one_process_says(sweep, tmp_path):
    alone = reported(sweep, tmp_path / "1", place.Place(workers=1))
    assert len(alone[0]) == 15
    # The first four runs, and the one with a fault.
    sheets = sorted(name for name in alone[1] if name.endswith("dashboard.png"))
    assert sheets == [f"run-{i:02d}-dashboard.png" for i in (1, 2, 3, 4, 8)]
    assert reported(sweep, tmp_path / "2", place.Place(workers=2)) == alone


def test_a_cluster_says_what_one_process_says(sweep, tmp_path):
    pytest.importorskip("distributed", reason="needs the extra dask")
    alone = reported(sweep, tmp_path / "1", None)
    assert reported(sweep, tmp_path / "2", place.Place(workers=2, engine="dask")) == alone


def test_few_runs_look_the_same_with_their_points_and_without(sample_runs, tmp_path):
    page = jobs.Page(tmp_path / "a", plots=False, command="x")
    jobs.report(Survey(sample_runs), page, Judging(), now=NOW)
    page = jobs.Page(tmp_path / "b", plots=False, command="x")
    jobs.report(Survey(sample_runs), page, Judging(), now=NOW, place=place.Place(workers=2))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("command", ["ls", "diagnose", "report"])
def test_one_unreadable_run_is_named_and_the_rest_complete(sweep, tmp_path, command, workers):
    # It is found, and gone when its turn comes.
    (sweep / "run-03.jsonl").write_bytes(b"\x00" * 100 + b'{"step": 1, "loss": 2}\n')
    pack = sweep / "run-04.jsonl.gz"
    pack.write_bytes(b"\x1f\x8b\x08 this is no gzip")
    out = ["-o", str(tmp_path / "out")] if command == "report" else []
    fail = [] if command == "ls" else ["--fail-on", "never"]
    args = [command, str(sweep), "--workers", workers, *out, *fail]
    result = CliRunner().invoke(cli.cli, args, standalone_mode=False)
    assert result.exception is None
    text = result.output
    if command == "report":
        text = (tmp_path / "out" / "report.json").read_text()
    assert all(f"run-{i:02d}" in text for i in range(15))


def test_a_run_that_vanishes_between_finding_and_reading_is_a_notice(sweep):
    survey = Survey(sweep)
    (sweep / "run-09.jsonl").unlink()
    names = list(survey.each(lambda run: run.name))
    assert len(names) == 14
    (notice,) = survey.notices
    assert notice.kind == "unreadable"
    assert "run-09.jsonl" in notice.where
    assert notice.lost is None


def test_nothing_of_the_points_is_held_while_many_are_read(sweep):
    import weakref

    held = []

    def work(run):
        alive = sum(ref() is not None for ref in held)
        held.append(weakref.ref(run))
        return alive

    # The run at hand may be alive while the next is read, none before it.
    assert max(Survey(sweep).each(work, Here())) <= 1


def test_default_engines_suit_the_work(sweep, monkeypatch):
    survey = Survey(sweep)
    with place.engine_for(survey, place.Place()) as engine:
        assert engine.workers == 1
    monkeypatch.setattr(place, "MANY", 10)
    monkeypatch.setattr(place, "cores", lambda: 3)
    with place.engine_for(survey, place.Place()) as engine:
        assert engine.workers == 3


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler is for --engine dask"),
        (["--engine", "dask", "--scheduler", "x", "--workers", "2"], "--workers is for processes"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(sweep, args, said):
    result = CliRunner().invoke(cli.cli, ["ls", str(sweep), *args], standalone_mode=False)
    assert said in str(result.exception)


def test_json_of_many_runs_is_the_json_of_all_at_once(sweep):
    from trainlens import diagnose, load
    from trainlens.render import json as render

    runs = load(sweep)
    diagnoses = [diagnose(r) for r in runs]
    text = render.dumps(diagnoses, runs.notices)
    document = render.document(diagnoses, runs.notices)
    assert json.loads(text) == document
    assert text.isascii()
    assert len(text.splitlines()) == len(json.dumps(document, indent=2).splitlines())
    assert json.loads(render.dumps([])) == render.document([])
    result = CliRunner().invoke(cli.cli, ["diagnose", str(sweep), "--json", "--workers", "2"])
    assert json.loads(result.stdout) == document
