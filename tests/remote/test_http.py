"""Runs on a web server that knows no ranges, on this machine."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

import trainlens
from trainlens.errors import NotFound, Unreadable

pytest.importorskip("aiohttp", reason="aiohttp is not installed")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_folder_of_a_web_server(server):
    folder, url = server
    line = b'{"step": %d, "loss": 0.5}\n'
    (folder / "exp").mkdir()
    (folder / "exp" / "small.jsonl").write_bytes(b"".join(line % i for i in range(9)))
    (folder / "exp" / "large.jsonl").write_bytes(b"".join(line % i for i in range(9_000)))
    runs = trainlens.load(f"{url}/exp/")
    assert [(r.source, r.points) for r in runs] == [
        (f"{url}/exp/large.jsonl", 9_000),
        (f"{url}/exp/small.jsonl", 9),
    ]
    one = trainlens.load_one(f"{url}/exp/large.jsonl?signature=s3cret")
    assert (one.name, one.source, one.points) == ("large", f"{url}/exp/large.jsonl", 9_000)


def test_what_is_not_there(server):
    _, url = server
    with pytest.raises(NotFound, match="no such object"):
        trainlens.load(f"{url}/none.jsonl")


def test_a_server_that_is_not_there():
    with pytest.raises(Unreadable, match=r"http://127.0.0.1:9/x: cannot be reached"):
        trainlens.load("http://127.0.0.1:9/x")
