"""Reports in folders of offline W&B runs, and what `wandb sync` makes of them."""

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.attach.helping import judged, prints, report

pytest.importorskip("wandb", reason="attached where W&B is installed")

MADE = """
import sys, wandb
run = wandb.init(project="p", dir=sys.argv[1], mode="offline",
                 settings=wandb.Settings(console="off", x_disable_stats=True))
for i in range(60):
    run.log({"loss": 2 / (1 + i)})
run.finish()
"""
QUIET = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wandb")
    subprocess.run([sys.executable, "-W", "ignore", "-c", MADE, folder], check=True, cwd=folder,
                   capture_output=True, env={**os.environ, **QUIET})  # fmt: skip
    (found,) = folder.glob("wandb/offline-run-*")
    before, told = prints(found), judged(found)
    code, _, err = report(folder / "out", found, "--attach")
    assert code == 0, err
    assert f": {found / 'files' / 'trainlens-report'}" in err
    return found, before, told


def test_the_files_lie_among_those_of_the_run(run):
    folder, before, told = run
    after = prints(folder)
    assert {name: after[name] for name in before} == before
    new = {f"files/trainlens-report/{n}" for n in ("index.html", "report.json", "report.md")}
    assert after.keys() - before.keys() == new
    assert judged(folder) == told


def test_a_log_without_its_folder_is_refused(run, tmp_path):
    (log,) = run[0].glob("*.wandb")
    lone = tmp_path / log.name
    lone.write_bytes(log.read_bytes())
    code, _, err = report(tmp_path / "out", lone, "--attach", "wandb")
    assert code == 2
    assert "is not in the folder of its run" in err
    assert {p.name for p in tmp_path.iterdir()} == {log.name, "out"}


class Server(BaseHTTPRequestHandler):
    """As much of a W&B server as `wandb sync` asks for; `uploaded` names the files it was given."""

    protocol_version = "HTTP/1.1"
    uploaded: set[str]
    url: str

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._answer({})

    def do_PUT(self):
        self._body()
        self.uploaded.add(self.path.removeprefix("/up/"))
        self._answer({})

    def do_POST(self):
        asked = self._body()
        self._answer({"data": self._data(json.loads(asked))} if "graphql" in self.path else {})

    def _data(self, asked):
        values = asked.get("variables") or {}
        operation = re.search(r"(?:mutation|query)\s+(\w+)", asked["query"])[1]
        if operation == "UpsertBucket":
            project = {"name": "p", "entity": {"name": "e"}}
            bucket = {"id": "r", "name": values["name"], "displayName": "r", "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": n, "uploadUrl": f"{self.url}/up/{n}"} for n in values["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        return {}

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving():
    handler = type("Here", (Server,), {"uploaded": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield handler
        finally:
            server.shutdown()
            thread.join()


def test_wandb_sync_takes_what_the_log_names_and_so_leaves_the_report(run, tmp_path):
    """Measured with the client itself: what docs/attach.md says of an upload is a fact."""
    folder = run[0]
    assert Path(folder, "files", "trainlens-report", "report.md").exists()
    with serving() as server:
        home = {
            **os.environ,
            **QUIET,
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": "a" * 40,
            "WANDB_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        before = prints(folder)
        line = [sys.executable, "-W", "ignore", "-m", "wandb", "sync", folder]
        subprocess.run(line, check=True, cwd=tmp_path, capture_output=True, env=home, timeout=120)
    assert "config.yaml" in server.uploaded
    assert not [name for name in server.uploaded if "trainlens" in name]
    # The sync leaves the report where it is.
    after = prints(folder)
    kept = [name for name in before if "trainlens" in name]
    assert [after[name] for name in kept] == [before[name] for name in kept]


def test_the_call_that_docs_name_is_there():
    from wandb.apis.public import Run

    assert callable(Run.upload_file)
