"""What a URL is, what of it may be shown, and patterns in it, with `glob` as the oracle."""

import glob
import os

import pytest

from trainlens.remote.url import (
    fixed_part,
    is_url,
    local_path,
    matcher,
    public,
    scheme,
    secrets,
)


@pytest.mark.parametrize("text", ["s3://b/x", "memory://x", "gs://b", "zip://a::s3://b/c.zip"])
def test_urls(text):
    assert is_url(text)


@pytest.mark.parametrize("text", ["runs/a", "/runs", "C:/runs", "c://x", "a:b", "s3:/b", "x y://"])
def test_paths(text):
    assert not is_url(text)


def test_files_are_local():
    assert str(local_path("file:///a%20b/run.jsonl")) == "/a b/run.jsonl"
    assert local_path("s3://bucket/run.jsonl") is None
    assert scheme("zip://a::S3://b/c.zip") == "zip"


def test_nothing_secret_is_public():
    for url in ("sftp://me:s3cret@host/x", "https://host/x.csv?X-Sig=s3cret"):
        assert "s3cret" not in public(url)
        assert any("s3cret" in part for part in secrets(url))
    assert public("https://host/x.csv?sig=1") == "https://host/x.csv"
    assert public("s3://bucket/") == "s3://bucket"


def test_the_fixed_part():
    assert fixed_part("s3://b/exp-*/log[12]") == ("s3://b", "exp-*/log[12]")
    assert fixed_part("s3://b/a/") == ("s3://b/a/", "")
    assert fixed_part("https://h/a?b=*") == ("https://h/a?b=*", "")


TREE = ["exp-1/a/m.csv", "exp-1/m.csv", "exp-2/m.csv", "other/m.csv", ".hid/m.csv", "exp-[x]/m.csv",
        "exp-1/a/b/c/m.csv", "m.csv", "exp-1/.h/m.csv"]  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    ["*", "exp-*", "exp-?", "exp-[12]", "exp-[!1]", "*/m.csv", "**/m.csv", "exp-*/**/m.csv", "*/*",
     "exp-[[]x]", ".*", "exp-1/*/m.csv", "nothing-*", "exp-[12"],
)  # fmt: skip
def test_patterns_mean_what_glob_means(tmp_path, pattern):
    for name in TREE:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    expected = {m.rstrip("/") for m in glob.glob(pattern, root_dir=tmp_path, recursive=True)}
    # Hidden folders are passed over by `**` of glob; here they only need not be searched.
    match = matcher(pattern)
    files = [os.path.relpath(p, tmp_path) for p in map(str, tmp_path.rglob("*.csv"))]
    found = {m[1] for f in files if (m := match.fullmatch(f))}
    assert {f for f in found if "/.h/" not in f and not f.startswith(".hid/")} == expected
