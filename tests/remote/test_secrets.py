"""Passwords and signatures in URLs: used, never shown, never kept."""

import pytest

import trainlens
from trainlens.errors import NotFound, SeveralRuns

ROWS = b"".join(b'{"step": %d, "loss": 0.5}\n' % i for i in range(30))


def test_no_password_is_shown_or_kept(faulty, cache):
    for name in ("x", "y"):
        faulty.put(f"me:s3cret@b/{name}/log.jsonl", ROWS + b"torn")
    runs = trainlens.load("faulty://me:s3cret@b")
    assert [r.source for r in runs] == [f"faulty://me:***@b/{n}/log.jsonl" for n in ("x", "y")]
    with pytest.raises(SeveralRuns, match=r"^faulty://me:\*\*\*@b: holds 2 runs"):
        trainlens.load_one("faulty://me:s3cret@b")
    with pytest.raises(NotFound, match=r"^faulty://me:\*\*\*@b/z: "):
        trainlens.load("faulty://me:s3cret@b/z")
    assert "s3cret" not in repr([(r.name, r.source, r.notices) for r in runs])
    assert not [p for p in cache.rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]
    assert not [p for p in cache.rglob("*") if "s3cret" in str(p)]


def test_a_page_of_a_report_shows_no_password(monkeypatch):
    from trainlens.cli.report import command_line

    monkeypatch.setattr("sys.argv", ["trainlens", "report", "https://h/a.jsonl?sig=s3cret", "a?b"])
    assert command_line() == "trainlens report https://h/a.jsonl 'a?b'"
