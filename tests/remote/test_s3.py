"""Runs on a real S3 server on this machine: equal to the local ones bit for bit."""

import json
import sys

import pytest
from same import assert_equal

import trainlens
from trainlens.cli import main
from trainlens.errors import MissingExtra, NotFound, Unreadable


@pytest.fixture
def command(capsys, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["trainlens", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_sample_runs_are_the_same_there(s3, sample_runs):
    s3.put(str(sample_runs), "bucket/exp/sample_runs", recursive=True)
    here = trainlens.load(sample_runs)
    assert len({r.format for r in here}) >= 4
    for _ in range(2):
        there = trainlens.load("s3://bucket/exp/sample_runs")
        assert_equal(there, here)
    assert not there.notices
    assert all(r.source.startswith("s3://bucket/exp/sample_runs/") for r in there)
    one = trainlens.load("s3://bucket/exp/sample_runs/handpose_aim/.aim")
    assert_equal(one, trainlens.load(sample_runs / "handpose_aim" / ".aim"))


def test_the_second_look_fetches_new_bytes_only(s3, s3_server, monkeypatch):
    from trainlens.readers._remote import _of_no_interest
    from trainlens.remote.mirror import Mirror

    line = b'{"step": 1, "loss": 0.5}\n'
    s3.pipe("bucket/run/log.jsonl", line * 20_000)
    received = []
    for content in (line * 20_000, line * 20_000, line * 20_010):
        s3.pipe("bucket/run/log.jsonl", content)
        mirror = Mirror("s3://bucket/run", _of_no_interest)
        mirror.refresh()
        mirror.fetch([p for p, _, whole in mirror.files() if not whole])
        assert (mirror.root / "log.jsonl").read_bytes() == content
        received.append(mirror.received)
        mirror.close()
    assert received[0] <= len(line) * 20_000 + (32 << 10)
    assert received[1:] == [0, 10 * len(line) + 2048]


def test_the_command_line_names_urls(s3, sample_runs, cache, command):
    s3.put(str(sample_runs / "diverging_jsonl"), "bucket/diverging_jsonl", recursive=True)
    code, out, err = command("diagnose", "--json", "s3://bucket/diverging_jsonl")
    assert code == 1, err
    runs = json.loads(out)["runs"]
    assert {r["path"] for r in runs} == {
        f"s3://bucket/diverging_jsonl/{name}.jsonl" for name in ("climbs", "ends_in_nan")
    }
    for arguments in (("ls",), ("ls", "--all"), ("diagnose",)):
        _, out, err = command(*arguments, "s3://bucket/diverging_jsonl")
        assert str(cache) not in out + err
        assert "mirror" not in out + err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/none/", "no such object, folder or bucket; check the URL"),
        ("s3://bucket/none.jsonl", "no such object, folder or bucket; check the URL"),
        ("s3://no-bucket-of-this-name/x", "no such object, folder or bucket; check the URL"),
        ("s3://bucket/no-*", "no object fits this pattern; check the URL"),
        ("none-such://b/x", "nothing reads the scheme none-such://"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(s3, command, url, said):
    code, out, err = command("diagnose", url)
    assert code == 2
    assert out == ""
    assert err.startswith(f"trainlens: {url.rstrip('/')}: ")
    assert said in err
    assert err.count("\n") == 1


def test_without_credentials(s3, command, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    type(s3).clear_instance_cache()
    code, _, err = command("ls", "s3://bucket/x")
    assert code == 2
    assert "access is refused" in err
    assert "check the credentials" in err
    assert err.count("\n") == 1


def test_a_host_that_is_not_there(s3, command, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    type(s3).clear_instance_cache()
    code, _, err = command("ls", "s3://bucket/x")
    assert code == 2
    assert err.startswith("trainlens: s3://bucket/x: cannot be reached (Could not connect")
    assert err.count("\n") == 1


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    def missing(protocol):
        raise ImportError("Install s3fs to access S3" if protocol == "s3" else "Install this")

    monkeypatch.setattr("fsspec.core.get_filesystem_class", missing)
    monkeypatch.setattr("trainlens.remote.connect.backend", missing)
    with pytest.raises(MissingExtra, match=r"reading s3://b/x needs an extra: pip install 'trainl"):
        trainlens.load("s3://b/x")
    with pytest.raises(Unreadable, match="abfs://b/x: its backend is not installed; Install this"):
        trainlens.load("abfs://b/x")


def test_without_fsspec(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtra, match=r"'trainlens\[remote\]'"):
        trainlens.load("memory://b/x")


def test_files_by_url_are_local(sample_runs, cache):
    file = sample_runs / "diverging_jsonl" / "climbs.jsonl"
    run = trainlens.load_one(f"file://{file}")
    assert run.source == str(file)
    assert not cache.exists()
    with pytest.raises(NotFound):
        trainlens.load("file:///no/such/file")


def test_errors_show_no_secret(monkeypatch):
    with pytest.raises((Unreadable, MissingExtra)) as error:
        trainlens.load("none-such://me:s3cret@host/x")
    assert "s3cret" not in str(error.value)
