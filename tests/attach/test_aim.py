"""Reports in runs of an AIM repository, read back by the SDK in a process of its own."""

import json
import subprocess
import sys

import pytest

from tests.attach.helping import command, judged, report
from tests.readers.aim_process import aim_process
from trainlens.readers import load

pytest.importorskip("aimrocks", reason="reads AIM repositories")

MADE = """
import json, sys
from aim import Run
from aim.sdk.index_manager import RepoIndexManager
def new(name):
    run = Run(repo=sys.argv[1], log_system_params=False, capture_terminal_logs=False,
              system_tracking_interval=None)
    run.name = name
    run["hparams"] = {"lr": 0.1}
    for i in range(60):
        run.track(2 / (1 + i), name="loss", step=i * 10, context={"subset": "train"})
    return run
runs = [new(name) for name in sys.argv[2:]]
if "live" not in sys.argv:
    for run in runs:
        run.close()
        RepoIndexManager.get_index_manager(run.repo).index(run.hash)
print(json.dumps({run.name: run.hash for run in runs}), flush=True)
if "live" in sys.argv:
    sys.stdin.read()
"""
READ = """
import json, sys
from aim.sdk.repo import Repo
repo, found = Repo(sys.argv[1]), {}
def items(query, name):
    return [list(s.data.items_list()) for s in query(f"run.name == '{name}'").iter()
            if s.name.startswith("trainlens/")]
for run in repo.iter_runs():
    metrics = {m.name: [int(m.dataframe()["step"].sum()), float(m.dataframe()["value"].sum())]
               for m in run.metrics()}
    texts = [[steps, [t.data for t in v[0]]] for steps, v in items(repo.query_texts, run.name)]
    images = [[steps, [[i.width, i.height, i.caption] for i in v[0]]]
              for steps, v in items(repo.query_images, run.name)]
    found[run.name] = {"end": run.end_time, "metrics": metrics, "texts": texts, "images": images,
                       "lr": run["hparams"]["lr"], "created": run.creation_time,
                       "archived": run.archived, "active": run.active}
print(json.dumps(found))
"""


def read(folder):
    line, options = aim_process(READ, folder)
    done = subprocess.run(line, capture_output=True, check=True, **options)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A repository whose third run is being written; the process that writes it, and hashes."""
    folder = tmp_path_factory.mktemp("aim")
    line, options = aim_process(MADE, folder, "done", "plain")
    subprocess.run(line, capture_output=True, check=True, **options)
    line, options = aim_process(MADE, folder, "live")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, **pipes, **options) as process:
        hashes = json.loads(process.stdout.readline())
        yield folder, process, hashes
        if process.poll() is None:
            process.kill()


def test_the_sdk_shows_the_report_and_all_else_as_it_was(repo, tmp_path):
    folder, process, hashes = repo
    shown, told, runs = read(folder), judged(folder), {r.name: r for r in load(folder)}
    code, _, err = command("report", folder, "--attach", "-o", tmp_path / "out", "--no-config",
                           "--no-cache")  # fmt: skip
    # The run that is being written is refused, the others have theirs.
    assert code == 2
    lines = [line for line in err.splitlines() if "ttached" in line]
    assert len(lines) == 3
    (refused,) = (line for line in lines if line.startswith("Not attached (aim): live: "))
    assert f"run {hashes['live']} is being written by another process; wait until" in refused
    found = read(folder)
    for name in ("done", "plain"):
        ((steps, (text,)),) = found[name].pop("texts")
        assert steps == [590]
        assert text.startswith("# Healthy so far.")
        ((steps, ((width, _, _),)),) = found[name].pop("images")
        assert (steps, width > 500) == ([590], True)
        assert (shown[name].pop("texts"), shown[name].pop("images")) == ([], [])
    assert found == shown
    assert found["done"]["end"] is not None
    assert judged(folder) == told
    for name, run in {r.name: r for r in load(folder)}.items():
        assert run.config == runs[name].config
        assert run.notices == runs[name].notices
        assert list(run.series) == list(runs[name].series)

    # Killed: nothing writes it any more, and attaching to it does not make it look finished.
    process.kill()
    process.wait()
    code, _, err = report(tmp_path / "out", folder, "--attach", "aim", "--title", "Two")
    assert code == 0, err
    last = read(folder)
    assert last["live"]["end"] is None
    assert len(last["live"]["texts"]) == 1
    # A second report at the same step stands in place of the first.
    ((steps, (text,)),) = last["done"]["texts"]
    assert steps == [590]
    assert "\nTwo · " in text


def test_an_sdk_that_gives_up_is_one_line(tmp_path):
    from trainlens.attach.sdk import Sdk
    from trainlens.errors import OutputError

    sdk = Sdk("trainlens.attach.in_nowhere", {})
    try:
        with pytest.raises(OutputError, match=r"its SDK gave up: .*in_nowhere.*use --attach log"):
            sdk.ask(tmp_path, step=1)
        assert sdk._process is None
    finally:
        sdk.close()


def test_a_file_named_like_the_sdk_is_not_run(tmp_path, monkeypatch):
    from trainlens.attach import sdk

    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    code = sdk._START.replace("runpy.run_module(sys.argv[1], run_name='__main__')", "import json")
    subprocess.run([sys.executable, "-c", code], check=True)
