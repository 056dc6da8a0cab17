"""A cache folder for each test, and filesystems: one that fails on demand, and a real S3 server."""

import os
import sys
from pathlib import Path

import fsspec
import pytest

sys.path.append(str(Path(__file__).parent))

from faulty import FaultyFS


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TRAINLENS_CACHE", str(folder))
    return folder


@pytest.fixture
def faulty():
    fsspec.register_implementation("faulty", FaultyFS, clobber=True)
    FaultyFS.begin()
    yield FaultyFS
    FaultyFS.begin()


@pytest.fixture
def slept():
    """Seconds that were to be slept; hand ``slept.append`` over as `sleep`."""
    return []


@pytest.fixture(scope="session")
def s3_server():
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", minversion="2024.2", reason="s3fs is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path):
    """A filesystem of the server, with credentials in the environment only."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    if fs.exists("bucket"):
        fs.rm("bucket", recursive=True)
    fs.mkdir("bucket")
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()
