"""Reports as artifacts of MLflow runs, read back by its own client."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.attach.helping import judged, prints, report
from trainlens.attach import in_mlflow

pytest.importorskip("mlflow", reason="puts artifacts where MLflow has them")
pytest.importorskip("sqlalchemy", reason="MLflow needs it for databases")

HOME = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
MADE = """
import json, sys
from mlflow import MlflowClient
made = {}
for store in sys.argv[1:]:
    client = MlflowClient(tracking_uri=store)
    run = client.create_run(client.create_experiment("e"), run_name="nice")
    for i in range(60):
        client.log_metric(run.info.run_id, "loss", 2 / (1 + i), step=i)
    client.set_terminated(run.info.run_id)
    made[store] = run.info.run_id
print(json.dumps(made))
"""
READ = """
import json, sys
from mlflow import MlflowClient
found = {}
for store, run in json.loads(sys.argv[1]).items():
    client = MlflowClient(tracking_uri=store)
    listed = client.list_artifacts(run, "trainlens-report")
    text = open(client.download_artifacts(run, "trainlens-report/report.md")).read()
    state = client.get_run(run)
    found[store] = [sorted(a.path for a in listed), text, state.info.status, state.data.metrics]
print(json.dumps(found))
"""


def client(code, *arguments, cwd):
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, env=HOME, text=True, capture_output=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    uris = [(folder / "files" / "mlruns").as_uri(), f"sqlite:///{folder}/db/mlflow.db"]
    (folder / "db").mkdir()
    (folder / "files").mkdir()
    return folder, client(MADE, *uris, cwd=folder / "db")


def test_the_client_lists_and_opens_them(stores):
    folder, made = stores
    before, told = prints(folder), judged(folder)
    code, _, err = report(folder / "out", folder, "--attach")
    assert code == 0, err
    assert err.count("Attached: ") == 2
    for paths, text, status, metrics in client(READ, json.dumps(made), cwd=folder / "db").values():
        names = ("index.html", "report.json", "report.md")
        assert paths == [f"trainlens-report/{name}" for name in names]
        assert text.startswith("# Healthy so far.")
        assert (status, metrics) == ("FINISHED", {"loss": 2 / 60})
    after = prints(folder)
    assert {name: after[name] for name in before} == before
    new = {n for n in after.keys() - before.keys() if not n.startswith("out/")}
    assert all("/artifacts/trainlens-report/" in name for name in new)
    assert judged(folder) == told


def test_artifacts_that_belong_elsewhere_are_refused(stores, tmp_path):
    folder, _ = stores
    uri = "/nowhere/at/all/mlruns/1/x/artifacts"
    shutil.copytree(folder / "files" / "mlruns", tmp_path / "mlruns")
    (meta,) = (p for p in tmp_path.rglob("meta.yaml") if "artifact_uri" in p.read_text())
    text = "\n".join(
        f"artifact_uri: {uri}" if line.startswith("artifact_uri") else line
        for line in meta.read_text().splitlines()
    )
    meta.write_text(text + "\n")
    before = prints(tmp_path)
    code, _, err = report(folder / "out", meta.parent, "--attach", "mlflow")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("Not attached")]
    assert f"belong to {uri}, which is not on this machine; use --attach log" in line
    assert prints(tmp_path) == before


def test_uris_of_artifacts():
    local = in_mlflow._local
    assert local("s3://bucket/x") is local("mlflow-artifacts:/1/x") is local("") is None
    assert local("file://elsewhere/x") is None
    assert str(local("file:///a%20b")) == str(local("file://localhost/a%20b")) == "/a b"


def test_a_store_that_mlflow_refuses_is_one_line(stores, tmp_path):
    run = tmp_path / "mlruns" / "7" / "abc"
    for part in ("metrics", "params", "tags"):
        (run / part).mkdir(parents=True)
    (run / "meta.yaml").write_text("run_id: abc\n")
    (run / "metrics" / "loss").write_text("".join(f"{i} {1 / (1 + i)} {i}\n" for i in range(40)))
    before = prints(run)
    code, _, err = report(tmp_path / "out", run, "--attach")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("Not attached")]
    assert "MLflow: " in line
    assert "Traceback" not in err
    assert prints(run) == before
