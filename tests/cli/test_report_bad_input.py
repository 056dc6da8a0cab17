"""Odd logs and folders that cannot be written, through the real command: readable, or one line."""

import errno
import json
import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.shell import invoke as run
from trainlens import atomic, cli

ODD = (
    "\u202eevil\u2066\x1b[31m\x07\x00", "القيمة/الخسارة", "<script>alert(1)</script>",
    "{{7*7}}{% for x in y %}", '{"a": [1]}', "@everyone #12 |a| `b`", "x" * 300, "é" * 300,
    "]]></script><!--", "損失" * 60,
)  # fmt: skip


def log(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def falling(step):
    return 3 / (1 + step) ** 0.3


def logs(folder):
    """Logs by what is odd about them."""
    random.seed(3)
    wide = [f"layer.{i:04d}/of the weights/norm" for i in range(5000)]
    return {
        "no-validation": log(
            folder / "a.jsonl", ({"step": s, "loss": falling(s)} for s in range(200))
        ),
        "one-point": log(folder / "b.jsonl", [{"step": 1, "loss": 2.3}]),
        "all-nan": log(
            folder / "c.jsonl",
            ({"step": s, "loss": float("nan"), "val_loss": float("nan")} for s in range(50)),
        ),
        "wide": log(
            folder / "d.jsonl",
            ({"step": s, "loss": falling(s), **dict.fromkeys(wide, s)} for s in range(12)),
        ),
        "names": log(
            folder / "e.jsonl",
            (
                {"step": s, "loss": falling(s), **{n: random.random() for n in ODD}}
                | ({ODD[0]: float("nan")} if s > 60 else {})
                for s in range(100)
            ),
        ),
    }


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return logs(tmp_path_factory.mktemp("odd"))


def columns(line):
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in line
    )  # fmt: skip


@pytest.mark.parametrize("width", [60, 200])
@pytest.mark.parametrize("name", ["no-validation", "one-point", "all-nan", "wide", "names"])
def test_diagnose_stays_readable(odd, name, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    told = run("diagnose", odd[name])
    assert told.exit_code == {"one-point": 2, "wide": 2, "all-nan": 1}.get(name, 0)
    assert told.stderr == ""
    lines = told.stdout.splitlines()
    assert 10 < len(lines) < 90
    assert max(map(columns, lines)) <= width
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in told.stdout if c != "\n")


@pytest.mark.parametrize("name", ["one-point", "all-nan", "names"])
def test_report_in_every_format(odd, name, tmp_path):
    out = tmp_path / "out"
    told = run("report", odd[name], "-o", out, "--format", "html", "--format", "md", "--no-plots")
    assert told.exit_code == 0
    page, text = (out / "index.html").read_text(), (out / "report.md").read_text()
    json.loads((out / "report.json").read_text())
    assert "<script>alert(1)" not in page
    assert "{{7*7}}" not in text or "\\{\\{7" not in text
    verdict = told.stdout.split("\n\n")[0].split("\n", 1)[1]
    assert " ".join(verdict.split())[:40] in " ".join(text.replace("\\", "").split())
    assert not {c for c in page + text if unicodedata.bidirectional(c) in ("RLO", "LRI", "RLI")}


def test_five_thousand_metrics_stay_small_where_people_read_them(odd, tmp_path):
    text = run("diagnose", odd["wide"], "--format", "md").stdout
    document = json.loads(run("diagnose", odd["wide"], "--json").stdout)
    assert len(text) < 20_000
    assert document["runs"][0]["steps"] == [0, 11]
    assert "60\u202f012 points" in text


# --- where to write ---------------------------------------------------------------------------


def one_line(told, *words):
    assert told.exit_code == 2
    assert told.stdout == ""
    (line,) = told.stderr.strip().splitlines()
    assert "Traceback" not in line
    for word in words:
        assert word in line


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_file_where_the_folder_should_be(odd, tmp_path):
    (tmp_path / "out").write_text("mine")
    for target in ("out", "out/deeper"):
        one_line(run("report", odd["one-point"], "-o", tmp_path / target), str(tmp_path / "out"))
    assert contents(tmp_path) == {"out": b"mine"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_must_not_be_written(odd, tmp_path):
    tmp_path.chmod(0o500)
    try:
        for target in (tmp_path, tmp_path / "out"):
            one_line(run("report", odd["one-point"], "-o", target), "Permission denied", "-o")
    finally:
        tmp_path.chmod(0o700)
    assert contents(tmp_path) == {}


def test_a_folder_that_says_it_must_not_be_written(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    one_line(run("report", odd["one-point"], "-o", tmp_path), "Permission denied", "-o")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_disk_that_is_full_leaves_nothing_half_written(odd, tmp_path, monkeypatch, room):
    """The disk takes so many files; each write after them fails in its middle."""
    real, made = atomic.produce, []

    def produce(path, make):
        def full(name):
            make(name)
            os.truncate(name, os.path.getsize(name) // 2)
            raise OSError(errno.ENOSPC, "No space left on device")

        made.append(path)
        return real(path, make if len(made) <= room else full)

    monkeypatch.setattr(atomic, "produce", produce)
    (tmp_path / "index.html").write_text("the report of yesterday")
    told = run("report", odd["one-point"], "-o", tmp_path, "--format", "html", "--format", "md",
               "--no-plots")  # fmt: skip
    one_line(told, "No space left on device", "free space")
    found = contents(tmp_path)
    assert len(made) == room + 1
    assert not [name for name in found if ".trainlens-" in name]
    if room == 0:
        assert found == {"index.html": b"the report of yesterday"}
    else:
        assert found["index.html"].decode().rstrip().endswith("</html>")
        assert set(found) == {"index.html", "report.md"} - ({"report.md"} if room == 1 else set())


# --- terminals without Unicode ------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["diagnose", "ls"])
def test_any_terminal_can_show_it(odd, encoding, command):
    told = run(command, odd["names"], charset=encoding)
    assert told.exit_code == 0
    assert told.exception is None or isinstance(told.exception, SystemExit)
    shown = told.stdout_bytes.decode(encoding)
    assert "steps 0" in shown or "0–99" in shown or "0-99" in shown
    braille = any("\u2800" <= c <= "\u28ff" for c in shown)
    assert braille == (encoding == "utf-8" and command == "diagnose")
    if encoding == "ascii":
        assert shown.isascii()


def test_a_process_whose_terminal_is_ascii(odd):
    ran = subprocess.run(
        [sys.executable, "-m", "trainlens", "diagnose", odd["no-validation"], "--no-cache"],
        capture_output=True,
        env=os.environ
        | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        check=True,
    )
    assert ran.stdout.isascii()
    assert b"steps 0-199" in ran.stdout
    assert ran.stderr == b""


@pytest.mark.parametrize("how", [["--color=never"], ["--color=auto"], []])
def test_no_colour_without_a_terminal(odd, how, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(*how, "diagnose", odd["all-nan"]).stdout
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in run(*how, "diagnose", odd["all-nan"]).stdout


def test_colour_where_it_is_wanted(odd):
    told = run("--color=always", "diagnose", odd["all-nan"]).stdout
    assert "\x1b[31mfailing\x1b[0m" in told


def test_formats_exclude_each_other(odd):
    one_line(run("diagnose", odd["one-point"], "--json", "--format", "md"), "exclude each other")
    assert run("diagnose", odd["one-point"], "--format", "json").stdout.startswith("{")
    assert "not on this disk" not in run("diagnose", odd["one-point"], "--format", "md").stdout
