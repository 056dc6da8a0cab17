"""A run whose recorder wrote it in several formats counts once."""

import json

import pytest

import trainlens
from tests.shell import run
from trainlens.readers import account, discover
from trainlens.schema import copies_of, header_line, ranks_of, record_line

NAMES = ("tb", "log.txt", "metrics.csv", ".aim")


def a_folder(folder, copies=NAMES):
    """A native log with a text log, a table and one more table beside it."""
    folder.mkdir(parents=True)
    records = [record_line(i, 1.7e9 + i, {"total": 1 / i}) for i in range(1, 40)]
    (folder / "log.jsonl").write_bytes(header_line("a", 1.7e9, copies=copies) + b"".join(records))
    rows = [f"{i},{1 / i!r}\n" for i in range(1, 40)]
    for name in ("metrics.csv", "other.csv"):
        (folder / name).write_text("step,total\n" + "".join(rows))
    lines = [f"{i}/100 total={1 / i:.3f}\n" for i in range(1, 40)]
    (folder / "log.txt").write_text("".join(lines))
    return folder


def names(path):
    return sorted(source.path.name for source in discover(path))


def test_what_the_header_names_counts_once_and_is_said_in_one_line(tmp_path):
    found = discover(a_folder(tmp_path / "a"))
    assert sorted(s.path.name for s in found) == ["log.jsonl", "other.csv"]
    (native,) = [s for s in found if s.path.name == "log.jsonl"]
    assert sorted(copy.path.name for copy in native.copies) == ["log.txt", "metrics.csv"]
    (notice,) = found.notices
    assert notice.lost == 0
    assert notice.where == str(tmp_path / "a")
    assert notice.message == (
        "not counted again: log.txt, metrics.csv (written with log.jsonl, by its header)"
    )


def test_a_copy_that_is_named_is_read(tmp_path):
    folder = a_folder(tmp_path / "a")
    for name in ("log.txt", "metrics.csv"):
        assert len(trainlens.load_one(folder / name)["total", "train"]) == 39
    pair = discover(folder / "log.jsonl", folder / "metrics.csv")
    assert len(pair) == 2
    assert not pair.notices
    assert names(folder / "*.[cj]s*") == ["log.jsonl", "metrics.csv", "other.csv"]


@pytest.mark.parametrize(
    "copies", [(), ("../b/log.txt",), ("a/log.txt",), ("",), ("LOG.TXT.old", "log")]
)
def test_without_such_names_every_file_is_a_run(tmp_path, copies):
    folder = a_folder(tmp_path / "a", copies)
    assert names(tmp_path) == ["log.jsonl", "log.txt", "metrics.csv", "other.csv"]
    assert not discover(folder).notices


@pytest.mark.parametrize("copies", ["log.txt", 3, None, {"log.txt": 1}, [3, None, "x"]])
def test_odd_headers_name_nothing_else(copies):
    assert set(copies_of({"copies": copies})) <= {"x"}


def test_the_files_of_other_folders_are_no_copies(tmp_path):
    a_folder(tmp_path / "a")
    a_folder(tmp_path / "a/below", copies=())
    a_folder(tmp_path / "b", copies=())
    assert len(discover(tmp_path)) == 2 + 4 + 4


def test_many_folders_are_one_line(tmp_path):
    for i in range(5):
        a_folder(tmp_path / f"run{i}")
    (notice,) = discover(tmp_path).notices
    assert notice.message.endswith("so in 5 folders)")


def test_commands_show_copies_and_judge_one_run(tmp_path):
    folder = a_folder(tmp_path / "a")
    (folder / "other.csv").unlink()
    code, out, err = run("ls", folder)
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "written with log.jsonl" in " ".join(err.split())
    code, out, _ = run("ls", "--all", folder)
    told = [(line.split()[0], "(written with log.jsonl)" in line) for line in out.splitlines()]
    assert told == [("jsonl", False), ("text", True), ("csv", True)]
    told = json.loads(run("diagnose", "--json", folder)[1])
    assert [one["path"] for one in told["runs"]] == [str(folder / "log.jsonl")]
    assert [one["kind"] for one in told["notices"]] == ["copies"]
    assert run("ls", "--strict", folder)[0] == 0


def test_accounts_tell_a_copy_from_a_run(tmp_path):
    told = {a.path.name: (a.format, a.reason) for a in account(a_folder(tmp_path / "a"))}
    assert told == {
        "log.jsonl": ("jsonl", ""),
        "other.csv": ("csv", ""),
        "log.txt": ("text", "written with log.jsonl"),
        "metrics.csv": ("csv", "written with log.jsonl"),
    }


def test_the_logs_of_other_ranks_are_no_runs_of_their_own(tmp_path):
    for rank in range(3):
        own = f".rank{rank}" if rank else ""
        copies, ranks = (f"metrics{own}.csv",), 1 if rank else 3
        records = [record_line(i, 1.7e9 + i, {"total": 1 / i}) for i in range(1, 40)]
        head = header_line("a", 1.7e9, copies=copies, ranks=ranks)
        (tmp_path / f"log{own}.jsonl").write_bytes(head + b"".join(records))
        rows = [f"{i},{1 / i!r}\n" for i in range(1, 40)]
        (tmp_path / f"metrics{own}.csv").write_text("step,total\n" + "".join(rows))
    found = discover(tmp_path)
    assert [s.path.name for s in found] == ["log.jsonl"]
    (notice,) = found.notices
    assert "log.rank1.jsonl, log.rank2.jsonl, metrics.csv, metrics.rank1.csv" in notice.message
    assert names(tmp_path / "log.rank2.jsonl") == ["log.rank2.jsonl"]


def test_logs_that_name_each_other_are_all_read(tmp_path):
    for name, other in (("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")):
        record = record_line(1, 1.7e9, {"total": 1.0})
        (tmp_path / name).write_bytes(header_line("a", 1.7e9, copies=(other, name)) + record)
    assert names(tmp_path) == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize("ranks", [True, -3, 0, 1, 1e3, "4", None, [2], 10**30])
def test_odd_numbers_of_ranks_name_nothing(ranks):
    assert ranks_of({"ranks": ranks}, "log", ".jsonl") == ()
